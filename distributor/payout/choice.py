"""
Which of the waiting orders a round binds: the oldest first, as many as there is room and money for.

An order that does not fit, for the reserve or for a cap, does not stop those behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from distributor.caps import Caps
from distributor.ledger import Ledger
from distributor.model import Order, OrderKey
from distributor.payout import preflight
from distributor.payout.preflight import Obstacle, Prepared
from distributor.standing import Books

PAGE_ORDERS = 64
"""Waiting orders read together: four times what one operator may have in flight."""
PAGES_PER_ROUND = 16
"""A bound on how far a round looks past orders that cannot be afforded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The waiting orders a round can afford, the end of the line it looked to, and why others stay."""

    orders: Sequence[Order]
    books: Books
    """Those the round was prepared on, with the totals of the wallets that were looked at."""
    looked_to: str | None
    obstacle: Obstacle | None


@dataclass(kw_only=True, slots=True)
class _Tally:
    """What was chosen so far, and the books as they would be with that bound."""

    prepared: Prepared
    caps: Caps
    books: Books
    orders: list[Order]
    obstacle: Obstacle | None = None

    def take(self, orders: Sequence[Order]) -> bool:
        """Take those of *orders* that fit; False when there is no room for what is left of them."""
        promised = self.books.plus(self.orders)
        for order in orders:
            if len(self.orders) == self.prepared.room:
                return False
            trouble = preflight.unaffordable(order, self.prepared.survey, promised, self.caps)
            if trouble is None:
                self.orders.append(order)
                promised = promised.plus([order])
            self.obstacle = self.obstacle or trouble
        return True

    def choice(self, looked_to: str | None) -> Choice:
        return Choice(orders=self.orders, books=self.books, looked_to=looked_to, obstacle=self.obstacle)


async def choose(ledger: Ledger, prepared: Prepared, caps: Caps, skip: Collection[OrderKey]) -> Choice:
    """Look along the waiting line for orders that fit, those to *skip* left out."""
    tally, place = _Tally(prepared=prepared, caps=caps, books=prepared.books, orders=[]), ""
    for _ in range(PAGES_PER_ROUND):
        page = await ledger.waiting(limit=PAGE_ORDERS, after=place)
        orders = [order for order in page.orders if order.key not in skip]
        tally.books = await ledger.with_wallets(tally.books, [order.wallet for order in orders])
        if not tally.take(orders):
            return tally.choice(None)
        place = page.after or (page.orders[-1].place if page.orders else place)
        if not page.after:
            return tally.choice(place)
    return tally.choice(None)
