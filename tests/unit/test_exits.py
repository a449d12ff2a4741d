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

from distributor.chain_types import Claim
from distributor.ledger import keys
from distributor.model import Hash, HoldReason, Order, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.payout.authority_change import AuthorityChange
from distributor.payout.called_paid import shows_transfer
from distributor.payout.corrected import Corrected
from distributor.payout.correction import Correction
from distributor.payout.decision import Decision
from distributor.payout.resolution import Resolved
from distributor.units import Wei
from foundation.tablestore.atomic import AtomicWrite, commit
from tests.factories import an_address
from tests.fakes.chain import CUSTOMERS, OPERATOR, RESERVE, Behaviour, FakeChain
from tests.fakes.history import FakeHistory
from tests.unit.test_authority_change import closed
from tests.unit.test_cancellation import cancel
from tests.unit.test_resolution import RELEASE, resolve
from tests.unit.test_unbound_nonces import a_forgotten_payment, a_pool_that_remembers
from tests.world import World, a_world

ANA = Decision(by="ana", why="looked")
RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text("utf-8")


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


def forge(world: World, order: Order, **columns: object) -> None:
    """Write an order row as a liar's word once made it."""
    key = f"order:{order.source}:{order.order_id}"
    world.rows.put(key, {**world.rows.dump()[key], **columns})  # type: ignore[dict-item]


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
    await world.ledger.forget_final(OPERATOR, await world.ledger.stats(OPERATOR))  # that it left has been told
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


async def _doubt_the_past(world: World) -> None:
    """Note what a rebuild notes that a person let end with an incomplete past."""
    group = AtomicWrite()
    await world.ledger.past.write(group, "the logs before block 9 are lost")
    await commit(world.rows, group, marker_row=keys.DOUBTED_PAST)


async def _held_by_the_past(world: World) -> Order:
    await _doubt_the_past(world)
    order = await world.receive()
    await world.distribution.drain()
    held = await world.order(order)
    assert held.hold_reason is HoldReason.PAST_UNKNOWN
    await world.ledger.admin.retry(held, "ana", "the customer got nothing")
    return order


async def _held_by_the_past_and_paid(world: World) -> Order:
    await _doubt_the_past(world)
    order = await world.receive()
    stranger = an_address("an operator of before")
    world.chain.grant_role(stranger)
    tx_hash = world.chain.spend_nonce(stranger, world.chain.pay(order))
    world.chain.mine(RELEASE)
    await world.distribution.drain()
    assert await a_correction(world).settle(await world.order(order), tx_hash, ANA) is Corrected.PAID
    return order


async def _new_after_the_past(world: World) -> Order:
    await _doubt_the_past(world)
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


STATES: dict[str, tuple[Callable[[World], Awaitable[Order]], OrderStatus]] = {
    "held": (_held, OrderStatus.PAID),
    "held, not to be paid": (_held_for_good, OrderStatus.CANCELLED),
    "held, and paid in another way": (_held_and_paid, OrderStatus.PAID),
    "paid, and its block left the chain": (_paid_and_left_the_chain, OrderStatus.PAID),
    "paid, and something else used its nonce": (_paid_and_not_paid, OrderStatus.PAID),
    "bound, and a stranger used its nonce": (_lost_to_a_stranger, OrderStatus.PAID),
    "one stray transaction of the key": (_one_stray_transaction, OrderStatus.PAID),
    "waiting, and paid before the ledger went back": (_a_forgotten_payment, OrderStatus.PAID),
    "waiting, and an old payment is in a pool": (_a_pool_that_remembers, OrderStatus.PAID),
    "bound, and the contract would refuse it": (_refused_in_the_pool, OrderStatus.PAID),
    "held, its past is not known": (_held_by_the_past, OrderStatus.PAID),
    "held, its past is not known, and it was paid": (_held_by_the_past_and_paid, OrderStatus.PAID),
    "still to come, and the past is known after all": (_new_after_the_past, OrderStatus.PAID),
    "waiting, and the authority was replaced": (_the_authority_is_another, OrderStatus.PAID),
    "never seen, and never to be paid": (_never_seen, OrderStatus.CANCELLED),
}


@pytest.mark.parametrize("state", sorted(STATES))
async def test_every_state_has_an_exit_by_commands(state: str) -> None:
    """And the order is paid once, or not at all."""
    world = await a_world()
    leave, ends = STATES[state]

    order = await leave(world)
    await goes_on(world)

    assert await world.status(order) is ends
    assert len(world.transfers()) == (ends is OrderStatus.PAID)
    assert not await world.ledger.any_open()


def test_the_runbook_names_every_state() -> None:
    """The table is what this file drives."""
    table = RUNBOOK.partition("## Ways out")[2].partition("\n## ")[0]

    assert all(f"| {state} |" in table for state in STATES)


# what is refused, and why --------------------------------------------------------------------------


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
    strange = replace(twin, hold_reason=HoldReason("needs_approval"))
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
    """It names none, so the first decision stands."""
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


async def test_a_bound_order_whose_receipt_the_named_node_does_not_show_is_not_closed() -> None:
    """Submitted and in no block yet."""
    world = await a_world()
    order = await world.receive()
    await world.distribution.drain()
    tx_hash = await world.last_hash(order)

    assert await a_correction(world).settle(await world.order(order), tx_hash, ANA, node="fake") is Corrected.NOT_FINAL
