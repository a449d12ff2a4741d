"""A nonce that somebody else used up: what a person names is believed as far as the chain shows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors import ChainUnavailable
from distributor.ledger.rebuild_store import RebuildStore
from distributor.model import Address, Hash, HoldReason, Order, OrderStatus
from distributor.payout.resolution import Resolution, Resolved
from tests.factories import POLICY, a_block, an_address
from tests.fakes.chain import CUSTOMERS, OPERATOR, FakeChain
from tests.fakes.history import FakeHistory
from tests.world import World, a_world

FINAL = POLICY.min_confirmations
RELEASE = POLICY.min_confirmations + POLICY.release_confirmations


async def a_lost_order(world: World) -> Order:
    """Return a bound order whose bytes are in no pool any more."""
    order = await world.receive()
    await world.distribution.drain()
    world.chain.drop(await world.last_hash(order))
    return order


async def resolve(
    world: World, tx_hash: Hash, *, operator: Address = OPERATOR, nonce: int = 0, apply: bool = True
) -> Resolved:
    """Resolve a nonce by what *tx_hash* shows."""
    resolution = Resolution(
        ledger=world.ledger,
        chain=world.chain,
        history=FakeHistory(world.chain),
        store=RebuildStore(world.rows, world.clock),
        identity=world.identity,
        policy=world.policy,
    )
    return await resolution.resolve(operator, nonce, tx_hash, by="ana", why="replaced from a wallet", apply=apply)


async def test_the_same_payment_from_a_wallet_pays_the_order() -> None:
    """Somebody pressed "speed up" in a wallet: same call, other bytes; final is enough."""
    world = await a_world()
    order = await a_lost_order(world)
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(order))
    world.chain.mine(FINAL)

    assert await resolve(world, tx_hash) is Resolved.PAID

    paid = await world.order(order)
    assert (paid.status, paid.paid_hash, paid.nonce) == (OrderStatus.PAID, tx_hash, 0)
    assert not await world.ledger.any_open()
    assert await resolve(world, tx_hash) is Resolved.CLOSED_BEFORE


async def test_who_resolved_it_and_why_is_kept() -> None:
    """Releasing money by hand leaves a name."""
    world = await a_world()
    order = await a_lost_order(world)
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(order))
    world.chain.mine(FINAL)

    await resolve(world, tx_hash)

    entry = world.audit.entries[f"resolve:{OPERATOR}:0:{world.clock():015d}"]
    assert (entry["by"], entry["why"]) == ("ana", "replaced from a wallet")


async def test_a_foreign_transaction_frees_the_order_far_beyond_finality() -> None:
    """It paid nobody; the order is held, and a retry gets another nonce."""
    world = await a_world()
    order = await a_lost_order(world)
    tx_hash = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(FINAL)
    assert await resolve(world, tx_hash) is Resolved.NOT_FINAL
    world.chain.mine(POLICY.release_confirmations)

    assert await resolve(world, tx_hash) is Resolved.HELD

    held = await world.order(order)
    assert (held.status, held.hold_reason, held.nonce) == (OrderStatus.HELD, HoldReason.NONCE_LOST, None)
    assert tx_hash in held.hold_detail
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert binding_state is not None
    assert binding_state.committed_units == 0
    await world.ledger.admin.retry(held, "ana", "not paid")
    await world.distribution.drain()
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_the_payment_of_another_order_is_not_this_orders_payment() -> None:
    """A restored ledger binds an old nonce again: same wallet, same amount, another reference."""
    world = await a_world()
    order = await a_lost_order(world)
    twin = replace(order, ref_id=Hash("0x" + "77" * 32))
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(twin))
    world.chain.mine(RELEASE)

    assert await resolve(world, tx_hash) is Resolved.HELD
    assert (await world.order(order)).hold_reason is HoldReason.NONCE_LOST


async def test_what_was_paid_through_an_authority_of_before_is_written_too() -> None:
    """It waited in a pool, and its order waits here: nobody remembered that it is paid."""
    world = await a_world()
    order = await a_lost_order(world)
    other = await world.receive("OTHER")
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(other))
    world.chain.mine(RELEASE)
    world.identity = await world.ledger.guard_rows.change_authority(an_address("new authority"), "ana", "replaced")

    assert await resolve(world, tx_hash) is Resolved.HELD

    assert (await world.order(other)).paid_hash == tx_hash
    assert await world.status(order) is OrderStatus.HELD


async def test_the_right_reference_without_the_tokens_is_no_payment() -> None:
    """Another wallet got them."""
    world = await a_world()
    order = await a_lost_order(world)
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(replace(order, wallet=CUSTOMERS[1])))
    world.chain.mine(RELEASE)

    assert await resolve(world, tx_hash) is Resolved.HELD


async def test_a_dry_run_says_how_it_would_end_and_ends_nothing() -> None:
    """No row and no audit line."""
    world = await a_world()
    order = await a_lost_order(world)
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(order))
    world.chain.mine(FINAL)
    before = world.rows.dump(), dict(world.audit.entries)

    assert await resolve(world, tx_hash, apply=False) is Resolved.PAID
    assert (world.rows.dump(), world.audit.entries) == before


async def test_a_transaction_of_another_nonce_or_operator_ends_nothing() -> None:
    """A hash copied from the wrong line of an explorer."""
    other = CUSTOMERS[2]
    world = await a_world(chain=FakeChain(operators=(OPERATOR, other)))
    order = await a_lost_order(world)
    by_other = world.chain.spend_nonce(other)
    world.chain.spend_nonce(OPERATOR)
    next_nonce = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)

    assert await resolve(world, by_other) is Resolved.ANOTHER_NONCE
    assert await resolve(world, next_nonce) is Resolved.ANOTHER_NONCE
    assert await world.status(order) is OrderStatus.BOUND


async def test_a_nonce_the_ledger_never_bound_has_nothing_to_resolve() -> None:
    """Nor an operator it does not know."""
    world = await a_world()
    tx_hash = world.chain.spend_nonce(OPERATOR)

    await world.ledger.admin.pause("ana", "looks")
    assert await resolve(world, tx_hash, nonce=1) is Resolved.NOT_NEXT
    assert await resolve(world, tx_hash, operator=CUSTOMERS[0]) is Resolved.NOT_BOUND


async def test_what_is_ours_is_left_to_settlement() -> None:
    """The node lagged; or the person found our own attempt."""
    world = await a_world()
    order = await world.receive()
    await world.distribution.drain()
    world.chain.mine(RELEASE)

    assert await resolve(world, await world.last_hash(order)) is Resolved.OURS
    assert await world.status(order) is OrderStatus.BOUND


async def test_nothing_is_concluded_while_the_transaction_may_leave_the_chain() -> None:
    """Not final, hidden by a node, or in another block at the second look."""
    world = await a_world()
    order = await a_lost_order(world)
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(order))

    assert await resolve(world, tx_hash) is Resolved.NOT_FINAL
    world.chain.mine(FINAL)
    world.chain.hide_receipt(tx_hash)
    assert await resolve(world, tx_hash) is Resolved.NOT_FINAL
    assert await world.status(order) is OrderStatus.BOUND


async def test_a_release_needs_a_second_nodes_agreement() -> None:
    """One node that lies cannot free an order for another payment."""
    world = await a_world(chain=FakeChain(nodes=("one", "two")))
    world.chain.said_by("two").receipt = lambda receipt: replace(receipt, block=a_block(1, "rival"))
    order = await a_lost_order(world)
    tx_hash = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)

    assert await resolve(world, tx_hash) is Resolved.NODES_DISAGREE
    assert await world.status(order) is OrderStatus.BOUND
    world.chain.calm()
    assert await resolve(world, tx_hash) is Resolved.HELD


@pytest.mark.parametrize("pays", [True, False])
async def test_one_word_of_two_ends_nothing(*, pays: bool) -> None:
    """Neither as paid nor as held: the second node does not answer, and then it does."""
    world = await a_world(chain=FakeChain(nodes=("one", "two")))
    order = await a_lost_order(world)
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(order) if pays else None)
    world.chain.mine(RELEASE)
    world.chain.go_down("two")

    assert await resolve(world, tx_hash) is Resolved.NODES_DISAGREE
    assert await world.status(order) is OrderStatus.BOUND
    world.chain.come_back()
    assert await resolve(world, tx_hash) is (Resolved.PAID if pays else Resolved.HELD)


async def test_silence_ends_nothing() -> None:
    """No node, no conclusion."""
    world = await a_world()
    order = await a_lost_order(world)
    tx_hash = world.chain.spend_nonce(OPERATOR)
    world.chain.go_down()

    with pytest.raises(ChainUnavailable):
        await resolve(world, tx_hash)
    assert await world.status(order) is OrderStatus.BOUND
