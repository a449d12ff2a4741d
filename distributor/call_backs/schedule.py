"""
When a call-back is sent again, and what an answer means for it and for its address. Pure.

A call-back is tried ten times in three days. An address that fails is asked with one call-back at a time, as seldom as
every two hours; after fifteen failures in a row over at least a day nothing is sent to it until a test succeeds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from typing import Final

from distributor.ledger.call_records import CallAddress, CallBack, CallState, StopReason
from foundation.clock import UnixMs
from foundation.outgoing.guard import Answer

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
DELAYS_MS: Final = (
    _MINUTE_MS,
    5 * _MINUTE_MS,
    30 * _MINUTE_MS,
    2 * _HOUR_MS,
    5 * _HOUR_MS,
    10 * _HOUR_MS,
    14 * _HOUR_MS,
    18 * _HOUR_MS,
    22 * _HOUR_MS,
)
"""Between the attempts of one call-back: 71.6 hours in all, before the jitter of a tenth."""
ATTEMPTS_MAX: Final = len(DELAYS_MS) + 1
WINDOW_MS: Final = 72 * _HOUR_MS
"""As far after its first attempt as a receiver may put off a call-back with Retry-After."""
PROBE_DELAYS_MS: Final = (
    _MINUTE_MS,
    2 * _MINUTE_MS,
    5 * _MINUTE_MS,
    10 * _MINUTE_MS,
    15 * _MINUTE_MS,
    30 * _MINUTE_MS,
    _HOUR_MS,
    2 * _HOUR_MS,
)
"""Between two attempts at an address that fails, whichever call-back is tried; the last one from then on."""
ADDRESS_WAIT_MAX_MS: Final = 6 * _HOUR_MS
"""As long as Retry-After puts off a whole address: with days, ten attempts take a month, and nobody hears of it."""
STOP_AFTER_FAILURES: Final = 15
STOP_AFTER_MS: Final = 24 * _HOUR_MS
_JITTER: Final = 10
"""The jitter is up to one part in this many, both ways."""


class Meaning(Enum):
    """What an answer means."""

    TOLD = "told"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What was answered, in words that name no address."""

    meaning: Meaning
    words: str
    wait_ms: int = 0
    """How long the receiver asks us to wait."""


_RANK: Final = {Meaning.TOLD: 0, Meaning.GONE: 1, Meaning.FAILED: 2}


def read_reply(answer: Answer, now: UnixMs) -> Reply:
    """Return what *answer* means: any 2xx counts as delivered, 410 ends the address, everything else is tried again."""
    words = f"HTTP {answer.status}"
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return Reply(meaning=Meaning.TOLD, words=words)
    if answer.status == HTTPStatus.GONE:
        return Reply(meaning=Meaning.GONE, words=words)
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        words = f"{words}: a redirect is not followed"
    wait_ms = retry_after_ms(answer.headers.get("retry-after", ""), now)
    return Reply(meaning=Meaning.FAILED, words=words, wait_ms=wait_ms)


def retry_after_ms(text: str, now: UnixMs) -> int:
    """Return the wait that a Retry-After header asks for, seconds or a date; 0 where it cannot be read."""
    if text.isascii() and text.isdecimal():
        return min(int(text[:9]) * 1_000, WINDOW_MS)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year or a zone of twenty digits
        return 0
    at_ms = int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1_000)
    return min(max(0, at_ms - now), WINDOW_MS)


def begun(call_back: CallBack, event_id: str, now: UnixMs) -> CallBack:
    """
    Return *call_back* as it is stored before it is sent: counted, and due again as if there will be no answer.

    A process that dies before it stores the answer has counted the attempt, and the next one sends it again; behind
    the last attempt there is nothing to send, and the next turn but one gives it up.
    """
    attempts = call_back.attempts + 1
    delay_ms = DELAYS_MS[attempts - 1] if attempts < ATTEMPTS_MAX else DELAYS_MS[0]
    delay_ms = jittered(delay_ms, f"{event_id}:{attempts}")
    return replace(
        call_back,
        attempts=attempts,
        first_ms=call_back.first_ms if call_back.first_ms is not None else now,
        tried_ms=now,
        next_ms=UnixMs(now + delay_ms),
        answer="sent, and the answer is not known",
    )


def after_reply(sent: CallBack, reply: Reply, now: UnixMs) -> CallBack:
    """Return a call-back that was *sent*, as *reply* leaves it."""
    answered = replace(sent, answer=reply.words)
    if reply.meaning is Meaning.TOLD:
        return replace(answered, state=CallState.TOLD)
    if sent.attempts >= ATTEMPTS_MAX:
        return replace(answered, state=CallState.GIVEN_UP)
    latest = (sent.first_ms if sent.first_ms is not None else now) + WINDOW_MS
    return replace(answered, next_ms=UnixMs(max(sent.next_ms, min(now + reply.wait_ms, latest))))


def address_after(address: CallAddress, replies: Sequence[Reply], now: UnixMs) -> CallAddress:
    """
    Return how an address answers, now that it gave *replies*, at least one and all of one moment.

    It is as good as its best reply: a receiver that fails with one order is not down. Eight that fail together are one
    failure in a row, and not eight.
    """
    reply = min(replies, key=lambda each: (_RANK[each.meaning], -each.wait_ms))
    if reply.meaning is Meaning.TOLD:
        return recovered(address, reply.words, now) if address.failures else address
    failing_ms = address.failing_ms if address.failing_ms is not None else now
    failures = address.failures + 1
    delay_ms = PROBE_DELAYS_MS[min(failures, len(PROBE_DELAYS_MS)) - 1]
    after = replace(
        address,
        failures=failures,
        failing_ms=failing_ms,
        next_ms=UnixMs(now + max(delay_ms, min(reply.wait_ms, ADDRESS_WAIT_MAX_MS))),
        answer=reply.words,
    )
    if reply.meaning is Meaning.GONE:
        return replace(after, stopped=StopReason.GONE, stopped_ms=now)
    if failures >= STOP_AFTER_FAILURES and now - failing_ms >= STOP_AFTER_MS:
        return replace(after, stopped=StopReason.FAILING, stopped_ms=now)
    return after


def recovered(address: CallAddress, words: str, now: UnixMs) -> CallAddress:
    """Return an address that answers again: what was tried before is due at once."""
    whole = CallAddress(source=address.source, url_id=address.url_id, version=address.version)
    return replace(whole, recovered_ms=now, answer=words)


def is_due(call_back: CallBack, address: CallAddress, now: UnixMs) -> bool:
    """Say whether a call-back is to be sent now: its time has come, or its address is back since it was tried."""
    tried_ms = call_back.tried_ms
    return call_back.next_ms <= now or (tried_ms is not None and tried_ms < address.recovered_ms)


def jittered(delay_ms: int, subject: str) -> int:
    """Return *delay_ms* moved by up to a tenth, by the *subject* alone: the same on every host, another for each."""
    share = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:4], "big") / 2**32
    return round(delay_ms * (1 + (2 * share - 1) / _JITTER))
