"""Payouts through a guard, from the backlog to their end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode

from distributor.chain.guard import read_outcomes
from distributor.chain_types import Block, Call, GuardPayment, Mark
from distributor.ledger import keys
from distributor.model import Attempt, AttemptKind, Fees, HoldReason, Order, OrderStatus, SubmitOutcome, Transaction
from distributor.payout import guard_calls, submission
from distributor.payout.guard_outcomes import is_same_payment
from distributor.payout.lifecycle import CANCEL_GAS, payment_gas
from distributor.ports import UnsignedTransaction
from distributor.state import WaitingReason
from distributor.units import TokenUnits, Wei
from tests import factories
from tests.fakes.bench import bind
from tests.fakes.chain import OPERATOR, FakeChain
from tests.fakes.chain_state import CUSTOMERS, GUARD, Behaviour
from tests.world import World, a_world, tokens

FINALITY_BLOCKS = 5
NODES = ("one", "two")


async def a_guarded_world(**options: Any) -> World:
    """Return a world that pays through a guard."""
    return await a_world(guarded=True, **options)


async def waits_for(world: World) -> WaitingReason | None:
    """Return why orders wait."""
    return (await world.ledger.service.why_waiting()).reason


async def settled(world: World, *orders: Order) -> list[OrderStatus]:
    """Bind what waits, let it become final, and return where *orders* are then."""
    await world.distribution.drain()
    await world.settle(FINALITY_BLOCKS)
    return [await world.status(order) for order in orders]


async def fails(world: World, order: Order) -> None:
    """Bind *order*, let its item fail in the block and nowhere else, and close it; leave the payouts paused."""
    await world.distribution.drain()
    world.chain.rules.refused_wallets.add(order.wallet)
    await world.a_block_passes()
    world.chain.rules.refused_wallets.clear()
    await world.ledger.admin.pause("a test", "look at it")
    await world.settle(FINALITY_BLOCKS)


def pay_elsewhere(world: World, order: Order, **changes: Any) -> GuardPayment:
    """Let somebody else pay *order*, or something else under its reference, through the same guard."""
    other = replace(order, **changes)
    key = factories.an_address("another hot key")
    world.chain.rules.hot_keys.add(key)
    world.chain.spend_nonce(key, world.guard.pay(other))
    return world.chain.state.payments[order.ref_id]


async def test_an_order_is_paid_through_the_guard_by_its_own_event() -> None:
    """The proof is the guard's event, and the order keeps its place in the block."""
    world = await a_guarded_world()
    order = await world.receive()

    assert await settled(world, order) == [OrderStatus.PAID]
    found = await world.order(order)
    payment = world.chain.state.payments[order.ref_id]
    assert (found.paid_hash, found.paid_block) == (payment.tx_hash, payment.block.number)
    assert found.paid_log == payment.log_index
    (sent,) = world.chain.handed
    assert sent.unsigned.call.to == GUARD
    assert sent.unsigned.gas_limit == guard_calls.gas_needed(guard_calls.ITEM_GAS, 1)


async def test_a_failed_item_waits_again_with_its_reason_and_is_paid_later() -> None:
    """Nothing moved; the guard would refuse a second payment whichever transaction won."""
    world = await a_guarded_world()
    order = await world.receive(wallet=CUSTOMERS[1])
    await fails(world, order)

    found = await world.order(order)
    assert (found.status, found.nonce, found.item_failures) == (OrderStatus.RECEIVED, None, 1)
    assert "wallet refused" in found.hold_detail
    assert (await world.ledger.binding_state(OPERATOR)).committed_units == 0  # type: ignore[union-attr]
    await world.ledger.admin.resume("a test", "looked")
    assert await settled(world, order) == [OrderStatus.PAID]
    assert len(world.transfers()) == 1


async def test_a_second_failure_of_its_own_holds_an_order() -> None:
    """A person looks; the reason is in the detail."""
    world = await a_guarded_world()
    order = await world.receive(wallet=CUSTOMERS[1])
    for _ in range(2):
        await world.ledger.admin.resume("a test", "looked")
        await fails(world, order)

    found = await world.order(order)
    assert (found.status, found.hold_reason, found.nonce) == (OrderStatus.HELD, HoldReason.ITEM_FAILED, None)
    assert "wallet refused" in found.hold_detail
    assert world.alarms.codes[-1] == "held_item_failed"


