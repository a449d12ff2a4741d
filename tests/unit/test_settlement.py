"""Following open transactions: which host follows, for how long, and what wakes it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from distributor.ledger import Closing, Ledger
from distributor.model import (
    OrderStatus,
    Transaction,
    TransactionStatus,
)
from distributor.payout.settlement import FOLLOW_MS, Followed
from distributor.payout.stillness import STILL_MS
from distributor.payout.sweep import Sweep
from foundation.tablestore.leases import Lease, Leases
from tests.fakes.chain import OPERATOR, FakeChain
from tests.settling import (
    a_bound_order,
    transaction_status,
)
from tests.world import a_world, tokens


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
