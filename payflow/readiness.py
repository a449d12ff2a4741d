"""What ``/ready`` asks of PayFlow: settings, both accounts, and the alarms that hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from foundation.clock import Clock
from foundation.http.readiness import ReadinessFrame, ReadinessProbe, StandingAlarms

if TYPE_CHECKING:
    from foundation.alarms.register import Register
    from foundation.tablestore.azure_tables import Tables
    from payflow.ledger.entries import Entries


def readiness_of(
    *,
    entries: Callable[[], Awaitable[Entries]],
    second: Callable[[], Awaitable[Tables]],
    register: Callable[[], Awaitable[Register]],
    wrong_settings: Callable[[], Awaitable[Sequence[str]]],
    clock: Clock,
) -> ReadinessFrame:
    """Return the checks. The parts are opened by callables: what cannot be opened is a failed check."""

    async def ledger() -> Mapping[str, bool]:
        await (await entries()).all()  # that it is this installation's is checked where it is opened
        return {"ledger": True}

    async def send_log() -> Mapping[str, bool]:
        await (await second()).rows.get("ready")
        return {"send_log": True}

    async def standing() -> StandingAlarms:
        found = await register()
        codes = [each.code for each in await found.standing()]
        return StandingAlarms(codes=codes, blocking=[code for code in codes if found.catalogue.find(code).blocks])

    return ReadinessFrame(
        parts=[
            ReadinessProbe(name="ledger", checks=("ledger",), ask=ledger),
            ReadinessProbe(name="send_log", checks=("send_log",), ask=send_log),
        ],
        wrong_settings=wrong_settings,
        standing=standing,
        clock=clock,
    )
