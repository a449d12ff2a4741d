"""What a person's corrections refuse, and why: each asks the chain before it writes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.chain_types import Claim
from distributor.model import Hash, HoldReason, Order, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.payout.called_paid import shows_transfer
from distributor.payout.corrected import Corrected
from distributor.payout.correction import Correction
from distributor.payout.decision import Decision
from tests.fakes.chain import CUSTOMERS, OPERATOR, RESERVE, Behaviour, FakeChain
from tests.fakes.history import FakeHistory
from tests.unit.test_resolution import RELEASE
from tests.world import World, a_world

ANA = Decision(by="ana", why="looked")


def a_correction(world: World) -> Correction:
    """Return the person's corrections in that world."""
    return Correction(
        ledger=world.ledger,
        chain=world.chain,
        history=FakeHistory(world.chain),
        identity=world.identity,
        policy=world.policy,
        guard_settling=world.a_guard_settling(),
    )


async def paid(world: World, order_id: str = "") -> Order:
    """Pay an order to its end."""
    order = await world.receive(order_id)
    await world.distribution.drain()
    await world.settle(8)
    return await world.order(order)


async def goes_on(world: World) -> None:
    """Let the service work until nothing is left to do."""
    await world.ledger.admin.resume("ana", "settled")
    await world.distribution.drain()
    await world.settle(RELEASE + 20)


async def test_resubmit_looks_before_it_speaks() -> None:
    """Nothing bound, a nonce in a block, and a dry run that says what would be done."""
    world = await a_world()
    correction = a_correction(world)
    assert await correction.resubmit(OPERATOR, 0, ANA) == (Corrected.NOT_BOUND, None)
    order = await world.receive()
    await world.distribution.drain()
    handed = len(world.chain.handed)

    assert await correction.resubmit(OPERATOR, 0, None) == (Corrected.SUBMITTED, None)
    assert len(world.chain.handed) == handed
    world.chain.mine()
    assert await correction.resubmit(OPERATOR, 0, ANA) == (Corrected.USED, None)
    assert await world.status(order) is OrderStatus.BOUND


async def test_settle_believes_only_a_final_transfer_to_this_order() -> None:
    """Not final, another amount, another order by its reference or by the guard's silence, another node's word."""
    world = await a_world(chain=FakeChain(nodes=("one", "two")))
    correction = a_correction(world)
    first, twin = await world.receive("A"), await world.receive("B")
    for each in (first, twin):
        await world.ledger.hold(each, HoldReason.SIMULATION, "refused")
    first, twin = await world.order(first), await world.order(twin)
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(first))
    assert await correction.settle(first, Hash("0x" + "11" * 32), ANA) is Corrected.NOT_FINAL
    assert await correction.settle(first, tx_hash, ANA) is Corrected.NOT_FINAL
    world.chain.mine(RELEASE)
    assert await correction.settle(twin, tx_hash, ANA) is Corrected.ANOTHER_ORDER
    assert await correction.settle(replace(first, wallet=CUSTOMERS[1]), tx_hash, ANA) is Corrected.NO_TRANSFER
    guarded = replace(correction, identity=replace(world.identity, guard=world.identity.authority))
    assert await guarded.settle(first, tx_hash, ANA) is Corrected.ANOTHER_ORDER
    world.chain.said_by("two").receipt = lambda receipt: replace(receipt, succeeded=False)
    assert await correction.settle(first, tx_hash, ANA) is Corrected.NODES_DISAGREE
    world.chain.calm()
    assert await correction.settle(first, tx_hash, None) is Corrected.PAID
    assert await world.status(first) is OrderStatus.HELD
    assert await correction.settle(first, tx_hash, ANA) is Corrected.PAID
    assert await correction.settle(await world.order(first), tx_hash, ANA) is Corrected.IS_PAID
    strange = replace(twin, hold_reason=HoldReason("needs_a_second_look"))
    assert await correction.settle(strange, tx_hash, ANA) is Corrected.NEWER


async def test_a_call_names_its_order_also_after_the_authority_or_the_guard_was_replaced() -> None:
    """What paid one customer is not taken for the payment of another one who is owed the same."""
    world = await a_world()
    first, twin = await world.receive("A"), await world.receive("B")
    await world.ledger.hold(twin, HoldReason.SIMULATION, "refused")
    await world.distribution.drain()
    await world.settle(8)
    tx_hash, twin = await world.last_hash(first), await world.order(twin)
    replaced = replace(a_correction(world), identity=replace(world.identity, authority=CUSTOMERS[5]))
    assert await replaced.settle(twin, tx_hash, ANA) is Corrected.ANOTHER_ORDER

    world = await a_world(guarded=True)
    first, twin = await world.receive("A"), await world.receive("B")
    for each in (first, twin):
        await world.ledger.hold(each, HoldReason.SIMULATION, "refused")
    first, twin = await world.order(first), await world.order(twin)
    tx_hash = world.chain.spend_nonce(OPERATOR, world.guard.pay(first))
    world.chain.mine(RELEASE)
    replaced = replace(a_correction(world), identity=replace(world.identity, guard=CUSTOMERS[5]))
    assert await replaced.settle(twin, tx_hash, ANA) is Corrected.ANOTHER_ORDER
    assert await replaced.settle(first, tx_hash, None) is Corrected.PAID
    assert await replaced.settle(first, tx_hash, ANA) is Corrected.PAID
    assert (await world.order(first)).paid_log == world.chain.state.payments[first.ref_id].log_index


