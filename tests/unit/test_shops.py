"""A secret always belongs to one shop: no setting that is renamed makes an old order a new one."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from distributor.errors import ConflictingOrder, NotYet, ShopUnknown
from distributor.ledger import keys
from distributor.ledger.columns import encode
from distributor.ledger.records import PaidRef
from distributor.ledger.shop_orders import Moved
from distributor.model import OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.state import WaitingReason
from distributor.units import TokenUnits
from tests.fakes.chain import CUSTOMERS
from tests.fakes.shop import FIRST, SECOND, THIRD, Shop
from tests.fakes.status import a_status
from tests.world import a_world


@pytest.fixture
async def shop() -> Shop:
    """One shop under WEBHOOK_SECRET, with one order paid."""
    made = Shop(await a_world(), {"default": FIRST})
    await made.send(FIRST)
    await made.pay()
    assert (made.paid, await made.status("default")) == (1, OrderStatus.PAID)
    return made


async def test_an_unchanged_secret_under_another_name_pays_no_old_order_again(shop: Shop) -> None:
    """WEBHOOK_SECRET becomes WEBHOOK_SECRET__SHOP_A, same bytes; the shop sends an old order again, and a new one."""
    shop.settings = {"shop-a": FIRST}

    again, new = await shop.send(FIRST), await shop.send(FIRST, "ORD2")
    await shop.pay()

    assert (again.source, new.source, shop.paid) == ("shop-a", "shop-a", 2)
    assert (await shop.send(FIRST)).status is OrderStatus.PAID
    assert await shop.status("shop-a") is OrderStatus.CANCELLED
    assert await shop.status("shop-a", "ORD2") is OrderStatus.CANCELLED
    assert await shop.status("default", "ORD2") is OrderStatus.PAID
    shown = await a_status(shop.world.ledger).of(OrderKey("shop-a", "ORD2"))
    assert shown is not None
    assert (shown["status"], shown["source"]) == ("paid", "default")


async def test_an_order_that_slipped_in_under_the_new_name_is_cancelled_as_a_duplicate(shop: Shop) -> None:
    """The old id is stored under the new name, as it is where the answer at the webhook was lost."""
    shop.settings = {"shop-a": FIRST}
    mark = await shop.fingerprints.of(FIRST)
    paid = await shop.world.order(await shop.send(FIRST))
    await shop.lay("ORD1", source="shop-a", signed_with=mark, fingerprint=paid.fingerprint)
    await shop.lay("ORD9", source="shop-a", signed_with=mark)

    await shop.pay()

    assert await shop.status("shop-a") is OrderStatus.CANCELLED
    assert await shop.status("default", "ORD9") is OrderStatus.PAID
    assert shop.paid == 2


async def test_a_torn_register_stops_no_shop_that_is_known(shop: Shop) -> None:
    """It is named; who signed with a known secret is paid, and what names no secret goes by the known sources."""
    shop.world.rows.put(keys.SHOPS, {"salt": 7})
    await shop.send(FIRST, "ORD2")
    await shop.lay("ORD3", source="shop-x")

    await shop.pay()

    assert (shop.paid, await shop.status("default", "ORD2")) == (2, OrderStatus.PAID)
    assert await shop.status("shop-x", "ORD3") is OrderStatus.RECEIVED
    assert "row_unreadable" in shop.world.alarms.codes


async def test_an_order_that_an_older_host_laid_under_the_new_name_is_not_believed(shop: Shop) -> None:
    """It names no secret; the old id would be paid a second time. What came before the update goes on as it was."""
    shop.settings = {"shop-a": FIRST}
    shop.world.clock.advance(1_000)
    await shop.lay("ORD1", source="shop-a", received_ms=shop.world.clock())
    await shop.lay("ORD8", source="default", received_ms=shop.world.clock())

    await shop.pay()

    assert (shop.paid, await shop.status("shop-a")) == (2, OrderStatus.RECEIVED)
    assert await shop.status("default", "ORD8") is OrderStatus.PAID
    waiting = await shop.world.ledger.service.why_waiting()
    assert waiting.reason is WaitingReason.SHOP_UNKNOWN
    assert "shop-a:ORD1 names no secret" in waiting.detail
    assert "`cancel`" in waiting.detail
    assert (await shop.send(FIRST)).status is OrderStatus.PAID  # the shop asks again, and is told of the order at home


async def test_a_new_secret_under_a_new_name_waits_for_a_person(shop: Shop) -> None:
    """Each shop gets its own secret: nothing is paid, nothing lost, one alarm; `same-as` lets it go on."""
    shop.settings = {"shop-a": SECOND}
    await shop.send(SECOND)
    await shop.send(SECOND, "ORD2")

    await shop.pay()

    assert (shop.paid, await shop.status("shop-a")) == (1, OrderStatus.RECEIVED)
    waiting = await shop.world.ledger.service.why_waiting()
    assert (waiting.reason, "2 orders" in waiting.detail) == (WaitingReason.SHOP_UNKNOWN, True)
    assert set(shop.world.alarms.codes) == {"waiting_shop_unknown"}
    listed = await shop.secret(SECOND)
    assert (listed.registered, listed.waiting, listed.names) == (None, 2, frozenset({"shop-a"}))

    await shop.words.same_as(listed, "default", by="ana", why="the shop got a secret of its own")
    await shop.pay()

    assert (shop.paid, await shop.status("default", "ORD2")) == (2, OrderStatus.PAID)
    assert await shop.status("shop-a") is OrderStatus.CANCELLED
    assert (await shop.world.ledger.service.why_waiting()).reason is None


async def test_another_shop_is_accepted_and_paid(shop: Shop) -> None:
    """Its ids are its own, also where another shop has used them."""
    shop.settings = {"default": FIRST, "shop-b": THIRD}
    await shop.send(THIRD)
    await shop.pay()
    assert shop.paid == 1

    await shop.words.accept(await shop.secret(THIRD), "shop-b", by="ana", why="a second shop")
    await shop.pay()

    assert (shop.paid, await shop.status("shop-b")) == (2, OrderStatus.PAID)
    said = (await shop.secret(THIRD)).registered
    assert said is not None
    assert (said.source, said.by, said.how) == ("shop-b", "ana", "accept")


async def test_orders_of_others_go_on_while_a_shop_waits(shop: Shop) -> None:
    """A waiting shop keeps nobody else's order."""
    shop.settings = {"default": FIRST, "shop-b": THIRD}
    await shop.send(THIRD)
    await shop.send(FIRST, "ORD2")

    await shop.pay()

    assert await shop.status("default", "ORD2") is OrderStatus.PAID
    assert await shop.status("shop-b") is OrderStatus.RECEIVED


