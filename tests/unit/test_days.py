"""What a day counts: each paid order once, on the day it became paid, and no payment waits for a chart."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from distributor.day_totals import DayTotals
from distributor.ledger import days, keys
from distributor.ledger.binding import MAX_ORDERS_PER_TRANSACTION
from distributor.ledger.closing import PaidBy
from distributor.ledger.columns import decode, encode
from distributor.model import Order, OrderStatus
from distributor.state import PAID_WITHIN_S
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs, utc_day
from foundation.errors import Contention
from foundation.tablestore.atomic import ROWS_MAX
from foundation.tablestore.memory import MemoryRows
from tests.factories import NOW_MS, TOKEN, a_hash, an_order
from tests.fakes.bench import Bench, a_closing, founded

DAY_MS = 86_400_000
TODAY, TOMORROW = (keys.day_row(utc_day(UnixMs(NOW_MS + ahead))) for ahead in (0, DAY_MS))
PROOF = PaidBy(tx_hash=a_hash("elsewhere"), block_number=80, log_index=3)
GAS = (63_000, 63_000 * 10**9)


async def day(bench: Bench, key: str = TODAY) -> DayTotals | None:
    """Return a day as it is stored."""
    row = await bench.rows.get(key)
    return decode(DayTotals, row) if row else None


async def must_day(bench: Bench, key: str = TODAY) -> DayTotals:
    """Return a day that is there."""
    found = await day(bench, key)
    assert found is not None
    return found


def within(*numbers: int) -> tuple[int, ...]:
    """Return the classes of times with one order in each of *numbers*."""
    return tuple(numbers.count(each) for each in range(len(PAID_WITHIN_S) + 1))


async def test_a_closing_counts_what_it_paid_and_what_it_cost() -> None:
    """A held order beside it counts nothing but its part of the gas."""
    bench = await founded()
    bound = await bench.bound("ORD1", "ORD2", "ORD3")
    bench.clock.advance(40_000)
    await bench.ledger.close(bound, a_closing("ORD1", "ORD2", held=["ORD3"]))

    found = await must_day(bench)
    assert (found.orders, found.units, found.payouts) == (2, 20 * TOKEN, 2)
    assert (found.gas_used, found.gas_cost_wei) == GAS
    assert found.paid_within == within(2, 2)
    assert [(await bench.order(each)).paid_ms for each in ("ORD1", "ORD3")] == [NOW_MS + 40_000, None]


async def test_a_day_ends_at_midnight_utc() -> None:
    """The order counts on the day of its closing, whenever it came."""
    bench = await founded()
    bound = await bench.bound("ORD1")
    bench.clock.advance(DAY_MS)
    await bench.ledger.close(bound, a_closing("ORD1"))

    assert await day(bench) is None
    assert (await must_day(bench, TOMORROW)).orders == 1


async def test_the_day_is_that_of_the_time_the_orders_get() -> None:
    """Midnight passes while the closing reads: the row and the orders name the same day."""
    bench = await founded()
    bound = await bench.bound("ORD1")
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.after_next_read(lambda: bench.clock.advance(DAY_MS))
    await bench.ledger.close(bound, a_closing("ORD1"))

    assert (await must_day(bench)).orders == 1
    assert (await bench.order("ORD1")).paid_ms == NOW_MS


async def test_a_closing_beside_another_loses_no_count() -> None:
    """The row is written on condition that it is as it was read."""
    bench = await founded()
    first, second = await bench.bound("ORD1"), await bench.bound("ORD2")
    assert isinstance(bench.rows, MemoryRows)
    await bench.ledger.close(first, a_closing("ORD1"))
    rows, stored = bench.rows, bench.rows.dump()[TODAY]
    for _ in range(6):
        rows.after_next_read(lambda: rows.put(TODAY, stored))
    await bench.ledger.close(second, a_closing("ORD2"))

    assert (await must_day(bench)).orders == 2


async def test_an_adopted_and_a_settled_order_count_without_gas() -> None:
    """Somebody else paid for it."""
    bench = await founded()
    adopted, settled = await bench.received("ORD1", "ORD2")
    await bench.ledger.guard_rows.adopt(adopted, PROOF)
    await bench.ledger.exits.settle(settled, a_hash("by hand"), 81, 4)

    found = await must_day(bench)
    assert (found.orders, found.units, found.payouts, found.gas_used) == (2, 20 * TOKEN, 0, 0)


@pytest.mark.parametrize("later_ms", [0, DAY_MS, 40 * DAY_MS])
async def test_a_reopened_order_leaves_the_day_that_counted_it(later_ms: int) -> None:
    """Whenever it is reopened; the gas was spent all the same. Paid again, it counts on its new day."""
    bench = await founded()
    await bench.ledger.close(await bench.bound("ORD1", "ORD2"), a_closing("ORD1", "ORD2"))
    bench.clock.advance(later_ms)
    held = await bench.ledger.exits.reopen(await bench.order("ORD1"), "gone")

    found = await must_day(bench)
    assert (found.orders, found.units, found.payouts, found.paid_within) == (1, 10 * TOKEN, 1, within(0))
    assert (found.gas_used, found.gas_cost_wei) == GAS
    assert held.paid_ms is None
    bench.clock.advance(DAY_MS)
    await bench.ledger.guard_rows.adopt(await bench.order("ORD1"), PROOF)
    assert (await must_day(bench, keys.day_row(utc_day(bench.clock())))).orders == 1


async def test_a_payment_that_is_named_anew_is_not_counted_again() -> None:
    """``correct`` changes which transaction paid it, and neither when nor that."""
    bench = await founded()
    await bench.ledger.close(await bench.bound("ORD1"), a_closing("ORD1"))
    before = await must_day(bench)
    bench.clock.advance(DAY_MS)
    await bench.ledger.guard_rows.correct(await bench.order("ORD1"), PROOF)

    assert await must_day(bench) == before
    assert (await bench.order("ORD1")).paid_ms == NOW_MS


async def test_an_order_paid_before_there_were_days_leaves_none() -> None:
    """Its row bears no time, so no day has counted it."""
    bench = await founded()
    await bench.ledger.close(await bench.bound("ORD1", "ORD2"), a_closing("ORD1", "ORD2"))
    old = await bench.order("ORD1")
    await bench.ledger.exits.reopen(replace(old, paid_ms=None), "gone")

    assert (await must_day(bench)).orders == 2


async def test_a_torn_day_stops_no_payment(caplog: pytest.LogCaptureFixture) -> None:
    """What is paid meanwhile is not counted, and leaves nothing behind that it never gave."""
    bench = await founded()
    assert isinstance(bench.rows, MemoryRows)
    torn = {"day": "2026-01-01", "orders": "many"}
    bench.rows.put(TODAY, torn)
    bound = await bench.bound("ORD1")
    with caplog.at_level(logging.ERROR):
        await bench.ledger.close(bound, a_closing("ORD1"))
        await bench.ledger.guard_rows.adopt((await bench.received("ORD2"))[0], PROOF)

    orders = [await bench.order(each) for each in ("ORD1", "ORD2")]
    assert [(each.status, each.paid_ms) for each in orders] == [(OrderStatus.PAID, None)] * 2
    assert bench.rows.dump()[TODAY] == torn
    assert "row_unreadable" in caplog.text
    await bench.ledger.exits.reopen(orders[0], "gone")
    assert (await bench.order("ORD1")).status is OrderStatus.HELD


@pytest.mark.parametrize("classes", ["", "1\n2", "0\n" * 39 + "0"])
async def test_a_day_with_other_classes_of_times_stops_no_payment(classes: str) -> None:
    """Another version may count by other classes: the order is paid, and the row stays as that version wrote it."""
    bench = await founded()
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put(TODAY, encode(DayTotals(day=TODAY.removeprefix(keys.DAYS))) | {"paid_within": classes})
    bound = await bench.bound("ORD1")

    await bench.ledger.close(bound, a_closing("ORD1"))

    paid = await bench.order("ORD1")
    assert (paid.status, paid.paid_ms) == (OrderStatus.PAID, None)
    assert bench.rows.dump()[TODAY]["paid_within"] == classes
    day = TODAY.removeprefix(keys.DAYS)
    assert [each.key for each in (await bench.ledger.days(day, day)).unreadable] == [TODAY]


async def test_a_day_that_was_lost_counts_nothing_below_zero() -> None:
    """A row that a restore left out: the order is held all the same."""
    bench = await founded()
    assert isinstance(bench.rows, MemoryRows)
    await bench.ledger.close(await bench.bound("ORD1"), a_closing("ORD1"))
    bench.rows.put(TODAY, dict(bench.rows.dump()[TODAY]) | {"orders": 0, "units": "0"})
    await bench.ledger.exits.reopen(await bench.order("ORD1"), "gone")

    assert (await must_day(bench)).orders == 0
    assert (await bench.order("ORD1")).status is OrderStatus.HELD


async def test_only_the_days_row_changed_so_the_group_is_drawn_anew() -> None:
    """A closing wrote it in between; the person need not look again."""
    bench = await founded()
    assert isinstance(bench.rows, MemoryRows)
    await bench.ledger.close(await bench.bound("ORD1"), a_closing("ORD1"))
    rows, stored, order = bench.rows, bench.rows.dump()[TODAY], await bench.order("ORD1")
    rows.after_next_read(lambda: rows.put(TODAY, stored))
    await bench.ledger.exits.reopen(order, "gone")

    assert (await must_day(bench)).orders == 0


async def test_an_order_that_changed_meanwhile_is_contention() -> None:
    """Somebody else decided; nothing is counted."""
    bench = await founded()
    (order,) = await bench.received("ORD1")
    await bench.ledger.admin.cancel(order, "ana", "refunded")

    with pytest.raises(Contention):
        await bench.ledger.guard_rows.adopt(order, PROOF)
    assert await day(bench) is None


async def test_a_day_that_never_keeps_still_is_given_up() -> None:
    """The caller looks again later, as after any contention."""
    bench = await founded()
    assert isinstance(bench.rows, MemoryRows)
    rows = bench.rows
    await bench.ledger.close(await bench.bound("ORD1"), a_closing("ORD1"))
    stored, (order,) = rows.dump()[TODAY], await bench.received("ORD2")
    for _ in range(60):
        rows.after_next_read(lambda: rows.put(TODAY, stored))

    with pytest.raises(Contention, match="kept changing"):
        await bench.ledger.guard_rows.adopt(order, PROOF)
    assert days.DAY_TRIES_MAX == 5


async def test_the_largest_closing_fits_with_its_day() -> None:
    """Thirty orders that another transaction paid: two rows each; thirty that are held: see the group of all held."""
    bench = await founded()
    names = [f"ORD{each}" for each in range(MAX_ORDERS_PER_TRANSACTION)]
    bound = await bench.bound(*names)
    assert isinstance(bench.rows, MemoryRows)
    before = len(bench.rows.dump())
    elsewhere = {order: replace(PROOF, log_index=at) for at, order in enumerate(bound.orders)}
    await bench.ledger.close(bound, replace(a_closing(*names), proofs=elsewhere))

    written = len(bench.rows.dump()) - before
    assert written == MAX_ORDERS_PER_TRANSACTION + 2  # hashes, the day, stats, what is told; less the open transaction
    assert 2 * MAX_ORDERS_PER_TRANSACTION + 7 <= ROWS_MAX
    assert (await must_day(bench)).payouts == 0


@pytest.mark.parametrize(
    ("took_s", "percent", "number"),
    [
        ([], 50, None),
        ([1], 50, 0),
        ([1], 95, 0),
        ([1, 20], 50, 0),
        ([1, 20, 20], 50, 1),
        ([1] * 19 + [100_000], 95, 0),
        ([1] * 18 + [100_000] * 2, 95, len(PAID_WITHIN_S)),
        ([-5], 50, 0),
    ],
)
def test_a_percentile_is_read_from_the_classes(took_s: list[int], percent: int, number: int | None) -> None:
    """The lowest class within which that share of the orders was paid."""
    orders: list[Order] = [replace(an_order(), paid_ms=UnixMs(NOW_MS + 1000 * each)) for each in took_s]

    assert DayTotals(day="2026-01-01").plus(orders).class_at(percent) == number


def test_counting_and_taking_back_is_no_change() -> None:
    """Amounts of any size."""
    order = replace(
        an_order(), paid_ms=UnixMs(NOW_MS + 90_000_000), gas_cost_wei=Wei(5), amount_units=TokenUnits(2**256 - 1)
    )
    empty = DayTotals(day="2026-01-01")

    assert empty.plus([order]).less(order) == empty
    assert empty.plus([order]).units == 2**256 - 1
