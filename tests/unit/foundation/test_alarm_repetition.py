"""When a code is sent: at once, hourly, and once it ended; never in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.alarms.model import AlarmState, Fact, Notification
from foundation.alarms.repetition import (
    BACK_MS,
    DAY_MS,
    HOUR_MS,
    QUIET_MS,
    after_delivery,
    after_look,
    before_delivery,
    due_message,
)
from foundation.clock import UnixMs

CODE, T0 = "held_reverted", 1_800_000_000_000
FACT = Fact(code=CODE, subject="a:1", detail="", since_ms=UnixMs(T0 - 5))


class Story:
    """One code, looked at again and again; every delivery arrives."""

    def __init__(self) -> None:
        self.sent: Notification | None = None
        self.said: list[tuple[int, str]] = []

    def look(self, at_ms: int, *facts: Fact) -> None:
        """Look at a moment, counted from the beginning."""
        now = UnixMs(T0 + at_ms)
        self.sent = after_look(self.sent, CODE, facts, now)
        word = due_message(self.sent, now) if self.sent else None
        if self.sent and word:
            self.said.append((at_ms, word.value))
            self.sent = after_delivery(before_delivery(self.sent, word, now), facts)

    def minutes(self, first: int, last: int, *facts: Fact) -> None:
        """Look each minute from *first* to *last*."""
        for minute in range(first, last + 1):
            self.look(minute * 60_000, *facts)


@pytest.fixture
def story() -> Story:
    """Nothing was sent yet."""
    return Story()


def test_nothing_is_told_of_nothing(story: Story) -> None:
    """And nothing is stored."""
    story.look(0)

    assert (story.said, story.sent) == ([], None)


def test_what_stands_is_told_at_once_and_hourly(story: Story) -> None:
    """Whatever is looked at in between."""
    story.minutes(0, 180, FACT)

    assert story.said == [(0, "stands"), (HOUR_MS, "stands"), (2 * HOUR_MS, "stands"), (3 * HOUR_MS, "stands")]
    assert story.sent is not None
    assert (story.sent.since_ms, story.sent.number, story.sent.subjects) == (T0 - 5, 4, ("a:1",))


def test_an_end_is_told_after_two_quiet_looks_and_once_more_an_hour_later(story: Story) -> None:
    """Then never again."""
    story.minutes(0, 3, FACT)
    story.minutes(4, 300)

    ended_ms = 4 * 60_000 + QUIET_MS
    assert story.said == [(0, "stands"), (ended_ms, "ended"), (ended_ms + HOUR_MS, "ended")]


def test_two_hosts_that_see_opposite_things_do_not_make_it_flap(story: Story) -> None:
    """Every second look sees nothing."""
    for minute in range(0, 120, 2):
        story.look(minute * 60_000, FACT)
        story.look((minute + 1) * 60_000)

    assert [word for _, word in story.said] == ["stands", "stands"]


def test_what_comes_back_within_an_hour_goes_on(story: Story) -> None:
    """With its old since; it is sent again when ten minutes are over, and then hourly."""
    story.minutes(0, 1, FACT)
    story.minutes(2, 10)
    story.minutes(11, 80, FACT)

    end_ms = 2 * 60_000 + QUIET_MS
    assert story.said == [
        (0, "stands"),
        (end_ms, "ended"),
        (end_ms + BACK_MS, "stands"),
        (end_ms + BACK_MS + HOUR_MS, "stands"),
    ]
    assert story.sent is not None
    assert story.sent.since_ms == T0 - 5


def test_what_comes_back_after_an_hour_begins_anew(story: Story) -> None:
    """It is another trouble."""
    story.minutes(0, 0, FACT)
    story.minutes(1, 200)
    story.look(201 * 60_000, replace(FACT, since_ms=UnixMs(T0 + 200 * 60_000)))

    assert story.said[-1] == (201 * 60_000, "stands")
    assert story.sent is not None
    assert (story.sent.since_ms, story.sent.number) == (T0 + 200 * 60_000, 1)


def test_the_end_of_an_event_is_not_told() -> None:
    """It was over when it was sent."""
    notification = Notification(
        code=CODE, since_ms=UnixMs(T0), state=AlarmState.ENDED, sent=AlarmState.STANDS, sent_ms=UnixMs(T0), number=1
    )

    assert due_message(notification, UnixMs(T0), event=True) is None
    assert due_message(notification, UnixMs(T0)) is AlarmState.ENDED


def test_a_person_who_knows_is_told_daily(story: Story) -> None:
    """Never silent; and the end is sent as usual."""
    story.look(0, FACT)
    assert story.sent is not None
    story.sent = replace(story.sent, seen_by="ana")
    story.minutes(1, 24 * 60 + 1, FACT)
    story.minutes(24 * 60 + 2, 24 * 60 + 9)

    assert story.said == [(0, "stands"), (DAY_MS, "stands"), (DAY_MS + 2 * 60_000 + QUIET_MS, "ended")]
    assert story.sent.seen_by == ""


def test_a_telling_that_was_not_finished_is_told_again_as_things_are_now() -> None:
    """Under the same number; when it is active, and when it has ended meanwhile."""
    begun = before_delivery(Notification(code=CODE, since_ms=UnixMs(T0)), AlarmState.STANDS, UnixMs(T0))

    assert due_message(begun, UnixMs(T0 + 1)) is AlarmState.STANDS
    assert before_delivery(begun, AlarmState.STANDS, UnixMs(T0 + 1)).number == begun.number == 1
    missed = after_look(begun, CODE, [], UnixMs(T0 + 1))
    assert missed is not None
    ended = after_look(missed, CODE, [], UnixMs(T0 + 1 + QUIET_MS))
    assert ended is not None
    assert due_message(ended, UnixMs(T0 + 1 + QUIET_MS)) is AlarmState.ENDED


def test_a_time_from_a_wrong_clock_does_not_silence() -> None:
    """A row says that it was sent tomorrow: it is sent now."""
    notification = Notification(
        code=CODE, since_ms=UnixMs(T0), sent=AlarmState.STANDS, sent_ms=UnixMs(T0 + DAY_MS), number=1
    )

    assert due_message(notification, UnixMs(T0)) is AlarmState.STANDS
    assert due_message(replace(notification, sent_ms=UnixMs(T0 + 1000)), UnixMs(T0)) is None


def test_a_fact_from_the_future_began_now() -> None:
    """No message says that it is active since tomorrow."""
    notification = after_look(None, CODE, [replace(FACT, since_ms=UnixMs(T0 + DAY_MS))], UnixMs(T0))

    assert notification is not None
    assert notification.since_ms == T0