async def test_a_rotation_with_an_overlap_needs_no_person(shop: Shop) -> None:
    """The new secret is beside the old one under one name."""
    shop.settings = {"default": SECOND, "default/previous": FIRST}
    await shop.registration.keep_up()
    shop.settings = {"default": SECOND}

    again = await shop.send(SECOND)
    await shop.send(SECOND, "ORD2")
    await shop.pay()

    assert again.status is OrderStatus.PAID
    assert (shop.paid, await shop.status("default", "ORD2")) == (2, OrderStatus.PAID)


async def test_two_names_swapped_pay_each_shop_its_own_orders_once(shop: Shop) -> None:
    """Orders that lie in each other's place change places."""
    shop.settings = {"default": FIRST, "shop-b": THIRD}
    await shop.send(THIRD, "B0")
    await shop.words.accept(await shop.secret(THIRD), "shop-b", by="ana", why="a second shop")
    shop.settings = {"default": THIRD, "shop-b": FIRST}
    mine = await shop.send(FIRST, "ORD7", amount="1")
    other = await shop.send(THIRD, "ORD7", amount="2")
    assert (mine.source, other.source) == ("shop-b", "default")

    await shop.pay()

    amounts = {source: (await shop.world.ledger.order(OrderKey(source, "ORD7"))) for source in ("default", "shop-b")}
    assert {source: order and order.amount_units for source, order in amounts.items()} == {
        "default": 10**18,
        "shop-b": 2 * 10**18,
    }
    assert shop.paid == 4


async def test_another_shops_id_is_no_duplicate(shop: Shop) -> None:
    """The name was given to another shop: its order is not answered with the first one's, and nothing is stored."""
    shop.settings = {"default": THIRD}

    with pytest.raises(ShopUnknown):
        await shop.send(THIRD)

    assert shop.world.alarms.raised[-1].subject == "default"
    assert (await shop.world.ledger.order(OrderKey("default", "ORD1"))).fingerprint != ""  # type: ignore[union-attr]