async def test_a_reason_of_the_whole_service_blames_no_order() -> None:
    """An Authority that is paused between simulation and block does not count against the order."""
    world = await a_guarded_world()
    order = await world.receive()
    for _ in range(3):
        await world.distribution.drain()
        world.chain.pause_authority()
        await world.a_block_passes()
        await world.settle(FINALITY_BLOCKS)
        world.chain.pause_authority(paused=False)

    found = await world.order(order)
    assert (found.status, found.item_failures) == (OrderStatus.RECEIVED, None)
    assert await settled(world, order) == [OrderStatus.PAID]


async def test_one_reference_from_two_ledgers_ends_paid_by_one_hash() -> None:
    """Ours was bound when the other's was mined: it ends AlreadyPaid, and the record says by what."""
    world = await a_guarded_world()
    order = await world.receive()
    await world.distribution.drain()
    payment = pay_elsewhere(world, order)
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    found = await world.order(order)
    assert (found.status, found.paid_hash, found.paid_log) == (OrderStatus.PAID, payment.tx_hash, payment.log_index)
    assert "paid_elsewhere" in world.alarms.codes
    assert len(world.transfers()) == 1
    assert await world.rows.get(keys.payment_hash(payment.tx_hash, order.key)) is not None  # `orders --hash` finds it


async def test_an_order_that_was_paid_before_by_that_hash_is_closed_all_the_same() -> None:
    """The row by which the hash leads to it is there: reopened meanwhile, and bound again."""
    world = await a_guarded_world()
    order = await world.receive()
    await world.distribution.drain()
    payment = pay_elsewhere(world, order)
    world.rows.put(keys.payment_hash(payment.tx_hash, order.key), {"source": order.source, "order_id": order.order_id})
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    assert await world.status(order) is OrderStatus.PAID


async def test_a_reference_that_paid_something_else_holds_its_order() -> None:
    """It can never be paid under this id; the detail says what was."""
    world = await a_guarded_world()
    order = await world.receive()
    await world.distribution.drain()
    pay_elsewhere(world, order, amount_units=tokens(3))
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    found = await world.order(order)
    assert (found.status, found.hold_reason) == (OrderStatus.HELD, HoldReason.REFERENCE_USED)
    assert str(tokens(3)) in found.hold_detail


async def test_nodes_that_do_not_say_who_paid_leave_the_transaction_open(caplog: pytest.LogCaptureFixture) -> None:
    """It is closed when they say it; until then the log says for which order it waits."""
    world = await a_guarded_world()
    order = await world.receive()
    await world.distribution.drain()
    pay_elsewhere(world, order)
    world.guard.silent = True
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    assert await world.status(order) is OrderStatus.BOUND
    assert f'"record_unknown", "order": "{order.key}"' in caplog.text
    world.guard.silent = False
    await world.settle()
    assert await world.status(order) is OrderStatus.PAID


async def test_an_order_that_was_paid_elsewhere_is_adopted_before_it_is_bound() -> None:
    """The simulation says so; once the payment is final the order is paid by it and nothing is sent."""
    world = await a_guarded_world()
    order = await world.receive()
    payment = pay_elsewhere(world, order)
    await world.distribution.drain()
    assert await world.status(order) is OrderStatus.RECEIVED  # not final yet

    world.chain.mine(FINALITY_BLOCKS)
    await world.distribution.drain()
    found = await world.order(order)
    assert (found.status, found.paid_hash) == (OrderStatus.PAID, payment.tx_hash)
    assert world.chain.handed == []
    assert (await world.ledger.waiting(limit=1)).orders == ()


@pytest.mark.parametrize("liar", NODES)
async def test_no_order_is_adopted_by_one_nodes_word_of_finality(liar: str) -> None:
    """Found-faults A27: a reorganisation takes the payment back, and the order is paid by no transaction for good."""
    world = await a_guarded_world(chain=FakeChain(nodes=NODES))
    world.chain.stall_finality()
    order = await world.receive()
    payment = pay_elsewhere(world, order)
    world.chain.mine(FINALITY_BLOCKS)
    head = world.chain.head.number
    world.chain.said_by(liar).mark = Mark(head, head)

    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED
    world.chain.said_by(liar).mark = None
    world.chain.resume_finality()
    world.chain.mine(FINALITY_BLOCKS)
    await world.distribution.drain()
    assert (await world.order(order)).paid_hash == payment.tx_hash


