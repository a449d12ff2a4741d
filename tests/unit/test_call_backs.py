"""The shop is told: once, in order or visibly not, whatever its receiver does and wherever a process dies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from distributor.call_backs.message import call_back_secret
from distributor.call_backs.posting import DEADLINE_S
from distributor.call_backs.schedule import ATTEMPTS_MAX
from distributor.call_backs.sender import TURN_MS
from distributor.ledger import keys
from distributor.ledger.call_records import CallState, StopReason
from distributor.ledger.closing import Release
from distributor.ledger.shop_orders import Moved
from distributor.ledger.shop_owners import registered
from distributor.model import HoldReason, OrderKey
from distributor.webhook.signature import Key, Verified, check_signature
from foundation.clock import UnixMs
from foundation.errors import InvariantBroken, StoreUnavailable
from foundation.outgoing.guard import (
    Answer,
    AnswerUnusable,
    DestinationRefused,
    DestinationUnavailable,
    Limits,
    Request,
)
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row, RowWrite, Value, Version
from tests.fakes.bench import a_closing
from tests.fakes.receiver import OURS, URL, FakeReceiver
from tests.fakes.telling import Telling, a_telling
from tests.service import Killed

SOUTH = "secret of the shop in the south, 32"
NEVER_FAILED: Mapping[str, Value] = {"failures": 0, "next_ms": 0, "recovered_ms": 0, "answer": ""}


@pytest.fixture
async def there() -> Telling:
    """One shop with an address, and nothing in its ledger."""
    return await a_telling()


async def address_of(there: Telling) -> tuple[int, StopReason | None]:
    """Return how often in a row the shop's address failed, and why nothing is sent to it."""
    (address,) = await there.ledger.call_backs.addresses()
    return address.failures, address.stopped


# what is told --------------------------------------------------------------------------------------


async def test_a_paid_order_is_told_once(there: Telling) -> None:
    """In a later turn, outside the group of the fact; and no second time."""
    await there.paid("ORD1")
    assert there.shop.got == []

    await there.turns(3)

    assert there.shop.told == [("ORD1", "order.paid")]
    assert await there.states() == [("paid", "told", 1)]
    (call,) = await there.calls()
    assert call.answer == "HTTP 204"


async def test_all_orders_of_one_transaction_are_told(there: Telling) -> None:
    """One row in its group, and one call-back for each order of it."""
    orders = [f"ORD{number:02}" for number in range(30)]
    await there.paid(*orders)
    assert len(await there.bench.keys("call:", "call;")) == 1

    await there.turn()

    assert sorted(there.shop.knows) == orders
    assert set(there.shop.knows.values()) == {"paid"}
    assert await there.bench.keys("call:", "call;") == await there.bench.keys("callback-due:", "callback-due;") == []


async def test_a_closing_says_one_thing_of_each_order(there: Telling) -> None:
    """Paid of one, held of the other, nothing of what was asked for again."""
    transaction = await there.bench.bound("PAID", "HELD")
    await there.ledger.close(transaction, a_closing("PAID", held=["HELD"]))
    await there.turn()

    assert there.shop.knows == {"PAID": "paid", "HELD": "held"}


async def test_each_step_of_an_order_is_an_event_of_its_own(there: Telling) -> None:
    """Held, put back, held again, taken back; each with a higher number than the one before."""
    order = await there.held()
    await there.turn()
    order = await there.ledger.admin.retry(order, "ana", "mended")
    await there.turn()
    await there.ledger.hold(order, HoldReason.SIMULATION, "refused")
    await there.turn()
    await there.ledger.admin.cancel(await there.again(order), "ana", "refunded")
    await there.turn()

    kinds = ["order.held", "order.reopened", "order.held", "order.cancelled"]
    assert there.shop.told == [("ORD1", kind) for kind in kinds]
    numbers = [call.sequence for call in await there.calls()]
    assert sorted(set(numbers)) == numbers


async def test_what_a_person_settles_and_reopens_is_told(there: Telling) -> None:
    """A higher event may turn paid back; an old one never."""
    order = await there.held()
    paid = await there.ledger.exits.settle(order, order.ref_id, 90, 3)
    await there.turn()
    await there.ledger.exits.reopen(await there.again(paid), "not on the chain")
    await there.turn()

    assert [kind for _, kind in there.shop.told] == ["order.paid", "order.held"]
    assert there.shop.knows == {"ORD1": "held"}


