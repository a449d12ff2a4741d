"""A price that is too low: replaced as a Polygon pool asks it, or waited out, and paid once either way."""

from __future__ import annotations

from distributor.model import OrderStatus
from tests.factories import GWEI, LIMITS
from tests.faults.polygon_world import BLOCKS_PER_MINUTE, PolygonWorld


async def test_a_stuck_transaction_is_replaced_and_paid_once(world: PolygonWorld) -> None:
    """The base fee rises between submission and the next block; the replacement offers a tenth more in both fields."""
    world.set_base_fee(10)
    (order,) = await world.bind()
    world.set_base_fee(25)
    await world.run()

    first, second = await world.ledger.attempts(world.signer.address, (await world.transaction(order)).nonce)
    assert first.fees.max_fee_wei < (25 + 25) * GWEI
    assert second.fees.max_fee_wei * 100 >= first.fees.max_fee_wei * 110
    assert second.fees.tip_wei * 100 >= first.fees.tip_wei * 110
    assert (await world.order(order)).paid_hash == second.tx_hash
    await world.everybody_was_paid_once()


async def test_a_stuck_line_moves_on_nonce_by_nonce(world: PolygonWorld) -> None:
    """Six transactions of one price are stuck; each is paid once, in the order of the nonces, by its own bytes."""
    world.set_base_fee(10)
    orders = await world.bind(6)
    world.set_base_fee(25)
    await world.run()

    blocks = [(await world.order(order)).paid_block or 0 for order in orders]
    assert blocks == sorted(blocks)
    await world.everybody_was_paid_once()


async def test_with_the_ceiling_reached_it_waits_alarms_once_and_goes_on_when_the_fee_falls(
    world: PolygonWorld,
) -> None:
    """No replacement fits under 60 gwei: the same bytes stay, nothing new is signed, and the first price wins later."""
    world.set_base_fee(10)
    (order,) = await world.bind()
    world.set_base_fee(40)
    await world.step(2 * BLOCKS_PER_MINUTE)
    stood = await world.statuses()
    world.set_base_fee(15)
    await world.run()

    (only,) = await world.ledger.attempts(world.signer.address, (await world.transaction(order)).nonce)
    assert stood == {OrderStatus.BOUND: 1}
    assert world.raised.codes == ["replacement_ceiling"]
    assert only.fees.max_fee_wei <= LIMITS.max_fee_wei
    assert (await world.order(order)).paid_hash == only.tx_hash
    await world.everybody_was_paid_once()


async def test_orders_that_come_while_the_fee_is_over_the_ceiling_wait_unbound(world: PolygonWorld) -> None:
    """Nothing is bound at a price that cannot be mined; one alarm; they go on by themselves."""
    world.set_base_fee(40)
    await world.receive(3)
    await world.step(BLOCKS_PER_MINUTE)
    stood = await world.statuses()
    world.set_base_fee(5)
    await world.run()

    assert stood == {OrderStatus.RECEIVED: 3}
    assert world.raised.codes == ["waiting_fee_ceiling"]
    await world.everybody_was_paid_once()


async def test_a_base_fee_that_jumps_up_and_down_pays_each_order_once(world: PolygonWorld) -> None:
    """From 5 to 58 gwei and back each half minute, orders coming all the time."""
    for gwei in (5, 58, 20, 35, 5, 48, 12):
        world.set_base_fee(gwei)
        await world.receive(3)
        await world.step(BLOCKS_PER_MINUTE // 2)
    world.set_base_fee(5)
    await world.run()

    await world.everybody_was_paid_once()


async def test_forty_orders_never_take_more_than_sixteen_places(world: PolygonWorld) -> None:
    """A crowded pool drops the seventeenth without a word: none was ever dropped, and nothing waited for a person."""
    await world.receive(40)
    held = []
    while (await world.statuses())[OrderStatus.PAID] < 40:
        await world.distribution.drain()
        held.append(len(list(world.proxy.node.pool)))
        await world.step()

    assert max(held) == 16
    assert world.proxy.node.pool.dropped == []
    assert world.raised.codes == []
    await world.everybody_was_paid_once()
