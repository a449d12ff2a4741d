"""Alarms: always an error line in the log, and a JSON post where one is asked for."""

from __future__ import annotations

import logging
from typing import Final

import aiohttp

from distributor import logs
from distributor.ports import Alarm

TIMEOUT_S: Final = 5
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


def _payload(alarm: Alarm) -> dict[str, str]:
    subject = f" ({alarm.subject})" if alarm.subject else ""
    return {
        "text": f"BALLX payouts: {alarm.summary}{subject}\nTo do: {alarm.action}",
        "code": alarm.code,
        "summary": alarm.summary,
        "action": alarm.action,
        "subject": alarm.subject,
    }
