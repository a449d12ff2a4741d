"""What a person does about call-backs: look, send again, test an address."""

from __future__ import annotations

import pytest

from distributor.call_backs.by_hand import ByHand
from distributor.call_backs.message import event_id
from distributor.call_backs.posting import Posting
from distributor.call_backs.schedule import Meaning
from distributor.errors import NotYet
from distributor.ledger.call_records import CallState, StopReason
from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite, commit
from tests.factories import NOW_MS
from tests.fakes.bench import bind, binding
from tests.fakes.telling import HOUR_MS, Telling, a_telling


@pytest.fixture
async def there() -> Telling:
    """One shop with an address, and nothing in its ledger."""
    return await a_telling()


def by_hand(there: Telling) -> ByHand:
    """Return the use case."""
    return ByHand(ledger=there.ledger, clock=there.clock)


async def stopped(there: Telling) -> None:
    """Let the shop's address answer 410 to an order that was held."""
    there.shop.down = 410
    await there.held("FIRST")
    await there.turn()
    there.shop.down = None


async def test_a_good_test_ends_a_stop_and_the_newest_state_of_each_order_is_sent(there: Telling) -> None:
    """What was superseded while it stood is dropped."""
    await stopped(there)
    order = await there.held("SECOND")
    await there.ledger.admin.cancel(order, "ana", "refunded")
    await there.turns(10)
    asked = len(there.shop.got)

    reply = await by_hand(there).test(there.receivers()["default"], Posting(send=there.shop.send, clock=there.clock))
    await there.turns(2)

    assert reply.meaning is Meaning.TOLD
    assert there.shop.knows == {"FIRST": "held", "SECOND": "cancelled"}
    assert [kind for _, kind in there.shop.told[asked:]].count("order.held") == 1
    assert await there.states("SECOND") == [("held", "superseded", 0), ("cancelled", "told", 1)]


async def test_a_test_that_fails_changes_nothing(there: Telling) -> None:
    """The stop stays."""
    await stopped(there)
    there.shop.answers = [500]

    reply = await by_hand(there).test(there.receivers()["default"], Posting(send=there.shop.send, clock=there.clock))

    assert (reply.meaning, reply.words) == (Meaning.FAILED, "HTTP 500")
    (address,) = await there.ledger.call_backs.addresses()
    assert address.stopped is StopReason.GONE


async def test_each_shop_is_shown_with_its_last_answer_and_no_address(there: Telling) -> None:
    """One that was never asked, one that is stopped."""
    assert await by_hand(there).shops(there.receivers()) == [
        {"shop": "default", "signed": True, "stopped": None, "failures": 0, "answer": None, "due": 0}
    ]
    await stopped(there)

    shown = await by_hand(there).shops(there.receivers())

    assert shown == [
        {"shop": "default", "signed": True, "stopped": "gone", "failures": 1, "answer": "HTTP 410", "due": 1}
    ]
    assert "shop.example" not in str(shown)


async def test_an_order_is_told_again_with_its_id(there: Telling) -> None:
    """The shop sees that it is the same event."""
    await there.paid("ORD1")
    await there.turn()

    sent = await by_hand(there).resend(await there.bench.order("ORD1"))
    await there.turn()

    assert list(there.shop.ids) == [sent, sent]
    assert len(await by_hand(there).of_order(await there.bench.order("ORD1"))) == 1


async def test_an_order_that_was_never_told_gets_an_event(there: Telling) -> None:
    """Its shop had no address when it was paid."""
    there.url = None
    await there.paid("ORD1")
    await there.turn()
    there.url = "https://shop.example/ballx"

    sent = await by_hand(there).resend(await there.bench.order("ORD1"))
    await there.turn(1)

    assert there.shop.knows == {"ORD1": "paid"}
    assert list(there.shop.ids) == [sent]


async def test_an_order_that_is_being_paid_again_is_told_as_one_that_waits(there: Telling) -> None:
    """The shop had no address when it was put back; what is being paid has no word in a call-back."""
    there.url = None
    await there.ledger.admin.retry(await there.held("ORD1"), "ana", "repaired")
    await there.turn()
    books, order = await there.bench.binding_state(), await there.bench.order("ORD1")
    await bind(there.ledger, books, [order], *binding(books.next_nonce, [order]))
    there.url = "https://shop.example/ballx"

    await by_hand(there).resend(await there.bench.order("ORD1"))
    await there.turn(1)

    assert there.shop.told == [("ORD1", "order.reopened")]
    assert there.shop.knows == {"ORD1": "received"}


async def test_what_an_older_version_did_with_an_order_is_told_by_hand(there: Telling) -> None:
    """And not the event before it again."""
    await there.held("ORD1")
    await there.turn()
    row = await there.rows.get("order:default:ORD1")
    assert row is not None
    group = AtomicWrite()
    group.replace(row.key, {**row.values, "status": "paid"}, row.version)
    await commit(there.rows, group, marker_row=row.key)

    await by_hand(there).resend(await there.bench.order("ORD1"))
    await there.turn(1)

    assert there.shop.told == [("ORD1", "order.held"), ("ORD1", "order.paid")]


async def test_all_since_the_beginning_of_time_are_told_again(there: Telling) -> None:
    """1970 is what somebody writes who means all of them."""
    await there.paid("ORD1")
    await there.turn()

    assert await by_hand(there).since("default", UnixMs(0), apply=False) == 1


async def test_an_order_of_which_nothing_became_is_not_told(there: Telling) -> None:
    """It waits."""
    order = await there.order()

    with pytest.raises(NotYet, match="default:ORD1"):
        await by_hand(there).resend(order)


async def test_all_since_a_moment_are_told_again(there: Telling) -> None:
    """Told and given up, and neither what is still due nor what a later event superseded; a dry run counts."""
    await there.paid("OLD")
    there.clock.advance(HOUR_MS)
    since = UnixMs(NOW_MS + HOUR_MS)
    await there.paid("NEW")
    order = await there.held("TWICE")
    await there.ledger.admin.cancel(order, "ana", "refunded")
    await there.turn()
    there.secrets = ()
    await there.held("DUE")
    await there.turn()
    await torn(there)

    assert await by_hand(there).since("default", since, apply=False) == 2
    assert await by_hand(there).since("default", since, apply=True) == 2

    states = {name: [each.state for each in await there.calls(name)] for name in ("OLD", "NEW", "TWICE", "DUE")}
    assert states == {
        "OLD": [CallState.TOLD],
        "NEW": [CallState.DUE],
        "TWICE": [CallState.SUPERSEDED, CallState.DUE],
        "DUE": [CallState.DUE],
    }


async def test_the_newest_are_shown_first(there: Telling) -> None:
    """Each with its answer; a row that names nothing is left out."""
    await there.paid("OLD")
    there.clock.advance(HOUR_MS)
    await there.paid("NEW")
    await there.turn()
    await torn(there)

    assert [each.order_id for each in await by_hand(there).newest("default")] == ["NEW", "OLD"]
    assert event_id((await there.calls("OLD"))[0].key, (await there.calls("OLD"))[0].sequence) in there.shop.ids


async def torn(there: Telling) -> None:
    """Write an index row by hand that names nothing."""
    group, key = AtomicWrite(), "callback-time:default:000000000000000:GONE:000000000000001"
    group.insert(key, {"source": "default", "order_id": "GONE", "sequence": 1})
    await commit(there.rows, group, marker_row=key)
