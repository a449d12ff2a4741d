"""
The totals of a day, in the group of the fact: a closing, or a payment that is found, settled or gone.

The row serves charts. So a row that cannot be read stops no payment: what happens meanwhile is not counted in it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from distributor.day_totals import NO_TIMES, DayTotals
from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.opened import Unreadable
from distributor.model import Order
from foundation import logs
from foundation.clock import UnixMs, utc_day
from foundation.errors import Contention, InvariantBroken, require
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Row, Rows
from foundation.tablestore.queries import behind, past

DAYS_MAX = 400
"""A bound on the days of one look: a year and a month."""
DAY_TRIES_MAX = 5
"""Every closing writes the day's row, so a group of one order may meet it changed."""

_log = logging.getLogger(__name__)


async def totals_of(rows: Rows, at_ms: UnixMs) -> DayTotals | None:
    """Return the totals of the UTC day of *at_ms* so far; None where the row cannot be read."""
    day = utc_day(at_ms)
    row = await rows.get(keys.day_row(day))
    try:
        return _read(row) if row else DayTotals(day=day)
    except InvariantBroken as error:
        logs.error(_log, "row_unreadable", key=keys.day_row(day), why=str(error))
        return None


def _read(row: Row) -> DayTotals:
    """Return what *row* holds. Raises InvariantBroken also where its times are in other classes than those of here."""
    found = decode(DayTotals, row)
    require(len(found.paid_within) == len(NO_TIMES), f"{row.key} has {len(found.paid_within)} classes of times")
    return found


def counted(paid: Order, day: DayTotals | None, now: UnixMs) -> Order:
    """Return *paid* with the time under which *day* counts it; without one where nothing can be counted."""
    return replace(paid, paid_ms=None if day is None else now)


def put_day(group: AtomicWrite, day: DayTotals) -> None:
    """Add to *group* the row of *day*, on the condition that it is still as it was read."""
    group.put(keys.day_row(day.day), encode(day), day.version)


async def count_paid(rows: Rows, group: AtomicWrite, paid: Order, now: UnixMs) -> Order:
    """Count an order that becomes paid in *group* by no closing; return it as the group stores it."""
    day = await totals_of(rows, now)
    paid = counted(paid, day, now)
    if day is not None:
        put_day(group, day.plus([paid]))
    return paid


async def uncount(rows: Rows, group: AtomicWrite, order: Order) -> None:
    """Take an order that is paid no more from the day that counted it."""
    day = None if order.paid_ms is None else await totals_of(rows, order.paid_ms)
    if day is not None and day.orders:
        put_day(group, day.less(order))


@dataclass(frozen=True, kw_only=True, slots=True)
class CountedDays:
    """The days that were counted, of those that were asked for."""

    began: str | None
    """The first day there ever was a row of; None: no day has been counted yet."""
    totals: Mapping[str, DayTotals]
    unreadable: Sequence[Unreadable]


async def counted_days(rows: Rows, first: str, last: str) -> CountedDays:
    """Return the totals of the days from *first* to *last*, at most ``DAYS_MAX``, in two reads."""
    beginning, found = await asyncio.gather(
        rows.scan(keys.DAYS, past(keys.DAYS), limit=1),
        rows.scan(keys.day_row(first), behind(keys.day_row(last)), limit=DAYS_MAX),
    )
    totals, unreadable = dict[str, DayTotals](), list[Unreadable]()
    for row in found:
        try:
            totals[row.key.removeprefix(keys.DAYS)] = _read(row)
        except InvariantBroken as error:
            unreadable.append(Unreadable(key=row.key, why=str(error)))
    began = beginning[0].key.removeprefix(keys.DAYS) if beginning else None
    return CountedDays(began=began, totals=totals, unreadable=unreadable)


async def commit_order(rows: Rows, order: Order, draw: Callable[[], Awaitable[tuple[AtomicWrite, Order]]]) -> Order:
    """
    Do the group that *draw* returns, and return its order; draw it anew while only the day's row has changed.

    Raises:
        Contention: The order changed since it was read.
    """
    key = keys.order_row(order.key)
    for _ in range(DAY_TRIES_MAX):
        group, after = await draw()
        try:
            await commit(rows, group, marker_row=key)
        except Contention:
            row = await rows.get(key)
            if row is None or row.version != order.version:
                raise
            continue
        return after
    raise Contention(f"the day's totals kept changing while order {order.key} was written")
