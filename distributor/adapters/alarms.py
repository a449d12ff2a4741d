"""Alarms: always an error line in the log, a JSON post where one is asked for, and each told once an hour."""

from __future__ import annotations

import logging
from typing import Final

import aiohttp

from distributor.ports import Alarm, Alarms
from foundation import logs
from foundation.clock import Clock, UnixMs

TIMEOUT_S: Final = 5
REPEAT_AFTER_MS: Final = 3_600_000
"""An alarm that still stands an hour later is told again: somebody may have missed it."""
_REFUSED_FROM: Final = 300

_log = logging.getLogger(__name__)


class LogAlarms:
    """Alarms as structured error lines."""

    async def raise_(self, alarm: Alarm) -> None:
        logs.error(_log, "alarm", code=alarm.code, summary=alarm.summary, action=alarm.action, subject=alarm.subject)

    async def aclose(self) -> None:
        """Nothing is open."""


class WebhookAlarms:
    """
    Alarms as structured error lines, and posted as JSON.

    ``text`` holds it all in words, as chat services read it; the other fields are for programs. The
    URL is a secret: it never goes into a line, and a redirect is not followed.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._timeout = url, aiohttp.ClientTimeout(total=timeout_s)
        self._to_log = LogAlarms()
        self._session: aiohttp.ClientSession | None = None

    async def raise_(self, alarm: Alarm) -> None:
        await self._to_log.raise_(alarm)
        try:
            status = await self._post(alarm)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logs.error(_log, "alarm_not_delivered", code=alarm.code, cause=type(error).__name__)
        else:
            if status >= _REFUSED_FROM:
                logs.error(_log, "alarm_not_delivered", code=alarm.code, status=status)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(self, alarm: Alarm) -> int:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        async with self._session.post(self._url, json=_payload(alarm), allow_redirects=False) as answer:
            return answer.status


class OnceAnHour:
    """
    Alarms that stand, raised once and not at every turn; in between, a line at INFO.

    What a person has to look at is the alarm in all its words. The same code and subject in other
    words is news (another setting is wrong, another rule was broken) and is told at once.
    """

    def __init__(self, inner: Alarms, clock: Clock) -> None:
        self._inner, self._clock = inner, clock
        self._told: dict[Alarm, UnixMs] = {}

    async def raise_(self, alarm: Alarm) -> None:
        now_ms = self._clock()
        self._told = {told: at_ms for told, at_ms in self._told.items() if now_ms - at_ms < REPEAT_AFTER_MS}
        if alarm in self._told:
            logs.info(_log, "alarm_stands", code=alarm.code, subject=alarm.subject, since_ms=self._told[alarm])
            return
        self._told[alarm] = now_ms
        await self._inner.raise_(alarm)


def _payload(alarm: Alarm) -> dict[str, str]:
    subject = f" ({alarm.subject})" if alarm.subject else ""
    return {
        "text": f"BALLX payouts: {alarm.summary}{subject}\nTo do: {alarm.action}",
        "code": alarm.code,
        "summary": alarm.summary,
        "action": alarm.action,
        "subject": alarm.subject,
    }
