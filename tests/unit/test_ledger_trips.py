"""What the ledger costs, and what it does when the rows are not as they can only be."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from distributor.ledger import Ledger
from distributor.ledger.following import CLOSE_TRIES_MAX
from distributor.model import OrderStatus, TransactionStatus
from foundation.errors import Contention, InvariantBroken, StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import InsertRow
from tests.factories import IDENTITY, NOW_MS, OPERATOR, an_attempt, an_order
from tests.fakes.bench import Bench, a_closing, bind, binding
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit


@pytest.fixture
def rows() -> MemoryRows:
    """A partition whose calls are counted."""
    return MemoryRows()


@pytest.fixture
async def bench(rows: MemoryRows) -> AsyncIterator[Bench]:
    """Our ledger in memory, its operator's next nonce being 7."""
    clock, audit = FrozenClock(NOW_MS), ListAudit()
    ledger = Ledger(rows, audit, clock=clock)
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    rows.commits = rows.reads = 0
    yield Bench(ledger=ledger, rows=rows, audit=audit, clock=clock)
    await ledger.aclose()


async def test_a_new_order_costs_one_round_trip(bench: Bench, rows: MemoryRows) -> None:
    """No read before it, none after."""
    await bench.ledger.insert(an_order())

    assert (rows.commits, rows.reads) == (1, 0)


async def test_a_binding_on_the_books_of_the_one_before_costs_one_round_trip(bench: Bench, rows: MemoryRows) -> None:
    """Everything it needs was in the last answer."""
    orders, binding_state = await bench.received("ORD1", "ORD2"), await bench.binding_state()
    binding_state, _ = await bind(bench.ledger, binding_state, orders[:1], *binding(7, orders[:1]))
    rows.commits = rows.reads = 0

    await bind(bench.ledger, binding_state, orders[1:], *binding(8, orders[1:]))

    assert (rows.commits, rows.reads) == (1, 0)


async def test_an_idle_ledger_is_looked_at_in_one_read(bench: Bench, rows: MemoryRows) -> None:
    """Each of the questions a sweep asks costs one, whatever the history."""
    for order_id in ("ORD1", "ORD2", "ORD3"):
        await bench.ledger.close(await bench.bound(order_id), a_closing(order_id))
    rows.reads = 0

    assert not await bench.ledger.any_open()
    assert (await bench.ledger.waiting(limit=1)).orders == ()
    assert await bench.ledger.open_transactions() == []
    assert rows.reads == 3


async def test_a_ledger_that_is_down_says_so(bench: Bench, rows: MemoryRows) -> None:
    """On reading, on scanning, on writing; and it comes back by itself."""
    rows.go_down()
    for call in (bench.ledger.admin.pause_state(), bench.ledger.any_open(), bench.ledger.insert(an_order())):
        with pytest.raises(StoreUnavailable):
            await call

    rows.come_back()
    assert (await bench.ledger.insert(an_order())).new


async def test_an_order_bound_before_its_insertion_is_known_is_still_new(bench: Bench, rows: MemoryRows) -> None:
    """The answer was lost; another worker has bound it; the shop hears what it is now."""
    rows.lose_next_answer(done=True)
    bound = replace(an_order(), status=OrderStatus.BOUND, operator=OPERATOR, nonce=7)

    def bind() -> None:
        values = rows.dump()["order:default:ORD1"]
        rows.put(
            "order:default:ORD1", values | {"owner": "binder", "status": "assigned", "operator": OPERATOR, "nonce": 7}
        )

    rows.after_next_read(bind)
    inserted = await bench.ledger.insert(an_order())

    assert inserted.new
    assert inserted.order == bound


async def test_a_binding_another_has_gone_on_from_is_contention(bench: Bench, rows: MemoryRows) -> None:
    """It was done, its answer was lost, and its versions are no longer good: look again."""
    orders, binding_state = await bench.received("ORD1"), await bench.binding_state()
    rows.lose_next_answer(done=True)
    rows.after_next_read(lambda: rows.put("commitments", {"units": "5", "owner": "another"}))

    with pytest.raises(Contention, match="commitments"):
        await bind(bench.ledger, binding_state, orders, *binding(7, orders))
    assert (await bench.order("ORD1")).nonce == 7


async def test_a_closing_reads_again_when_a_binding_changed_the_totals(bench: Bench, rows: MemoryRows) -> None:
    """It is about the same transaction still, so it goes on by itself."""
    bound = await bench.bound("ORD1")
    total = rows.dump()["commitments"]
    for _ in range(7):
        rows.after_next_read(lambda: rows.put("commitments", total))

    await bench.ledger.close(bound, a_closing("ORD1"))

    assert (await bench.order("ORD1")).status is OrderStatus.PAID
    assert (await bench.binding_state()).committed_units == 0


async def test_a_closing_gives_up_when_the_totals_never_stand_still(bench: Bench, rows: MemoryRows) -> None:
    """The next turn of settlement tries again."""
    bound = await bench.bound("ORD1")
    total = rows.dump()["commitments"]
    for _ in range(6 * CLOSE_TRIES_MAX):
        rows.after_next_read(lambda: rows.put("commitments", total))

    with pytest.raises(Contention, match="kept changing"):
        await bench.ledger.close(bound, a_closing("ORD1"))
    assert (await bench.order("ORD1")).status is OrderStatus.BOUND


async def test_an_attempt_signed_between_two_readings_waits_for_the_next(bench: Bench, rows: MemoryRows) -> None:
    """The transaction was read when it counted one."""
    bound = await bench.bound("ORD1")
    await rows.commit([InsertRow(key=f"attempt:{OPERATOR}:{7:020d}:0001", values=_attempt_values(rows, index=1))])

    (found,) = await bench.ledger.open_transactions()

    assert found.transaction == bound
    assert found.attempts == (an_attempt(0),)


async def test_only_a_closing_makes_a_transaction_final(bench: Bench) -> None:
    """An update would leave its orders and the totals behind."""
    bound = await bench.bound("ORD1")

    with pytest.raises(InvariantBroken, match="only a closing"):
        await bench.ledger.update(replace(bound, status=TransactionStatus.FINAL))


async def test_a_closed_ledger_answers_no_more(bench: Bench, rows: MemoryRows) -> None:
    """Closing it closes its rows."""
    await bench.ledger.aclose()

    with pytest.raises(StoreUnavailable):
        await rows.get("identity")


def _attempt_values(rows: MemoryRows, *, index: int) -> dict[str, str | int | bool | bytes]:
    return rows.dump()[f"attempt:{OPERATOR}:{7:020d}:0000"] | {"index": index}
