"""A nonce spent on nothing, because a person says so; its orders are released only when that is final."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.errors import ChainUnavailable
from distributor.model import AttemptKind, HoldReason, Order, OrderStatus, SubmitOutcome, TransactionStatus
from distributor.payout.cancellation import Cancellation, Cancelled
from distributor.units import Wei
from tests.factories import GWEI, LIMITS, POLICY
from tests.fakes.chain import CUSTOMERS, OPERATOR
from tests.fakes.chain_state import GUARD
from tests.fakes.signer import FakeSigner
from tests.world import World, a_world

ROOM = LIMITS.model_copy(update={"max_fee_wei": Wei(200 * GWEI)})


async def an_unpayable_order(world: World) -> Order:
    """Return a bound order that waits in the pool, and that the contract would refuse today."""
    order = await world.receive()
    await world.distribution.drain()
    world.chain.pause_authority()
    return order


async def cancel(world: World, *, nonce: int = 0, apply: bool = True, **changes: Any) -> Cancelled:
    """Cancel a nonce of the operator."""
    cancellation = Cancellation(
        ledger=world.ledger,
        chain=world.chain,
        guard=world.guard,
        signers={OPERATOR: FakeSigner(OPERATOR)},
        clock=world.clock,
        limits=world.limits,
        chain_id=world.identity.chain_id,
    )
    return await replace(cancellation, **changes).cancel(OPERATOR, nonce, by="ana", why="wrong wallet", apply=apply)


async def status_of(world: World) -> TransactionStatus:
    """Return the state of the first transaction."""
    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert transaction is not None
    return transaction.status


async def test_a_cancelled_nonce_frees_its_order_when_that_is_final() -> None:
    """Held until a person decides; nothing was paid; a retry gets another nonce."""
    world = await a_world(limits=ROOM)
    order = await an_unpayable_order(world)

    assert await cancel(world) is Cancelled.SUBMITTED
    assert await status_of(world) is TransactionStatus.CANCELLING
    world.chain.pause_authority(paused=False)
    await world.settle(2 + POLICY.min_confirmations)
    assert await world.status(order) is OrderStatus.BOUND
    await world.settlement.follow()

    held = await world.order(order)
    assert (held.status, held.hold_reason, held.nonce) == (OrderStatus.HELD, HoldReason.NONCE_CANCELLED, None)
    assert "held_nonce_cancelled" in world.alarms.codes
    assert not world.transfers()
    await world.ledger.admin.retry(held, "ana", "payable again")
    await world.distribution.drain()
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_a_cancellation_asks_nothing_of_nobody_under_the_same_nonce() -> None:
    """To the operator itself, no data, no more gas than that needs, and fees that replace."""
    world = await a_world(limits=ROOM)
    await an_unpayable_order(world)

    await cancel(world)

    pay, nothing = (sent.unsigned for sent in world.chain.handed)
    assert (nothing.call.to, nothing.call.data, nothing.gas_limit) == (OPERATOR, b"", 21_000)
    assert nothing.nonce == pay.nonce
    assert nothing.fees.tip_wei * 10 >= pay.fees.tip_wei * 11
    assert [sent.unsigned for sent in world.chain.pooled] == [nothing]


async def test_who_cancelled_and_why_is_kept() -> None:
    """Before the bytes are."""
    world = await a_world(limits=ROOM)
    await an_unpayable_order(world)
    world.rows.lose_next_answer(done=False)

    await cancel(world)

    entry = world.audit.entries[f"cancel-nonce:{OPERATOR}:0:{world.clock():015d}"]
    assert (entry["by"], entry["why"]) == ("ana", "wrong wallet")


async def test_a_payment_may_still_win() -> None:
    """It was mined before the cancellation reached a producer: the customer has the tokens, and it says so."""
    world = await a_world(limits=ROOM)
    order = await an_unpayable_order(world)
    world.chain.refuse(SubmitOutcome.UNDERPRICED)
    await cancel(world)
    world.chain.pause_authority(paused=False)

    await world.settle(1)
    world.chain.mine()
    await world.settlement.follow()

    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_a_stuck_cancellation_is_replaced_by_cancellations() -> None:
    """After it nothing pays any more, whatever fees it takes."""
    world = await a_world(limits=ROOM)
    order = await an_unpayable_order(world)
    await cancel(world)
    world.chain.pause_authority(paused=False)
    world.chain.set_base_fee(Wei(50 * GWEI))
    world.chain.rules.tip_wei = Wei(30 * GWEI)

    await world.settlement.follow()

    attempts = await world.ledger.attempts(OPERATOR, 0)
    assert len(attempts) > 2
    assert {attempt.kind for attempt in attempts[1:]} == {AttemptKind.CANCEL}
    assert {attempt.gas_limit for attempt in attempts[1:]} == {21_000}
    assert await world.status(order) is OrderStatus.HELD


@pytest.mark.parametrize("keep", [True, False], ids=["put back", "forgotten"])
async def test_a_cancellation_that_left_the_chain_is_sent_again(*, keep: bool) -> None:
    """Still a cancellation: the payment is never pushed again."""
    world = await a_world(limits=ROOM)
    order = await an_unpayable_order(world)
    await cancel(world)
    world.chain.pause_authority(paused=False)
    await world.settle(2)
    assert await status_of(world) is TransactionStatus.MINED

    world.chain.reorg(2, keep=keep)
    await world.settle(1)

    assert await status_of(world) is TransactionStatus.CANCELLING
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.HELD
    assert not world.transfers()


async def test_what_the_contract_would_pay_is_not_cancelled() -> None:
    """It is payable: let it be paid."""
    world = await a_world(limits=ROOM)
    await an_unpayable_order(world)
    world.chain.pause_authority(paused=False)

    assert await cancel(world) is Cancelled.PAYABLE
    assert len(await world.ledger.attempts(OPERATOR, 0)) == 1


async def test_a_dry_run_signs_nothing() -> None:
    """It says what would happen."""
    world = await a_world(limits=ROOM)
    await an_unpayable_order(world)

    assert await cancel(world, apply=False) is Cancelled.SUBMITTED
    assert len(await world.ledger.attempts(OPERATOR, 0)) == 1
    assert len(world.chain.handed) == 1


async def test_only_an_open_nonce_is_cancelled_and_once() -> None:
    """Not one that was never bound, not one in a block, not one that is being cancelled."""
    world = await a_world(limits=ROOM)
    assert await cancel(world) is Cancelled.NOT_PAUSED
    await an_unpayable_order(world)
    await cancel(world)
    assert await cancel(world) is Cancelled.CANCELLING
    await world.settle(2)
    assert await cancel(world) is Cancelled.USED


async def test_a_used_nonce_that_settlement_has_not_seen_yet_is_not_cancelled() -> None:
    """The node knows better than the row."""
    world = await a_world(limits=ROOM)
    await an_unpayable_order(world)
    world.chain.mine()

    assert await cancel(world) is Cancelled.USED


async def test_a_cancellation_needs_the_key_and_a_price() -> None:
    """Without either nothing is written."""
    world = await a_world(limits=ROOM)
    await an_unpayable_order(world)

    assert await cancel(world, signers={}) is Cancelled.NO_KEY
    assert (
        await cancel(world, limits=LIMITS.model_copy(update={"max_fee_wei": Wei(33 * GWEI)})) is Cancelled.FEE_CEILING
    )
    assert await status_of(world) is TransactionStatus.SUBMITTED


async def test_where_no_pool_took_the_payment_a_first_price_is_enough() -> None:
    """There is nothing to outbid: the refused bytes may even have been too dear."""
    world = await a_world()
    world.chain.refuse(SubmitOutcome.REFUSED)
    await an_unpayable_order(world)

    assert await cancel(world) is Cancelled.SUBMITTED

    pay, nothing = (sent.unsigned for sent in world.chain.handed)
    assert nothing.fees == pay.fees


async def test_through_a_guard_a_nonce_is_cancelled_whose_items_would_all_fail() -> None:
    """The whole call would not revert, so an estimate always calls it payable; the guard is asked item by item."""
    world = await a_world(limits=ROOM, guarded=True)
    world.orders_per_transaction = 2
    world.start()
    orders = [await world.receive(wallet=CUSTOMERS[at]) for at in (0, 1)]
    await world.distribution.drain()
    assert await cancel(world) is Cancelled.PAYABLE
    world.chain.rules.refused_wallets.add(CUSTOMERS[0])
    assert await cancel(world) is Cancelled.PAYABLE
    world.chain.rules.refused_wallets.add(CUSTOMERS[1])
    assert await cancel(world, apply=False) is Cancelled.SUBMITTED

    assert await cancel(world) is Cancelled.SUBMITTED
    await world.settle(2 + POLICY.min_confirmations + POLICY.release_confirmations)
    assert {(await world.order(order)).hold_reason for order in orders} == {HoldReason.NONCE_CANCELLED}
    assert not world.transfers()


@pytest.mark.parametrize("stop", ["paused", "no role", "not a hot key"])
async def test_a_guarded_nonce_that_is_refused_as_a_whole_is_cancelled(stop: str) -> None:
    """Asked by its own call, also after the setting that led through the guard was taken away."""
    world = await a_world(limits=ROOM, guarded=True)
    await world.receive()
    await world.distribution.drain()
    rules = world.chain.rules
    rules.guard_paused = stop == "paused"
    rules.operators -= {GUARD} if stop == "no role" else set()
    rules.hot_keys -= {OPERATOR} if stop == "not a hot key" else set()

    assert await cancel(world) is Cancelled.SUBMITTED


async def test_silence_cancels_nothing() -> None:
    """A node must say that the nonce is free and the call refused."""
    world = await a_world(limits=ROOM)
    await an_unpayable_order(world)
    world.chain.go_down()

    with pytest.raises(ChainUnavailable):
        await cancel(world)
    assert await status_of(world) is TransactionStatus.SUBMITTED