async def test_a_moved_orders_place_can_be_used_by_the_names_new_shop(shop: Shop) -> None:
    """What was cancelled there is another shop's; the one that has the name now sends the same id."""
    shop.settings = {"shop-b": FIRST}
    await shop.send(FIRST, "ORD5")
    await shop.pay()
    shop.settings = {"shop-b": THIRD}
    await shop.send(THIRD, "B0")
    await shop.world.ledger.shops.add(await shop.fingerprints.of(THIRD), "shop-b", by="ana", how="accept")

    await shop.send(THIRD, "ORD5", amount="3")
    await shop.pay()

    stored = await shop.world.ledger.order(OrderKey("shop-b", "ORD5"))
    assert stored is not None
    assert (stored.status, stored.amount_units, shop.paid) == (OrderStatus.PAID, 3 * 10**18, 4)


async def test_an_update_stops_no_running_shop() -> None:
    """Orders of before name no secret; the sources that have some are in use, and another name is not."""
    world = await a_world()
    await world.receive("OLD", source="default")
    await Shop(world).lay("OLD", source="shop-b")
    shop = Shop(world, {"default": FIRST, "shop-b": THIRD, "shop-c": SECOND})
    await shop.send(FIRST, "NEW")
    await shop.send(SECOND, "NEW")

    await shop.pay()

    assert [await shop.status(*name) for name in (("default", "OLD"), ("shop-b", "OLD"), ("default", "NEW"))] == [
        OrderStatus.PAID
    ] * 3
    assert await shop.status("shop-c", "NEW") is OrderStatus.RECEIVED
    assert await world.ledger.schema_level() == 2


async def test_a_setting_renamed_together_with_the_update_pays_nothing_again() -> None:
    """The ledger has orders of before under the old name, and the secret is under the new one."""
    world = await a_world()
    await world.receive("ORD1")
    await world.distribution.drain()
    await world.settle(turns=16)
    shop = Shop(world, {"shop-a": FIRST})
    await shop.send(FIRST)

    await shop.pay()

    assert (shop.paid, await shop.status("shop-a")) == (1, OrderStatus.RECEIVED)
    assert {each.setting for each in await shop.words.secrets({})} == {None}


async def test_a_vault_that_does_not_answer_changes_nothing(shop: Shop) -> None:
    """What is registered goes on being paid."""
    await shop.send(FIRST, "ORD2")
    shop.silent = True

    await shop.pay()

    assert await shop.status("default", "ORD2") is OrderStatus.PAID


async def test_a_word_is_refused_with_the_next_step(shop: Shop) -> None:
    """A secret that is somebody's, a name that is another's, a source that is not there."""
    shop.settings = {"default": FIRST, "shop-b": THIRD}
    known, unknown = await shop.secret(FIRST), await shop.secret(THIRD)

    with pytest.raises(NotYet, match="same-as"):
        await shop.words.accept(known, "shop-x", by="ana", why="x")
    with pytest.raises(NotYet, match="name of its own"):
        await shop.words.accept(unknown, "default", by="ana", why="x")
    with pytest.raises(NotYet, match="no source shop-z"):
        await shop.words.same_as(unknown, "shop-z", by="ana", why="x")
    with pytest.raises(NotYet, match="already"):
        await shop.words.same_as(known, "default", by="ana", why="x")
    await shop.words.accept(unknown, "shop-b", by="ana", why="x")
    with pytest.raises(NotYet, match="in this moment"):
        await shop.words.accept(unknown, "shop-b2", by="bob", why="x")


async def test_a_name_under_which_another_secrets_orders_wait_is_given_to_nobody(shop: Shop) -> None:
    """Nobody has said whose they are; given to another shop, that name would make them its own."""
    shop.settings = {"default": FIRST, "shop-x": SECOND}
    await shop.send(SECOND, "ORD5")
    shop.settings = {"default": FIRST, "shop-x": THIRD}
    secret = await shop.secret(THIRD)

    with pytest.raises(NotYet, match="name of its own"):
        await shop.words.accept(secret, "shop-x", by="ana", why="x")

    assert (await shop.secret(THIRD)).registered is None


