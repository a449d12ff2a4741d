"""
Use case: list the orders that somebody looks for, a page at a time.

The command line, ``GET /orders`` and the console show what is read here. What a page reads does not grow with the
orders there are: see ``ledger.order_search``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from distributor.errors import MalformedQuery
from distributor.ledger import Ledger
from distributor.ledger.opened import Unreadable
from distributor.ledger.order_rows import FoundOrder
from distributor.ledger.order_search import COUNTED_MAX, FoundOrders, reads_all_times
from distributor.order_query import BRASILIA, LIMIT_MAX, OrderQuery, sealed
from distributor.status import rfc3339
from distributor.units import format_units
from foundation.clock import DAY_MS, UnixMs

NATIVE_DECIMALS = 18


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How many orders there are, counted as far as one answer of the table goes."""

    orders: int
    more: bool
    """There are more than that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderPage:
    """One page of the list."""

    orders: Sequence[FoundOrder]
    after: str
    """The row behind which the next page begins; empty where there is none."""
    count: Count | None
    """Of the first page, where counting takes one request; None otherwise."""
    complete: bool
    """Every order is indexed; False while those of an older version are still being added."""
    unreadable: Sequence[Unreadable]


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderList:
    """Find orders; needs the ledger alone."""

    ledger: Ledger
    decimals: int

    async def page(self, query: OrderQuery) -> OrderPage:
        """Return the page that *query* asks for. Raises MalformedQuery for a cursor of another question."""
        found, monitor = await asyncio.gather(
            self.ledger.found(query.wanted, limit=query.limit, after=query.after), self.ledger.service.monitor_state()
        )
        return OrderPage(
            orders=found.orders,
            after=found.after,
            count=None if query.after else await self._count(query, found),
            complete=monitor.orders_indexed,
            unreadable=found.unreadable,
        )

    async def document(self, query: OrderQuery) -> Mapping[str, object]:
        """Return the page as the JSON of ``GET /orders``."""
        page = await self.page(query)
        return {
            "orders": [self.entry(each) for each in page.orders],
            "cursor": sealed(page.after) if page.after else None,
            "count": {"orders": page.count.orders, "more": page.count.more} if page.count else None,
            "complete": page.complete,
            "unreadable": [{"row": each.key, "why": each.why} for each in page.unreadable],
        }

    def entry(self, found: FoundOrder) -> Mapping[str, object]:
        """Return one order of the list: times in UTC and in Brasília's zone, gas in POL where it is known."""
        order, gas = found.order, found.order.gas_cost_wei
        return {
            "order_id": order.order_id,
            "source": order.source,
            "status": found.shown,
            "wallet": order.wallet,
            "amount": format_units(order.amount_units, self.decimals),
            "amount_units": str(order.amount_units),
            "reason": str(order.hold_reason) if order.hold_reason else None,
            "received_at": rfc3339(order.received_ms),
            "received_at_brasilia": in_zone(order.received_ms, BRASILIA),
            "updated_at": rfc3339(order.updated_ms),
            "transaction_hash": order.paid_hash,
            "block": order.paid_block,
            "gas_pol": None if gas is None else format_units(gas, NATIVE_DECIMALS),
        }

    async def complete(self) -> bool:
        """Say whether every order is indexed; False while those of an older version are still being added."""
        return (await self.ledger.service.monitor_state()).orders_indexed

    async def all(self, query: OrderQuery, torn: list[Unreadable]) -> AsyncIterator[FoundOrder]:
        """Yield every order that *query* asks for, page by page, for an export; *torn* takes what cannot be read."""
        after = query.after
        while True:
            found = await self.ledger.found(query.wanted, limit=LIMIT_MAX, after=after)
            torn += found.unreadable
            for each in found.orders:
                yield each
            if not found.after:
                return
            after = found.after

    async def oldest_first(self, query: OrderQuery, torn: list[Unreadable]) -> AsyncIterator[FoundOrder]:
        """
        Yield every order of the time that *query* names, the oldest first; mostly a day of them is read at once.

        Args:
            query: What is asked for.
            torn: Takes the rows that cannot be read; the export must say that they are missing.

        Raises:
            MalformedQuery: It names no time.
        """
        wanted = query.wanted
        if wanted.from_ms is None or wanted.before_ms is None:
            raise MalformedQuery("Ask for a day or for a month.")
        step_ms = wanted.before_ms - wanted.from_ms if reads_all_times(wanted) else DAY_MS
        for first in range(wanted.from_ms, wanted.before_ms, step_ms):
            day = replace(wanted, from_ms=UnixMs(first), before_ms=UnixMs(first + step_ms))
            found = [each async for each in self.all(replace(query, wanted=day), torn)]
            for each in sorted(found, key=lambda each: each.order.queue_key):
                yield each

    async def _count(self, query: OrderQuery, found: FoundOrders) -> Count | None:
        here = len(found.orders)
        if not found.after:
            return Count(orders=here, more=False)
        behind = await self.ledger.count(query.wanted, after=found.after)
        if behind is None:
            return None
        together = here + behind
        return Count(orders=min(together, COUNTED_MAX), more=together > COUNTED_MAX)


def in_zone(time_ms: UnixMs, zone: timezone) -> str:
    """Return *time_ms* in *zone* as text with its offset, to the second."""
    return datetime.fromtimestamp(time_ms // 1_000, zone).isoformat()
