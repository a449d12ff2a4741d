"""Words corrected, rows lost or torn, names that several shops had: no order is lost, and none is paid again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from distributor.errors import NotYet, ShopUnknown
from distributor.ledger import keys
from distributor.ledger.shop_owners import Owners
from distributor.model import HoldReason, Order, OrderKey, OrderStatus
from distributor.payout import shop_words
from foundation.clock import UnixMs
from foundation.errors import Contention, StoreUnavailable
from foundation.tablestore.codec import OWNER
from tests.fakes.shop import FIRST, SECOND, THIRD, Shop
from tests.world import a_world


@pytest.fixture
async def shop() -> Shop:
    """One shop under WEBHOOK_SECRET, with one order paid."""
    made = Shop(await a_world(), {"default": FIRST})
    await made.send(FIRST)
    await made.pay()
    return made


def tear(shop: Shop, key: str) -> None:
    """Leave a row that this code cannot read: what a newer version, or a bad copy, may have written."""
    shop.world.rows.put(key, {OWNER: "x", "strange": "columns"})


async def test_orders_that_wait_when_a_word_is_corrected_come_back_and_are_paid(shop: Shop) -> None:
    """
    They came as `default`, were moved to the wrong source, and wait there.

    Back home each meets the row it left behind, which is no order.
    """
    shop.settings = {"default": SECOND}
    await shop.send(SECOND, "ORD2")
    await shop.words.accept(await shop.secret(SECOND), "shop-a", by="ana", why="wrong")
    owners = await shop.world.ledger.shops.owners()
    waits = await shop.world.ledger.order(OrderKey("default", "ORD2"))
    assert waits is not None
    await shop.world.ledger.shop_orders.move(waits, owners)
    await shop.world.ledger.admin.pause("ana", "a correction")
    await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="it is the first shop")
    await shop.world.ledger.admin.resume("ana", "corrected")

    await shop.pay()

    assert (await shop.status("default", "ORD2"), shop.paid) == (OrderStatus.PAID, 2)
    assert (await shop.send(SECOND, "ORD2")).status is OrderStatus.PAID
    assert await shop.status("shop-a", "ORD2") is OrderStatus.CANCELLED


async def test_what_a_person_cancelled_stays_cancelled_under_the_right_source(shop: Shop) -> None:
    """A fraud, cancelled where it came; then the word is corrected, and the shop sends it again under its own name."""
    shop.settings = {"shop-a": SECOND}
    cancelled = await shop.send(SECOND, "ORD2")
    await shop.words.accept(await shop.secret(SECOND), "shop-a", by="ana", why="wrong")
    await shop.world.ledger.admin.cancel(cancelled, "ana", "fraud")
    await shop.world.ledger.admin.pause("ana", "a correction")
    await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="it is the first shop")
    await shop.world.ledger.admin.resume("ana", "corrected")
    shop.settings = {"default": SECOND}

    await shop.send(SECOND, "ORD2")
    await shop.pay()

    assert (shop.paid, await shop.status("default", "ORD2")) == (1, OrderStatus.CANCELLED)


async def test_what_a_person_cancelled_while_it_waited_for_a_word_stays_cancelled(shop: Shop) -> None:
    """The same for a secret that nobody had spoken of."""
    shop.settings = {"shop-a": SECOND}
    await shop.world.ledger.admin.cancel(await shop.send(SECOND, "ORD2"), "ana", "fraud")
    await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="a secret of its own")
    shop.settings = {"default": SECOND}

    await shop.send(SECOND, "ORD2")
    await shop.pay()

    assert (shop.paid, await shop.status("default", "ORD2")) == (1, OrderStatus.CANCELLED)


async def test_the_lost_row_of_the_shops_makes_no_secret_known(shop: Shop) -> None:
    """A table that lost a row: the next round must not register by itself what the settings call a new name."""
    shop.world.rows.remove(keys.SHOPS)
    again = Shop(shop.world, {"shop-a": FIRST})

    await again.send(FIRST)
    await again.pay()

    assert (again.paid, await again.status("shop-a")) == (1, OrderStatus.RECEIVED)


async def test_a_torn_row_of_one_secret_stops_that_shop_alone(shop: Shop) -> None:
    """Its orders wait and the row is named; the neighbours are paid."""
    shop.settings = {"default": FIRST, "shop-b": THIRD}
    await shop.words.accept(await shop.secret(THIRD), "shop-b", by="ana", why="a second shop")
    tear(shop, keys.secret(await shop.fingerprints.of(THIRD)))
    await shop.send(THIRD, "B1")
    await shop.send(FIRST, "ORD2")

    await shop.pay()

    assert await shop.status("default", "ORD2") is OrderStatus.PAID
    assert await shop.status("shop-b", "B1") is OrderStatus.RECEIVED
    assert "row_unreadable" in shop.world.alarms.codes


async def test_a_torn_order_in_the_way_stops_the_one_that_is_to_be_moved_alone(shop: Shop) -> None:
    """The round goes on with the others, and names it."""
    tear(shop, keys.order_row(OrderKey("default", "ORD2")))
    await shop.lay("ORD2", source="shop-a", signed_with=await shop.fingerprints.of(FIRST))
    await shop.send(FIRST, "ORD3")

    await shop.pay()

    assert await shop.status("default", "ORD3") is OrderStatus.PAID
    assert await shop.status("shop-a", "ORD2") is OrderStatus.RECEIVED
    assert "row_unreadable" in shop.world.alarms.codes


async def test_a_torn_order_of_before_does_not_stop_the_update() -> None:
    """At the first round after it every source is looked at."""
    world = await a_world()
    await world.receive("OLD")
    tear(Shop(world), keys.order_row(OrderKey("default", "A-TORN")))
    shop = Shop(world, {"default": FIRST})
    await shop.send(FIRST, "NEW")

    await shop.pay()

    assert await shop.status("default", "NEW") is OrderStatus.PAID


async def test_a_known_shop_under_anothers_name_is_taken_also_with_an_id_the_other_had(shop: Shop) -> None:
    """Both shops count their orders from 1. Whose it is, is known: it goes to its own source at once."""
    shop.settings = {"shop-a": FIRST, "default": THIRD}
    await shop.send(THIRD, "B0")
    await shop.words.accept(await shop.secret(THIRD), "shop-b", by="ana", why="a second shop")

    taken = await shop.send(THIRD, amount="3")
    await shop.pay()

    assert (taken.key, await shop.status("shop-b")) == (OrderKey("shop-b", "ORD1"), OrderStatus.PAID)
    assert (await shop.send(THIRD, amount="3")).status is OrderStatus.PAID
    assert shop.paid == 3


async def test_the_row_a_moved_order_left_is_free_for_one_that_comes_home(shop: Shop) -> None:
    """The first shop's order lay there under a name that was not its own; the second shop's belongs there."""
    shop.settings = {"shop-b": FIRST, "shop-c": THIRD}
    third = await shop.fingerprints.of(THIRD)
    await shop.world.ledger.shops.add(third, "shop-b", by="ana", how="accept")
    await shop.send(FIRST, "ORD5")
    await shop.pay()
    await shop.send(THIRD, "ORD5", amount="3")

    await shop.pay()

    stored = await shop.world.ledger.order(OrderKey("shop-b", "ORD5"))
    assert stored is not None
    assert (stored.status, stored.amount_units, shop.paid) == (OrderStatus.PAID, 3 * 10**18, 3)


async def test_an_old_previous_secret_makes_no_other_shop_the_same(shop: Shop) -> None:
    """The shop moved to a name of its own; what it signed with before is still beside the new shop's secret."""
    shop.settings = {"default": SECOND, "default/previous": FIRST}
    await shop.registration.keep_up()
    shop.settings = {"shop-a": SECOND, "default": THIRD, "default/previous": FIRST}

    await shop.send(THIRD, "B1")
    await shop.pay()

    assert (await shop.secret(THIRD)).registered is None
    assert await shop.status("default", "B1") is OrderStatus.RECEIVED


