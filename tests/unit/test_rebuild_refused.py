"""What keeps a rebuild from its end: another ledger, an unknown caller, a payment that differs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.errors import ChainUnavailable, ForeignLedger
from distributor.ledger.rebuild_store import RestoreResult
from distributor.model import Address, HoldReason, OrderStatus
from distributor.recovery import rebuild
from distributor.recovery.fence import FENCE_NONCES
from distributor.recovery.payouts import UnmatchedReason
from distributor.recovery.rebuild import NotSettled
from distributor.units import TokenUnits
from tests.factories import TOKEN, an_address, an_order
from tests.fakes.chain import CUSTOMERS, OPERATOR
from tests.fakes.chain_state import GUARD, Behaviour
from tests.rebuilding import (
    SECOND,
    Desk,
    a_payout,
    distribution_of,
    lose_ledger,
    send_again,
    sign_by,
)
from tests.world import IDENTITY, World, a_world

# what stops it -----------------------------------------------------------------------------------


async def test_an_empty_ledger_pays_nothing_and_says_why() -> None:
    """Emptied: every old webhook sent again would be a new order."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)

    await send_again(context.world, "ORD1")
    await context.world.distribution.drain()
    await context.world.settle(3)

    assert len(context.world.transfers()) == 1
    assert context.world.alarms.codes == ["waiting_ledger_foreign"]


async def test_a_swapped_ledger_pays_nothing_and_says_why() -> None:
    """The settings name one ledger, the table is another."""
    world = World()
    await world.ledger.admin.initialise(replace(IDENTITY, ledger_id="another"), OPERATOR, 0)

    await world.receive("ORD1")
    await world.distribution.drain()

    assert world.transfers() == []
    assert world.alarms.codes == ["waiting_ledger_foreign"]


async def test_another_ledger_is_never_touched() -> None:
    """Not even paused."""
    world = World()
    await world.ledger.admin.initialise(replace(IDENTITY, reserve=CUSTOMERS[0]), OPERATOR, 0)
    context = Desk(world)

    with pytest.raises(ForeignLedger):
        await context.use_case.check()
    with pytest.raises(ForeignLedger):
        await context.rebuild()
    assert not (await world.ledger.admin.pause_state()).paused
    assert world.chain.handed == []


@pytest.mark.parametrize("named", [None, an_address("another guard")])
async def test_a_rebuild_changes_no_guard(named: Address | None) -> None:
    """A setting that was left out would let each reference be paid once more, and no one would know of the guard."""
    world = await a_world(guarded=True)
    desk = Desk(world)
    desk.identity = replace(IDENTITY, guard=named)

    with pytest.raises(ForeignLedger, match="GUARD_ADDRESS"):
        await desk.rebuild()
    with pytest.raises(ForeignLedger, match="`guard adopt`"):
        await desk.use_case.check()
    assert (await world.ledger.identity()) == world.identity


async def test_since_when_a_ledger_pays_through_its_guard_is_kept() -> None:
    """The settings do not say it."""
    world = await a_world(guarded=True)
    desk = Desk(world)
    desk.identity = replace(IDENTITY, guard=GUARD)

    assert (await desk.rebuild()).clear
    assert (await world.ledger.identity()) == world.identity


async def test_open_transactions_are_settled_first() -> None:
    """The fence would cut their nonces off."""
    world = await a_world()
    await world.receive("ORD1")
    await world.distribution.drain()

    with pytest.raises(NotSettled):
        await Desk(world).rebuild()


async def test_an_unknown_caller_blocks_the_end_until_it_is_explained() -> None:
    """It may be an operator nobody remembers; the reference it spent would be paid again."""
    world = await a_world()
    await a_payout(world, "ORD1")
    world.chain.grant_role(SECOND)
    sign_by(world.chain, SECOND, distribution_of("ORD2"))
    context = await lose_ledger(world)

    blocked = await context.rebuild()
    assert [(each.sender, each.why) for each in blocked.unmatched_transfers] == [
        (SECOND, UnmatchedReason.UNKNOWN_SENDER)
    ]
    assert await context.world.ledger.identity() is None
    assert blocked.ledger_id == ""

    world.chain.revoke_role(SECOND)
    context.operators = (OPERATOR, SECOND)
    done = await context.rebuild()
    assert done.clear
    assert await send_again(context.world, "ORD1", "ORD2") == {"ORD1": "paid", "ORD2": "paid"}


async def test_an_accepted_call_of_an_unknown_operator_spends_its_reference() -> None:
    """Found-faults A4: accepted was not paid, and the order was paid again."""
    world = await a_world()
    world.chain.grant_role(SECOND)
    sign_by(world.chain, SECOND, distribution_of("ORD2"))
    context = await lose_ledger(world)
    context.accepted = [receipt.tx_hash for receipt in world.chain.receipts]

    assert (await context.rebuild()).clear
    assert await send_again(context.world, "ORD2") == {"ORD2": "paid"}


