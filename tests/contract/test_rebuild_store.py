"""What a rebuild writes into a ledger, in memory and in real tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from distributor.errors import ConflictingOrder
from distributor.ledger import Ledger, keys
from distributor.ledger.rebuild_store import RESTORE_TRIES_MAX, Payout, RebuildStore, RestoreResult
from distributor.model import HoldReason, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.units import TokenUnits
from foundation.errors import Contention
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.queries import past
from tests.factories import ALICE, BOB, IDENTITY, OPERATOR, TOKEN, a_hash, an_address, an_order
from tests.fakes.bench import Bench, a_closing
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit


def an_archive(bench: Bench) -> RebuildStore:
    """Return the archive of that ledger."""
    return RebuildStore(bench.rows, bench.clock)


def a_payout(order_id: str = "ORD1", **changes: Any) -> Payout:
    """Return what the chain shows of the plain order's payment."""
    payout = Payout(
        ref_id=ref_id("default", order_id),
        key=OrderKey("default", order_id),
        wallet=ALICE,
        amount_units=TokenUnits(10 * TOKEN),
        reason="Reward",
        operator=OPERATOR,
        nonce=4,
        tx_hash=a_hash("paid long ago"),
        block_number=80,
    )
    return replace(payout, **changes)


def a_nameless_payout(**changes: Any) -> Payout:
    """Return the payment of an order whose name was too long for the chain."""
    return a_payout(LONG, key=None, **changes)


LONG = "A-name-of-more-than-thirty-two-characters"


async def test_a_payout_becomes_the_paid_order_it_was(empty: Bench) -> None:
    """The chain knows neither its kind nor when it came."""
    assert await an_archive(empty).restore(a_payout()) is RestoreResult.NEW

    order = await empty.order("ORD1")
    assert (order.status, order.paid_hash, order.paid_block) == (OrderStatus.PAID, a_hash("paid long ago"), 80)
    assert (order.wallet, order.amount_units, order.reason) == (ALICE, 10 * TOKEN, "Reward")
    assert (order.operator, order.nonce, order.tipo) == (OPERATOR, 4, "")


async def test_the_same_payout_again_changes_nothing(empty: Bench) -> None:
    """An interrupted rebuild is begun again."""
    rebuild_store = an_archive(empty)
    await rebuild_store.restore(a_payout())
    await rebuild_store.restore(a_nameless_payout())
    before = await empty.values()

    assert await rebuild_store.restore(a_payout()) is RestoreResult.KNOWN
    assert await rebuild_store.restore(a_nameless_payout()) is RestoreResult.KNOWN
    assert await empty.values() == before


@pytest.mark.parametrize("payout", [a_payout(), a_nameless_payout()])
async def test_a_second_payout_of_one_reference_is_told(empty: Bench, payout: Payout) -> None:
    """Once, the chain was asked to pay it twice."""
    rebuild_store = an_archive(empty)
    await rebuild_store.restore(payout)

    assert await rebuild_store.restore(replace(payout, tx_hash=a_hash("another"))) is RestoreResult.PAID_TWICE


@pytest.mark.parametrize("order_id", ["ORD1", LONG])
async def test_the_webhook_sent_again_is_answered_as_a_duplicate(empty: Bench, order_id: str) -> None:
    """Also for a name the chain does not show; its kind may be any, the chain does not show that either."""
    await an_archive(empty).restore(a_payout() if order_id == "ORD1" else a_nameless_payout())
    again = an_order(order_id, ref_id=ref_id("default", order_id), tipo="any", fingerprint="of any kind")

    inserted = await empty.ledger.insert(again)

    assert not inserted.new
    assert (inserted.order.status, inserted.order.paid_hash) == (OrderStatus.PAID, a_hash("paid long ago"))
    assert inserted.order.fingerprint == again.fingerprint
    assert (await empty.ledger.waiting(limit=10)).orders == ()


