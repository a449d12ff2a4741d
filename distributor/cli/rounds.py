"""Whether anything distributes: while nothing does, what the last round found says nothing of now."""

from __future__ import annotations

from collections.abc import Iterable

from distributor.cli.context import CommandContext
from distributor.cli.language import _, current, detail
from distributor.payout.catalogue import CATALOGUE, WORK_NOT_RUNNING
from distributor.queue_names import DISTRIBUTIONS
from foundation.alarms.model import AlarmState, Notification


def queues_off(notifications: Iterable[Notification]) -> frozenset[str]:
    """Return the queues whose function does not run, as the last sweep saw it."""
    found = (each for each in notifications if each.code == WORK_NOT_RUNNING and each.state is AlarmState.STANDS)
    return frozenset(queue for each in found if each.missed_ms is None for queue in each.subjects)


async def none_runs(context: CommandContext) -> bool:
    """Say whether the function that pays is off."""
    return DISTRIBUTIONS in queues_off((await context.notifications()).values())


def found_last(reason: str | None, why: str) -> str:
    """Return that no round runs, and what the last one found."""
    last = f"{reason}: {detail(why)}" if reason else _("nothing")
    return _("The function `distribute` does not run. Its last round found: {last}").format(last=last)


def instead_of(waiting: object) -> dict[str, object]:
    """Return why an order waits while no round runs, in the place of what the last one found."""
    before = waiting if isinstance(waiting, dict) else {}
    said = CATALOGUE.find(WORK_NOT_RUNNING).texts[current()]
    reason = str(before["reason"]) if before.get("reason") else None
    return {
        **before,
        "reason": WORK_NOT_RUNNING,
        "summary": said.summary,
        "action": said.action,
        "detail": found_last(reason, str(before.get("detail", ""))),
    }
