"""
The heartbeat: a dead man's switch, asked after each whole sweep.

It raises the alarm when the sweep itself is dead. Any service of that kind takes it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from foundation import logs
from foundation.alarms.catalogue import TARGET_FAILING
from foundation.alarms.register import Register
from foundation.errors import ServiceError
from foundation.outgoing.guard import Limits, OutgoingGuard, Request

DEADLINE_S: Final = 5
NAME: Final = "heartbeat"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Heartbeat:
    """Ask *url* once; without one, nothing is asked. The address is a secret."""

    guard: OutgoingGuard
    url: str = field(repr=False)

    async def beat(self, register: Register) -> None:
        """
        Say that a whole sweep is through; a switch that does not answer is a failing target.

        Raises:
            StoreUnavailable: The failure could not be noted.
        """
        if not self.url:
            return
        try:
            answer = await self.guard.send(Request(url=self.url), Limits(deadline_s=DEADLINE_S))
        except ServiceError as error:
            why = f"{type(error).__name__}: {error}"
        else:
            why = "" if answer.status < HTTPStatus.MULTIPLE_CHOICES else f"it answered {answer.status}"
        if why:
            logs.warning(_log, "heartbeat_not_delivered", detail=why)
            await register.note(TARGET_FAILING.code, NAME, why)