async def test_a_shop_without_an_address_is_not_told_and_nothing_is_kept(there: Telling) -> None:
    """Its announcements are dropped by the hundred; an address that is set later gets later events."""
    there.url = None
    for number in range(3):
        await there.held(f"ORD{number}")

    await there.turn()

    assert await there.bench.keys("call", "calm") == []
    there.url = URL
    await there.turn()
    assert there.shop.got == []


async def test_an_event_superseded_before_it_is_sent_is_dropped_and_shown_so(there: Telling) -> None:
    """The shop gets the newest one alone."""
    order = await there.held()
    await there.ledger.admin.cancel(order, "ana", "refunded")

    await there.turn()

    assert there.shop.told == [("ORD1", "order.cancelled")]
    assert await there.states() == [("held", "superseded", 0), ("cancelled", "told", 1)]


async def test_call_backs_out_of_order_never_turn_paid_back(there: Telling) -> None:
    """An attempt at `held` hangs; the order is paid and announced; then the receiver gets the old event after all."""
    order = await there.held()
    there.shop.down = DestinationUnavailable("no answer within 15 s")
    await there.turn()
    late = there.shop.got[0]
    there.shop.down = None
    await there.ledger.exits.settle(await there.again(order), order.ref_id, 90, 3)
    await there.turns(10)
    assert there.shop.knows == {"ORD1": "paid"}

    there.clock.now_ms = int(late.headers["webhook-timestamp"]) * 1_000
    there.shop.take(late.body or b"", late.headers)

    assert there.shop.knows == {"ORD1": "paid"}
    assert await there.states() == [("held", "superseded", 1), ("paid", "told", 1)]


# how it is signed ----------------------------------------------------------------------------------


async def test_a_call_back_is_signed_with_both_secrets_of_a_rotation(there: Telling) -> None:
    """A receiver that has either one takes it."""
    there.secrets = ("the new secret of the shop, 32 byte", OURS)
    await there.paid("ORD1")

    await there.turn()

    (request,) = there.shop.got
    body = request.body or b""
    assert all(FakeReceiver(there.clock, secret).verifies(body, request.headers) for secret in there.secrets)
    assert not FakeReceiver(there.clock, SOUTH).verifies(body, request.headers)


async def test_a_rotation_that_is_not_registered_yet_loses_no_call_back(there: Telling) -> None:
    """The register learns of a new secret in the next sweep, and a person hears nothing of that minute."""
    await there.held("ORD1")
    await there.ledger.shops.add(await there.fingerprints.of(OURS), "default", by="service", how="first")
    there.secrets = ("the new secret of the shop, 32 byte", OURS)
    await there.turn()
    assert (there.shop.got, await there.states(), there.alarms.codes) == ([], [("held", "due", 0)], [])

    await there.ledger.shops.add(await there.fingerprints.of(there.secrets[0]), "default", by="service", how="rotation")
    await there.turn(1)

    assert there.shop.told == [("ORD1", "order.held")]


async def test_while_nobody_knows_whose_the_secret_is_nothing_is_sent_and_all_is_kept(there: Telling) -> None:
    """Changed without an overlap, it waits for a person's word; what waits is no other shop's."""
    await there.ledger.shops.add(await there.fingerprints.of(OURS), "default", by="service", how="first")
    there.secrets = ("the new secret of the shop, 32 byte",)
    there.shop.secret = there.secrets[0]
    await there.turns(20)
    assert there.alarms.codes == []
    await there.held("ORD1")

    await there.turns(9)
    assert there.alarms.codes == []
    await there.turns(3)
    assert (there.shop.got, await there.states()) == ([], [("held", "due", 0)])
    assert set(there.alarms.codes) == {"callbacks_unsigned"}

    await there.ledger.shops.add(await there.fingerprints.of(there.secrets[0]), "default", by="ana", how="same-as")
    await there.turn(1)
    assert there.shop.told == [("ORD1", "order.held")]


async def test_a_call_back_posted_back_is_no_order(there: Telling) -> None:
    """Its key is another one than the webhook's, made for this use alone."""
    await there.paid("ORD1")
    await there.turn()
    (request,) = there.shop.got
    body = request.body or b""

    def verdict(secret: str) -> object:
        return check_signature(request.headers, body, [Key(source="s", which="current", secret=secret)], there.clock())

    assert verdict(OURS) == "mismatch"
    assert isinstance(verdict(call_back_secret(OURS)), Verified)


