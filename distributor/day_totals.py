"""
What happened in one UTC day: what was paid, how long it took, what it cost. For charts; no payment depends on it.

A day counts the orders that became paid in it. An order keeps the time under which it was counted (``paid_ms``), so
that it leaves that very day again when its payment leaves the chain. The sum of the days is the orders that bear such
a time: not those paid before there were days, and not those that a rebuild found, whose times nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from distributor.model import Order
from distributor.state import PAID_WITHIN_S, time_class
from distributor.units import TokenUnits, Wei
from foundation.tablestore.ports import UNSTORED, Version

NO_TIMES = (0,) * (len(PAID_WITHIN_S) + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class DayTotals:
    """One UTC day."""

    day: str
    """``yyyy-mm-dd``."""
    orders: int = 0
    """Orders that became paid, by whichever transaction."""
    units: TokenUnits = TokenUnits(0)
    """The token units of those."""
    paid_within: tuple[int, ...] = NO_TIMES
    """The same orders by the time from receipt to paid, in the classes of ``PAID_WITHIN_S``."""
    payouts: int = 0
    """Those of them that a transaction of this ledger paid: what the gas was spent on."""
    gas_used: int = 0
    """Of all transactions that became final, also of those that paid nothing."""
    gas_cost_wei: Wei = Wei(0)
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    def plus(self, paid: Iterable[Order]) -> DayTotals:
        """Return the day with *paid* counted as well."""
        after = self
        for order in paid:
            after = after._with(order, 1)
        return after

    def spending(self, gas_used: int, gas_cost_wei: Wei) -> DayTotals:
        """Return the day with the cost of one more final transaction."""
        cost = Wei(self.gas_cost_wei + gas_cost_wei)
        return replace(self, gas_used=self.gas_used + gas_used, gas_cost_wei=cost)

    def less(self, order: Order) -> DayTotals:
        """Return the day without *order*, which it counted; its gas was spent all the same. Nothing goes below zero."""
        return self._with(order, -1)

    def _with(self, order: Order, times: int) -> DayTotals:
        within = list(self.paid_within)
        took = time_class((order.paid_ms or 0) - order.received_ms)
        within[took] = max(0, within[took] + times)
        ours = 0 if order.gas_cost_wei is None else times
        return replace(
            self,
            orders=max(0, self.orders + times),
            units=TokenUnits(max(0, self.units + times * order.amount_units)),
            paid_within=tuple(within),
            payouts=max(0, self.payouts + ours),
        )

    def class_at(self, percent: int) -> int | None:
        """
        Return the class of times to paid within which *percent* of the orders were; None on a day without one.

        The classes are those of ``PAID_WITHIN_S``, and one more for what took longer.
        """
        wanted, reached = -(-sum(self.paid_within) * percent // 100), 0
        for number, count in enumerate(self.paid_within):
            reached += count
            if count and reached >= wanted:
                return number
        return None