async def test_a_resume_during_a_correction_refuses_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is bound behind the look would not be spent at the right source."""
    shop.settings = {"shop-a": SECOND}
    await shop.send(SECOND, "ORD2")
    await shop.words.accept(await shop.secret(SECOND), "shop-a", by="ana", why="wrong")
    await shop.world.ledger.admin.pause("ana", "a correction")
    secret, orders_of = await shop.secret(SECOND), shop.world.ledger.shops.orders_of

    async def orders_then_resume(source: str) -> AsyncIterator[Order]:
        async for order in orders_of(source):
            yield order
        await shop.world.ledger.admin.resume("bob", "did not know")
        await shop.pay()

    monkeypatch.setattr(type(shop.world.ledger.shops), "orders_of", lambda _self, source: orders_then_resume(source))

    with pytest.raises(Contention, match="switch"):
        await shop.words.same_as(secret, "default", by="ana", why="it is the first shop")

    assert (await shop.world.ledger.shops.owners()).sources[secret.fingerprint] == "shop-a"


async def test_a_rebuild_puts_a_corrected_word_back_over_the_backups_wrong_one(shop: Shop) -> None:
    """The backup is from before the correction, and the audit trail is not."""
    shop.settings = {"shop-a": SECOND}
    await shop.words.accept(await shop.secret(SECOND), "shop-a", by="ana", why="wrong")
    secret = await shop.secret(SECOND)
    backup = shop.world.rows.dump()
    await shop.world.ledger.admin.pause("ana", "a correction")
    shop.world.clock.advance(1)
    await shop.words.same_as(secret, "default", by="ana", why="it is the first shop")
    key = keys.secret(secret.fingerprint)
    shop.world.rows.put(key, backup[key])

    await shop.world.ledger.shops.restore()

    assert (await shop.world.ledger.shops.owners()).sources[secret.fingerprint] == "default"


async def test_secrets_that_are_all_withdrawn_end_no_registration() -> None:
    """A vault that has none at this moment changes nothing."""
    shop = Shop(await a_world(), {})
    await shop.registration.keep_up()
    shop.settings = {"default": FIRST}
    await shop.send(FIRST)

    await shop.pay()

    assert shop.paid == 1


async def accepted_wrongly(shop: Shop, name: str) -> None:
    """Let a person say that the first shop's new secret is another shop's."""
    shop.settings = {name: SECOND}
    await shop.send(SECOND, "ORD2")
    await shop.words.accept(await shop.secret(SECOND), name, by="ana", why="wrong")
    await shop.pay()
    await shop.world.ledger.admin.pause("ana", "a correction")


async def test_a_word_that_was_wrong_twice_pays_nothing_again(shop: Shop) -> None:
    """What was paid under the first wrong source is spent at the right one, not only what the second one shows."""
    await shop.world.ledger.shops.add(await shop.fingerprints.of(THIRD), "shop-b", by="ana", how="accept")
    await accepted_wrongly(shop, "shop-a")

    await shop.words.same_as(await shop.secret(SECOND), "shop-b", by="ana", why="wrong again")
    await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="the first shop")
    await shop.world.ledger.admin.resume("ana", "corrected")
    shop.settings = {"default": SECOND}
    await shop.send(SECOND, "ORD2")
    await shop.pay()

    assert (shop.paid, await shop.status("default", "ORD2")) == (2, OrderStatus.CANCELLED)


async def test_a_held_order_is_decided_before_its_shops_word_is_changed(shop: Shop) -> None:
    """Held, it may have been paid; under the right source the shop's next try would be paid without a question."""
    await accepted_wrongly(shop, "shop-a")
    held = await shop.send(SECOND, "ORD3")
    await shop.world.ledger.hold(held, HoldReason.NONCE_LOST, "")

    with pytest.raises(NotYet, match="shop-a:ORD3 is held"):
        await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="the first shop")


