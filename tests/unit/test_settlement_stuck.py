"""Transactions that are not mined: submitted again, replaced, at the ceiling."""

from __future__ import annotations

from dataclasses import replace

from distributor.adapters.alarms import OnceAnHour
from distributor.model import (
    OrderStatus,
    SubmitOutcome,
    TransactionStatus,
)
from distributor.units import Wei
from tests.factories import GWEI
from tests.fakes.chain import OPERATOR
from tests.settling import (
    a_bound_order,
    a_stuck_order,
)
from tests.world import World, a_world


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