async def test_a_name_that_is_a_shops_is_given_to_no_other_also_before_its_first_order(shop: Shop) -> None:
    """Two shops under one source would answer each other's orders as known."""
    shop.settings = {"default": FIRST, "shop-b": THIRD}
    await shop.words.accept(await shop.secret(THIRD), "shop-b", by="ana", why="a second shop")
    shop.settings = {"default": FIRST, "shop-b": SECOND}
    secret = await shop.secret(SECOND)

    with pytest.raises(NotYet, match="name of its own"):
        await shop.words.accept(secret, "shop-b", by="bob", why="x")

    assert (await shop.secret(SECOND)).registered is None


async def test_a_wrong_word_is_corrected_and_pays_nothing_again(shop: Shop) -> None:
    """`accept` said of the old shop's new secret; what it paid under the wrong source is spent at the right one."""
    shop.settings = {"shop-a": SECOND}
    await shop.send(SECOND, "ORD2")
    await shop.send(SECOND, "ORD3")
    await shop.words.accept(await shop.secret(SECOND), "shop-a", by="ana", why="wrong")
    await shop.pay()
    await shop.lay("ORD3")
    assert shop.paid == 3
    with pytest.raises(NotYet, match="pause"):
        await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="it is the first shop")
    await shop.world.ledger.admin.pause("ana", "a correction")

    spent = await shop.words.same_as(await shop.secret(SECOND), "default", by="ana", why="it is the first shop")
    await shop.world.ledger.admin.resume("ana", "corrected")
    shop.settings = {"default": SECOND}
    await shop.send(SECOND, "ORD2")
    await shop.pay()

    assert [str(key) for key in spent] == ["default:ORD2", "default:ORD3"]
    assert shop.paid == 3


async def test_a_rebuild_keeps_what_was_said_and_takes_nothing_for_known(shop: Shop) -> None:
    """The table is lost and the audit trail is there: the same salt, the same words, nothing new by itself."""
    shop.settings = {"default": FIRST, "shop-b": THIRD}
    await shop.words.accept(await shop.secret(THIRD), "shop-b", by="ana", why="a second shop")
    before = (await shop.world.ledger.shops.owners()).sources
    for key in [key for key in shop.world.rows.dump() if key.startswith((keys.SECRETS, keys.SHOPS))]:
        shop.world.rows.remove(key)
    shop.settings["shop-c"] = SECOND

    restored = await shop.world.ledger.shops.restore()
    await shop.registration.keep_up()

    assert (restored, (await shop.world.ledger.shops.owners()).sources) == (2, before)


async def test_after_a_rebuild_without_a_trail_every_shop_waits(shop: Shop) -> None:
    """Words that are lost are not guessed."""
    await shop.world.ledger.shops.begin()
    shop.world.audit.forget()
    for key in [key for key in shop.world.rows.dump() if key.startswith(keys.SECRETS)]:
        shop.world.rows.remove(key)
    assert await shop.world.ledger.shops.restore() == 0
    await shop.send(FIRST, "ORD2")

    await shop.pay()

    assert await shop.status("default", "ORD2") is OrderStatus.RECEIVED