async def test_an_order_that_was_paid_elsewhere_waits_while_no_two_nodes_know_of_finality() -> None:
    """The others go on."""
    world = await a_guarded_world()
    order = await world.receive()
    pay_elsewhere(world, order)
    world.chain.miss_finality()
    other = await world.receive()
    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED
    assert await world.status(other) is OrderStatus.BOUND


async def test_another_content_under_its_reference_holds_a_waiting_order() -> None:
    """It is not adopted, and not bound."""
    world = await a_guarded_world()
    order = await world.receive()
    pay_elsewhere(world, order, wallet=CUSTOMERS[2])
    world.chain.mine(FINALITY_BLOCKS)
    await world.distribution.drain()

    assert (await world.order(order)).hold_reason is HoldReason.REFERENCE_USED
    assert world.chain.handed == []


async def test_silent_nodes_leave_a_paid_reference_waiting() -> None:
    """Nothing is adopted on fewer words than there should be."""
    world = await a_guarded_world()
    order = await world.receive()
    pay_elsewhere(world, order)
    world.chain.mine(FINALITY_BLOCKS)
    world.guard.silent = True
    await world.distribution.drain()

    assert await world.status(order) is OrderStatus.RECEIVED


async def test_a_guard_without_role_waits_and_burns_nothing() -> None:
    """The simulation meets it; as soon as it has the role, the order is paid."""
    world = await a_guarded_world()
    world.chain.rules.operators.clear()
    order = await world.receive()
    await world.distribution.drain()

    assert await waits_for(world) is WaitingReason.ROLE_MISSING
    assert world.chain.handed == []
    world.chain.grant_role(GUARD)
    assert await settled(world, order) == [OrderStatus.PAID]


async def test_a_paused_guard_waits_and_burns_nothing() -> None:
    """Its pause is another one's than the Authority's."""
    world = await a_guarded_world()
    world.chain.rules.guard_paused = True
    await world.receive()
    await world.distribution.drain()

    assert await waits_for(world) is WaitingReason.GUARD_PAUSED
    assert world.chain.handed == []


async def test_a_key_with_a_role_of_its_own_stops_all_binding() -> None:
    """Around the guard a reference could be paid once more."""
    world = await a_guarded_world()
    world.chain.grant_role(OPERATOR)
    await world.receive()
    await world.distribution.drain()

    assert await waits_for(world) is WaitingReason.GUARD_BYPASSED
    assert world.chain.handed == []


async def test_a_guard_that_is_paused_with_transactions_open_gives_all_orders_back() -> None:
    """Each transaction is refused as a whole, and says nothing about its order; two in a row pause the payouts."""
    world = await a_guarded_world()
    orders = [await world.receive() for _ in range(3)]
    await world.distribution.drain()
    world.chain.rules.guard_paused = True
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    assert [await world.status(order) for order in orders] == [OrderStatus.RECEIVED] * 3
    assert {(await world.order(order)).item_failures for order in orders} == {None}
    assert {"batch_reverted", "payouts_paused"} <= set(world.alarms.codes)
    assert (await world.ledger.admin.pause_state()).paused
    world.chain.rules.guard_paused = False
    await world.ledger.admin.resume("a person", "unpaused")
    assert await settled(world, *orders) == [OrderStatus.PAID] * 3


async def test_one_whole_refusal_does_not_pause_and_a_payment_ends_the_row() -> None:
    """Only two in a row show that the path is broken."""
    world = await a_guarded_world()
    for _ in range(3):
        order = await world.receive()
        await world.distribution.drain()
        world.chain.rules.guard_paused = True
        await world.a_block_passes()
        world.chain.rules.guard_paused = False
        await world.settle(FINALITY_BLOCKS)
        await world.settle(FINALITY_BLOCKS)

        assert await world.status(order) is OrderStatus.PAID
        assert not (await world.ledger.admin.pause_state()).paused


async def test_a_guard_that_says_nothing_is_a_broken_path() -> None:
    """Neither event: nothing is proved, the payouts are paused, and the order is held far beyond finality."""
    world = await a_guarded_world()
    order = await world.receive()
    await world.distribution.drain()
    world.chain.rules.guard_is_mute = True
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    assert (await world.ledger.admin.pause_state()).paused
    assert await world.status(order) is OrderStatus.BOUND  # nothing vouches for it: as without a guard
    await world.settle(world.policy.release_confirmations + FINALITY_BLOCKS)
    assert (await world.order(order)).hold_reason is HoldReason.NO_TRANSFER


