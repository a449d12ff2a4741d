"""When a call-back is sent again, and what an answer means for it and for its address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.call_backs.schedule import (
    ATTEMPTS_MAX,
    DELAYS_MS,
    PROBE_DELAYS_MS,
    STOP_AFTER_FAILURES,
    STOP_AFTER_MS,
    WINDOW_MS,
    Meaning,
    Reply,
    address_after,
    after_reply,
    begun,
    is_due,
    jittered,
    read_reply,
    retry_after_ms,
)
from distributor.ledger.call_records import CallAddress, CallBack, CallState, StopReason
from distributor.model import OrderStatus
from foundation.clock import UnixMs
from foundation.outgoing.guard import Answer
from tests.factories import NOW_MS

NOW = UnixMs(NOW_MS)
CALL = CallBack(
    source="default", order_id="ORD1", sequence=NOW_MS, status=OrderStatus.PAID, at_ms=NOW, next_ms=UnixMs(NOW)
)
ADDRESS = CallAddress(source="default", url_id="abc")
FAILED = Reply(meaning=Meaning.FAILED, words="HTTP 500")
TOLD = Reply(meaning=Meaning.TOLD, words="HTTP 204")
GONE = Reply(meaning=Meaning.GONE, words="HTTP 410")


def an_answer(status: int, **headers: str) -> Answer:
    """Return what a receiver answered."""
    return Answer(status=status, headers=headers, body=b"", host="shop.example")


def test_ten_attempts_fill_three_days() -> None:
    """Each delay is longer than the one before."""
    assert ATTEMPTS_MAX == 10
    assert list(DELAYS_MS) == sorted(set(DELAYS_MS))
    assert 0.9 * WINDOW_MS < sum(DELAYS_MS) < WINDOW_MS


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (199, Meaning.FAILED),
        (200, Meaning.TOLD),
        (204, Meaning.TOLD),
        (299, Meaning.TOLD),
        (300, Meaning.FAILED),
        (399, Meaning.FAILED),
        (400, Meaning.FAILED),
        (410, Meaning.GONE),
        (500, Meaning.FAILED),
    ],
)
def test_any_2xx_is_told_and_410_ends_it(status: int, meaning: Meaning) -> None:
    """Everything else is tried again."""
    reply = read_reply(an_answer(status), NOW)

    assert reply.meaning is meaning
    assert reply.words.startswith(f"HTTP {status}")
    assert ("redirect" in reply.words) == (300 <= status < 400)


@pytest.mark.parametrize(
    ("text", "wait_ms"),
    [
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("120", 120_000),
        ("999999999999999999", WINDOW_MS),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60_000),
        ("Fri, 15 Jan 2027 08:01:00 -0000", 60_000),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("Fri, 15 Jan 2100 07:00:00 GMT", WINDOW_MS),
        ("Fri, 99 Jan 2027 07:00:00 GMT", 0),
        ("Fri, 01 Jan 99999999999999999999 07:00:00 GMT", 0),
        ("Fri, 01 Jan 2027 07:00:00 +99999999999999999999", 0),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(text: str, wait_ms: int) -> None:
    """Never longer than the three days, never an error."""
    assert NOW_MS == 1_800_000_000_000  # 15 January 2027, 08:00 UTC

    assert retry_after_ms(text, NOW) == wait_ms


def test_an_attempt_is_counted_before_it_is_sent() -> None:
    """It is due again as if no answer came; the window begins with the first one."""
    first = begun(CALL, "evt_1", NOW)
    second = begun(first, "evt_1", UnixMs(NOW + 60_000))
    last = begun(replace(CALL, attempts=ATTEMPTS_MAX - 1), "evt_1", NOW)

    assert (first.attempts, first.first_ms, first.tried_ms) == (1, NOW, NOW)
    assert abs(first.next_ms - NOW - DELAYS_MS[0]) <= DELAYS_MS[0] / 10
    assert (second.attempts, second.first_ms, second.tried_ms) == (2, NOW, NOW + 60_000)
    assert abs(second.next_ms - NOW - 60_000 - DELAYS_MS[1]) <= DELAYS_MS[1] / 10
    assert abs(last.next_ms - NOW - DELAYS_MS[0]) <= DELAYS_MS[0] / 10  # given up then, and not sent


def test_a_jitter_is_the_same_on_every_host_and_differs_among_orders() -> None:
    """By a tenth at most, both ways."""
    delays = {jittered(60_000, f"evt_{number}") for number in range(200)}

    assert jittered(60_000, "evt_1") == jittered(60_000, "evt_1")
    assert len(delays) > 150
    assert 54_000 <= min(delays) < 56_000
    assert 64_000 < max(delays) <= 66_000


def test_an_answer_ends_a_call_back_or_leaves_it_due() -> None:
    """Delivered; tried again; given up after the tenth; put off by the receiver, within three days."""
    sent = begun(CALL, "evt_1", NOW)
    tenth = replace(sent, attempts=ATTEMPTS_MAX)
    patient = replace(FAILED, wait_ms=7_200_000)

    assert after_reply(sent, TOLD, NOW).state is CallState.TOLD
    assert after_reply(sent, FAILED, NOW) == replace(sent, answer="HTTP 500")
    assert after_reply(tenth, FAILED, NOW).state is CallState.GIVEN_UP
    assert after_reply(tenth, TOLD, NOW).state is CallState.TOLD
    assert after_reply(sent, GONE, NOW).state is CallState.DUE
    assert after_reply(sent, patient, NOW).next_ms == NOW + 7_200_000
    late = replace(sent, first_ms=UnixMs(NOW - WINDOW_MS + 600_000))
    assert after_reply(late, patient, NOW).next_ms == NOW + 600_000


def test_a_good_answer_ends_the_failures_of_an_address() -> None:
    """Where there are none, nothing is written."""
    failing = address_after(ADDRESS, [FAILED], NOW)

    back = address_after(failing, [TOLD], UnixMs(NOW + 1))

    assert (back.failures, back.failing_ms, back.next_ms, back.recovered_ms) == (0, None, 0, NOW + 1)
    assert address_after(ADDRESS, [TOLD], NOW) is ADDRESS


def test_an_address_is_as_good_as_its_best_reply() -> None:
    """One order that it cannot take is no outage, and eight failures at once are one."""
    assert address_after(ADDRESS, [FAILED, TOLD, GONE], NOW) is ADDRESS
    assert address_after(ADDRESS, [FAILED] * 8, NOW).failures == 1
    assert address_after(ADDRESS, [FAILED, GONE], NOW).stopped is StopReason.GONE
    put_off = replace(FAILED, wait_ms=PROBE_DELAYS_MS[0] + 5)
    assert address_after(ADDRESS, [FAILED, put_off], NOW).next_ms == NOW + PROBE_DELAYS_MS[0] + 5


def test_fifteen_failures_over_a_day_stop_an_address() -> None:
    """Neither fifteen within minutes nor a day with fewer; the probes alone fill that day."""
    address, now = ADDRESS, NOW
    while address.stopped is None:
        address = address_after(address, [FAILED], now)
        now = UnixMs(max(now, address.next_ms))
        assert now - NOW < 2 * STOP_AFTER_MS

    assert address.stopped is StopReason.FAILING
    assert STOP_AFTER_FAILURES <= address.failures < 24
    assert address.stopped_ms is not None
    assert STOP_AFTER_MS <= address.stopped_ms - NOW < STOP_AFTER_MS + PROBE_DELAYS_MS[-1]
    few = replace(ADDRESS, failures=STOP_AFTER_FAILURES - 2, failing_ms=UnixMs(NOW - STOP_AFTER_MS))
    assert address_after(few, [FAILED], NOW).stopped is None
    quick = replace(ADDRESS, failures=STOP_AFTER_FAILURES, failing_ms=UnixMs(NOW - STOP_AFTER_MS + 1))
    assert address_after(quick, [FAILED], NOW).stopped is None


def test_what_was_tried_before_an_address_came_back_is_due_at_once() -> None:
    """What failed since is not."""
    later = replace(CALL, next_ms=UnixMs(NOW + 1))
    back = replace(ADDRESS, recovered_ms=NOW)

    assert is_due(CALL, ADDRESS, NOW)
    assert not is_due(later, back, NOW)
    assert is_due(replace(later, tried_ms=UnixMs(NOW - 1)), back, NOW)
    assert not is_due(replace(later, tried_ms=NOW), back, NOW)