async def test_a_transfer_by_hand_pays_one_order() -> None:
    """It names none, so the first decision is kept."""
    world = await a_world()
    correction = a_correction(world)
    first, twin = await world.receive("A"), await world.receive("B")
    await world.ledger.admin.cancel(first, "ana", "paid by hand")
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(first))
    world.chain.mine(RELEASE)
    by_hand = replace(correction, identity=replace(world.identity, authority=CUSTOMERS[5]))

    assert await by_hand.settle(await world.order(first), tx_hash, ANA) is Corrected.PAID
    assert await by_hand.settle(twin, tx_hash, ANA) is Corrected.ANOTHER_ORDER
    assert await world.status(first) is OrderStatus.PAID
    waiting = await world.receive("C")
    again = world.chain.spend_nonce(OPERATOR, world.chain.pay(waiting))
    world.chain.mine(RELEASE)
    assert await by_hand.settle(waiting, again, ANA) is Corrected.PAID
    assert not (await world.ledger.waiting(limit=1)).orders or await world.status(waiting) is OrderStatus.PAID


async def test_a_receipt_that_changes_between_two_looks_is_not_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two machines behind one address shows something else."""
    world = await a_world()
    order = await world.receive("A")
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(order))
    world.chain.mine(RELEASE)
    snapshot = await world.chain.snapshot([], [tx_hash], [])
    said = await world.chain.words([Claim(tx_hash, snapshot.receipts[tx_hash].block.number)], node="fake")

    async def changed(*_: object, **__: object) -> object:
        return {tx_hash: replace(said[tx_hash], receipt=None)}

    monkeypatch.setattr(world.chain, "words", changed)
    assert await a_correction(world).settle(order, tx_hash, ANA) is Corrected.NOT_FINAL


async def test_one_node_may_close_a_bound_order_only_as_paid() -> None:
    """Where the nodes never agree a person names the one to be believed."""
    world = await a_world()
    correction = a_correction(world)
    order = await world.receive()
    await world.distribution.drain()
    order, tx_hash = await world.order(order), await world.last_hash(order)
    assert await correction.settle(order, Hash("0x" + "11" * 32), ANA) is Corrected.ANOTHER_NONCE
    world.chain.mine()
    assert await correction.settle(order, tx_hash, ANA, node="fake") is Corrected.NOT_FINAL
    world.chain.mine(RELEASE)
    assert await correction.settle(order, tx_hash, None, node="fake") is Corrected.PAID
    assert await correction.settle(order, tx_hash, ANA, node="fake") is Corrected.PAID
    assert (await world.order(order)).paid_hash == tx_hash

    world = await a_world()
    world.chain.rules.behaviour = Behaviour.SILENT
    order = await world.receive()
    await world.distribution.drain()
    world.chain.mine(RELEASE)
    silent = await world.last_hash(order)
    assert await a_correction(world).settle(await world.order(order), silent, ANA) is Corrected.NO_TRANSFER


async def test_reopen_asks_what_used_the_nonce() -> None:
    """Not a paid order, a nonce not used, another nonce, not deep enough, and the payment itself."""
    world = await a_world()
    correction = a_correction(world)
    waits = await world.receive("WAITS")
    order = await paid(world, "A")
    assert await correction.reopening.reopen(waits, order.paid_hash or waits.ref_id, ANA) is Corrected.NOT_PAID
    assert order.paid_hash is not None
    assert await correction.reopening.reopen(order, order.paid_hash, ANA) is Corrected.NOT_FINAL
    world.chain.mine(RELEASE)
    assert await correction.reopening.reopen(order, order.paid_hash, ANA) is Corrected.IS_PAID
    stranger = world.chain.spend_nonce(OPERATOR)
    assert await correction.reopening.reopen(order, stranger, ANA) is Corrected.ANOTHER_NONCE
    world.chain.reorg(world.chain.head.number, keep=False)
    assert await correction.reopening.reopen(order, stranger, ANA) is Corrected.RESUBMIT
    for _ in range((order.nonce or 0) + 1):
        other = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)
    assert await correction.reopening.reopen(order, other, None) is Corrected.HELD
    assert await world.status(order) is OrderStatus.PAID


async def test_an_id_is_barred_once_and_only_while_it_is_unknown() -> None:
    """And its webhook is answered as a duplicate, whatever it says."""
    world = await a_world()
    key = OrderKey("default", "FRAUD")

    assert await world.ledger.exits.bar(key)
    assert not await world.ledger.exits.bar(key)
    again = await world.ledger.insert(await _an_order_named(world, "FRAUD"))

    assert (again.new, again.order.status) == (False, OrderStatus.CANCELLED)


async def _an_order_named(world: World, order_id: str) -> Order:
    return replace(await world.receive("OTHER"), order_id=order_id, ref_id=ref_id("default", order_id))


async def test_a_receipt_that_failed_shows_no_transfer() -> None:
    """Whatever events it lists."""
    world = await a_world()
    order = await paid(world)
    (receipt,) = world.chain.receipts

    assert shows_transfer(order, receipt, RESERVE)
    assert not shows_transfer(order, replace(receipt, succeeded=False), RESERVE)


async def test_a_bound_order_whose_receipt_the_named_node_does_not_show_is_not_closed() -> None:
    """Submitted and in no block yet."""
    world = await a_world()
    order = await world.receive()
    await world.distribution.drain()
    tx_hash = await world.last_hash(order)

    assert await a_correction(world).settle(await world.order(order), tx_hash, ANA, node="fake") is Corrected.NOT_FINAL
