"""
Companies that have mail and no permit: who waits, and how much of the day one of them may take meanwhile. Pure.

Standing in line lasts for 90 seconds, so that a lane that ended keeps nobody waiting. A part of the day is kept longer:
a company that was refused comes back when its mail is due again, and by then another one, with thousands of mails,
would have used up the day. So while others wait, one company takes at most half of what was left when they began to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from foundation.clock import UnixMs
from foundation.tablestore.codec import Codec, Record, number, text
from foundation.tablestore.ports import UNSTORED, Version

OWED_MS: Final = 3_600_000
"""How long behind the time at which it asks again a part of the day is kept for a company."""
PART_MS: Final = 300_000
"""After this a company that has had its part asks again: the others may have been served meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedCompany:
    """A company that has mail and no permit."""

    company: str
    since_ms: int
    tried_ms: int
    """When its due delivery was last tried."""
    until_ms: int
    """Until when it keeps its place in the queue."""
    owed_ms: int = 0
    """Until when a part of the day is kept for it."""
    day: str = ""
    """The day on which others wait while this company sends; empty while none does."""
    left: int = 0
    """Messages that were left of that day when they began to wait."""
    taken: int = 0
    """What this company has sent of them."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


CODEC: Final = Codec(
    [
        Record(
            QueuedCompany,
            (
                text("company"),
                number("since_ms"),
                number("tried_ms"),
                number("until_ms"),
                number("owed_ms", missing=0),
                text("day", missing=""),
                number("left", missing=0),
                number("taken", missing=0),
            ),
        )
    ]
)


def mine(rows: Mapping[str, QueuedCompany], company: str, tried_ms: int, now: UnixMs) -> QueuedCompany:
    """Return how *company* waits: since its first refusal, or from *now* on."""
    found = rows.get(company) or QueuedCompany(company=company, since_ms=now, tried_ms=tried_ms, until_ms=0)
    until_ms, owed_ms = (at if at > now else 0 for at in (found.until_ms, found.owed_ms))
    since_ms = found.since_ms if until_ms or owed_ms else now
    return replace(found, since_ms=since_ms, until_ms=until_ms, owed_ms=owed_ms)


def in_line(others: Iterable[QueuedCompany], now: UnixMs) -> Sequence[QueuedCompany]:
    """Return those of *others* that stand in line."""
    return [other for other in others if other.until_ms > now]


def owed(others: Iterable[QueuedCompany], now: UnixMs) -> Sequence[QueuedCompany]:
    """Return those of *others* for which a part of the day is kept."""
    return [other for other in others if other.owed_ms > now]


def shared(turn: QueuedCompany, others: Sequence[QueuedCompany], day: str, left: int) -> QueuedCompany:
    """
    Return *turn* as it shares the day with *others*, for which a part is kept; alone, it has all of it.

    Args:
        turn: The company that asks.
        others: Those for which a part is kept.
        day: Today.
        left: Messages that are left of today.
    """
    if not others:
        return replace(turn, day="", left=0, taken=0)
    return turn if turn.day == day else replace(turn, day=day, left=left, taken=0)


def has_had_its_part(turn: QueuedCompany, others: Sequence[QueuedCompany]) -> bool:
    """Tell whether *turn* has sent its half. The last message of a day goes to the one that has waited longest."""
    is_first = all(_place(turn) < _place(other) for other in others)
    return bool(others) and turn.taken >= max(turn.left // 2, int(is_first))


def rests(turn: QueuedCompany, now: UnixMs) -> QueuedCompany:
    """Return *turn* out of the line, where it would keep the others from theirs; one that had nothing is owed still."""
    return replace(turn, until_ms=0, owed_ms=0 if turn.taken else now + PART_MS + OWED_MS)


def served(turn: QueuedCompany) -> QueuedCompany:
    """Return *turn* once its company has a permit: it waits no longer, and one more message is counted."""
    return replace(turn, until_ms=0, owed_ms=0, taken=turn.taken + bool(turn.day))


def is_behind(turn: QueuedCompany, others: Iterable[QueuedCompany]) -> bool:
    """Tell whether one of *others* has waited longer."""
    return any(_place(other) < _place(turn) for other in others)


def _place(turn: QueuedCompany) -> tuple[int, str]:
    return turn.since_ms, turn.company
