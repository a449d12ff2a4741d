"""
The backlog, oldest first, as far as its rows can be read.

An ``open:`` row without its order, or an order that cannot be read, harms itself alone: it is passed
over and named, and those behind it are found. An order with a status of a later version is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from distributor.ledger import keys
from distributor.ledger.binding import WaitingPage
from distributor.ledger.opened import Unreadable
from distributor.ledger.queries import named_orders
from distributor.model import Order, OrderStatus
from foundation import logs
from foundation.tablestore.ports import Rows
from foundation.tablestore.queries import behind, past

PAGES_MAX = 100
"""A bound on how far one look passes over rows that no order can be taken from."""

_log = logging.getLogger(__name__)


async def waiting(rows: Rows, *, limit: int, after: str) -> WaitingPage:
    """Return waiting orders behind the place *after*, at most *limit*; none only where the backlog ends."""
    unreadable: list[Unreadable] = []
    for _ in range(PAGES_MAX):
        page = await _page(rows, limit, after)
        unreadable += page.unreadable
        after = page.after
        if page.orders or not after:
            break
    return WaitingPage(orders=page.orders, after=after, unreadable=unreadable)


async def _page(rows: Rows, limit: int, after: str) -> WaitingPage:
    first = behind(keys.OPEN_ORDERS + after) if after else keys.OPEN_ORDERS
    found = await rows.scan(first, past(keys.OPEN_ORDERS), limit=limit)
    read = await named_orders(rows, found)
    unreadable = [each for each in read if isinstance(each, Unreadable)]
    for each in unreadable:
        logs.error(_log, "row_unreadable", key=each.key, why=each.why)
    more = found[-1].key.removeprefix(keys.OPEN_ORDERS) if len(found) == limit else ""
    return WaitingPage(
        orders=_still_waiting([each for each in read if isinstance(each, Order)]),
        after=more,
        unreadable=unreadable,
    )


def _still_waiting(orders: Sequence[Order]) -> Sequence[Order]:
    for order in orders:
        if order.status is not OrderStatus.RECEIVED:  # bound between the scan of the backlog and its reading, or newer
            logs.info(_log, "order_no_longer_waiting", order=str(order.key), status=str(order.status))
    return tuple(order for order in orders if order.status is OrderStatus.RECEIVED)