@pytest.mark.parametrize("guard", [None, factories.an_address("another guard")])
async def test_another_guard_in_the_settings_binds_nothing_and_settles_what_is_open(guard: Any) -> None:
    """Unset or changed: settlement goes on, judged by each transaction's own address."""
    world = await a_guarded_world()
    first = await world.receive()
    await world.distribution.drain()
    world.identity = replace(world.identity, guard=guard)
    world.start()
    second = await world.receive()
    await world.distribution.drain()
    assert await waits_for(world) is WaitingReason.GUARD_CHANGED
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    assert await world.status(first) is OrderStatus.PAID
    assert await world.status(second) is OrderStatus.RECEIVED


async def test_a_guard_that_is_set_while_plain_transactions_are_open_changes_nothing_for_them() -> None:
    """They went to the Authority, and are judged as that."""
    world = await a_world()
    order = await world.receive()
    await world.distribution.drain()
    await world.a_block_passes()
    world.guard.install(OPERATOR)
    world.identity = replace(world.identity, guard=GUARD)
    world.start()
    await world.settle(FINALITY_BLOCKS)

    found = await world.order(order)
    assert (found.status, found.paid_log) == (OrderStatus.PAID, None)


async def test_a_reorganisation_may_turn_failed_into_paid() -> None:
    """Only what is final counts: the order is bound once, and paid once."""
    world = await a_guarded_world()
    order = await world.receive(wallet=CUSTOMERS[1])
    await world.distribution.drain()
    world.chain.rules.refused_wallets.add(CUSTOMERS[1])
    await world.a_block_passes()
    await world.settlement.turn()
    world.chain.rules.refused_wallets.clear()
    world.chain.reorg(1)
    await world.settle(2 * FINALITY_BLOCKS)

    assert await world.status(order) is OrderStatus.PAID
    assert len(world.transfers()) == 1


async def test_a_cancelled_nonce_holds_its_order_as_without_a_guard() -> None:
    """A person cancelled it on purpose; binding it again at once would undo that."""
    world = await a_guarded_world()
    order = await world.receive()
    world.chain.refuse(SubmitOutcome.POOL_FULL, 1)
    await world.distribution.drain()
    found = await world.order(order)
    assert found.nonce is not None
    transaction = await world.ledger.transaction(OPERATOR, found.nonce)
    assert transaction is not None
    attempt = await cancel_attempt(world, transaction)
    await world.ledger.add_attempt(transaction, attempt)
    await world.chain.submit([attempt.raw])
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS + world.policy.release_confirmations)

    assert (await world.order(order)).hold_reason is HoldReason.NONCE_CANCELLED


async def cancel_attempt(world: World, transaction: Transaction) -> Attempt:
    """Sign an attempt that spends the nonce on nothing."""
    (first,) = await world.ledger.attempts(OPERATOR, transaction.nonce)
    unsigned = UnsignedTransaction(
        chain_id=world.identity.chain_id,
        nonce=transaction.nonce,
        call=submission.call_of(transaction, AttemptKind.CANCEL),
        gas_limit=CANCEL_GAS,
        fees=first.fees,
    )
    return await submission.sign_attempt(world.signer, unsigned, world.clock(), kind=AttemptKind.CANCEL, index=1)


async def test_a_refused_batch_is_corrected_with_the_gas_its_own_arguments_need() -> None:
    """Whatever is set today, the items of a signed call keep what they were promised."""
    world = await a_guarded_world()
    orders = [factories.an_order(name) for name in ("A", "B", "C")]
    call: Call = world.guard.pay(*orders)
    transaction = factories.a_transaction(to=call.to, data=call.data, orders=tuple(order.key for order in orders))

    assert payment_gas(transaction, factories.LIMITS) == guard_calls.gas_needed(guard_calls.ITEM_GAS, 3)
    plain = factories.a_transaction()
    assert payment_gas(plain, factories.LIMITS) == factories.LIMITS.gas_limit


async def test_an_authority_that_pays_short_fails_the_item_and_moves_nothing() -> None:
    """The simulation meets it first: the Authority refuses even the probe."""
    world = await a_guarded_world()
    world.chain.rules.behaviour = Behaviour.SHORT
    await world.receive()
    await world.distribution.drain()

    assert await waits_for(world) is WaitingReason.AUTHORITY_REFUSES
    assert world.transfers() == []


