"""Alarms as they are raised: an error line in the log, and a note in the register that the sweep tells from."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from distributor.ports import Alarm, Alarms
from foundation import logs
from foundation.alarms.register import NOTED_MS, Register
from foundation.clock import Clock, UnixMs
from foundation.errors import ConfigurationError, Transient

REPEAT_AFTER_MS: Final = 3_600_000
"""An alarm whose cause persists is sent again after an hour: somebody may have missed it."""
_HELD: Final = "held_"
_WAITING: Final = "waiting_"
"""The row of the reason says why the first orders wait; of one subject, like a shop, it says nothing."""

_log = logging.getLogger(__name__)


class LogAlarms:
    """Alarms as structured error lines."""

    async def raise_(self, alarm: Alarm) -> None:
        logs.error(_log, "alarm", code=alarm.code, summary=alarm.summary, action=alarm.action, subject=alarm.subject)

    async def aclose(self) -> None:
        """Nothing is open."""


class OnceAnHour:
    """
    Alarms that stand, raised once and not at every turn; in between, a line at INFO.

    What a person has to look at is the alarm in all its words. The same code and subject in other
    words is news (another setting is wrong, another rule was broken) and is sent at once.
    """

    def __init__(self, inner: Alarms, clock: Clock) -> None:
        self._inner, self._clock = inner, clock
        self._raised: dict[Alarm, UnixMs] = {}

    async def raise_(self, alarm: Alarm) -> None:
        now_ms = self._clock()
        self._raised = {known: at_ms for known, at_ms in self._raised.items() if now_ms - at_ms < REPEAT_AFTER_MS}
        if alarm in self._raised:
            logs.info(_log, "alarm_stands", code=alarm.code, subject=alarm.subject, since_ms=self._raised[alarm])
            return
        self._raised[alarm] = now_ms
        await self._inner.raise_(alarm)


class RegisteredAlarms:
    """
    Alarms as error lines at once, and noted in the register, from which the sweep tells them.

    What has a row of its own, a held order or the reason why orders wait, is raised from that row. Nothing
    is posted here: an alarm may be raised inside a shop's request.
    """

    def __init__(self, log: Alarms, register: Callable[[], Awaitable[Register]], clock: Clock) -> None:
        self._log, self._register, self._clock = log, register, clock
        self._noted: dict[tuple[str, str, str], UnixMs] = {}

    async def raise_(self, alarm: Alarm) -> None:
        await self._log.raise_(alarm)
        if alarm.code.startswith(_HELD) or (alarm.code.startswith(_WAITING) and not alarm.subject):
            return
        try:
            await self._note(alarm)
        except (Transient, ConfigurationError) as error:  # the line is in the log; the next sighting is noted
            logs.error(_log, "alarm_not_noted", code=alarm.code, cause=type(error).__name__)

    async def _note(self, alarm: Alarm) -> None:
        seen, now_ms = (alarm.code, alarm.subject, alarm.summary), self._clock()
        self._noted = {each: at_ms for each, at_ms in self._noted.items() if now_ms - at_ms < NOTED_MS}
        if seen not in self._noted:
            register = await self._register()
            detail = register.catalogue.find(alarm.code).beside_summary(alarm.summary)
            await register.note(alarm.code, alarm.subject, detail)
            self._noted[seen] = now_ms