@pytest.mark.parametrize("order_id", ["ORD1", LONG])
@pytest.mark.parametrize("other", [{"wallet": BOB}, {"amount_units": TokenUnits(11 * TOKEN)}])
async def test_the_webhook_with_other_content_is_refused(empty: Bench, order_id: str, other: dict[str, Any]) -> None:
    """Same id, other content: the first content is kept."""
    await an_archive(empty).restore(a_payout() if order_id == "ORD1" else a_nameless_payout())

    with pytest.raises(ConflictingOrder, match="rebuilt"):
        await empty.ledger.insert(an_order(order_id, ref_id=ref_id("default", order_id), **other))


async def test_an_order_sent_again_before_it_was_found_is_marked_paid(empty: Bench) -> None:
    """It leaves the backlog, so that no round ever binds it."""
    await empty.received("ORD1")

    assert await an_archive(empty).restore(a_payout()) is RestoreResult.MARKED
    order = await empty.order("ORD1")
    assert (order.status, order.paid_hash, order.nonce) == (OrderStatus.PAID, a_hash("paid long ago"), 4)
    assert (await empty.ledger.waiting(limit=10)).orders == ()
    assert await empty.keys(keys.OPEN_ORDERS, past(keys.OPEN_ORDERS)) == []


async def test_a_held_order_that_the_chain_paid_is_marked_paid(bench: Bench) -> None:
    """Its backup knew less than the chain: a retry would pay it again."""
    (order,) = await bench.received("ORD1")
    await bench.ledger.hold(order, HoldReason.SIMULATION, "refused")

    assert await an_archive(bench).restore(a_payout()) is RestoreResult.MARKED
    order = await bench.order("ORD1")
    assert (order.status, order.hold_reason, order.hold_detail) == (OrderStatus.PAID, None, "")
    assert [order async for order in an_archive(bench).held([])] == []


async def test_a_cancelled_order_that_the_chain_paid_is_marked_paid(bench: Bench) -> None:
    """What the chain says is kept."""
    (order,) = await bench.received("ORD1")
    await bench.ledger.admin.cancel(order, "ana", "wrong")

    assert await an_archive(bench).restore(a_payout()) is RestoreResult.MARKED


@pytest.mark.parametrize("other", [{"wallet": BOB}, {"amount_units": TokenUnits(1)}])
async def test_an_order_with_other_content_than_its_payout_is_left_as_it_is(
    bench: Bench, other: dict[str, Any]
) -> None:
    """A person decides which of the two is right."""
    await bench.received("ORD1")

    assert await an_archive(bench).restore(a_payout(**other)) is RestoreResult.DIFFERS
    assert (await bench.order("ORD1")).status is OrderStatus.RECEIVED


async def test_a_bound_order_is_left_to_its_settlement(bench: Bench) -> None:
    """It may be paid by the very transaction that was found."""
    await bench.bound("ORD1")

    assert await an_archive(bench).restore(a_payout()) is RestoreResult.BOUND


async def test_a_webhook_that_comes_in_between_is_met_at_the_next_look(memory: Bench) -> None:
    """The order is inserted behind our look and before our group."""
    assert isinstance(memory.rows, MemoryRows)
    rows, other = memory.rows, await _rows_of_an_insertion()

    def arrive() -> None:
        for key, values in other.items():
            rows.put(key, values)

    rows.after_next_read(arrive)

    assert await an_archive(memory).restore(a_payout()) is RestoreResult.MARKED


async def test_an_order_that_keeps_changing_is_given_up(memory: Bench) -> None:
    """Nobody does that five times; a bug might."""
    assert isinstance(memory.rows, MemoryRows)
    rows = memory.rows
    await memory.received("ORD1")
    standing = rows.dump()["order:default:ORD1"]
    for _ in range(10 * RESTORE_TRIES_MAX):
        rows.after_next_read(lambda: rows.put("order:default:ORD1", standing))

    with pytest.raises(Contention, match="kept changing"):
        await an_archive(memory).restore(a_payout())


