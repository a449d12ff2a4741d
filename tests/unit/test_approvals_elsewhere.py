"""What becomes of an approval where an order goes another way: moved, lost with the ledger, reopened."""

from __future__ import annotations

from distributor.model import Hash, HoldReason, Order, OrderKey, OrderStatus
from distributor.payout.corrected import Corrected
from distributor.payout.resumption import Resumption
from distributor.state import WaitingReason
from tests.fakes.chain import OPERATOR
from tests.fakes.shop import FIRST, THIRD, Shop
from tests.rebuilding import lose_ledger
from tests.unit.test_exits import ANA, a_correction
from tests.unit.test_resolution import RELEASE
from tests.world import World, a_world

WEEK_MS = 604_800_000


async def a_shop() -> Shop:
    """Return a shop under WEBHOOK_SECRET with one order paid; from now on five tokens are what one person orders."""
    shop = Shop(await a_world(), {"default": FIRST})
    await shop.send(FIRST)
    await shop.pay()
    shop.world.cap(approval_units=5)
    return shop


async def approve(world: World, order: Order) -> None:
    """Let somebody approve what the ledger has under that name now."""
    await world.ledger.approving.approve(await world.order(order), "rui", "asked the shop")


async def drains(world: World) -> None:
    """Let two rounds run: the first with a limit raises the ledger's level, and binds nothing."""
    for _ in range(2):
        await world.distribution.drain()


async def test_an_order_that_is_moved_to_its_own_shop_takes_its_approval_along() -> None:
    """It came under another name of that shop, and was approved there."""
    shop = await a_shop()
    shop.settings = {"shop-a": FIRST}
    held = await shop.send(FIRST, "ORD2")
    assert (held.source, held.hold_reason) == ("shop-a", HoldReason.NEEDS_APPROVAL)

    await approve(shop.world, held)
    for _ in range(2):
        await shop.pay()

    assert await shop.status("shop-a", "ORD2") is OrderStatus.CANCELLED
    assert await shop.status("default", "ORD2") is OrderStatus.PAID
    assert shop.paid == 2


async def test_the_same_order_under_two_names_of_a_shop_is_approved_twice_and_paid_once() -> None:
    """It was sent again after the setting had got its name back."""
    shop = await a_shop()
    shop.settings = {"shop-a": FIRST}
    first = await shop.send(FIRST, "ORD2")
    shop.settings = {"default": FIRST}
    second = await shop.send(FIRST, "ORD2")
    assert {first.status, second.status} == {OrderStatus.HELD}

    for each in (second, first):
        await approve(shop.world, each)
        for _ in range(2):
            await shop.pay()

    assert shop.paid == 2
    assert await shop.status("default", "ORD2") is OrderStatus.PAID
    assert await shop.status("shop-a", "ORD2") is OrderStatus.CANCELLED


async def test_an_order_stored_at_home_because_anothers_lies_in_the_way_is_held_there() -> None:
    """Shop B's secret got the name of shop A, which has that id."""
    shop = await a_shop()
    shop.settings = {"default": FIRST, "shop-b": THIRD}
    assert (await shop.send(THIRD, "OWN")).status is OrderStatus.HELD
    await shop.words.accept(await shop.secret(THIRD), "shop-b", by="ana", why="a second shop")
    shop.settings = {"default": THIRD}

    at_home = await shop.send(THIRD, "ORD1")

    assert (at_home.source, at_home.hold_reason) == ("shop-b", HoldReason.NEEDS_APPROVAL)
    assert (await shop.send(THIRD, "ORD1")).status is OrderStatus.HELD
    await approve(shop.world, at_home)
    for _ in range(2):
        await shop.pay()
    assert await shop.status("shop-b") is OrderStatus.PAID


async def test_a_lost_ledger_has_lost_its_approvals() -> None:
    """What the shop sends again is held again; approved once more it is paid, once."""
    world = await a_world()
    world.cap(approval_units=5)
    order = await world.receive()
    await approve(world, order)
    desk = await lose_ledger(world)
    await desk.rebuild()
    await desk.resume()
    desk.world.cap(approval_units=5)

    again = await desk.world.receive(order.order_id)

    assert again.hold_reason is HoldReason.NEEDS_APPROVAL
    await approve(desk.world, again)
    await drains(desk.world)
    await desk.world.settle(8)
    assert await desk.world.status(again) is OrderStatus.PAID
    assert len(desk.world.transfers()) == 1


async def reopened(world: World) -> Order:
    """Return an order that was approved, called paid, and reopened because its payment left the chain."""
    world.cap(approval_units=5)
    order = await world.receive()
    await approve(world, order)
    await drains(world)
    await world.settle(RELEASE)
    assert await world.status(order) is OrderStatus.PAID
    world.chain.reorg(world.chain.head.number, keep=False)
    other: Hash = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)
    await world.ledger.forget_final(OPERATOR, await world.ledger.stats(OPERATOR))
    assert await a_correction(world).reopening.reopen(order, other, ANA) is Corrected.NOT_PAID
    assert await a_correction(world).reopening.reopen(await world.order(order), other, ANA) is Corrected.HELD
    await world.ledger.admin.retry(await world.order(order), "ana", "not paid")
    return order


async def test_a_reopened_order_is_paid_by_its_approval_while_that_counts() -> None:
    """After seven days it is asked for again: nothing of it is bound."""
    for late in (False, True):
        world = await a_world()
        order = await reopened(world)
        world.clock.advance(WEEK_MS if late else 0)

        await drains(world)
        await world.settle(RELEASE)

        assert await world.status(order) is (OrderStatus.HELD if late else OrderStatus.PAID)
        assert len(world.transfers()) == (not late)


async def test_while_everything_is_paused_nobody_is_asked_a_second_time() -> None:
    """The approval ends meanwhile; the first round after the pause holds the order, and says why."""
    world = await a_world()
    world.cap(approval_units=5)
    order = await world.receive()
    await approve(world, order)
    await world.ledger.admin.pause("ana", "a look")
    world.clock.advance(WEEK_MS)
    await drains(world)
    assert (await world.ledger.service.why_waiting()).reason is WaitingReason.PAUSED
    assert await world.status(order) is OrderStatus.RECEIVED

    resumption = Resumption(ledger=world.ledger, chain=world.chain, guard=world.guard)
    assert await resumption.obstacles() == []
    await world.ledger.admin.resume("ana", "looked")
    await drains(world)

    found = await world.ledger.order(OrderKey("default", order.order_id))
    assert found is not None
    assert (found.status, found.hold_reason) == (OrderStatus.HELD, HoldReason.NEEDS_APPROVAL)
    assert world.alarms.codes.count("held_needs_approval") == 1
