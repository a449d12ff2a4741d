"""A lost nonce, a broken row, another worker: each stops nothing beside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from distributor.ledger import Closing, Ledger
from distributor.model import (
    OrderStatus,
    Transaction,
    TransactionStatus,
)
from distributor.payout.confirmation import Confirmed
from distributor.payout.settlement import Followed, Turn
from distributor.payout.steps import StepExecutor, StepResult
from distributor.payout.sweep import Sweep
from distributor.units import Wei
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.leases import Lease, Leases
from tests.factories import GWEI, a_block
from tests.fakes.chain import OPERATOR, FakeChain
from tests.settling import (
    a_bound_order,
    a_replaced_order,
    transaction_status,
)
from tests.world import World, a_world


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
