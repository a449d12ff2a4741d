"""Which alarms are active, what was sent of them, and what is sent now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from foundation.alarms.catalogue import AlarmKind
from foundation.clock import UnixMs
from foundation.tablestore.codec import Codec, Record, lines, number, text, word
from foundation.tablestore.ports import UNSTORED, Version

FACTS, NOTIFICATIONS = "alarm:", "told:"
"""Row keys: facts that have no row of their own, and what the log was sent of each code."""
NOTIFICATIONS_TO = "toldto:"
"""Row keys: what each other target was sent, ``toldto:{target}:{code}``."""
LOG = ""
"""The target that takes every message; its rows say which alarms are active."""
SUBJECTS_MAX = 10
"""Subjects named in one message: the oldest ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """The active cause of an alarm, about one order, transaction, company or the service (an empty subject)."""

    code: str
    subject: str
    detail: str
    since_ms: UnixMs


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """A fact that has no row of its own, as it was last seen."""

    code: str
    subject: str
    detail: str
    since_ms: UnixMs
    seen_ms: UnixMs
    version: Version = field(default=UNSTORED, compare=False, repr=False)


class AlarmState(StrEnum):
    """What is said of a code."""

    STANDS = "stands"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """
    What was sent of one code.

    ``sending`` is stored before a delivery and cleared after it: a row that still has it was, perhaps,
    sent, and is sent again.
    """

    code: str
    since_ms: UnixMs
    """When it began to stand; kept while it comes and goes within an hour."""
    state: AlarmState = AlarmState.STANDS
    sending: AlarmState | None = None
    sent_ms: UnixMs | None = None
    """When something was last delivered, or about to be."""
    sent: AlarmState | None = None
    """The last word that was delivered."""
    number: int = 0
    """How often it was sent since ``since_ms``; a part of the message's id."""
    missed_ms: UnixMs | None = None
    """The first look that did not see it, while it counts as standing."""
    ended_ms: UnixMs | None = None
    ends_sent: int = 0
    """How often its end was sent."""
    subjects: tuple[str, ...] = ()
    """Those the last message counted, the oldest first, at most a hundred."""
    seen_by: str = ""
    """The person who said that they know; it is sent daily from then on."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What a target is sent of one code."""

    id: str
    """The same for the same delivery, so that a second delivery is known as one."""
    kind: AlarmKind
    word: AlarmState
    since_ms: UnixMs
    count: int
    facts: Sequence[Fact]
    """The oldest ones, at most ten."""
    new: int
    """How many of them the message before did not count."""
    seen_by: str = ""


CODEC = Codec(
    [
        Record(Sighting, (text("code"), text("subject"), text("detail"), number("since_ms"), number("seen_ms"))),
        Record(
            Notification,
            (
                text("code"),
                number("since_ms"),
                word("state", AlarmState),
                word("telling", AlarmState, "sending", missing=None),
                number("told_ms", "sent_ms", missing=None),
                word("told", AlarmState, "sent", missing=None),
                number("number"),
                number("missed_ms", missing=None),
                number("ended_ms", missing=None),
                number("end_told", "ends_sent"),
                lines("subjects"),
                text("seen_by", missing=""),
            ),
        ),
    ]
)