async def test_a_payout_of_another_amount_than_asked_spends_its_reference() -> None:
    """A person looks at it; whatever they say, the order is not paid once more."""
    world = await a_world()
    world.chain.rules.behaviour = Behaviour.SHORT
    sign_by(world.chain, OPERATOR, distribution_of("ORD1"))
    context = await lose_ledger(world)

    report = await context.rebuild()
    assert [each.why for each in report.unmatched_transfers] == [UnmatchedReason.NOT_AS_ASKED]
    context.accepted = [report.unmatched_transfers[0].transfer.tx_hash]
    assert (await context.rebuild()).clear
    assert (await context.world.ledger.order(an_order("ORD1").key)).amount_units == 10 * TOKEN - 1  # type: ignore[union-attr]


async def test_an_order_paid_twice_on_the_chain_is_told() -> None:
    """By two of our calls; a person accepts the second, and it stays on record."""
    world = await a_world()
    sign_by(world.chain, OPERATOR, distribution_of("ORD1"))
    sign_by(world.chain, OPERATOR, distribution_of("ORD1"))
    context = await lose_ledger(world)

    report = await context.rebuild()
    assert [each.verdict for each in report.conflicts] == [RestoreResult.PAID_TWICE]
    assert not report.clear
    context.accepted = [report.conflicts[0].payout.tx_hash]
    assert (await context.rebuild()).clear


async def test_a_payment_that_is_explained_is_not_made_again_for_an_order_that_came_otherwise() -> None:
    """The order came again with another amount; the payment is accepted, and forgetting to cancel pays nothing."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    order = await context.world.receive("ORD1", amount_units=TokenUnits(20 * TOKEN))
    report = await context.rebuild()
    assert [each.verdict for each in report.conflicts] == [RestoreResult.DIFFERS]
    context.accepted = [report.conflicts[0].payout.tx_hash]

    assert (await context.rebuild()).clear
    await context.resume()
    await context.world.distribution.drain()
    await context.world.settle(8)

    held = await context.world.order(order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.REFERENCE_USED)
    assert report.conflicts[0].payout.tx_hash in held.hold_detail
    assert len(context.world.transfers()) == 1
    assert (await context.rebuild()).clear


async def test_an_order_that_came_otherwise_and_is_held_already_gets_the_reason_that_none_may_retry() -> None:
    """Its own reason named `retry`, and that paid it under a reference that is spent."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    order = await context.world.receive("ORD1", amount_units=TokenUnits(20 * TOKEN))
    await context.world.ledger.hold(order, HoldReason.SIMULATION, "refused")
    context.accepted = [world.chain.receipts[0].tx_hash]

    assert (await context.rebuild()).clear
    held = await context.world.order(order)
    assert (held.status, held.hold_reason) == (OrderStatus.HELD, HoldReason.REFERENCE_USED)
    assert world.chain.receipts[0].tx_hash in held.hold_detail
    assert (await context.rebuild()).clear


async def test_an_order_that_came_otherwise_and_was_cancelled_stays_so() -> None:
    """A person was first."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    order = await context.world.receive("ORD1", amount_units=TokenUnits(20 * TOKEN))
    await context.world.ledger.admin.cancel(order, "ana", "a mistake of the shop")
    context.accepted = [world.chain.receipts[0].tx_hash]

    assert (await context.rebuild()).clear
    assert (await context.world.order(order)).status is OrderStatus.CANCELLED


async def test_a_dry_run_shows_everything_and_writes_nothing() -> None:
    """Neither to the ledger nor to a pool."""
    world = await a_world()
    await a_payout(world, "ORD1")
    context = await lose_ledger(world)
    handed = len(world.chain.handed)

    report = await context.use_case.look(0)

    assert report.restored == {RestoreResult.NEW: 1}
    assert any(f"would spend the nonces 1 to {FENCE_NONCES}" in line for line in context.said)
    assert context.world.rows.dump() == {}
    assert len(world.chain.handed) == handed
    world.chain.revoke_role(OPERATOR)
    await context.use_case.look(0)
    assert any("has no role" in line for line in context.said)


async def test_an_interrupted_rebuild_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks behind the checkpoint are read again to see that they are as before, and nothing of them is written."""
    monkeypatch.setattr(rebuild, "PAGE_BLOCKS", 4)
    world = await a_world()
    await a_payout(world, "ORD1")
    await a_payout(world, "ORD2")
    context = await lose_ledger(world)
    context.history.down_from = 8
    with pytest.raises(ChainUnavailable):
        await context.rebuild()
    context.history.down_from = None
    context.history.asked.clear()

    report = await context.rebuild()

    assert context.history.asked[:3] == [(0, 3), (4, 7), (8, 11)]
    assert report.restored.total() < 2
    assert "Going on at block 8." in context.said
    assert report.clear
    assert await send_again(context.world, "ORD1", "ORD2") == {"ORD1": "paid", "ORD2": "paid"}


async def test_the_checkpoint_stays_before_what_is_not_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run meets the question again, without an answer to it."""
    monkeypatch.setattr(rebuild, "PAGE_BLOCKS", 2)
    world = await a_world()
    world.chain.grant_role(SECOND)
    world.chain.mine(3)
    sign_by(world.chain, SECOND, distribution_of("ORD2"))
    world.chain.mine(6)
    context = await lose_ledger(world)

    first = await context.rebuild()
    second = await context.rebuild()

    assert len(first.unmatched_transfers) == len(second.unmatched_transfers) == 1
    assert "Going on at block 4." in context.said