async def test_without_a_secret_nothing_is_sent_and_all_is_kept(there: Telling) -> None:
    """A vault withdrew it; the call-back waits for the next one."""
    there.secrets = ()
    await there.paid("ORD1")
    await there.turn()
    assert await there.states() == [("paid", "due", 0)]
    assert [(alarm.code, alarm.subject) for alarm in there.alarms.raised] == [("callbacks_unsigned", "default")]

    there.secrets = (OURS,)
    await there.turn()

    assert there.shop.knows == {"ORD1": "paid"}


async def test_a_shop_is_not_told_of_an_order_of_another(there: Telling) -> None:
    """Its name was given to another shop's secret: the order is neither shown to that one, nor silently forgotten."""
    await there.paid("ORD1")
    order = await there.again(await there.order("ORD2"))
    await there.ledger.shops.add(await there.fingerprints.of(OURS), "default", by="ana", how="first")
    await there.ledger.shops.add(await there.fingerprints.of(SOUTH), "south", by="ana", how="accept")
    await there.ledger.hold(order, HoldReason.SIMULATION, "refused")
    there.secrets = (SOUTH,)

    await there.turn()

    assert there.shop.got == []
    assert await there.states("ORD2") == [("held", "given_up", 0)]
    assert "callback_given_up" in there.alarms.codes


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


# rows that are not as they can only be -------------------------------------------------------------


async def test_an_announcement_that_cannot_be_read_harms_itself_alone(there: Telling) -> None:
    """It is named; the others get theirs."""
    await spoil(there, "call:000000000000000:default:ORD0", {"at_ms": 1, "events": "paid"})
    await there.paid("ORD1")

    await there.turn()

    assert there.shop.knows == {"ORD1": "paid"}
    assert there.alarms.codes == ["row_unreadable"]


@pytest.mark.parametrize("values", [{"source": "default"}, {"source": "default", "order_id": "X", "sequence": 1}])
async def test_a_call_back_that_cannot_be_read_harms_itself_alone(there: Telling, values: Mapping[str, str]) -> None:
    """Its index row names nothing that can be read."""
    await spoil(there, "callback-due:default:000000000000000:ORD0:000000000000001", values)
    await there.paid("ORD1")

    await there.turn()

    assert there.shop.knows == {"ORD1": "paid"}
    assert set(there.alarms.codes) == {"row_unreadable"}


async def test_how_an_address_answered_that_cannot_be_read_harms_its_own_shop_alone(there: Telling) -> None:
    """The other shops get theirs; what is wrong is raised behind them."""
    south = FakeReceiver(there.clock, SOUTH)
    there.others = {"south": (SOUTH, south)}
    await there.held("OURS")
    await there.held("THEIRS", source="south", secret=SOUTH)
    await spoil(there, "callback-address:default", {"source": "default"})

    with pytest.raises(InvariantBroken, match="callback-address:default"):
        await there.turn()

    assert (there.shop.got, south.knows) == ([], {"THEIRS": "held"})


async def test_an_order_that_cannot_be_read_harms_its_own_call_backs_alone(there: Telling) -> None:
    """Its call-back is put off as one that failed, and given up where nobody repairs the row; the address is good."""
    there.shop.down = 503
    await there.held("TORN")
    await there.turn()
    there.shop.down = None
    await change(there, "order:default:TORN", amount_units="much")
    await there.paid("ORD1")

    await there.turns(5)

    assert there.shop.knows == {"ORD1": "paid"}
    assert (await there.states("TORN"))[0][:2] == ("held", "due")
    assert set(there.alarms.codes) == {"row_unreadable"}
    for _ in range(80):
        await there.turn(60)
    assert (await there.states("TORN"))[0] == ("held", "given_up", ATTEMPTS_MAX)
    assert set(there.alarms.codes) == {"row_unreadable", "callback_given_up"}


async def test_what_an_older_version_did_with_an_order_is_told_instead_of_what_it_was(there: Telling) -> None:
    """It leaves the event's number as it was, and announces nothing."""
    there.secrets = ()
    await there.held()
    await there.turn()
    await change(there, "order:default:ORD1", status="cancelled")
    there.secrets = (OURS,)

    await there.turns(2)

    assert there.shop.told == [("ORD1", "order.cancelled")]
    assert await there.states() == [("held", "superseded", 0), ("cancelled", "told", 1)]


