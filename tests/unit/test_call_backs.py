"""What a shop is told of its orders, and how that is signed."""

from __future__ import annotations

import pytest

from distributor.call_backs.message import call_back_secret
from distributor.model import HoldReason
from distributor.webhook.signature import Key, Verified, check_signature
from foundation.outgoing.guard import (
    DestinationUnavailable,
)
from tests.fakes.bench import a_closing
from tests.fakes.receiver import OURS, URL, FakeReceiver
from tests.fakes.telling import SOUTH, Telling, a_telling


@pytest.fixture
async def there() -> Telling:
    """One shop with an address, and nothing in its ledger."""
    return await a_telling()


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
