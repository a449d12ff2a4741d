"""Whether anything distributes: while nothing does, what the last round found says nothing of now."""

from __future__ import annotations

from collections.abc import Iterable

from distributor.payout.catalogue import WORK_NOT_RUNNING
from distributor.queue_names import DISTRIBUTIONS
from distributor.state import Waiting
from foundation.alarms.model import AlarmState, Notification


def queues_off(notifications: Iterable[Notification]) -> frozenset[str]:
    """Return the queues whose function does not run, as the last sweep saw it."""
    found = (each for each in notifications if each.code == WORK_NOT_RUNNING and each.state is AlarmState.STANDS)
    return frozenset(queue for each in found if each.missed_ms is None for queue in each.subjects)


def none_runs(notifications: Iterable[Notification]) -> bool:
    """Say whether the function that pays is off."""
    return DISTRIBUTIONS in queues_off(notifications)


def found_last(waiting: Waiting) -> str:
    """Return in English that no round runs, and why orders waited in the last one."""
    if waiting.reason is None:
        return "The function `distribute` does not run. Its last round found nothing."
    last = f"{waiting.reason}: {waiting.detail}" if waiting.detail else str(waiting.reason)
    return f"The function `distribute` does not run. Its last round found: {last}"
