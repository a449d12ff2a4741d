"""Orders on their way through settlement."""

from __future__ import annotations

from distributor.model import (
    Hash,
    Order,
    OrderStatus,
    TransactionStatus,
)
from distributor.units import Wei
from tests.factories import GWEI, POLICY
from tests.fakes.chain import OPERATOR
from tests.world import World


async def a_bound_order(world: World) -> Order:
    """Return an order whose transaction is in the pool."""
    order = await world.receive()
    await world.distribution.drain()
    return order


async def transaction_status(world: World, nonce: int = 0) -> TransactionStatus:
    """Return the state of the transaction of *nonce*."""
    transaction = await world.ledger.transaction(OPERATOR, nonce)
    assert transaction is not None
    return transaction.status


async def a_stuck_order(world: World) -> Order:
    """Return an order in the pool under a base fee that makes its fees too low."""
    order = await a_bound_order(world)
    world.chain.set_base_fee(Wei(33 * GWEI))
    world.chain.rules.tip_wei = Wei(30 * GWEI)
    return order


async def a_refused_order(world: World) -> Order:
    """Return an order whose transaction was refused by a paused authority, some blocks beyond any release."""
    order = await a_bound_order(world)
    world.chain.pause_authority()
    world.chain.mine(POLICY.min_confirmations + POLICY.release_confirmations + 1)
    return order


async def a_paid_order(world: World) -> Order:
    """Return an order that is final."""
    order = await a_bound_order(world)
    await world.settlement.follow()
    paid = await world.order(order)
    assert paid.status is OrderStatus.PAID
    return paid


async def a_replaced_order(world: World) -> tuple[Order, Hash, Hash]:
    """Return an order with two attempts, and their hashes."""
    order = await a_stuck_order(world)
    while len(attempts := await world.ledger.attempts(OPERATOR, 0)) < 2:
        await world.settle()
    return order, attempts[0].tx_hash, attempts[1].tx_hash
