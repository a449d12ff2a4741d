"""Receivers that fail, and shops beside one another."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from distributor.call_backs.posting import DEADLINE_S
from distributor.call_backs.schedule import ATTEMPTS_MAX
from distributor.call_backs.sender import TURN_MS
from distributor.ledger.call_records import CallState, StopReason
from foundation.errors import StoreUnavailable
from foundation.outgoing.guard import (
    Answer,
    AnswerUnusable,
    DestinationRefused,
    DestinationUnavailable,
)
from tests.fakes.receiver import OURS, URL, FakeReceiver
from tests.fakes.telling import SOUTH, Telling, a_telling, address_of


@pytest.fixture
async def there() -> Telling:
    """One shop with an address, and nothing in its ledger."""
    return await a_telling()


# receivers that fail -------------------------------------------------------------------------------


async def test_a_receiver_down_for_an_hour_is_told_all_of_it_afterwards(there: Telling) -> None:
    """One probe at a time meanwhile; then everything, and the newest state of each order."""
    there.shop.down = 503
    order = await there.held("HELD")
    await there.paid(*(f"ORD{number}" for number in range(20)))
    await there.turns(60)
    assert len(there.shop.got) - 8 <= 6  # eight together before it was known to fail, then one at a time
    await there.ledger.admin.cancel(order, "ana", "refunded")

    there.shop.down = None
    await there.turns(60)

    assert there.shop.knows == {"HELD": "cancelled", **{f"ORD{number}": "paid" for number in range(20)}}
    assert await address_of(there) == (0, None)
    assert await there.bench.keys("callback-due:", "callback-due;") == []


async def test_a_call_back_is_tried_ten_times_in_three_days_and_then_given_up(there: Telling) -> None:
    """With an alarm that names the order and the answer; the id is the same each time."""
    there.shop.down = 500
    await there.paid("ORD1")

    for _ in range(80 * 6):
        await there.turn(10)

    assert await there.states() == [("paid", "given_up", ATTEMPTS_MAX)]
    assert len(set(there.shop.ids)) == 1
    assert len(there.shop.ids) == ATTEMPTS_MAX
    (alarm,) = there.alarms.raised
    assert (alarm.code, alarm.subject) == ("callback_given_up", "default:ORD1")
    assert "HTTP 500" in alarm.summary


async def test_a_receiver_may_ask_for_time(there: Telling) -> None:
    """Retry-After counts for the call-back and for its address, and is no way to stay silent without end."""
    there.shop.answers, there.shop.reply_headers = [429], {"retry-after": "1800"}
    await there.paid("ORD1")
    await there.turn()
    await there.paid("ORD2")

    await there.turns(29)
    assert len(there.shop.got) == 1
    await there.turns(2)

    assert there.shop.knows == {"ORD1": "paid", "ORD2": "paid"}


async def test_an_address_that_fails_for_a_day_is_stopped_and_a_good_answer_is_needed(there: Telling) -> None:
    """Fifteen failures in a row over a day: nothing is sent any more, and everything is kept."""
    there.shop.down = DestinationRefused("shop.example has an address that is not public")
    for number in range(20):
        await there.held(f"ORD{number:02}")
    for _ in range(28 * 6):
        await there.turn(10)

    failures, stopped = await address_of(there)
    assert (failures >= 15, stopped) == (True, StopReason.FAILING)
    asked = len(there.shop.got)
    there.shop.down = None
    await there.held("LATER")
    await there.turns(60)
    assert len(there.shop.got) == asked
    assert await there.states("LATER") == [("held", "due", 0)]
    answers = {call.answer for number in range(20) for call in await there.calls(f"ORD{number:02}")}
    assert answers <= {"", "not allowed"}


async def test_another_address_begins_anew(there: Telling) -> None:
    """The alarms of the old one end; what was kept is sent to the new one."""
    there.shop.down = 410
    await there.paid("ORD1")
    await there.turn()
    assert await address_of(there) == (1, StopReason.GONE)

    there.shop.down, there.url = None, "https://shop.example/new"
    await there.turn(1)
    await there.turn(1)

    assert there.shop.knows == {"ORD1": "paid"}
    assert await there.ledger.call_backs.addresses() == []


async def test_an_address_that_was_removed_is_forgotten(there: Telling) -> None:
    """Its alarm ends; what was kept stays, for the next address."""
    there.shop.down = 410
    await there.paid("ORD1")
    await there.turn()

    there.url = None
    await there.turn(1)

    assert await there.ledger.call_backs.addresses() == []
    assert await there.states() == [("paid", "due", 1)]


async def test_an_address_that_was_removed_and_put_back_tells_what_became_meanwhile(there: Telling) -> None:
    """
    What is due waits; the event that was dropped meanwhile is announced anew, or the shop would hear of neither.

    1. `held` is due. The address is removed, and the order is paid: that announcement is dropped.
    2. The address is put back. `held` is no longer what the order is, and `paid` has no call-back.
    """
    there.shop.down = 500
    order = await there.held()
    await there.turn()
    there.url = None
    await there.ledger.exits.settle(await there.again(order), order.ref_id, 90, 3)
    await there.turn(1)
    assert await there.states() == [("held", "due", 1)]

    there.shop.down, there.url = None, URL
    await there.turns(60)

    assert there.shop.knows == {"ORD1": "paid"}
    assert await there.states() == [("held", "superseded", 1), ("paid", "told", 1)]


async def test_a_removed_address_that_is_put_back_is_told_what_waited(there: Telling) -> None:
    """Nothing else happened to the order: the same event, with its id."""
    there.shop.down = 500
    await there.paid("ORD1")
    await there.turn()
    there.url = None
    await there.turn(1)

    there.shop.down, there.url = None, URL
    await there.turns(60)

    assert there.shop.knows == {"ORD1": "paid"}
    assert await there.states() == [("paid", "told", 2)]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (302, "HTTP 302: a redirect is not followed"),
        (404, "HTTP 404"),
        (DestinationUnavailable(f"no answer within {DEADLINE_S} s"), "no answer within 15 s"),
        (AnswerUnusable("the answer is larger than 65536 bytes"), "the answer is larger than 65536 bytes"),
        (DestinationRefused("shop.example has an address that is not public"), "not allowed"),
    ],
)
async def test_what_was_answered_is_shown_and_names_no_address(
    there: Telling, trouble: int | Exception, words: str
) -> None:
    """Redirected, wrong, hanging, endless, resolving to an inside address: tried again, and said."""
    there.shop.answers = [trouble]
    await there.paid("ORD1")
    await there.turn()

    (call,) = await there.calls()
    assert (call.state, call.answer, call.attempts) == (CallState.DUE, words, 1)
    await there.turns(2)
    assert there.shop.knows == {"ORD1": "paid"}


# shops beside one another --------------------------------------------------------------------------


async def test_a_shop_that_hangs_keeps_no_other_waiting(there: Telling) -> None:
    """The other one gets its own while the first one's attempt is still open."""
    south = FakeReceiver(there.clock, SOUTH)
    there.others = {"south": (SOUTH, south)}
    await there.held("OURS")
    await there.held("THEIRS", source="south", secret=SOUTH)
    released = asyncio.Event()

    async def hangs(*_: object) -> Answer:
        await released.wait()
        raise DestinationUnavailable("no answer within 15 s")

    there.shop.send = hangs  # type: ignore[method-assign,assignment]
    turn = asyncio.create_task(there.a_turn().run())
    for _ in range(200):
        await asyncio.sleep(0)

    assert south.knows == {"THEIRS": "held"}
    assert not turn.done()
    released.set()
    await turn