async def test_an_order_cancelled_elsewhere_takes_back_none_that_is_known_at_home(shop: Shop) -> None:
    """A person took it for a second copy; the first one waits under the right source and is paid."""
    shop.settings = {"shop-a": SECOND, "default": FIRST}
    await shop.send(FIRST, "ORD2")
    await shop.world.ledger.admin.cancel(await shop.send(SECOND, "ORD2"), "ana", "a second copy")

    assert await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="its own secret") == []
    await shop.pay()

    assert await shop.status("default", "ORD2") is OrderStatus.PAID


async def test_a_correction_that_the_trail_does_not_keep_is_none(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild would find the wrong word alone, and pay under it again."""
    await accepted_wrongly(shop, "shop-a")

    async def lost(_key: str, _values: object) -> None:
        return

    with monkeypatch.context() as patch:
        patch.setattr(shop.world.audit, "record", lost)
        with pytest.raises(StoreUnavailable, match="trail"):
            await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="the first shop")
    mark = await shop.fingerprints.of(SECOND)
    assert (await shop.world.ledger.shops.owners()).sources[mark] == "shop-a"

    assert await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="once more") == []
    assert (await shop.world.ledger.shops.owners()).sources[mark] == "default"


async def test_a_correction_by_a_clock_that_is_behind_is_still_the_later_word(shop: Shop) -> None:
    """Said on a laptop an hour behind the host that wrote the first word; a rebuild takes the later one."""
    await accepted_wrongly(shop, "shop-a")
    secret = await shop.secret(SECOND)
    shop.world.clock.now_ms = UnixMs(shop.world.clock.now_ms - 3_600_000)
    await shop.words.same_as(secret, "default", by="ana", why="the first shop")
    shop.world.rows.remove(keys.secret(secret.fingerprint))

    await shop.world.ledger.shops.restore()

    assert (await shop.world.ledger.shops.owners()).sources[secret.fingerprint] == "default"


async def test_a_switch_without_a_row_is_closed_first(shop: Shop) -> None:
    """A lost switch stops the payouts, and nothing would notice a resume in between."""
    await accepted_wrongly(shop, "shop-a")
    shop.world.rows.remove(keys.CONTROL)

    with pytest.raises(NotYet, match="pause"):
        await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="the first shop")


async def test_an_order_that_differs_is_told_before_it_is_cancelled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that dies between the two leaves it waiting, and the next round tells it."""
    mark = await shop.fingerprints.of(FIRST)
    await shop.lay("ORD1", source="shop-a", signed_with=mark, fingerprint="other")

    async def dies(_alarm: object) -> None:
        raise ConnectionAbortedError

    with monkeypatch.context() as patch:
        patch.setattr(shop.world.alarms, "raise_", dies)
        with pytest.raises(ConnectionAbortedError):
            await shop.pay()
    assert await shop.status("shop-a") is OrderStatus.RECEIVED

    await shop.pay()

    assert (await shop.status("shop-a"), "shop_order_differs" in shop.world.alarms.codes) == (
        OrderStatus.CANCELLED,
        True,
    )


async def test_a_torn_order_does_not_keep_a_new_shop_from_being_accepted(shop: Shop) -> None:
    """Whichever shop owns it, it lies under another name."""
    tear(shop, keys.order_row(OrderKey("default", "A-TORN")))
    await shop.lay("OLD")
    shop.settings = {"shop-b": THIRD}
    await shop.send(THIRD, "B1")

    await shop.words.accept(await shop.secret(THIRD), "shop-b", by="ana", why="a second shop")
    await shop.pay()

    assert await shop.status("shop-b", "B1") is OrderStatus.PAID


async def test_two_hosts_register_a_rotated_secret_once(shop: Shop) -> None:
    """The second finds it written, and says nothing."""
    shop.settings = {"default": SECOND, "default/previous": FIRST}

    await asyncio.gather(shop.registration.keep_up(), shop.registration.keep_up())

    assert (await shop.world.ledger.shops.owners()).sources[await shop.fingerprints.of(SECOND)] == "default"


async def test_the_list_counts_a_shops_orders_over_pages(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many wait; each is counted once."""
    monkeypatch.setattr(shop_words, "PAGE_ORDERS", 2)
    shop.settings = {"shop-b": THIRD}
    for number in range(5):
        await shop.send(THIRD, f"B{number}")

    assert (await shop.secret(THIRD)).waiting == 5


async def test_an_order_is_found_where_it_went_also_over_two_names(shop: Shop) -> None:
    """`cancel` of the name it came under must not answer that it is cancelled while it waits elsewhere."""
    shop_orders, second = shop.world.ledger.shop_orders, await shop.fingerprints.of(SECOND)
    laid = await shop.lay("ORD2", source="shop-a", signed_with=second)
    for name in ("shop-b", "shop-c"):
        await shop_orders.move(laid, Owners(sources={second: name}))
        found = await shop_orders.find(OrderKey("shop-a", "ORD2"))
        assert found is not None
        laid = found

    assert (laid.key, laid.status) == (OrderKey("shop-c", "ORD2"), OrderStatus.RECEIVED)
    assert await shop_orders.find(OrderKey("shop-a", "ORD3")) is None


async def test_an_id_that_a_person_barred_under_a_shops_new_name_is_not_taken_under_its_own(shop: Shop) -> None:
    """The person saw the setting's name; nothing is stored, and a person is asked."""
    shop.settings = {"shop-a": FIRST}
    await shop.world.ledger.exits.bar(OrderKey("shop-a", "ORD2"))

    with pytest.raises(ShopUnknown):
        await shop.send(FIRST, "ORD2")

    assert await shop.status("default", "ORD2") is None
