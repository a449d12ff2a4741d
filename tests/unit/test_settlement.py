"""Settlement: every open transaction is followed until it is final, whatever happens on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from distributor.adapters.alarms import OnceAnHour
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Closing, Ledger
from distributor.model import (
    Address,
    Hash,
    HoldReason,
    Order,
    OrderStatus,
    SubmitOutcome,
    Transaction,
    TransactionStatus,
)
from distributor.payout.confirmation import Confirmed
from distributor.payout.settlement import FOLLOW_MS, Followed, Turn
from distributor.payout.steps import StepExecutor, StepResult
from distributor.payout.stillness import STILL_MS
from distributor.payout.sweep import Sweep
from distributor.state import Stats
from distributor.units import Wei
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.leases import Lease, Leases
from tests.factories import GWEI, POLICY, a_block
from tests.fakes.chain import OPERATOR, Behaviour, FakeChain
from tests.world import World, a_world, tokens


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


async def test_an_order_is_followed_to_paid() -> None:
    """Submitted, mined, final: the wallet has the amount and the books are even."""
    world = await a_world()
    order = await a_bound_order(world)

    followed = await world.settlement.follow()

    paid = await world.order(order)
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert followed == Followed(again=False)
    assert paid.status is OrderStatus.PAID
    assert paid.paid_hash == world.chain.receipts[0].tx_hash
    assert paid.paid_block == world.chain.receipts[0].block.number
    assert world.chain.balance_of(order.wallet) == order.amount_units
    assert binding_state is not None
    assert binding_state.committed_units == 0
    assert await transaction_status(world) is TransactionStatus.FINAL


async def test_the_totals_are_kept_in_the_closing_group() -> None:
    """Payouts, units and gas of each operator."""
    world = await a_world()
    for _ in range(3):
        await world.receive()
    await world.distribution.drain()

    await world.settlement.follow()

    stats = await world.ledger.stats(OPERATOR)
    receipts = world.chain.receipts
    assert (stats.transactions, stats.orders_paid, stats.paid_units) == (3, 3, tokens(30))
    assert stats.gas_used == sum(receipt.gas_used for receipt in receipts)
    assert stats.gas_cost_wei == sum(receipt.gas_used * receipt.gas_price_wei for receipt in receipts)


async def test_slots_that_come_free_are_filled_again() -> None:
    """Forty orders through sixteen slots, without another message."""
    world = await a_world()
    orders = [await world.receive() for _ in range(40)]
    await world.distribution.drain()

    await world.settlement.follow()

    assert {await world.status(order) for order in orders} == {OrderStatus.PAID}
    assert len(world.transfers()) == 40


async def test_slots_are_filled_before_anything_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next block is near; a closing can wait for the one after."""
    world = await a_world()
    for _ in range(17):
        await world.receive()
    await world.distribution.drain()
    world.chain.mine()
    await world.settlement.turn()  # sixteen are mined, and the last one is bound
    world.chain.mine(4)
    await world.receive()
    happened: list[str] = []
    world.chain.on_submit = lambda _: happened.append("submitted")
    close_all = Ledger.close_all

    async def closing(self: Ledger, ends: Sequence[tuple[Transaction, Closing]]) -> None:
        happened.append(f"closed {len(ends)}")
        await close_all(self, ends)

    monkeypatch.setattr(Ledger, "close_all", closing)

    await world.settlement.turn()

    assert happened == ["submitted", "closed 16"]


async def test_nothing_open_is_nothing_to_do() -> None:
    """A duplicate wake-up costs a few reads and touches no node."""
    world = await a_world()

    assert await world.settlement.follow() == Followed(again=False)
    assert not world.chain.calls


async def test_only_one_host_follows() -> None:
    """The second message finds the lease taken and is done."""
    world = await a_world()
    await a_bound_order(world)
    await world.ledger.leases.acquire("settlement", "another host", ttl_ms=30_000)

    assert await world.settlement.follow() == Followed(again=False)
    assert world.chain.calls["observe"] == 0


