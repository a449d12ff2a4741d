"""Two words that agree, on two real nodes of which one does not say what is, or says nothing."""

from __future__ import annotations

from typing import Any

from devstack.bor.faults import fault
from devstack.bor.proxy import Lie
from distributor.addresses import keccak256
from distributor.model import HoldReason, Order, OrderStatus, TransactionStatus
from distributor.payout.confirmation import WITNESS_PATIENCE_MS
from tests.factories import POLICY
from tests.faults.polygon_world import PolygonWorld

TRANSFER_TOPIC = f"0x{keccak256(b'Transfer(address,address,uint256)').hex()}"
HOUR_MS = 3_600_000
DEEP = POLICY.release_confirmations + POLICY.min_confirmations + 3
"""Blocks after which a release is due."""


def receipts(change: Lie) -> Lie:
    """Return a lie about every receipt there is, and about nothing else."""

    def lie(method: str, params: list[Any], result: Any) -> Any:
        return change(method, params, result) if method == "eth_getTransactionReceipt" and result else result

    return lie


def without_logs(_method: str, _params: list[Any], result: Any) -> Any:
    """Leave out what the token emitted."""
    return {**result, "logs": []}


def nowhere(_method: str, _params: list[Any], _result: Any) -> Any:
    """Say that it is in no block."""
    return None


def paying(world: PolygonWorld, order: Order) -> Lie:
    """Call it a success, with the transfer that was asked for."""
    known = world.devchain.deployment

    def lie(_method: str, _params: list[Any], result: Any) -> Any:
        place = {name: result[name] for name in ("transactionHash", "transactionIndex", "blockHash", "blockNumber")}
        log = {
            **place,
            "address": known.token,
            "topics": [TRANSFER_TOPIC, *(f"0x{address[2:].lower():0>64}" for address in (known.reserve, order.wallet))],
            "data": f"0x{order.amount_units:064x}",
            "logIndex": "0x0",
            "removed": False,
        }
        return {**result, "status": "0x1", "logs": [log]}

    return lie


async def a_failed_payment(world: PolygonWorld) -> Order:
    """Return an order whose payment is mined and reverted."""
    (order,) = await world.bind()
    world.devchain.rpc("anvil_dropAllTransactions")  # so that the pause is mined first
    world.devchain.pause()
    await world.step()
    world.devchain.unpause()
    return order


async def a_paid_order(world: PolygonWorld) -> Order:
    """Return an order that two words have paid."""
    (order,) = await world.bind()
    await world.run()
    return order


async def test_a_payment_that_only_one_node_shows_is_not_paid(two_nodes: PolygonWorld) -> None:
    """A reverted receipt shown as a success with a transfer: a person hears both words, and nothing is closed."""
    world = two_nodes
    order = await a_failed_payment(world)
    world.proxies[0].lie = receipts(paying(world, order))
    await world.step(DEEP)
    world.clock.advance(WITNESS_PATIENCE_MS)
    await world.step(2)

    assert (await world.transaction(order)).status is TransactionStatus.MINED
    assert "nodes_disagree" in world.raised.codes

    world.proxies[0].lie = None
    await world.step(2)
    assert (await world.order(order)).hold_reason is HoldReason.REVERTED
    assert world.transfers_of(order) == []


async def test_a_transfer_that_the_second_node_shows_forbids_held_and_release(two_nodes: PolygonWorld) -> None:
    """The first node has receipts without logs: the order keeps its nonce and its units, and is paid in the end."""
    world = two_nodes
    (order,) = await world.bind()
    world.proxies[0].lie = receipts(without_logs)
    await world.step(DEEP)
    world.clock.advance(WITNESS_PATIENCE_MS)
    await world.step(2)

    assert (await world.transaction(order)).status is TransactionStatus.MINED
    assert "nodes_disagree" in world.raised.codes

    world.proxies[0].lie = None
    await world.ledger.admin.resume("ana", "the node was wrong")
    await world.run()
    await world.everybody_was_paid_once()


async def test_a_node_caught_in_a_contradiction_closes_nothing_in_that_turn(two_nodes: PolygonWorld) -> None:
    """It shows another block where something was closed, and in the same breath a payment as final."""
    world = two_nodes
    await a_paid_order(world)
    closed = (await world.ledger.stats(world.signer.address)).final_number
    assert closed is not None
    (order,) = await world.bind()
    await world.proxy.mine(6)
    await world.settlement.turn()

    def forked(method: str, params: list[Any], result: Any) -> Any:
        meant = method == "eth_getBlockByNumber" and params[0] == hex(closed)
        return {**result, "hash": f"0x{'ab' * 32}"} if meant else result

    world.proxies[0].lie = forked
    await world.settlement.turn()

    assert (await world.order(order)).status is OrderStatus.BOUND
    assert len(await world.ledger.doubts.distrusted()) == 1
    await world.run()
    await world.everybody_was_paid_once()


async def test_no_receipt_is_a_word_unlike_the_other(two_nodes: PolygonWorld) -> None:
    """A second node that is as high and has no receipt is no silence: nothing is closed on the first one's word."""
    world = two_nodes
    (order,) = await world.bind()
    world.proxies[1].lie = receipts(nowhere)
    await world.step(DEEP)
    world.clock.advance(WITNESS_PATIENCE_MS)
    await world.step(DEEP)

    assert (await world.order(order)).status is OrderStatus.BOUND
    assert "nodes_disagree" in world.raised.codes

    world.proxies[1].lie = None
    await world.run()
    await world.everybody_was_paid_once()


async def test_with_one_of_two_nodes_dead_for_a_day_every_payment_ends_paid_and_nothing_is_released(
    two_nodes: PolygonWorld,
) -> None:
    """On one word, marked, and looked at again; the failed one waits with its nonce until the witness is back."""
    world = two_nodes
    world.proxies[1].script.set(fault("drop_request"))
    failed = await a_failed_payment(world)
    orders = list[Order]()
    for _ in range(4):
        orders += await world.bind(2)
        await world.step(DEEP)
        world.clock.advance(6 * HOUR_MS)
        await world.step(2)

    assert {(await world.order(order)).status for order in orders} == {OrderStatus.PAID}
    assert (await world.order(failed)).status is OrderStatus.BOUND
    assert len(await world.ledger.doubts.unwitnessed()) == len(orders)
    assert "witness_missing" in world.raised.codes

    world.proxies[1].script.clear()
    world.clock.advance(HOUR_MS)  # a node that failed for long is left alone for a minute
    await world.step(2)
    await world.balance_monitor.run()
    assert (await world.order(failed)).hold_reason is HoldReason.REVERTED
    assert await world.ledger.doubts.unwitnessed() == []
    assert not (await world.ledger.admin.pause_state()).paused
    await world.everybody_was_paid_once(orders)