async def test_what_a_newer_version_calls_an_order_is_left_to_it(there: Telling) -> None:
    """This one has no event for it."""
    there.secrets = ()
    await there.held()
    await there.turn()
    await change(there, "order:default:ORD1", status="disputed")
    there.secrets = (OURS,)

    await there.turns(2)

    assert there.shop.told == [("ORD1", "order.held")]


async def change(there: Telling, key: str, **values: str) -> None:
    """Write columns of a row as another version, or a hand, might."""
    row = await there.rows.get(key)
    assert row is not None
    group = AtomicWrite()
    group.replace(key, {**row.values, **values}, row.version)
    await commit(there.rows, group, marker_row=key)


async def spoil(there: Telling, key: str, values: Mapping[str, str | int]) -> None:
    """Write a row by hand."""
    group = AtomicWrite()
    group.insert(key, values)
    await commit(there.rows, group, marker_row=key)


# hosts beside one another --------------------------------------------------------------------------


async def test_two_hosts_fan_out_the_same_announcement(there: Telling) -> None:
    """The second finds it gone, or loses; the shop is told once."""
    await there.paid("ORD1", "ORD2")
    await asyncio.gather(there.a_turn("host-1").run(), there.a_turn("host-2").run())
    await there.turn()

    assert sorted(there.shop.told) == [("ORD1", "order.paid"), ("ORD2", "order.paid")]