def test_a_payment_is_what_its_reference_wallet_and_amount_say() -> None:
    """Any difference is another payment."""
    order = factories.an_order()
    payment = GuardPayment(
        ref_id=order.ref_id,
        tx_hash=factories.a_hash("tx"),
        block=Block(number=1, block_hash=factories.a_hash("block")),
        log_index=3,
        wallet=order.wallet,
        amount_units=order.amount_units,
    )
    others = [
        replace(payment, ref_id=factories.a_hash("other")),
        replace(payment, wallet=factories.BOB),
        replace(payment, amount_units=TokenUnits(order.amount_units - 1)),
    ]

    assert is_same_payment(order, payment)
    assert not any(is_same_payment(order, other) for other in others)


def test_a_transaction_knows_itself_whether_it_went_through_a_guard() -> None:
    """Its call data say so, and nothing that is set today."""
    assert guard_calls.is_guarded(World(guarded=True).guard.probe(OPERATOR).data)
    assert not guard_calls.is_guarded(b"distribute")


async def bind_together(world: World, orders: list[Order]) -> None:
    """Bind *orders* to one nonce, as a batch, and hand it over."""
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert binding_state is not None
    call, now_ms = world.guard.pay(*orders), world.clock()
    unsigned = UnsignedTransaction(
        chain_id=world.identity.chain_id,
        nonce=binding_state.next_nonce,
        call=call,
        gas_limit=guard_calls.gas_of(call.data),
        fees=Fees(max_fee_wei=Wei(32 * factories.GWEI), tip_wei=Wei(30 * factories.GWEI)),
    )
    attempt = await submission.sign_attempt(world.signer, unsigned, now_ms, kind=AttemptKind.PAY, index=0)
    transaction = Transaction(
        operator=OPERATOR,
        nonce=binding_state.next_nonce,
        to=call.to,
        data=call.data,
        orders=tuple(order.key for order in orders),
        committed_units=TokenUnits(sum(order.amount_units for order in orders)),
        bound_day=binding_state.spent.day,
        bound_ms=now_ms,
    )
    _, stored = await bind(world.ledger, binding_state, orders, transaction, attempt)
    await submission.broadcast(world.ledger, world.chain, world.clock, [(stored, attempt)])


async def test_equal_items_of_one_batch_are_never_taken_for_each_other() -> None:
    """One is paid, one failed, one was paid by somebody else: each ends as its own reference says."""
    world = await a_guarded_world()
    paid, failed, elsewhere = orders = [await world.receive() for _ in range(3)]
    await bind_together(world, orders)
    payment = pay_elsewhere(world, elsewhere)
    world.chain.rules.failing_refs.add(failed.ref_id)
    await world.a_block_passes()
    await world.ledger.admin.pause("a test", "look at it")
    await world.settle(FINALITY_BLOCKS)

    assert [await world.status(order) for order in orders] == [
        OrderStatus.PAID,
        OrderStatus.RECEIVED,
        OrderStatus.PAID,
    ]
    assert (await world.order(paid)).paid_hash == world.chain.handed[0].tx_hash
    assert (await world.order(elsewhere)).paid_hash == payment.tx_hash
    binding_state = await world.ledger.binding_state(OPERATOR)
    assert binding_state is not None
    assert binding_state.committed_units == 0
    assert binding_state.spent.units == tokens(20)
    assert (await world.ledger.stats(OPERATOR)).orders_paid == 2


async def test_a_batch_that_is_refused_as_a_whole_gives_all_its_orders_back() -> None:
    """It says nothing about any of them; the alarm is sent once."""
    world = await a_guarded_world()
    orders = [await world.receive() for _ in range(3)]
    await bind_together(world, orders)
    world.chain.rules.guard_paused = True
    await world.a_block_passes()
    await world.settle(FINALITY_BLOCKS)

    assert [await world.status(order) for order in orders] == [OrderStatus.RECEIVED] * 3
    assert world.alarms.codes.count("batch_reverted") == 1
    assert not (await world.ledger.admin.pause_state()).paused


def test_a_contract_that_answers_for_no_item_is_no_guard() -> None:
    """Every call has one at least; an empty answer refuses none, and would be taken for a payment."""
    assert read_outcomes(encode(["(uint8,bytes)[]"], [[]])) is None
    paid = read_outcomes(encode(["(uint8,bytes)[]"], [[(1, b"")]]))
    assert paid is not None
    assert paid.items == (None,)
