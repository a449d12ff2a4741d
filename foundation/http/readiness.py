"""
The frame of ``/ready``: parts asked side by side, each within a deadline, and what holds by the register of alarms.

Anybody may ask, so the answer is kept for ten seconds, only one check runs at a time, and it names no
order, no shop and no address.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from foundation import logs
from foundation.clock import Clock, UnixMs
from foundation.errors import ServiceError

T = TypeVar("T")

DEADLINE_S: Final = 2.5
"""Every part is cut here, so that an answer comes within three seconds, no matter which part hangs."""
KEPT_MS: Final = 10_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadinessProbe:
    """Something that is asked by itself: the checks it answers, and how."""

    name: str
    checks: Sequence[str]
    ask: Callable[[], Awaitable[Mapping[str, bool]]]
    """A check that the answer leaves out has failed; a ServiceError fails all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingAlarms:
    """The codes of the alarms that hold now, and those of them with which the service does no work."""

    codes: Sequence[str]
    blocking: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadinessReport:
    """What was checked, the names of the settings that are wrong, and the codes of the alarms that hold."""

    checks: Mapping[str, bool]
    settings: Sequence[str] = ()
    alarms: Sequence[str] = ()

    @property
    def ready(self) -> bool:
        return all(self.checks.values())

    @property
    def document(self) -> Mapping[str, object]:
        """The answer's JSON."""
        return {
            "ready": self.ready,
            "checks": dict(self.checks),
            "settings": list(self.settings),
            "alarms": list(self.alarms),
        }


@dataclass(slots=True)
class _Memory:
    report: ReadinessReport | None = None
    checked_ms: UnixMs = UnixMs(0)


@dataclass(frozen=True, kw_only=True)
class ReadinessFrame:
    """Ask every part; what cannot be asked in time is a failed check, not a failed answer."""

    parts: Sequence[ReadinessProbe]
    wrong_settings: Callable[[], Awaitable[Sequence[str]]]
    """Names as they may be shown to strangers."""
    standing: Callable[[], Awaitable[StandingAlarms]]
    clock: Clock
    deadline_s: float = DEADLINE_S
    _memory: _Memory = field(default_factory=_Memory, init=False, repr=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def report(self) -> ReadinessReport:
        """Return the state of at most ten seconds ago; never raises for what it checks."""
        async with self._lock:
            memory = self._memory
            if memory.report is None or not 0 <= self.clock() - memory.checked_ms < KEPT_MS:
                memory.report = await self._check()
                memory.checked_ms = self.clock()
            return memory.report

    async def _check(self) -> ReadinessReport:
        settings, standing, answers = await asyncio.gather(
            self._within("settings", self.wrong_settings),
            self._within("alarms", self.standing),
            asyncio.gather(*(self._within(part.name, part.ask) for part in self.parts)),
        )
        checks = {"settings": settings is not None and not settings}
        for part, answer in zip(self.parts, answers, strict=True):
            checks |= {check: (answer or {}).get(check, False) for check in part.checks}
        checks["alarms"] = standing is not None and not standing.blocking
        return ReadinessReport(
            checks=checks, settings=settings or (), alarms=standing.codes if standing is not None else ()
        )

    async def _within(self, name: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        """Return what *ask* says; None if it fails, or does not answer in time."""
        try:
            async with asyncio.timeout(self.deadline_s):
                return await ask()
        except (ServiceError, TimeoutError) as error:
            logs.warning(_log, "not_ready", part=name, why=str(error) or "no answer in time")
            return None
