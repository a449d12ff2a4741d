"""
Use case: say whether payouts can go on; names and booleans, nothing that helps an attacker.

Anybody may ask, so the answer is kept for ten seconds and only one check runs at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distributor.ledger import Ledger
from distributor.payout.catalogue import QUEUES_UNAVAILABLE, WORK_NOT_RUNNING
from distributor.payout.preflight import not_ours
from distributor.payout.queue_facts import queue_facts
from distributor.ports import Heads, Queues
from distributor.state import Identity
from foundation import logs
from foundation.clock import Clock, UnixMs
from foundation.errors import ServiceError

KEPT_MS = 10_000
SWEEP_AGE_MS_MAX = 180_000
"""The sweep runs each minute: three missed ones are no accident."""
WAITING_AGE_MS_MAX = 900_000
HEAD_AGE_MS_MAX = 120_000
"""A chain that shows no new block for two minutes stands still, or its nodes do."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadinessReport:
    """What was checked, and the names of the settings that are missing or wrong."""

    checks: Mapping[str, bool]
    settings: Sequence[str]

    @property
    def ready(self) -> bool:
        return all(self.checks.values())


@dataclass(slots=True)
class _Memory:
    report: ReadinessReport | None = None
    until_ms: UnixMs = UnixMs(0)
    head_number: int = -1
    head_ms: UnixMs = UnixMs(0)
    """When the newest block was first seen here."""


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """
    Check settings, secrets, ledger, nodes, sweep and waiting orders.

    The parts are opened by callables: what cannot be opened is a failed check, not a failed answer.
    """

    wrong_settings: Callable[[], Awaitable[Sequence[str]]]
    """Names of the settings, secrets among them, that some use case misses."""
    identity: Callable[[], Awaitable[Identity]]
    """The identity the settings mean; an empty ``ledger_id`` accepts any."""
    ledger: Callable[[], Awaitable[Ledger]]
    nodes: Callable[[], Awaitable[Heads]]
    queues: Callable[[], Awaitable[Queues]]
    clock: Clock
    _memory: _Memory = field(default_factory=_Memory, init=False, repr=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def report(self) -> ReadinessReport:
        """Return the state of at most ten seconds ago; never raises for what it checks."""
        async with self._lock:
            memory = self._memory
            if memory.report is None or self.clock() >= memory.until_ms:
                memory.report = await self._check()
                memory.until_ms = UnixMs(self.clock() + KEPT_MS)
            return memory.report

    async def _check(self) -> ReadinessReport:
        settings, ledger, nodes, work = await asyncio.gather(
            self.wrong_settings(), self._ledger(), self._nodes(), self._work()
        )
        return ReadinessReport(checks={"settings": not settings, **ledger, **nodes, "work": work}, settings=settings)

    async def _work(self) -> bool:
        """Tell whether somebody takes the wake-ups; a function that is off leaves them where they are."""
        try:
            found = await queue_facts(await self.queues(), self.clock())
        except ServiceError as error:
            logs.warning(_log, "not_ready", part="queues", why=str(error))
            return False
        return all(fact.code not in (WORK_NOT_RUNNING, QUEUES_UNAVAILABLE) for fact in found)

    async def _ledger(self) -> Mapping[str, bool]:
        checks = dict.fromkeys(("ledger", "sweep", "waiting", "identity"), False)
        try:
            ledger = await self.ledger()
            found, monitor_state, page = await asyncio.gather(
                ledger.identity(), ledger.service.monitor_state(), ledger.waiting(limit=1)
            )
            now_ms = self.clock()
            checks["ledger"] = True
            checks["sweep"] = now_ms - monitor_state.swept_ms <= SWEEP_AGE_MS_MAX
            checks["waiting"] = all(now_ms - order.received_ms <= WAITING_AGE_MS_MAX for order in page.orders)
            checks["identity"] = not_ours(found, await self.identity()) is None
        except ServiceError as error:
            logs.warning(_log, "not_ready", part="ledger", why=str(error))
        return checks

    async def _nodes(self) -> Mapping[str, bool]:
        checks = dict.fromkeys(("node", "chain", "head"), False)
        try:
            heads = await (await self.nodes()).heads()
            checks["node"] = bool(heads)
            chain_id = (await self.identity()).chain_id
            ours = [head.number for head in heads if head.chain_id == chain_id]
            checks["chain"] = bool(ours)
            checks["head"] = bool(ours) and self._moves(max(ours))
        except ServiceError as error:
            logs.warning(_log, "not_ready", part="node", why=str(error))
        return checks

    def _moves(self, number: int) -> bool:
        """Tell whether the chain grows: a newer block than ever seen here, or one seen not long ago."""
        memory, now_ms = self._memory, self.clock()
        if number > memory.head_number:
            memory.head_number, memory.head_ms = number, now_ms
        return now_ms - memory.head_ms <= HEAD_AGE_MS_MAX