async def test_a_fan_out_that_loses_leaves_the_announcement(there: Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host inserted one of its call-backs in between; the next turn makes the others."""
    await there.paid("ORD1", "ORD2")
    backs = there.ledger.call_backs
    (announced,), _ = await backs.announced(limit=10)
    first = there.rows.get

    async def blind(key: str) -> Row | None:
        return None if key.startswith(keys.CALL_BACKS) else await first(key)

    await spoil(there, keys.call_back(OrderKey("default", "ORD1"), announced.said.events[0].sequence), {})  # type: ignore[union-attr]
    with monkeypatch.context() as patch:
        patch.setattr(there.rows, "get", blind)
        await there.turn()
    assert there.shop.got == []

    await there.turn()

    assert there.shop.knows == {"ORD2": "paid"}


async def test_a_call_back_that_changed_meanwhile_is_left_to_whoever_changed_it(there: Telling) -> None:
    """A person sends it again while an attempt is open: the answer of that attempt is not written over it."""
    await there.paid("ORD1")
    await there.a_turn().run()
    (call,) = await there.calls()
    await there.ledger.call_backs.send_again(call)
    order = OrderKey("default", "ORD1")

    async def by_hand(request: Request, limits: Limits) -> Answer:
        found = await there.ledger.call_backs.find(order, call.sequence)
        assert found is not None
        there.shop.send = plain  # type: ignore[method-assign]
        await there.ledger.call_backs.send_again(found)
        return await plain(request, limits)

    plain = there.shop.send
    there.shop.send = by_hand  # type: ignore[method-assign]
    await there.turn()

    assert len(set(there.shop.ids)) == 1
    assert len(there.shop.ids) == 3
    assert await there.states() == [("paid", "told", 1)]


async def test_a_call_back_that_another_host_sends_is_not_sent_here(
    there: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease outlived: the attempt is stored first, and only one of the two can store it."""
    await there.paid("ORD1")
    there.secrets = ()
    await there.turn()
    there.secrets = (OURS,)
    (call,) = await there.calls()
    real = there.ledger.call_backs.due

    async def outdated(source: str, *, limit: int) -> Sequence[object]:
        monkeypatch.undo()
        found = await real(source, limit=limit)
        await there.ledger.call_backs.save(call, replace(call, state=CallState.TOLD))
        return found

    monkeypatch.setattr(type(there.ledger.call_backs), "due", lambda _, source, limit: outdated(source, limit=limit))
    await there.turn()

    assert there.shop.got == []
    assert await there.states() == [("paid", "told", 0)]


async def test_what_is_noted_of_an_address_gives_way_to_another_hosts_note(there: Telling) -> None:
    """A person's test said that it is back; the failure of an attempt that began before does not undo that."""
    await there.paid("ORD1")

    def meanwhile(_: Request) -> None:
        address = keys.call_address("default")
        values: Mapping[str, Value] = {**NEVER_FAILED, "source": "default", "url_id": ""}
        there.rows._rows[address] = Row(key=address, values=values, version=Version("other"))

    there.shop.before, there.shop.answers = meanwhile, [500]
    await there.turn()

    assert await there.states() == [("paid", "due", 1)]


# killed at each step -------------------------------------------------------------------------------


class Dying(MemoryRows):
    """A table behind which a process dies before or after its *at*-th write."""

    def __init__(self) -> None:
        super().__init__()
        self.at, self.done, self.writes = -1, True, 0

    async def commit(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        now, self.writes = self.writes, self.writes + 1
        if now == self.at and not self.done:
            raise Killed
        versions = await super().commit(group)
        if now == self.at:
            raise Killed
        return versions


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("at", range(7))
async def test_a_process_killed_at_any_write_loses_no_call_back(at: int, done: bool) -> None:
    """Before the write or behind it: each order is told at least once, always with its one id, and counted."""
    rows = Dying()
    there = await a_telling(rows)
    await there.paid("ORD1", "ORD2")
    rows.writes, rows.at, rows.done = 0, at, done
    with pytest.raises(Killed):
        await there.turn()
    rows.at = -1

    await there.turns(5)

    assert there.shop.knows == {"ORD1": "paid", "ORD2": "paid"}
    assert len(set(there.shop.ids)) == 2
    for order in ("ORD1", "ORD2"):
        (call,) = await there.calls(order)
        sent = sum(request == order for request, _ in there.shop.told)
        assert call.state is CallState.TOLD
        assert 1 <= sent <= call.attempts <= 2
    assert await there.bench.keys("callback-due:", "callback-due;") == await there.bench.keys("call:", "call;") == []


async def test_a_process_killed_behind_the_last_attempt_gives_it_up_visibly(there: Telling) -> None:
    """Counted before it was sent, it is not sent an eleventh time."""
    await there.paid("ORD1")
    there.secrets = ()
    await there.turn()
    there.secrets = (OURS,)
    (call,) = await there.calls()
    await there.ledger.call_backs.save(
        call, replace(call, attempts=ATTEMPTS_MAX, answer="sent, and the answer is not known", tried_ms=UnixMs(1))
    )

    await there.turn()

    assert there.shop.got == []
    assert await there.states() == [("paid", "given_up", ATTEMPTS_MAX)]
    assert there.alarms.codes == ["callbacks_unsigned", "callback_given_up"]


async def test_a_store_that_is_away_stops_the_turn_and_loses_nothing(
    there: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next turn goes on."""
    await there.paid("ORD1")

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(MemoryRows, "scan", away)
        with pytest.raises(StoreUnavailable):
            await there.turn()
    await there.turn()

    assert there.shop.knows == {"ORD1": "paid"}


async def test_an_address_that_another_host_forgot_is_forgotten(there: Telling) -> None:
    """The same again changes nothing."""
    there.shop.down = 410
    await there.paid("ORD1")
    await there.turn()
    (address,) = await there.ledger.call_backs.addresses()

    await there.ledger.call_backs.forget_address(address)
    await there.ledger.call_backs.forget_address(address)

    assert await there.ledger.call_backs.addresses() == []


async def test_an_order_that_goes_back_to_the_line_is_no_event(there: Telling) -> None:
    """Its transaction is over and moved nothing for it: the shop knows that it waits."""
    transaction = await there.bench.bound("ORD1")
    release = Release(detail="the guard refused the whole transaction", own_fault=False)
    closing = replace(a_closing(), released={OrderKey("default", "ORD1"): release})
    await there.ledger.close(transaction, closing)

    assert await there.bench.keys("call:", "call;") == []
    assert (await there.bench.order("ORD1")).sequence is None


async def test_an_order_that_takes_the_place_of_another_keeps_the_higher_number(there: Telling) -> None:
    """What a shop was told under that id has no higher number than what it is told next."""
    await there.ledger.shops.add(await there.fingerprints.of(OURS), "south", by="ana", how="accept")
    await there.ledger.shops.add(await there.fingerprints.of(SOUTH), "default", by="ana", how="accept")
    one = await there.held("ORD1")
    other = await there.order("ORD1", source="south", secret=SOUTH)
    waits = await there.ledger.admin.retry(one, "ana", "mended")

    owners = (await registered(there.rows)).owners
    assert await there.ledger.shop_orders.move(await there.again(waits), owners) is Moved.EXCHANGED

    assert (await there.again(waits)).sequence == waits.sequence
    assert (await there.again(other)).sequence == waits.sequence