async def test_two_hosts_send_to_one_shop_one_after_the_other(there: Telling) -> None:
    """The lease is another host's: nothing is sent twice."""
    await there.paid("ORD1")
    lease = await there.ledger.leases.acquire("callbacks:default", "host-2", ttl_ms=60_000)
    assert lease is not None

    await there.turn()
    assert there.shop.got == []
    await there.ledger.leases.release(lease)
    await there.turn()

    assert there.shop.told == [("ORD1", "order.paid")]


async def test_the_trouble_of_one_shop_is_raised_after_the_others_had_their_turn(there: Telling) -> None:
    """Its row cannot be read; the other shop gets its own all the same."""
    south = FakeReceiver(there.clock, SOUTH)
    there.others = {"south": (SOUTH, south)}
    await there.held("OURS")
    await there.held("THEIRS", source="south", secret=SOUTH)

    async def unreadable(secret: str) -> str:
        if secret == OURS:
            raise StoreUnavailable("no answer")
        return "south"

    there.fingerprints = replace(there.fingerprints)
    object.__setattr__(there.fingerprints, "of", unreadable)
    with pytest.raises(StoreUnavailable):
        await there.turn()

    assert south.knows == {"THEIRS": "held"}


async def test_a_receiver_that_asks_for_days_again_and_again_is_not_a_month_of_silence(there: Telling) -> None:
    """Its wait is kept once; a person hears of it within the week."""
    there.shop.down, there.shop.reply_headers = 503, {"retry-after": "259200"}
    await there.held()
    await there.turn()
    await there.turn(71 * 60)
    assert len(there.shop.got) == 1

    for _ in range(4 * 24):
        await there.turn(60)

    assert set(there.alarms.codes) == {"callback_given_up"}
    assert (await there.states())[0][1] == "given_up"


async def test_a_turn_ends_in_time(there: Telling) -> None:
    """A slow receiver does not hold the turn beyond its lease; the rest goes in the next one."""
    there.shop.before = lambda _: there.clock.advance(15_000)
    await there.paid(*(f"ORD{number:02}" for number in range(30)))

    await there.turn()
    assert 0 < len(there.shop.knows) < 30
    await there.turns(3)

    assert len(there.shop.knows) == 30


async def test_a_backlog_of_announcements_does_not_hold_the_turn_until_the_host_ends_the_process(
    there: Telling,
) -> None:
    """What was announced while a setting was wrong is fanned out over several turns; each of them also sends."""

    def slow(_: object, __: object) -> None:
        there.clock.advance(1_000)

    for number in range(80):
        await there.held(f"ORD{number:02}")
    there.rows.on_done = slow
    began = there.clock()

    await there.turn()

    assert there.clock() - began < 2 * TURN_MS
    assert 0 < len(there.shop.knows) < 80
    await there.turns(20)
    assert len(there.shop.knows) == 80