@pytest.fixture
def memory() -> Bench:
    """A ledger in memory, whose bad days can be ordered."""
    rows, audit, clock = MemoryRows(), ListAudit(), FrozenClock()
    return Bench(ledger=Ledger(rows, audit, clock=clock), rows=rows, audit=audit, clock=clock)


async def _rows_of_an_insertion() -> dict[str, dict[str, Any]]:
    rows = MemoryRows()
    await Ledger(rows, ListAudit(), clock=FrozenClock()).insert(an_order("ORD1"))
    return rows.dump()


# the whole ---------------------------------------------------------------------------------------


async def test_progress_is_kept_from_one_run_to_the_next(empty: Bench) -> None:
    """Another beginning starts anew: what lies before it was never looked at."""
    rebuild_store = an_archive(empty)
    progress = await rebuild_store.progress(100)
    progress = await rebuild_store.advance(await rebuild_store.advance(progress, 200), 300)

    assert (progress.first_block, progress.next_block) == (100, 300)
    assert await rebuild_store.progress(100) == progress
    assert (await rebuild_store.progress(50)).next_block == 50
    assert (await rebuild_store.advance(await rebuild_store.progress(50), 60)).first_block == 50


async def test_a_finished_ledger_is_ours_and_still_paused(empty: Bench) -> None:
    """With the nonces the chain has; a person resumes it."""
    rebuild_store = an_archive(empty)
    await empty.ledger.admin.pause("ana", "lost")
    progress = await rebuild_store.advance(await rebuild_store.progress(0), 100)

    await rebuild_store.finish(IDENTITY, {OPERATOR: 23}, progress)

    assert await empty.ledger.identity() == IDENTITY
    assert (await empty.ledger.admin.pause_state()).paused
    binding_state = await empty.binding_state()
    assert (binding_state.next_nonce, binding_state.committed_units) == (23, 0)
    assert await rebuild_store.operators() == (OPERATOR,)
    assert keys.REBUILD not in await empty.keys()


async def test_a_restored_backup_keeps_what_it_knows(bench: Bench) -> None:
    """A nonce never goes back, and what is bound stays committed."""
    rebuild_store, second = an_archive(bench), an_address("second operator")
    await bench.bound("ORD1")
    await bench.bound("ORD2")

    await rebuild_store.finish(IDENTITY, {OPERATOR: 3, second: 5}, await rebuild_store.progress(0))

    binding_state = await bench.binding_state()
    assert (binding_state.next_nonce, binding_state.committed_units) == (9, 20 * TOKEN)
    assert set(await rebuild_store.operators()) == {OPERATOR, second}


async def test_everything_can_be_read_in_pages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the ledger is."""
    monkeypatch.setattr("foundation.tablestore.queries.PAGE_ROWS", 2)
    rebuild_store = an_archive(bench)
    await bench.received("A", "B", "C", "D")
    await rebuild_store.restore(a_payout("E"))
    await rebuild_store.restore(a_nameless_payout())

    assert [order.order_id async for order in rebuild_store.orders()] == ["A", "B", "C", "D", "E"]
    assert {ref async for ref, _ in rebuild_store.restored_refs()} == {ref_id("default", "E"), ref_id("default", LONG)}


async def test_the_held_are_listed(bench: Bench) -> None:
    """And nobody else."""
    await bench.ledger.close(await bench.bound("ORD1"), a_closing(held=["ORD1"]))
    await bench.received("ORD2")

    assert [order.order_id async for order in an_archive(bench).held([])] == ["ORD1"]


async def test_an_order_that_left_the_held_meanwhile_is_not_listed(memory: Bench) -> None:
    """The list was read before it was retried."""
    memory.rows.put("held:default:ORD1", {"source": "default", "order_id": "ORD1"})  # type: ignore[union-attr]
    await memory.received("ORD1")

    assert [order async for order in an_archive(memory).held([])] == []