async def test_a_fingerprint_is_in_no_log_and_no_alarm(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the secret nor what the ledger keeps of it."""
    caplog.set_level(logging.DEBUG)
    shop.settings = {"shop-a": SECOND}
    await shop.send(SECOND)
    await shop.pay()
    listed = await shop.secret(SECOND)
    await shop.words.same_as(listed, "default", by="ana", why="x")
    await shop.pay()

    said = caplog.text + repr(shop.world.alarms.raised) + repr(listed) + repr(shop.fingerprints)
    for canary in (SECOND, FIRST, await shop.fingerprints.of(FIRST), await shop.fingerprints.of(SECOND)):
        assert canary not in said


async def test_an_order_in_the_way_of_another_secret_blocks_and_is_told(shop: Shop) -> None:
    """Nobody knows whose it is; the one that belongs there waits until a person says."""
    first, third = await shop.fingerprints.of(FIRST), await shop.fingerprints.of(THIRD)
    await shop.lay("ORD8", signed_with=third)
    await shop.lay("ORD8", source="shop-a", signed_with=first)

    await shop.pay()

    assert [await shop.status(source, "ORD8") for source in ("default", "shop-a")] == [OrderStatus.RECEIVED] * 2
    assert {alarm.subject for alarm in shop.world.alarms.raised} == {"", "default", "shop-a"}


async def test_the_same_id_with_other_content_is_cancelled_and_told(shop: Shop) -> None:
    """Under two names, one shop: the first content counts."""
    mark = await shop.fingerprints.of(FIRST)
    await shop.lay("ORD1", source="shop-a", signed_with=mark, fingerprint="other")

    await shop.pay()

    assert (shop.paid, await shop.status("shop-a")) == (1, OrderStatus.CANCELLED)
    assert shop.world.alarms.codes == ["shop_order_differs"]


async def test_an_id_used_with_other_content_is_still_a_conflict(shop: Shop) -> None:
    """As before, for one shop and one secret."""
    with pytest.raises(ConflictingOrder):
        await shop.send(FIRST, amount="11")


async def test_moving_tells_what_it_did(shop: Shop) -> None:
    """The words are those of the log."""
    owners = await shop.world.ledger.shops.owners()
    order = await shop.lay("ORD6", source="shop-a", signed_with=await shop.fingerprints.of(FIRST))

    assert await shop.world.ledger.shop_orders.move(order, owners) is Moved.MOVED


async def test_an_order_that_is_sent_home_again_finds_itself_there(shop: Shop) -> None:
    """The name it comes under belongs to another shop's order of that id; at home its own is found."""
    shop.settings = {"shop-b": THIRD}
    await shop.world.ledger.shops.add(await shop.fingerprints.of(THIRD), "shop-b", by="ana", how="accept")
    await shop.send(THIRD)
    shop.settings = {"shop-b": FIRST}

    again = await shop.send(FIRST)

    assert (again.source, again.status) == ("default", OrderStatus.PAID)


async def test_two_that_use_a_free_place_at_once_store_one(shop: Shop) -> None:
    """The second finds the row changed, and its shop sends it again."""
    mark = await shop.fingerprints.of(FIRST)
    third = await shop.fingerprints.of(THIRD)
    await shop.world.ledger.shops.add(third, "shop-a", by="ana", how="accept")
    await shop.pay()
    laid = await shop.lay("ORD4", source="shop-a", signed_with=mark)
    await shop.world.ledger.shop_orders.move(laid, await shop.world.ledger.shops.owners())
    gone = await shop.world.order(laid)
    newcomer = replace(laid, signed_with=third)

    orders = shop.world.ledger.shop_orders
    answers = await asyncio.gather(orders.answer(gone, newcomer), orders.answer(gone, newcomer))

    assert [each is not None and each.new for each in answers] == [True, False]


async def test_a_reference_that_a_rebuild_found_with_other_content_is_told(shop: Shop) -> None:
    """The id was paid at home to another wallet: the order is cancelled, not paid."""
    mark = await shop.fingerprints.of(FIRST)
    reference = ref_id("default", "ORD3")
    paid = PaidRef(wallet=CUSTOMERS[1], amount_units=TokenUnits(1), paid_hash=reference, paid_block=1)
    shop.world.rows.put(keys.ref(reference), encode(paid))
    await shop.lay("ORD3", source="shop-a", signed_with=mark)

    await shop.pay()

    assert (shop.paid, await shop.status("shop-a", "ORD3")) == (1, OrderStatus.CANCELLED)
    assert "shop_order_differs" in shop.world.alarms.codes


async def test_two_hosts_make_one_salt_and_note_the_beginning_once() -> None:
    """The second to write loses, and goes on with what the first wrote."""
    world = await a_world()
    first, second = await asyncio.gather(world.ledger.shops.salt(), world.ledger.shops.salt())
    await asyncio.gather(world.ledger.shops.begin(), world.ledger.shops.begin())
    await world.ledger.shops.begin()

    register = await world.ledger.shops.register()
    assert first == second
    assert register is not None
    assert register.registered_ms == world.clock()


async def test_a_salt_that_differs_from_the_trails_is_put_back(shop: Shop) -> None:
    """A webhook made a new one between the loss and the rebuild; the words were written with the old one."""
    before = await shop.world.ledger.shops.salt()
    shop.world.rows.remove(keys.SHOPS)
    assert await shop.world.ledger.shops.salt() != before

    await shop.world.ledger.shops.restore()

    assert await shop.world.ledger.shops.salt() == before
