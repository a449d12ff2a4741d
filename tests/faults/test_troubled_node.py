"""One node in trouble beside a healthy one, and finality that does not come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstack.bor.faults import fault
from devstack.bor.view import Finality
from distributor.model import OrderStatus
from distributor.payout.confirmation import WITNESS_PATIENCE_MS
from distributor.units import Wei
from tests.factories import GWEI, LIMITS
from tests.faults.polygon_world import BLOCKS_PER_MINUTE, PolygonWorld

TROUBLES = ["rate_limited", "html", "truncated", "server_error", "reset", "drop_request", "drop_answer"]


@pytest.mark.parametrize("kind", TROUBLES)
@pytest.mark.parametrize("troubled", [0, 1], ids=["first", "second"])
async def test_beside_a_healthy_node_a_troubled_one_stops_nothing(
    two_nodes: PolygonWorld, kind: str, troubled: int
) -> None:
    """All are paid while it is in trouble, ten minutes later and on one word; none twice when it acts in silence."""
    world = two_nodes
    world.proxies[troubled].script.set(fault(kind))
    await world.receive(6)
    await world.step(8)
    world.clock.advance(WITNESS_PATIENCE_MS)
    await world.run()

    assert sum(world.proxies[troubled].script.struck.values()) > 0
    assert world.silences == 0
    await world.everybody_was_paid_once()


async def test_nodes_that_fail_in_turn_pay_each_order_once(two_nodes: PolygonWorld) -> None:
    """Now one, now the other, now both: what was bound through one is followed through the other."""
    world = two_nodes
    for first, second in (("html", ""), ("", "truncated"), ("drop_answer", "drop_answer"), ("", "rate_limited")):
        await world.bind(3)
        for proxy, kind in zip(world.proxies, (first, second), strict=True):
            proxy.script.set(*([fault(kind)] if kind else []))
        await world.receive(2)
        await world.step(8)
    for proxy in world.proxies:
        proxy.script.clear()
    await world.run()

    assert world.silences > 0
    await world.everybody_was_paid_once()


async def test_a_pool_that_forgets_is_given_the_same_bytes_again(world: PolygonWorld) -> None:
    """A node under pressure drops what it accepted, before any of it is mined."""
    orders = await world.bind(4)
    before = [(await world.transaction(order)).nonce for order in orders]
    world.proxy.node.pool.clear()
    world.devchain.rpc("anvil_dropAllTransactions")
    await world.run()

    for order, nonce in zip(orders, before, strict=True):
        (only,) = await world.ledger.attempts(world.signer.address, nonce)
        assert (await world.order(order)).paid_hash == only.tx_hash
    await world.everybody_was_paid_once()


async def test_a_node_that_refuses_for_good_is_told_once_and_pays_when_it_relents(world: PolygonWorld) -> None:
    """Its fee cap is under our price, and there is nothing to correct: the same nonces, paid once the cap is raised."""
    polygon = world.proxy.node.pool.rules
    world.proxy.node.pool.rules = replace(polygon, fee_cap_wei=Wei(LIMITS.gas_limit * 40 * GWEI))
    world.set_base_fee(10)
    orders = await world.receive(2)
    await world.step(BLOCKS_PER_MINUTE)
    stood, raised = await world.statuses(), list(world.raised.codes)
    nonces = [(await world.transaction(order)).nonce for order in orders]
    world.proxy.node.pool.rules = polygon
    await world.run()

    assert stood == {OrderStatus.BOUND: 2}
    assert raised == ["submission_refused"] * 2
    assert [(await world.transaction(order)).nonce for order in orders] == nonces
    await world.everybody_was_paid_once()


STANDSTILLS = {
    "missing": Finality(missing=True),
    "far behind": Finality(back=300),
    "at the start": Finality(stalled_at=0),
}


@pytest.mark.parametrize("name", STANDSTILLS)
async def test_without_finality_nothing_is_paid_and_an_alarm_says_so(world: PolygonWorld, name: str) -> None:
    """However deep the block: depth never stands in for the tag. With finality back, all are paid."""
    world.devchain.mine(210)
    await world.balance_monitor.run()
    world.proxy.node.finality = STANDSTILLS[name]
    await world.receive(5)
    await world.step(BLOCKS_PER_MINUTE)
    world.devchain.mine(200)
    await world.step(2)
    await world.balance_monitor.run()
    await world.balance_monitor.run()
    stood, raised = await world.statuses(), list(world.raised.codes)
    world.proxy.node.finality = Finality()
    await world.run()

    assert stood == {OrderStatus.BOUND: 5}
    assert len(world.devchain.payouts()) == 5
    assert raised == ["finality_stalled"]
    await world.everybody_was_paid_once()


async def test_finality_that_moves_back_pays_nothing_new_and_is_told(world: PolygonWorld) -> None:
    """What was final stays paid; what was not waits for the tag to come again."""
    first = await world.receive(2)
    await world.run()
    await world.balance_monitor.run()
    world.proxy.node.finality = Finality(back=8)
    second = await world.receive(2)
    await world.step(6)
    await world.balance_monitor.run()
    raised = list(world.raised.codes)
    stood = [(await world.order(order)).status for order in [*first, *second]]
    world.proxy.node.finality = Finality()
    await world.run()

    assert stood == [OrderStatus.PAID] * 2 + [OrderStatus.BOUND] * 2
    assert raised == ["finality_stalled"]
    await world.everybody_was_paid_once()
