"""What a company's days were like: mails that went out and mails that failed, and how long the payments waited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Final

from foundation.tablestore.ports import UNSTORED, Version

BOUNDS_S: Final = (30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 172_800, 259_200)
"""Upper bounds of the classes of waiting, seconds; one class more holds what waited longer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """One day of one company, in São Paulo: a row that is never read but for its chart."""

    day: str
    """``yyyy-mm-dd``."""
    sent: int = 0
    """Mails the mail server accepted."""
    failed: int = 0
    """Mails that were refused or given up."""
    waited: tuple[int, ...] = ()
    """How many of the sent ones waited how long from the payment found to the mail, by the classes of BOUNDS_S."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


def with_sent(day: Day, waited_s: float) -> Day:
    """Return *day* with one mail more that went out after *waited_s*."""
    at = sum(waited_s > bound for bound in BOUNDS_S)
    classes = [*day.waited, *[0] * (len(BOUNDS_S) + 1 - len(day.waited))]
    classes[at] += 1
    return replace(day, sent=day.sent + 1, waited=tuple(classes))


def with_failed(day: Day) -> Day:
    """Return *day* with one mail more that failed."""
    return replace(day, failed=day.failed + 1)


def waited_s(days: Iterable[Day], share: float) -> int | None:
    """
    Return the bound in seconds within which *share* of the mails went out; None when none did.

    What waited longer than the last bound is shown as the last bound.
    """
    classes = [sum(counts) for counts in zip(*(_classes(day) for day in days), strict=True)]
    total = sum(classes)
    if not total:
        return None
    at = next(at for at, reached in enumerate(accumulate(classes)) if reached >= share * total)
    return BOUNDS_S[min(at, len(BOUNDS_S) - 1)]


def _classes(day: Day) -> Sequence[int]:
    return [*day.waited, *[0] * (len(BOUNDS_S) + 1 - len(day.waited))]
