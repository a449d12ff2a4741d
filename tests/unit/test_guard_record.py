"""A person is kept from retrying or cancelling what the guard has recorded as paid, and gets the way out named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors import ChainUnavailable
from distributor.model import HoldReason, Order, OrderStatus
from distributor.payout import guard_record
from distributor.payout.corrected import Corrected
from distributor.payout.resumption import Resumption
from tests.factories import an_address
from tests.fakes.chain import CUSTOMERS, OPERATOR, FakeChain
from tests.fakes.chain_state import GUARD
from tests.unit.test_exits import ANA, a_correction
from tests.unit.test_ledger_age import a_ledger_that_went_back
from tests.unit.test_resolution import RELEASE
from tests.world import World, a_world

RETIRED = an_address("retired operator")


async def held(world: World) -> Order:
    """Return an order that waits for a person."""
    order = await world.receive()
    await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    return await world.order(order)


async def paid_and_forgotten() -> tuple[World, Order]:
    """The guard pays a held order for a copy of this ledger: same key, same reference."""
    world = await a_world(guarded=True)
    order = await held(world)
    world.chain.spend_nonce(OPERATOR, world.guard.pay(order))
    return world, order


async def test_what_the_guard_has_paid_is_neither_retried_nor_cancelled() -> None:
    """Also while it is not final; the sentence names the transaction and the way out, which works."""
    world, order = await paid_and_forgotten()
    payment = world.chain.state.payments[order.ref_id]

    retried = await guard_record.retry_obstacle(world.ledger, world.guard, order)
    cancelled = await guard_record.cancel_obstacle(world.ledger, world.guard, order)

    assert retried == cancelled
    assert f"`settle default/{order.order_id} --tx {payment.tx_hash}`" in retried
    correction = a_correction(world)
    assert await correction.settle(order, payment.tx_hash, ANA) is Corrected.NOT_FINAL
    world.chain.mine(RELEASE)
    assert await correction.settle(order, payment.tx_hash, None) is Corrected.PAID
    assert await world.status(order) is OrderStatus.HELD
    assert await correction.settle(order, payment.tx_hash, ANA) is Corrected.PAID
    paid = await world.order(order)
    assert (paid.status, paid.paid_hash, paid.paid_log) == (OrderStatus.PAID, payment.tx_hash, payment.log_index)


async def test_the_guard_names_what_it_paid_and_a_like_order_is_not_settled_by_it() -> None:
    """Same wallet, same amount, another reference: the Transfer alone would fit."""
    world, order = await paid_and_forgotten()
    twin = await held(world)
    world.chain.mine(RELEASE)
    tx_hash = world.chain.state.payments[order.ref_id].tx_hash

    assert await a_correction(world).settle(twin, tx_hash, ANA) is not Corrected.PAID
    assert await world.status(twin) is OrderStatus.HELD


async def test_a_reference_that_paid_something_else_is_cancelled_and_never_retried() -> None:
    """The guard never pays it again, so cancelling is its only end."""
    world, order = await paid_and_forgotten()
    other = replace(order, wallet=CUSTOMERS[1])

    assert "`cancel` it" in await guard_record.retry_obstacle(world.ledger, world.guard, other)
    assert await guard_record.cancel_obstacle(world.ledger, world.guard, other) == ""


async def test_a_used_reference_is_never_retried_where_no_guard_refuses_it() -> None:
    """A rebuild found the payment and a person accepted it; nothing else remembers it, and it would be paid again."""
    for guarded in (True, False):
        world = await a_world(guarded=guarded)
        order = await world.receive()
        await world.ledger.hold(order, HoldReason.REFERENCE_USED, "Transaction 0x1 paid it.")

        obstacle = await guard_record.retry_obstacle(world.ledger, world.guard, await world.order(order))

        assert "Transaction 0x1 paid it." in obstacle
        assert "`cancel` it" in obstacle


async def test_an_unseen_id_that_the_guard_has_paid_is_not_barred() -> None:
    """The ledger is older than the chain: barring would call a paid order cancelled."""
    world, order = await paid_and_forgotten()

    assert "`rebuild`" in await guard_record.bar_obstacle(world.ledger, world.guard, order.ref_id)


async def test_what_the_guard_has_not_paid_is_for_the_person_to_decide() -> None:
    """With a guard that knows nothing of it, and without one."""
    for guarded in (True, False):
        world = await a_world(guarded=guarded)
        order = await held(world)

        assert await guard_record.retry_obstacle(world.ledger, world.guard, order) == ""
        assert await guard_record.cancel_obstacle(world.ledger, world.guard, order) == ""
        assert await guard_record.bar_obstacle(world.ledger, world.guard, order.ref_id) == ""


async def test_silent_nodes_are_no_permission() -> None:
    """Whether it is paid is not known, so nothing is done."""
    world, order = await paid_and_forgotten()
    world.guard.silent = True

    with pytest.raises(ChainUnavailable):
        await guard_record.retry_obstacle(world.ledger, world.guard, order)


# resume --------------------------------------------------------------------------------------------


def a_resumption(world: World) -> Resumption:
    """Return the look of a person who resumes in that world."""
    return Resumption(ledger=world.ledger, chain=world.chain, guard=world.guard)


async def test_a_person_in_a_hurry_does_not_resume_past_a_sign_that_is_there() -> None:
    """The pool still shows what the ledger forgot: the switch stays closed, and the ways out are named."""
    world = await a_ledger_that_went_back()
    await world.ledger.admin.pause("ana", "looks")

    (obstacle,) = await a_resumption(world).obstacles()

    assert "the ledger's next nonce is 1" in obstacle
    assert "`rebuild`" in obstacle


async def test_nothing_speaks_against_a_ledger_of_the_chains_age() -> None:
    """With a guard and without."""
    for guarded in (True, False):
        world = await a_world(guarded=guarded)
        await world.receive()
        await world.distribution.drain()

        assert await a_resumption(world).obstacles() == []


async def test_a_key_that_can_pay_without_the_guard_keeps_the_switch_closed() -> None:
    """A retired one too: every operator the ledger ever knew is asked about."""
    world = await a_world(guarded=True, chain=FakeChain(operators=(OPERATOR, RETIRED)))
    await world.ledger.admin.add_operator(RETIRED, 0)
    world.chain.rules.operators = {GUARD, RETIRED}

    (obstacle,) = await a_resumption(world).obstacles()

    assert f"{RETIRED} can pay without guard {GUARD}" in obstacle
