"""What is final, what is not, and what leaves the chain again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.model import (
    Address,
    HoldReason,
    OrderStatus,
    TransactionStatus,
)
from distributor.state import Stats
from tests.factories import POLICY
from tests.fakes.chain import OPERATOR, Behaviour, FakeChain
from tests.settling import (
    a_bound_order,
    a_paid_order,
    a_refused_order,
    transaction_status,
)
from tests.world import a_world


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