async def test_only_one_message_follows_in_a_process() -> None:
    """The lease lets its own holder in again: a second wake-up in the same process asks no node."""
    world = await a_world()
    order = await a_bound_order(world)
    asked: list[int] = []

    async def wake_again(seconds: float) -> None:
        before = world.chain.calls["observe"]
        assert await world.settlement.follow() == Followed(again=False)
        asked.append(world.chain.calls["observe"] - before)
        await world.a_block_passes(seconds)

    world.settlement = replace(world.settlement, sleep=wake_again)

    await world.settlement.follow()

    assert await world.status(order) is OrderStatus.PAID
    assert set(asked) == {0}


async def test_a_lost_lease_stops_following(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host goes on; what is open is woken again."""
    world = await a_world()
    await a_bound_order(world)

    renew = Leases.renew

    async def lost(self: Leases, lease: Lease, *, ttl_ms: int) -> Lease | None:
        return await renew(self, lease, ttl_ms=ttl_ms) if not lease.until_ms else None  # only as it is acquired

    monkeypatch.setattr(Leases, "renew", lost)

    assert await world.settlement.follow() == Followed(again=True)
    assert world.chain.calls["observe"] == 1


async def test_following_ends_after_four_minutes_and_wakes_itself() -> None:
    """A host's time-out never cuts it off."""
    world = await a_world()
    await a_bound_order(world)
    world.chain.miss_finality()
    began_ms = world.clock()

    followed = await world.settlement.follow()

    assert followed == Followed(again=True)
    assert FOLLOW_MS <= world.clock() - began_ms < FOLLOW_MS + 10_000


@pytest.mark.parametrize("trouble", [FakeChain.miss_finality, FakeChain.go_down, FakeChain.serve_other_chain])
async def test_what_stands_still_for_minutes_is_left_to_the_sweep(trouble: Callable[[FakeChain], None]) -> None:
    """A stuck transaction or a dead node keeps no instance busy: five minutes, then one look for each wake-up."""
    world = await a_world()
    order = await a_bound_order(world)
    trouble(world.chain)
    began_ms = world.clock()

    assert await world.settlement.follow() == Followed(again=True)
    assert await world.settlement.follow() == Followed(again=False)
    assert STILL_MS <= world.clock() - began_ms < STILL_MS + 10_000

    for _ in range(10):
        world.clock.advance(60_000)
        assert (await Sweep(ledger=world.ledger, clock=world.clock).run()).settle
        woken_ms = world.clock()
        assert await world.settlement.follow() == Followed(again=False)
        assert world.clock() - woken_ms < 10_000
    assert await world.status(order) is OrderStatus.BOUND


async def test_a_transaction_that_moves_again_is_paid_by_the_sweeps_looks() -> None:
    """The look that finds it final closes it, and fills the slot that comes free."""
    world = await a_world()
    order = await a_bound_order(world)
    world.chain.stall_finality()
    await world.settlement.follow()
    await world.settlement.follow()
    world.chain.resume_finality()

    world.clock.advance(60_000)
    assert await world.settlement.follow() == Followed(again=False)
    assert await world.status(order) is OrderStatus.PAID
    assert not await world.ledger.any_open()


async def test_another_ledgers_settings_keep_no_instance_busy() -> None:
    """Nothing is judged, and nothing becomes otherwise before a person has corrected them."""
    world = await a_world()
    await a_bound_order(world)
    world.clock.advance(STILL_MS)
    steps = replace(world.settlement.steps, identity=replace(world.settlement.steps.identity, chain_id=80002))

    assert await replace(world.settlement, steps=steps).follow() == Followed(again=False)


async def test_a_fresh_transaction_is_followed_beside_one_that_stands_still() -> None:
    """One that is stuck takes no second of the others, and they none of it."""
    world = await a_world()
    stuck = await a_bound_order(world)
    world.chain.drop(await world.last_hash(stuck))
    world.chain.spend_nonce(OPERATOR)
    world.clock.advance(STILL_MS)
    fresh = await a_bound_order(world)

    assert await world.settlement.follow() == Followed(again=False)
    assert (await world.status(stuck), await world.status(fresh)) == (OrderStatus.BOUND, OrderStatus.PAID)


async def test_what_was_bound_while_the_lease_was_held_wakes_settlement_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its wake-up found settlement busy and is gone."""
    world = await a_world()
    release = Leases.release

    async def bind_then_release(self: Leases, lease: Lease) -> None:
        monkeypatch.setattr(Leases, "release", release)
        await a_bound_order(world)
        await release(self, lease)

    monkeypatch.setattr(Leases, "release", bind_then_release)

    assert await world.settlement.follow() == Followed(again=True)


@pytest.mark.parametrize("trouble", [FakeChain.go_down, FakeChain.serve_other_chain])
async def test_silent_nodes_say_nothing(trouble: Callable[[FakeChain], None]) -> None:
    """A minute without an answer changes no row; then it goes on."""
    world = await a_world()
    order = await a_bound_order(world)
    trouble(world.chain)
    before = await world.ledger.transaction(OPERATOR, 0)

    for _ in range(3):
        assert (await world.settlement._go_on()).goes_on
    assert await world.ledger.transaction(OPERATOR, 0) == before

    world.chain.come_back()
    world.chain.serve_other_chain(elsewhere=False)
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID


async def test_a_process_killed_between_binding_and_submitting_loses_nothing() -> None:
    """The bytes are in the ledger: settlement submits them."""
    world = await a_world()
    order = await world.receive()
    world.chain.lose_answers(acted=False)
    await world.distribution.drain()
    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert transaction is not None
    await world.ledger.update(replace(transaction, status=TransactionStatus.SIGNED, submitted_ms=None))
    world.start()

    await world.settlement.follow()

    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_a_forgotten_transaction_is_submitted_again_with_the_same_bytes() -> None:
    """A dropped transaction comes back under the same hash."""
    world = await a_world()
    order = await a_bound_order(world)
    tx_hash = await world.last_hash(order)
    world.chain.drop(tx_hash)

    await world.settle(7)

    assert {sent.tx_hash for sent in world.chain.handed} == {tx_hash}
    assert await world.status(order) is OrderStatus.BOUND
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID


async def test_a_lost_answer_is_not_a_failure() -> None:
    """The pool has it, no answer said so: it is mined and paid once."""
    world = await a_world()
    order = await world.receive()
    world.chain.lose_answers(acted=True)
    await world.distribution.drain()

    await world.settlement.follow()

    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def a_stuck_order(world: World) -> Order:
    """Return an order in the pool under a base fee that makes its fees too low."""
    order = await a_bound_order(world)
    world.chain.set_base_fee(Wei(33 * GWEI))
    world.chain.rules.tip_wei = Wei(30 * GWEI)
    return order


async def test_a_stuck_transaction_is_replaced_once_its_fees_are_the_cause() -> None:
    """The same nonce, call and wallet; both fees higher; stored before it is submitted."""
    world = await a_world(limits=World().limits.model_copy(update={"max_fee_wei": Wei(200 * GWEI)}))
    order = await a_stuck_order(world)

    await world.settlement.follow()

    first, second = (sent.unsigned for sent in (world.chain.handed[0], world.chain.handed[-1]))
    assert second.fees.max_fee_wei * 10 >= first.fees.max_fee_wei * 11
    assert second.fees.tip_wei * 10 >= first.fees.tip_wei * 11
    assert (second.nonce, second.call, second.gas_limit) == (first.nonce, first.call, first.gas_limit)
    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1
    assert len(await world.ledger.attempts(OPERATOR, 0)) == 2


async def test_at_the_fee_ceiling_a_stuck_transaction_waits_and_alarms() -> None:
    """It goes on by itself when the price falls."""
    world = await a_world()
    order = await a_stuck_order(world)

    await world.settle(30)

    assert "replacement_ceiling" in world.alarms.codes
    assert len(await world.ledger.attempts(OPERATOR, 0)) == 1
    world.chain.set_base_fee(Wei(1 * GWEI))
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID


async def test_a_stuck_transaction_is_told_once_and_not_at_every_look() -> None:
    """Settlement looks every two seconds."""
    world = await a_world()
    await a_stuck_order(world)
    once = OnceAnHour(world.alarms, world.clock)
    world.settlement = replace(world.settlement, steps=replace(world.settlement.steps, alarms=once))

    await world.settle(60)

    assert world.alarms.codes == ["replacement_ceiling"]


async def test_a_replacement_without_its_key_alarms_and_keeps_trying() -> None:
    """The retired operator's key was removed too early: the stored bytes still go out."""
    world = await a_world(limits=World().limits.model_copy(update={"max_fee_wei": Wei(200 * GWEI)}))
    await a_stuck_order(world)
    world.settlement = replace(world.settlement, steps=replace(world.settlement.steps, signers={}))

    await world.settle(20)

    assert "operator_key_missing" in world.alarms.codes
    assert {sent.unsigned.nonce for sent in world.chain.handed} == {0}
    assert len({sent.tx_hash for sent in world.chain.handed}) == 1


async def test_a_replacement_that_the_vault_does_not_sign_is_told_and_the_first_bytes_go_on() -> None:
    """The vault signs again later, and then it is replaced."""
    world = await a_world(limits=World().limits.model_copy(update={"max_fee_wei": Wei(200 * GWEI)}))
    order = await a_stuck_order(world)
    world.signer.signs_only = 0

    await world.settle(20)

    assert world.alarms.codes.count("signer_unavailable") >= 1
    assert len({sent.tx_hash for sent in world.chain.handed}) == 1
    world.signer.signs_only = None
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_bytes_that_no_node_takes_are_signed_anew_within_the_limits() -> None:
    """The gas limit was above what a node takes; the corrected one pays under the same nonce."""
    world = await a_world(
        limits=World().limits.model_copy(update={"gas_limit": 90_000_000, "max_fee_wei": Wei(50 * GWEI)})
    )
    world.chain.refuse(SubmitOutcome.REFUSED)
    order = await a_bound_order(world)
    transaction = await world.ledger.transaction(OPERATOR, 0)
    assert transaction is not None
    assert transaction.last_outcome is SubmitOutcome.REFUSED
    world.limits = World().limits
    world.start()

    await world.settlement.follow()

    assert [attempt.gas_limit for attempt in await world.ledger.attempts(OPERATOR, 0)] == [90_000_000, 300_000]
    assert await world.status(order) is OrderStatus.PAID
    assert not world.alarms.raised


async def test_bytes_that_no_node_takes_and_nothing_can_correct_alarm() -> None:
    """They go on by themselves when a node changes its mind."""
    world = await a_world()
    world.chain.refuse(SubmitOutcome.REFUSED, times=3)
    order = await a_bound_order(world)

    await world.settlement.follow()

    assert set(world.alarms.codes) == {"submission_refused"}
    assert len(await world.ledger.attempts(OPERATOR, 0)) == 1
    assert await world.status(order) is OrderStatus.PAID


async def test_only_the_lowest_nonce_in_flight_is_replaced() -> None:
    """The others wait behind it; replacing them would pay more for nothing."""
    world = await a_world(limits=World().limits.model_copy(update={"max_fee_wei": Wei(200 * GWEI)}))
    for _ in range(3):
        await world.receive()
    await world.distribution.drain()
    world.chain.set_base_fee(Wei(33 * GWEI))
    world.chain.rules.tip_wei = Wei(30 * GWEI)

    for _ in range(16):
        await world.settlement.turn()
        world.clock.advance(2_000)

    assert [len(await world.ledger.attempts(OPERATOR, nonce)) for nonce in range(3)] == [2, 1, 1]


async def test_a_mined_transaction_is_paid_only_at_finality() -> None:
    """Three blocks on top, and the tag."""
    world = await a_world()
    order = await a_bound_order(world)
    world.chain.mine()

    await world.settlement.turn()
    assert await transaction_status(world) is TransactionStatus.MINED
    await world.settlement.turn()
    assert await world.status(order) is OrderStatus.BOUND

    world.chain.mine(3)
    await world.settlement.turn()
    assert await world.status(order) is OrderStatus.PAID


@pytest.mark.parametrize("keep", [True, False], ids=["put back", "forgotten"])
async def test_a_reorganisation_reopens_the_transaction(*, keep: bool) -> None:
    """Its block left the chain: the same bytes go out again, and it is paid once."""
    world = await a_world()
    order = await a_bound_order(world)
    await world.settle(2)
    assert await transaction_status(world) is TransactionStatus.MINED

    world.chain.reorg(2, keep=keep)
    await world.settlement.turn()

    assert await transaction_status(world) is TransactionStatus.SUBMITTED
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_a_revert_is_held_only_far_beyond_finality() -> None:
    """The nonce is used up for good before the order may get another one."""
    world = await a_world()
    order = await a_bound_order(world)
    world.chain.pause_authority()
    world.chain.mine(POLICY.min_confirmations + 1)

    await world.settle(2)
    assert await world.status(order) is OrderStatus.BOUND

    world.chain.mine(POLICY.release_confirmations)
    await world.settle(1)
    held = await world.order(order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.REVERTED)
    assert (held.operator, held.nonce) == (None, None)
    assert "held_reverted" in world.alarms.codes
    assert world.alarms.raised[-1].subject == str(order.key)
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert binding_state is not None
    assert binding_state.committed_units == 0


async def a_refused_order(world: World) -> Order:
    """Return an order whose transaction was refused by a paused authority, some blocks beyond any release."""
    order = await a_bound_order(world)
    world.chain.pause_authority()
    world.chain.mine(POLICY.min_confirmations + POLICY.release_confirmations + 1)
    return order


async def test_a_revert_is_held_with_what_the_contract_says_today() -> None:
    """The state of its block may be gone, so the words claim no more than that."""
    world = await a_world()
    order = await a_refused_order(world)

    await world.settle(2)

    receipt = world.chain.receipts[0]
    detail = (
        f"transaction {receipt.tx_hash} in block {receipt.block.number}; today it would refuse with: EnforcedPause()"
    )
    assert (await world.order(order)).hold_detail == detail


async def test_a_revert_that_would_pay_today_is_held_without_a_guess() -> None:
    """The authority was unpaused meanwhile: what stopped it then is not known."""
    world = await a_world()
    order = await a_refused_order(world)
    world.chain.pause_authority(paused=False)

    await world.settle(2)

    assert "today" not in (await world.order(order)).hold_detail


@pytest.mark.parametrize("trouble", [ChainUnavailable, WrongChain])
async def test_a_revert_is_released_without_a_hint_when_no_node_can_say(
    monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]
) -> None:
    """The receipt decided; the reason is for people."""
    world = await a_world()
    order = await a_refused_order(world)

    async def silent(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(FakeChain, "simulate", silent)
    await world.settle(2)

    held = await world.order(order)
    assert (held.hold_reason, "today" in held.hold_detail) == (HoldReason.REVERTED, False)


async def test_success_without_a_transfer_is_held() -> None:
    """An authority that does nothing and succeeds pays nobody."""
    world = await a_world()
    order = await a_bound_order(world)
    world.chain.rules.behaviour = Behaviour.SILENT

    await world.settlement.follow()

    held = await world.order(order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.NO_TRANSFER)


async def test_a_nonce_used_by_somebody_else_alarms_and_releases_nothing() -> None:
    """The orders stay bound until a person has found that transaction."""
    world = await a_world()
    order = await a_bound_order(world)
    world.chain.drop(await world.last_hash(order))
    world.chain.spend_nonce(OPERATOR)

    for _ in range(20):
        await world.settlement.turn()
        world.clock.advance(2_000)

    assert set(world.alarms.codes) == {"nonce_lost"}
    assert await world.status(order) is OrderStatus.BOUND


async def test_a_lost_nonce_is_looked_at_once_a_minute_and_no_more() -> None:
    """Only a person can end it: settlement returns and does not wake itself; the sweep wakes it."""
    world = await a_world()
    order = await a_bound_order(world)
    world.chain.drop(await world.last_hash(order))
    world.chain.spend_nonce(OPERATOR)

    followed = await world.settlement.follow()
    looks = world.chain.calls["observe"]

    assert followed == Followed(again=False)
    assert await world.settlement.follow() == Followed(again=False)
    assert world.chain.calls["observe"] == looks + 1
    assert (await Sweep(ledger=world.ledger, clock=world.clock).run()).settle


async def test_a_lost_nonce_does_not_keep_others_from_being_followed() -> None:
    """Those behind it are paid; what was bound while settlement returned is woken at once."""
    world = await a_world()
    lost = await a_bound_order(world)
    world.chain.drop(await world.last_hash(lost))
    world.chain.spend_nonce(OPERATOR)
    others = [await a_bound_order(world) for _ in range(3)]

    followed = await world.settlement.follow()

    assert followed == Followed(again=False)
    assert {await world.status(order) for order in others} == {OrderStatus.PAID}
    assert await world.status(lost) is OrderStatus.BOUND


async def test_what_was_bound_while_a_nonce_is_lost_wakes_settlement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its wake-up found settlement busy with what only a person can end."""
    world = await a_world()
    lost = await a_bound_order(world)
    world.chain.drop(await world.last_hash(lost))
    world.chain.spend_nonce(OPERATOR)
    release = Leases.release

    async def bind_then_release(self: Leases, lease: Lease) -> None:
        monkeypatch.setattr(Leases, "release", release)
        await world.ledger.admin.resume("ana", "looked")
        await a_bound_order(world)
        await release(self, lease)

    monkeypatch.setattr(Leases, "release", bind_then_release)

    assert await world.settlement.follow() == Followed(again=True)


async def test_a_transaction_changed_by_another_worker_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loser of the race stops quietly and looks again next turn."""
    world = await a_world()
    await a_bound_order(world)
    world.chain.mine()
    observe = FakeChain.snapshot
    rival = world.a_settlement(world.distribution)

    async def raced(self: FakeChain, *args: Any, **named: Any) -> Any:
        monkeypatch.setattr(FakeChain, "snapshot", observe)
        seen = await observe(self, *args, **named)
        await rival.turn()
        return seen

    monkeypatch.setattr(FakeChain, "snapshot", raced)

    turn = await world.settlement.turn()

    assert turn == Turn(open=1)
    assert await transaction_status(world) is TransactionStatus.MINED


async def test_a_bound_order_that_is_gone_is_a_broken_ledger() -> None:
    """Nothing is closed on a guess."""
    world = await a_world()
    order = await a_bound_order(world)
    await world.settle(2)
    world.chain.mine(5)
    world.rows.remove(f"order:{order.key}")

    with pytest.raises(InvariantBroken, match=f"order:{order.key} is missing"):
        await world.settlement.turn()


async def test_a_broken_row_does_not_stop_what_is_paid_beside_it() -> None:
    """One order is gone, one transaction is mined in no block: an alarm each time, and the others end."""
    world = await a_world()
    gone, blockless, *others = [await a_bound_order(world) for _ in range(4)]
    await world.settle(2)
    world.rows.remove(f"order:{gone.key}")
    transaction = await world.ledger.transaction(OPERATOR, 1)
    assert transaction is not None
    world.chain.hide_receipt(await world.last_hash(blockless))
    await world.ledger.update(replace(transaction, block_number=None))
    world.chain.mine(5)

    with pytest.raises(InvariantBroken, match=r"mined in no block; .*is missing"):
        await world.settlement.turn()

    assert {await world.status(order) for order in others} == {OrderStatus.PAID}


async def a_paid_order(world: World) -> Order:
    """Return an order that is final."""
    order = await a_bound_order(world)
    await world.settlement.follow()
    paid = await world.order(order)
    assert paid.status is OrderStatus.PAID
    return paid


async def test_something_final_that_leaves_the_chain_pauses_the_payouts() -> None:
    """After a minute: pause, alarm, and nothing more is bound until a person has looked; what is open is followed."""
    world = await a_world()
    paid = await a_paid_order(world)
    followed = await a_bound_order(world)
    world.chain.reorg(world.chain.head.number)

    for _ in range(2):
        await world.settlement.follow()
    waits = await world.receive()
    await world.distribution.drain()

    pause_state = await world.ledger.admin.pause_state()
    assert (pause_state.paused, pause_state.paused_by) == (True, "finality")
    assert world.alarms.codes == ["finality_violated", "waiting_paused"]
    assert f"Block {paid.paid_block}," in pause_state.paused_why
    assert await world.status(followed) is OrderStatus.PAID
    assert await world.status(waits) is OrderStatus.RECEIVED


async def test_a_person_may_resume_after_a_broken_finality() -> None:
    """The alarm comes once; the next closing is watched in its own block."""
    world = await a_world()
    await a_paid_order(world)
    await a_bound_order(world)
    world.chain.reorg(world.chain.head.number)
    await world.settlement.follow()
    await world.ledger.admin.resume("ana", "compared with two nodes")

    order = await a_paid_order(world)

    assert world.alarms.codes == ["finality_violated"]
    assert (await world.ledger.stats(OPERATOR)).final_number == (await world.order(order)).paid_block


async def test_a_closing_in_the_same_moment_is_the_next_to_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another settler closed a transaction between the pause and the forgetting: its block counts now."""
    world = await a_world()
    await a_paid_order(world)
    await a_bound_order(world)
    world.chain.reorg(world.chain.head.number)
    forget = Ledger.forget_final

    async def raced(self: Ledger, operator: Address, stats: Stats) -> None:
        await forget(self, operator, stats)
        await forget(self, operator, stats)

    monkeypatch.setattr(Ledger, "forget_final", raced)

    await world.settle(32)

    assert (await world.ledger.admin.pause_state()).paused


@pytest.mark.parametrize("trouble", [lambda chain: chain.reorg(1), lambda chain: chain.lag(50)], ids=["shallow", "lag"])
async def test_a_shallow_reorganisation_or_a_lagging_node_breaks_no_promise(
    trouble: Callable[[FakeChain], None],
) -> None:
    """The block is still there, or the node has not reached it."""
    world = await a_world()
    await a_paid_order(world)
    await a_bound_order(world)
    trouble(world.chain)

    await world.settlement.turn()

    assert not (await world.ledger.admin.pause_state()).paused
    assert not world.alarms.raised


async def test_nothing_is_judged_by_another_ledgers_settings() -> None:
    """Found-faults A15: RESERVE changed with an order open: paid on chain, held as no_transfer, and paid again."""
    world = await a_world()
    order = await a_bound_order(world)
    world.chain.mine(8)
    right = world.identity
    world.identity = replace(right, reserve=OPERATOR)
    world.start()

    await world.settle(3)
    assert await world.status(order) is OrderStatus.BOUND
    assert world.alarms.codes == ["waiting_ledger_foreign"] * 3
    world.identity = right
    world.start()
    await world.settle(3)

    assert await world.status(order) is OrderStatus.PAID


async def a_replaced_order(world: World) -> tuple[Order, Hash, Hash]:
    """Return an order with two attempts, and their hashes."""
    order = await a_stuck_order(world)
    while len(attempts := await world.ledger.attempts(OPERATOR, 0)) < 2:
        await world.settle()
    return order, attempts[0].tx_hash, attempts[1].tx_hash


async def test_of_two_receipts_for_one_nonce_the_one_on_the_shown_chain_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines behind one address stand on two forks: the block of each is asked for, and the order is paid once."""
    world = await a_world(limits=World().limits.model_copy(update={"max_fee_wei": Wei(200 * GWEI)}))
    order, first, second = await a_replaced_order(world)
    world.chain.set_base_fee(Wei(1 * GWEI))
    world.chain.mine()
    (mined,) = world.chain.receipts
    other = first if mined.tx_hash == second else second
    rival = replace(mined, tx_hash=other, block=a_block(mined.block.number - 1, "a fork"))
    observe = FakeChain.snapshot

    async def two_forks(self: FakeChain, *args: Any, **named: Any) -> Any:
        seen = await observe(self, *args, **named)
        return replace(seen, receipts={**seen.receipts, other: rival} if mined.tx_hash in seen.receipts else {})

    monkeypatch.setattr(FakeChain, "snapshot", two_forks)
    await world.settle(8)

    assert (await world.order(order)).paid_hash == mined.tx_hash
    assert len(world.transfers()) == 1


async def test_two_receipts_that_no_node_can_place_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither block is the shown chain's: the nonce stays as it is."""
    world = await a_world(limits=World().limits.model_copy(update={"max_fee_wei": Wei(200 * GWEI)}))
    order, first, second = await a_replaced_order(world)
    world.chain.set_base_fee(Wei(1 * GWEI))
    world.chain.mine()
    (mined,) = world.chain.receipts
    observe = FakeChain.snapshot

    async def two_forks(self: FakeChain, *args: Any, **named: Any) -> Any:
        seen = await observe(self, *args, **named)
        both = {each: replace(mined, tx_hash=each, block=a_block(mined.block.number, each)) for each in (first, second)}
        return replace(seen, receipts=both)

    monkeypatch.setattr(FakeChain, "snapshot", two_forks)
    await world.settle(8)

    assert await world.status(order) is OrderStatus.BOUND
    assert await transaction_status(world) is TransactionStatus.SUBMITTED


@pytest.mark.parametrize("away", [True, False])
async def test_a_receipt_that_one_node_cannot_read_is_read_at_another(*, away: bool) -> None:
    """While that one is away the transaction waits; nothing is concluded."""
    world = await a_world(chain=FakeChain(nodes=("one", "two")))
    order = await a_bound_order(world)
    world.chain.mine()
    world.chain.said_by("one").unreadable.add(await world.last_hash(order))
    if away:
        world.chain.go_down("two")

    assert await world.settlement.turn() == Turn(open=1)
    assert await transaction_status(world) is (TransactionStatus.SUBMITTED if away else TransactionStatus.MINED)


async def test_a_row_that_breaks_under_a_step_stops_nothing_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises an alarm, and the other transaction is marked as mined."""
    world = await a_world()
    await a_bound_order(world)
    await a_bound_order(world)
    world.chain.mine()
    update_all = Ledger.update_all

    async def broken(self: Ledger, transactions: Sequence[Transaction]) -> Any:
        if any(each.nonce == 0 for each in transactions):
            raise InvariantBroken("the row of nonce 0 is torn")
        return await update_all(self, transactions)

    monkeypatch.setattr(Ledger, "update_all", broken)
    with pytest.raises(InvariantBroken, match=r"^the row of nonce 0 is torn$"):
        await world.settlement.turn()

    assert await transaction_status(world, 1) is TransactionStatus.MINED


async def test_what_another_settler_reopened_is_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its confirmation and its closing the block leaves the chain, and the other one has seen that."""
    world = await a_world()
    order = await a_bound_order(world)
    await world.settle(2)
    world.chain.mine(5)
    close, rival = StepExecutor.close, world.a_settlement(world.distribution)

    async def raced(self: StepExecutor, judged: Sequence[tuple[Confirmed, Closing]]) -> Sequence[StepResult]:
        monkeypatch.setattr(StepExecutor, "close", close)
        world.chain.reorg(world.chain.head.number)
        await rival.turn()
        return await close(self, judged)

    monkeypatch.setattr(StepExecutor, "close", raced)

    assert await world.settlement.turn() == Turn(open=1)
    assert await world.status(order) is OrderStatus.BOUND
    await world.settlement.follow()
    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_an_order_that_is_gone_when_it_is_closed_stops_nothing_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was there when it was confirmed; the other one is paid, and the first raises an alarm."""
    world = await a_world()
    gone, beside = await a_bound_order(world), await a_bound_order(world)
    await world.settle(2)
    world.chain.mine(5)
    close = StepExecutor.close

    async def torn(self: StepExecutor, judged: Sequence[tuple[Confirmed, Closing]]) -> Sequence[StepResult]:
        if len(judged) > 1:
            world.rows.remove(f"order:{gone.key}")
        return await close(self, judged)

    monkeypatch.setattr(StepExecutor, "close", torn)
    with pytest.raises(InvariantBroken, match=f"order:{gone.key}"):
        await world.settlement.turn()

    assert await world.status(beside) is OrderStatus.PAID


async def test_a_transaction_that_cannot_be_judged_stops_nothing_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with it is raised at the end of the turn; the other one is paid."""
    world = await a_world()
    broken, beside = await a_bound_order(world), await a_bound_order(world)
    await world.settle(2)
    world.chain.mine(5)
    judge = StepExecutor.judge

    async def judging(self: StepExecutor, confirmed: Confirmed) -> Closing | None:
        if broken.key in confirmed.opened.transaction.orders:
            raise InvariantBroken("its attempt is gone")
        return await judge(self, confirmed)

    monkeypatch.setattr(StepExecutor, "judge", judging)
    with pytest.raises(InvariantBroken, match="its attempt is gone"):
        await world.settlement.turn()

    assert await world.status(beside) is OrderStatus.PAID
    assert await world.status(broken) is OrderStatus.BOUND


async def test_another_hosts_note_of_a_look_is_as_good_as_ours(caplog: pytest.LogCaptureFixture) -> None:
    """Both looked at everything: the settlement goes on, and says so in the log."""
    world = await a_world()
    await world.receive()
    await world.distribution.drain()

    async def first() -> None:
        raise Contention("another host wrote the row")

    service = world.ledger.service
    with caplog.at_level(logging.INFO), patch.object(type(service), "note_settlement_look", lambda _: first()):
        await world.settlement.follow()

    assert "settlement_look_noted_elsewhere" in caplog.text
