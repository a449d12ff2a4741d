"""An order that is bound to no nonce is paid by what somebody else paid through the same guard."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.ledger import keys
from distributor.ledger.closing import PaidBy
from distributor.model import Address, HoldReason, Order, OrderStatus
from distributor.payout.adoption import Adopted
from distributor.payout.history import agreed_final
from foundation.errors import InvariantBroken
from tests.factories import a_hash
from tests.fakes.chain_state import CUSTOMERS, GUARD
from tests.world import World, a_world, tokens

FINALITY_BLOCKS = 5
PAID = PaidBy(tx_hash=a_hash("elsewhere"), block_number=7, log_index=3)


async def prepared() -> tuple[World, Order, int]:
    """Return a paused world with a waiting order, and the newest final block."""
    world = await a_world(guarded=True)
    order = await world.receive()
    await world.ledger.admin.pause("a test", "adoption runs while stopped")
    world.chain.mine(FINALITY_BLOCKS)
    return world, order, await agreed_final(world.chain, world.policy)


async def found_later(world: World) -> int:
    """Let the chain go on until what it holds is final."""
    world.chain.mine(FINALITY_BLOCKS)
    return await agreed_final(world.chain, world.policy)


async def test_what_the_guard_does_not_know_is_not_paid() -> None:
    """The simulation said so and the record is gone: a reorganisation in between."""
    world, order, final_block = await prepared()

    assert await world.an_adoption().adopt(order, GUARD, final_block) is Adopted.NOT_PAID


@pytest.mark.parametrize("status", [OrderStatus.RECEIVED, OrderStatus.HELD, OrderStatus.CANCELLED])
async def test_a_waiting_a_held_and_a_cancelled_order_are_adopted(status: OrderStatus) -> None:
    """It moves no nonce and gives back no unit; the pointers of its old state are gone."""
    world, order, _ = await prepared()
    if status is OrderStatus.HELD:
        await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    if status is OrderStatus.CANCELLED:
        await world.ledger.admin.cancel(order, "a person", "fraud")
    world.guard.record(order)
    final_block = await found_later(world)

    assert await world.an_adoption().adopt(await world.order(order), GUARD, final_block) is Adopted.PAID
    paid = await world.order(order)
    assert (paid.status, paid.hold_reason, paid.paid_log) == (OrderStatus.PAID, None, 1)
    assert [row.key for row in await world.rows.scan("held:", "held;", limit=9)] == []
    assert (await world.ledger.waiting(limit=1)).orders == ()
    assert world.alarms.codes == ["paid_elsewhere"]


async def test_a_held_order_stays_held_where_its_reference_paid_something_else() -> None:
    """Its reason stays the first one."""
    world, order, _ = await prepared()
    await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    world.guard.record(replace(order, amount_units=tokens(1)))
    final_block = await found_later(world)

    assert await world.an_adoption().adopt(await world.order(order), GUARD, final_block) is Adopted.HELD
    assert (await world.order(order)).hold_reason is HoldReason.SIMULATION


@pytest.mark.parametrize("wallet", [CUSTOMERS[0], CUSTOMERS[1]])
async def test_an_order_that_changed_meanwhile_is_looked_at_again(wallet: Address) -> None:
    """Another host was first; nothing is written over it."""
    world, order, _ = await prepared()
    world.guard.record(replace(order, wallet=wallet))
    final_block = await found_later(world)
    await world.ledger.admin.cancel(order, "a person", "was first")

    assert await world.an_adoption().adopt(order, GUARD, final_block) is Adopted.NOT_FINAL
    assert await world.status(order) is OrderStatus.CANCELLED


async def test_a_bound_order_is_left_to_its_own_transaction() -> None:
    """Its units would be given back twice."""
    world = await a_world(guarded=True)
    order = await world.receive()
    await world.distribution.drain()

    with pytest.raises(InvariantBroken, match="cannot be adopted"):
        await world.ledger.guard_rows.adopt(await world.order(order), PAID)


async def test_a_guard_that_cannot_be_asked_leaves_the_order_waiting() -> None:
    """It may have been paid: bound now, it could be signed a second time."""
    world, order, final_block = await prepared()
    world.guard.record(order)
    world.guard.silent = True

    assert await world.an_adoption().adopt(order, GUARD, final_block) is Adopted.NOT_FINAL
    assert await world.status(order) is OrderStatus.RECEIVED


async def test_a_reference_leads_to_its_order_or_to_none() -> None:
    """Nobody uses it; or a rebuild found it paid, and knows no order of it."""
    world, order, _ = await prepared()
    world.rows.put(keys.ref(a_hash("rebuilt")), {"tx_hash": "0x1"})

    assert await world.ledger.guard_rows.order_of(order.ref_id) == order
    assert await world.ledger.guard_rows.order_of(a_hash("unused")) is None
    assert await world.ledger.guard_rows.order_of(a_hash("rebuilt")) is None
