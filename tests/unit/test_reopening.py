"""What is called paid, and was paid by somebody else or not at all: guard and chain are asked before a word is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors import ChainUnavailable
from distributor.ledger import keys
from distributor.ledger.rebuild_store import RebuildStore
from distributor.model import Hash, HoldReason, Order, OrderStatus
from distributor.payout.corrected import Corrected
from distributor.payout.resumption import Resumption
from distributor.recovery.from_guard import FromGuard
from foundation.tablestore.atomic import AtomicWrite, commit
from tests.factories import a_hash, an_address
from tests.fakes.chain import CUSTOMERS, OPERATOR, FakeChain
from tests.fakes.chain_state import GUARD
from tests.unit.test_exits import ANA, a_correction, goes_on, paid
from tests.unit.test_resolution import RELEASE
from tests.world import World, a_world

FINAL_BLOCKS = 8


def by_a_rival(world: World, order: Order, name: str = "another hot key") -> Hash:
    """Pay *order* through the guard by a key of another ledger."""
    key = an_address(name)
    world.chain.rules.hot_keys.add(key)
    return world.chain.spend_nonce(key, world.guard.pay(order))


async def adopted(world: World) -> Order:
    """Return an order that somebody else paid through the guard, and that was adopted."""
    order = await world.receive()
    by_a_rival(world, order)
    world.chain.mine(FINAL_BLOCKS)
    await world.distribution.drain()
    found = await world.order(order)
    assert (found.status, found.nonce) == (OrderStatus.PAID, None)
    return found


def unpaid(world: World, order: Order) -> None:
    """Let the block of its payment leave the chain, and what was in it be forgotten."""
    assert order.paid_block is not None
    world.chain.reorg(world.chain.head.number - order.paid_block + 1, keep=False)
    world.chain.mine(FINAL_BLOCKS)


async def reopen(world: World, order: Order, tx_hash: Hash | None = None, *, apply: bool = True) -> Corrected:
    """Reopen *order* by the transaction that its row names, or another one."""
    named = tx_hash or order.paid_hash
    assert named is not None
    return await a_correction(world).reopening.reopen(order, named, ANA if apply else None)


async def settle(world: World, order: Order, tx_hash: Hash | None = None, *, apply: bool = True) -> Corrected:
    """Settle *order* by the transaction that its row names, or another one."""
    named = tx_hash or order.paid_hash
    assert named is not None
    return await a_correction(world).settle(order, named, ANA if apply else None)


async def test_an_adopted_order_that_the_guard_has_recorded_is_paid() -> None:
    """It has no nonce; the answer is not that it were unpaid."""
    world = await a_world(guarded=True)
    order = await adopted(world)

    assert await reopen(world, order) is Corrected.IS_PAID
    assert await reopen(world, order, a_hash("some other one")) is Corrected.ANOTHER_PAYMENT
    assert await settle(world, order) is Corrected.IS_PAID
    assert await settle(world, order, a_hash("some other one")) is Corrected.IS_PAID
    assert await world.order(order) == order


async def test_an_adopted_order_whose_payment_left_the_chain_is_held_and_paid_once() -> None:
    """The guard has no record of it in a final block, so nothing has paid it; it would pay it now."""
    world = await a_world(guarded=True)
    order = await adopted(world)
    unpaid(world, order)

    assert await settle(world, order) is Corrected.NOT_SHOWN
    assert await reopen(world, order, apply=False) is Corrected.HELD
    assert await world.order(order) == order
    assert await reopen(world, order) is Corrected.HELD
    held = await world.order(order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.NONCE_LOST)
    assert (held.paid_block, held.paid_log) == (None, None)
    assert "did not pay it" in held.hold_detail
    await world.ledger.admin.retry(held, "ana", "not paid")
    await goes_on(world)
    assert await world.status(order) is OrderStatus.RECEIVED
    resumption = Resumption(ledger=world.ledger, chain=world.chain, guard=world.guard)
    assert await resumption.obstacles() == []
    assert await resumption.renew_mark()
    assert not await resumption.renew_mark()
    await goes_on(world)
    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_a_mark_that_is_left_behind_is_given_up_only_where_enough_nodes_show_the_whole_past() -> None:
    """One of two may be a liar; and without a guard there is no mark."""
    world = await a_world(guarded=True, chain=FakeChain(nodes=("one", "two")))
    order = await adopted(world)
    await world.receive()
    await world.distribution.drain()
    unpaid(world, order)
    world.guard.mute = {"two"}
    resumption = Resumption(ledger=world.ledger, chain=world.chain, guard=world.guard)

    with pytest.raises(ChainUnavailable):
        await resumption.obstacles()
    world.guard.mute = set()
    assert await resumption.renew_mark()
    plain = await a_world()
    assert not await Resumption(ledger=plain.ledger, chain=plain.chain, guard=plain.guard).renew_mark()


async def test_a_payment_that_was_mined_again_in_another_transaction_is_named_and_settled() -> None:
    """Reopened it would be refused by the guard permanently; its row is made true instead, once that is final."""
    world = await a_world(guarded=True)
    order = await adopted(world)
    unpaid(world, order)
    again = by_a_rival(world, order, "a third one")

    assert await settle(world, order, again) is Corrected.NOT_FINAL
    world.chain.mine(FINAL_BLOCKS)
    assert await reopen(world, order) is Corrected.MOVED
    payment = await a_correction(world).reopening.recorded(order)
    assert payment is not None
    assert payment.tx_hash == again
    assert await settle(world, order) is Corrected.MOVED
    assert await settle(world, order, again, apply=False) is Corrected.PAID
    assert await world.order(order) == order
    assert await settle(world, order, again) is Corrected.PAID
    corrected = await world.order(order)
    assert (corrected.paid_hash, corrected.paid_block) == (again, payment.block.number)
    assert await reopen(world, corrected) is Corrected.IS_PAID


async def test_a_reference_that_paid_something_else_holds_the_order_for_good() -> None:
    """The guard pays it no second time, so the reason says what it was spent on."""
    world = await a_world(guarded=True)
    order = await adopted(world)
    unpaid(world, order)
    world.guard.record(replace(order, wallet=CUSTOMERS[3]))

    assert await settle(world, order) is Corrected.NOT_SHOWN
    assert await reopen(world, order) is Corrected.HELD
    held = await world.order(order)
    assert held.hold_reason is HoldReason.REFERENCE_USED
    assert CUSTOMERS[3] in held.hold_detail


async def test_that_the_guard_has_nothing_is_believed_of_a_final_block_behind_the_payment() -> None:
    """Nodes that are behind have not come to it; and who does not answer says nothing."""
    world = await a_world(guarded=True)
    order = await adopted(world)
    unpaid(world, order)
    late = replace(order, paid_block=world.chain.head.number)

    assert await reopen(world, late) is Corrected.NOT_FINAL
    world.guard.silent = True
    with pytest.raises(ChainUnavailable):
        await reopen(world, order)
    assert await a_correction(world).reopening.reopen(replace(order, status=OrderStatus("frozen")), OTHER, ANA) is (
        Corrected.NEWER
    )


OTHER = a_hash("other")


async def test_nodes_that_disagree_about_the_transaction_reopen_nothing() -> None:
    """Without a guard the transaction that the row names is all there is."""
    world, order, tx_hash = await settled_by_hand(FakeChain(nodes=("one", "two")))
    world.chain.said_by("two").receipt = lambda receipt: replace(receipt, transfers=())

    assert await reopen(world, order, tx_hash) is Corrected.NODES_DISAGREE
    assert await settle(world, order, tx_hash) is Corrected.NODES_DISAGREE


async def settled_by_hand(chain: FakeChain | None = None, *, guarded: bool = False) -> tuple[World, Order, Hash]:
    """Return an order that a person settled by a transfer which another address made."""
    world = await a_world(chain=chain, guarded=guarded)
    order = await world.receive()
    await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    treasurer = an_address("treasurer")
    world.chain.grant_role(treasurer)
    tx_hash = world.chain.spend_nonce(treasurer, world.chain.pay(order))
    world.chain.mine(RELEASE)
    assert await settle(world, await world.order(order), tx_hash) is Corrected.PAID
    return world, await world.order(order), tx_hash


async def test_what_a_person_settled_is_looked_at_again() -> None:
    """Its transfer is there, or a final receipt without it; what is in no block may still be mined."""
    world, order, tx_hash = await settled_by_hand()

    assert await reopen(world, order, tx_hash) is Corrected.IS_PAID
    assert await reopen(world, replace(order, paid_hash=None), tx_hash) is Corrected.ANOTHER_PAYMENT
    world.chain.said_by("fake").receipt = lambda receipt: replace(receipt, transfers=())
    assert await reopen(world, order, tx_hash) is Corrected.HELD
    world.chain.calm()
    held = await world.order(order)
    assert await settle(world, held, tx_hash) is Corrected.PAID
    order = await world.order(order)
    unpaid(world, order)
    assert await reopen(world, order, tx_hash) is Corrected.NOT_FINAL
    assert await settle(world, replace(order, paid_hash=None), tx_hash) is Corrected.NOT_FINAL


async def test_a_transfer_by_hand_is_not_judged_by_the_guard_that_never_recorded_it() -> None:
    """The guard would pay it beside that transfer, which may be mined again."""
    world, order, tx_hash = await settled_by_hand(guarded=True)
    unpaid(world, order)

    assert await reopen(world, order, tx_hash) is Corrected.NOT_FINAL


async def test_a_bound_order_that_somebody_else_paid_is_judged_by_the_guard() -> None:
    """By its own transaction, which ended as already paid, and by the one that paid it."""
    world = await a_world(guarded=True)
    order = await world.receive()
    await world.distribution.drain()
    theirs = by_a_rival(world, order)
    await world.settle(FINAL_BLOCKS)
    ours = world.chain.handed[0].tx_hash
    world.chain.mine(RELEASE)
    order = await world.order(order)
    assert (order.status, order.nonce, order.paid_hash) == (OrderStatus.PAID, 0, theirs)

    assert await reopen(world, order, theirs) is Corrected.IS_PAID
    assert await reopen(world, order, ours) is Corrected.IS_PAID
    unpaid(world, order)
    assert await reopen(world, order, theirs) is Corrected.HELD


async def test_the_payment_of_a_former_guard_counts() -> None:
    """Its record names the transaction also where the guard of today knows the import alone."""
    world = await a_world(guarded=True)
    order = await adopted(world)
    world.guard.contracts.add(an_address("new guard"))
    await world.ledger.guard_rows.change(an_address("new guard"), 1, "ana", "replaced")
    world.identity = replace(world.identity, guard=an_address("new guard"))

    assert await world.ledger.guard_rows.former() == [GUARD]
    assert await reopen(world, order) is Corrected.IS_PAID
    assert order.paid_block is not None
    other = replace(order, paid_hash=a_hash("gone"))
    assert await settle(world, other) is Corrected.MOVED


async def test_what_the_guards_own_event_names_is_paid_though_its_record_is_of_another_node() -> None:
    """An imported payment moves nothing in its block: the guard's word is all there is to see."""
    world = await a_world(guarded=True)
    order = await adopted(world)
    world.chain.state.payments.clear()

    assert await reopen(world, order) is Corrected.IS_PAID


