"""
What is to be told of one code now: pure, from what was told and what stands.

A fact is told at once, hourly while it stands (daily once a person has said that they know), and once
when it ended. Ended means: not seen by two looks two minutes apart, so that two hosts that see opposite
things do not make it come and go. What comes back within an hour goes on with its old *since*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from foundation.alarms.model import AlarmState, Fact, Told
from foundation.clock import LONG_AGO_MS, UnixMs, elapsed_ms

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
QUIET_MS: Final = 120_000
"""How long a fact must not be seen before it counts as ended."""
BACK_MS: Final = 600_000
"""What ended and came back, and another event of a code, is sent after this time at the earliest: it may flap."""
_ENDS_TOLD: Final = 2
"""An end is sent a second time an hour later: a sweep that outlived its lease may have had the last word."""


def after_look(told: Told | None, code: str, facts: Sequence[Fact], now: UnixMs) -> Told | None:
    """Return what is known of *code* after a look that saw *facts*; None while nothing is."""
    if facts:
        return _seen(told, code, facts, now)
    return _not_seen(told, now) if told else None


def due(told: Told, now: UnixMs, facts: Sequence[Fact] = (), *, event: bool = False) -> AlarmState | None:
    """
    Return the word that must be delivered now; None when nothing is due.

    A telling that was begun and not finished is due in any case: nobody knows whether it arrived. The
    end of an *event* is not sent: it was over when it was sent. An event about a subject that the last
    message did not count is another one, and is over before the hour: it is not kept for the repetition.
    """
    if told.telling is not None:
        return told.telling if event else told.state
    if told.state is AlarmState.STANDS:
        news = event and any(fact.subject not in told.subjects for fact in facts)
        return AlarmState.STANDS if _again(told, now, news=news) else None
    owed = told.told is not None and told.end_told < _ENDS_TOLD and not event
    return AlarmState.ENDED if owed and (told.end_told == 0 or _elapsed(told.told_ms, now) >= HOUR_MS) else None


def before_delivery(told: Told, word: AlarmState, now: UnixMs) -> Told:
    """Return the row as it is stored before *word* goes out."""
    return replace(told, telling=word, told_ms=now, number=told.number + (told.telling is None))


def after_delivery(told: Told, facts: Sequence[Fact]) -> Told:
    """Return the row as it is stored after its word was delivered."""
    ended = told.telling is AlarmState.ENDED
    return replace(
        told,
        told=told.telling,
        telling=None,
        end_told=told.end_told + 1 if ended else 0,
        subjects=tuple(fact.subject for fact in facts[:100]),
    )


def _seen(told: Told | None, code: str, facts: Sequence[Fact], now: UnixMs) -> Told:
    since_ms = min(now, *(fact.since_ms for fact in facts))
    if told is None:
        return Told(code=code, since_ms=since_ms)
    if told.state is AlarmState.STANDS:
        return replace(told, missed_ms=None)
    if _elapsed(told.ended_ms, now) < HOUR_MS:
        return replace(told, state=AlarmState.STANDS, missed_ms=None, ended_ms=None)
    return replace(Told(code=code, since_ms=since_ms), version=told.version)


def _not_seen(told: Told, now: UnixMs) -> Told:
    if told.state is AlarmState.ENDED:
        return told
    missed_ms = told.missed_ms if told.missed_ms is not None else now
    if _elapsed(missed_ms, now) < QUIET_MS:
        return replace(told, missed_ms=missed_ms)
    return replace(told, state=AlarmState.ENDED, missed_ms=None, ended_ms=now, end_told=0, seen_by="")


def _again(told: Told, now: UnixMs, *, news: bool) -> bool:
    """Say whether a fact that stands must be sent: never sent, come back, another event, or an hour old."""
    if told.told is None:
        return True
    wait_ms = BACK_MS if told.told is AlarmState.ENDED or news else DAY_MS if told.seen_by else HOUR_MS
    return _elapsed(told.told_ms, now) >= wait_ms


def _elapsed(then: UnixMs | None, now: UnixMs) -> int:
    return elapsed_ms(then, now) if then is not None else LONG_AGO_MS
