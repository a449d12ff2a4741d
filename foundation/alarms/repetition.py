"""
What must be sent of one code now: pure, from what was sent and what holds.

A fact is sent at once, hourly while it holds (daily once an operator has acknowledged it), and once
when it ended. Ended means: not seen by two looks two minutes apart, so that two hosts that see opposite
things do not make it come and go. What comes back within an hour goes on with its old *since*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from foundation.alarms.model import AlarmState, Fact, Notification
from foundation.clock import LONG_AGO_MS, UnixMs, elapsed_ms

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
QUIET_MS: Final = 120_000
"""How long a fact must not be seen before it counts as ended."""
BACK_MS: Final = 600_000
"""What ended and came back, and another event of a code, is sent after this time at the earliest: it may flap."""
_ENDS_SENT: Final = 2
"""An end is sent a second time an hour later: a sweep that outlived its lease may have had the last word."""


def after_look(notification: Notification | None, code: str, facts: Sequence[Fact], now: UnixMs) -> Notification | None:
    """Return what is known of *code* after a look that saw *facts*; None while nothing is."""
    if facts:
        return _seen(notification, code, facts, now)
    return _not_seen(notification, now) if notification else None


def due_message(
    notification: Notification, now: UnixMs, facts: Sequence[Fact] = (), *, event: bool = False
) -> AlarmState | None:
    """
    Return the word that must be delivered now; None when nothing is due.

    A delivery that was begun and not finished is due in any case: nobody knows whether it arrived. The
    end of an *event* is not sent: it was over when it was sent. An event about a subject that the last
    message did not count is another one, and is over before the hour: it is not kept for the repetition.
    """
    if notification.sending is not None:
        return notification.sending if event else notification.state
    if notification.state is AlarmState.STANDS:
        news = event and any(is_new(notification, fact) for fact in facts)
        return AlarmState.STANDS if _again(notification, now, news=news) else None
    owed = notification.sent is not None and notification.ends_sent < _ENDS_SENT and not event
    return (
        AlarmState.ENDED
        if owed and (notification.ends_sent == 0 or _elapsed(notification.sent_ms, now) >= HOUR_MS)
        else None
    )


def is_new(notification: Notification, fact: Fact) -> bool:
    """Say whether the last message did not count the subject of *fact*; the whole service has no name to be kept."""
    return fact.subject not in notification.subjects if fact.subject else notification.sent is None


def before_delivery(notification: Notification, word: AlarmState, now: UnixMs) -> Notification:
    """Return the row as it is stored before *word* goes out."""
    return replace(notification, sending=word, sent_ms=now, number=notification.number + (notification.sending is None))


def after_delivery(notification: Notification, facts: Sequence[Fact]) -> Notification:
    """Return the row as it is stored after its word was delivered."""
    ended = notification.sending is AlarmState.ENDED
    return replace(
        notification,
        sent=notification.sending,
        sending=None,
        ends_sent=notification.ends_sent + 1 if ended else 0,
        subjects=tuple(fact.subject for fact in facts[:100]),
    )


def _seen(notification: Notification | None, code: str, facts: Sequence[Fact], now: UnixMs) -> Notification:
    since_ms = min(now, *(fact.since_ms for fact in facts))
    if notification is None:
        return Notification(code=code, since_ms=since_ms)
    if notification.state is AlarmState.STANDS:
        return replace(notification, missed_ms=None)
    if _elapsed(notification.ended_ms, now) < HOUR_MS:
        return replace(notification, state=AlarmState.STANDS, missed_ms=None, ended_ms=None)
    return replace(Notification(code=code, since_ms=since_ms), version=notification.version)


def _not_seen(notification: Notification, now: UnixMs) -> Notification:
    if notification.state is AlarmState.ENDED:
        return notification
    missed_ms = notification.missed_ms if notification.missed_ms is not None else now
    if _elapsed(missed_ms, now) < QUIET_MS:
        return replace(notification, missed_ms=missed_ms)
    return replace(notification, state=AlarmState.ENDED, missed_ms=None, ended_ms=now, ends_sent=0, seen_by="")


def _again(notification: Notification, now: UnixMs, *, news: bool) -> bool:
    """Say whether an active alarm must be sent: never sent, come back, another event, or an hour old."""
    if notification.sent is None:
        return True
    wait_ms = BACK_MS if notification.sent is AlarmState.ENDED or news else DAY_MS if notification.seen_by else HOUR_MS
    return _elapsed(notification.sent_ms, now) >= wait_ms


def _elapsed(then: UnixMs | None, now: UnixMs) -> int:
    return elapsed_ms(then, now) if then is not None else LONG_AGO_MS
