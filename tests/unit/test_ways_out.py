"""
Every state has an exit by commands.

Each state that can be reached is driven to paid, cancelled or waiting by what a person can type; the table
of states and commands in the runbook names the same way out.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from distributor.ledger import keys
from distributor.model import HoldReason, Order, OrderKey, OrderStatus
from distributor.payout.authority_change import AuthorityChange
from distributor.payout.corrected import Corrected
from distributor.payout.resolution import Resolved
from distributor.payout.resumption import Resumption
from distributor.units import Wei
from foundation.tablestore.atomic import AtomicWrite, commit
from tests.factories import an_address
from tests.fakes.chain import OPERATOR, FakeChain
from tests.unit.test_authority_change import closed
from tests.unit.test_cancellation import cancel
from tests.unit.test_exits import ANA, a_correction, goes_on, paid
from tests.unit.test_reopening import adopted, by_a_rival, reopen, settle, unpaid
from tests.unit.test_resolution import RELEASE, resolve
from tests.unit.test_unbound_nonces import a_forgotten_payment, a_pool_that_remembers
from tests.world import World, a_world

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text("utf-8")


# each state, and the commands that lead out of it --------------------------------------------------


async def _held(world: World) -> Order:
    order = await world.receive()
    await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    await world.ledger.admin.retry(await world.order(order), "ana", "mended")
    return order


async def _held_for_good(world: World) -> Order:
    order = await world.receive()
    await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    await world.ledger.admin.cancel(await world.order(order), "ana", "fraud")
    return order


async def _held_and_paid(world: World) -> Order:
    order = await world.receive()
    await world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    tx_hash = world.chain.spend_nonce(OPERATOR, world.chain.pay(order))
    world.chain.mine(RELEASE)
    assert await a_correction(world).settle(await world.order(order), tx_hash, ANA) is Corrected.PAID
    await world.ledger.admin.pause("ana", "the stray nonce")
    assert await resolve(world, tx_hash) is Resolved.STEPPED_OVER
    return order


async def _paid_and_left_the_chain(world: World) -> Order:
    order = await paid(world)
    world.chain.reorg(world.chain.head.number, keep=False)
    said = await a_correction(world).resubmit(OPERATOR, 0, ANA)
    assert said[0] is Corrected.SUBMITTED
    world.chain.mine(2)
    assert len(world.transfers()) == 1
    return order


async def _paid_and_not_paid(world: World) -> Order:
    order = await paid(world)
    world.chain.reorg(world.chain.head.number, keep=False)
    other = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)
    await world.ledger.forget_final(OPERATOR, await world.ledger.stats(OPERATOR))  # the alarm for it has been sent
    assert await a_correction(world).reopening.reopen(order, other, ANA) is Corrected.HELD
    await world.ledger.admin.retry(await world.order(order), "ana", "not paid")
    return order


async def _lost_to_a_stranger(world: World) -> Order:
    order = await world.receive()
    await world.distribution.drain()
    world.chain.drop(await world.last_hash(order))
    stranger = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)
    assert await resolve(world, stranger) is Resolved.HELD
    await world.ledger.admin.retry(await world.order(order), "ana", "not paid")
    return order


async def _one_stray_transaction(world: World) -> Order:
    order = await world.receive()
    stray = world.chain.spend_nonce(OPERATOR)
    world.chain.mine(RELEASE)
    await world.distribution.drain()
    await world.ledger.admin.pause("ana", "looks")
    assert await resolve(world, stray) is Resolved.STEPPED_OVER
    return order


async def _a_forgotten_payment(world: World) -> Order:
    order, tx_hash = await a_forgotten_payment(world)
    assert await resolve(world, tx_hash) is Resolved.STEPPED_OVER
    return order


async def _a_pool_that_remembers(world: World) -> Order:
    order, _ = await a_pool_that_remembers(world)
    await cancel(world)
    await world.settle(RELEASE + 20)
    return order


async def _refused_in_the_pool(world: World) -> Order:
    order = await world.receive()
    await world.distribution.drain()
    world.chain.pause_authority()
    await cancel(world, limits=world.limits.model_copy(update={"max_fee_wei": Wei(200 * 10**9)}))
    world.chain.pause_authority(paused=False)
    await world.settle(RELEASE + 20)
    await world.ledger.admin.retry(await world.order(order), "ana", "payable again")
    return order


async def _never_seen(world: World) -> Order:
    await world.ledger.exits.bar(OrderKey("default", "FRAUD"))
    return await world.receive("FRAUD")


async def doubt_the_past(world: World) -> None:
    """Note what a rebuild notes that a person let end with an incomplete past."""
    group = AtomicWrite()
    await world.ledger.past.write(group, "the logs before block 9 are lost")
    await commit(world.rows, group, marker_row=keys.DOUBTED_PAST)


async def _held_for_approval(world: World) -> Order:
    world.cap(approval_units=5)
    held = await world.receive()
    assert held.hold_reason is HoldReason.NEEDS_APPROVAL
    await world.ledger.approving.approve(held, "rui", "asked the shop")
    return held


async def _held_by_the_past(world: World) -> Order:
    await doubt_the_past(world)
    order = await world.receive()
    await world.distribution.drain()
    held = await world.order(order)
    assert held.hold_reason is HoldReason.PAST_UNKNOWN
    await world.ledger.admin.retry(held, "ana", "the customer got nothing")
    return order


async def _held_by_the_past_and_paid(world: World) -> Order:
    await doubt_the_past(world)
    order = await world.receive()
    stranger = an_address("an operator of before")
    world.chain.grant_role(stranger)
    tx_hash = world.chain.spend_nonce(stranger, world.chain.pay(order))
    world.chain.mine(RELEASE)
    await world.distribution.drain()
    assert await a_correction(world).settle(await world.order(order), tx_hash, ANA) is Corrected.PAID
    return order


async def _new_after_the_past(world: World) -> Order:
    await doubt_the_past(world)
    assert await world.ledger.past.trust()
    return await world.receive()


async def _the_authority_is_another(world: World) -> Order:
    order = await world.receive()
    new = an_address("new authority")
    await world.ledger.admin.pause("ana", "another authority")
    world.chain.rules.authority = new
    change = AuthorityChange(
        ledger=world.ledger,
        chain=world.chain,
        guard=world.guard,
        identity=world.identity,
        operator=OPERATOR,
        gas_limit=world.limits.gas_limit,
    )
    with pytest.MonkeyPatch.context() as patch:
        closed(patch, world)
        assert await change.adopt(new, "ana", "replaced") == []
    await world.distribution.drain()
    assert await world.status(order) is OrderStatus.RECEIVED
    world.identity = replace(world.identity, authority=new)
    world.start()
    return order


async def _paid_by_another_which_left_the_chain(world: World) -> Order:
    order = await adopted(world)
    unpaid(world, order)
    assert await reopen(world, order) is Corrected.HELD
    await world.ledger.admin.retry(await world.order(order), "ana", "not paid")
    resumption = Resumption(ledger=world.ledger, chain=world.chain, guard=world.guard)
    assert await resumption.obstacles() == []
    assert await resumption.renew_mark()  # as `resume` does
    return order


async def _paid_by_another_than_the_row_names(world: World) -> Order:
    order = await adopted(world)
    unpaid(world, order)
    again = by_a_rival(world, order, "a third one")
    world.chain.mine(RELEASE)
    assert await settle(world, order, again) is Corrected.PAID
    assert (await world.order(order)).paid_hash == again
    return order


async def _nodes_that_never_agree(world: World) -> Order:
    order = await world.receive()
    await world.distribution.drain()
    tx_hash, correction = await world.last_hash(order), a_correction(world)
    assert await correction.settle(await world.order(order), tx_hash, ANA, node="two") is Corrected.NOT_FINAL
    world.chain.said_by("two").receipt = lambda receipt: replace(receipt, succeeded=False)
    await world.settle(RELEASE)
    bound = await world.order(order)
    assert bound.status is OrderStatus.BOUND
    assert await correction.settle(bound, tx_hash, ANA) is Corrected.NODES_DISAGREE
    assert await correction.settle(bound, tx_hash, ANA, node="two") is Corrected.NO_TRANSFER
    assert await correction.settle(bound, tx_hash, ANA, node="one") is Corrected.PAID
    return order


STATES: dict[str, tuple[Callable[[World], Awaitable[Order]], OrderStatus]] = {
    "held": (_held, OrderStatus.PAID),
    "held, not to be paid": (_held_for_good, OrderStatus.CANCELLED),
    "held, and paid in another way": (_held_and_paid, OrderStatus.PAID),
    "paid, and its block left the chain": (_paid_and_left_the_chain, OrderStatus.PAID),
    "paid, and something else used its nonce": (_paid_and_not_paid, OrderStatus.PAID),
    "paid by another transaction, which left the chain": (_paid_by_another_which_left_the_chain, OrderStatus.PAID),
    "paid by another transaction than the row names": (_paid_by_another_than_the_row_names, OrderStatus.PAID),
    "bound, and the nodes never agree": (_nodes_that_never_agree, OrderStatus.PAID),
    "bound, and a stranger used its nonce": (_lost_to_a_stranger, OrderStatus.PAID),
    "one stray transaction of the key": (_one_stray_transaction, OrderStatus.PAID),
    "waiting, and paid before the ledger went back": (_a_forgotten_payment, OrderStatus.PAID),
    "waiting, and an old payment is in a pool": (_a_pool_that_remembers, OrderStatus.PAID),
    "bound, and the contract would refuse it": (_refused_in_the_pool, OrderStatus.PAID),
    "held, and nobody has approved it": (_held_for_approval, OrderStatus.PAID),
    "held, its past is not known": (_held_by_the_past, OrderStatus.PAID),
    "held, its past is not known, and it was paid": (_held_by_the_past_and_paid, OrderStatus.PAID),
    "still to come, and the past is known after all": (_new_after_the_past, OrderStatus.PAID),
    "waiting, and the authority was replaced": (_the_authority_is_another, OrderStatus.PAID),
    "never seen, and never to be paid": (_never_seen, OrderStatus.CANCELLED),
}

THROUGH_A_GUARD = {state for state in STATES if state.startswith("paid by another transaction")}
BY_OTHERS = {"waiting, its secret is a known shop's", "waiting, its secret is another shop's"}
"""Typed to their end in ``tests/integration/test_shops.py``."""


@pytest.mark.parametrize("state", sorted(STATES))
async def test_every_state_has_an_exit_by_commands(state: str) -> None:
    """And the order is paid once, or not at all."""
    nodes = ("one", "two") if "nodes" in state else ("fake",)
    world = await a_world(chain=FakeChain(nodes=nodes), guarded=state in THROUGH_A_GUARD)
    leave, ends = STATES[state]

    order = await leave(world)
    await goes_on(world)

    assert await world.status(order) is ends
    assert len(world.transfers()) == (ends is OrderStatus.PAID)
    assert not await world.ledger.any_open()


def test_every_state_of_the_runbook_is_driven() -> None:
    """And no other one."""
    table = RUNBOOK.partition("## Ways out")[2].partition("\n## ")[0]
    named = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")][1:]

    assert sorted(named) == sorted({*STATES, *BY_OTHERS})


def test_the_table_is_the_same_in_portuguese() -> None:
    """Row by row the same commands, so that neither page sends a person another way."""
    page = (Path(__file__).parents[2] / "docs" / "pt-BR" / "runbook.md").read_text("utf-8")
    portuguese = page.partition("## Saídas")[2].partition("\n## ")[0]

    assert _typed(portuguese) == _typed(RUNBOOK.partition("## Ways out")[2].partition("\n## ")[0])
    assert _typed(portuguese)


def _typed(page: str) -> list[list[str]]:
    """Return what each row of a table of three columns tells to type."""
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| ")][1:]
    return [re.findall(r"`([^`]+)`", row[2]) for row in rows]