async def test_a_proof_that_any_node_shows_forbids_to_hold() -> None:
    """The nonce is used by a stranger, and one node still shows the transaction that the row names."""
    world = await a_world(chain=FakeChain(nodes=("one", "two")))
    order = await paid(world)
    (receipt,) = world.chain.receipts
    world.chain.reorg(world.chain.head.number, keep=False)
    stranger = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)
    world.chain.said_by("two").invented[receipt.tx_hash] = receipt

    assert await reopen(world, order, stranger) is Corrected.IS_PAID
    world.chain.calm()
    assert await reopen(world, replace(order, paid_hash=None), stranger, apply=False) is Corrected.NOT_FINAL
    assert await reopen(world, order, stranger) is Corrected.HELD


async def test_what_a_rebuild_took_from_the_guard_can_be_reopened() -> None:
    """It has no nonce either."""
    world = await a_world(guarded=True)
    stored = await world.receive("LOST")
    by_a_rival(world, stored)
    world.chain.mine(FINAL_BLOCKS)
    for row in [row for row in world.rows.dump() if "LOST" in row or row == keys.ref(stored.ref_id)]:
        group = AtomicWrite()
        group.delete(row)
        await commit(world.rows, group, marker_row=row)
    rebuild = FromGuard(
        rebuild_store=RebuildStore(world.rows, world.clock),
        ledger=world.ledger,
        chain=world.chain,
        guard=world.guard,
        address=GUARD,
        policy=world.policy,
    )
    await rebuild.run(by="ana", why="lost")
    order = await world.order(stored)

    assert (order.nonce, await reopen(world, order)) == (None, Corrected.IS_PAID)
    unpaid(world, order)
    assert await reopen(world, order) is Corrected.HELD
