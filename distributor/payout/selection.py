"""
Which of the waiting orders a round binds: the oldest first, as many as there is room and money for.

An order that does not fit, for the reserve or for a cap, does not stop those behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from distributor.caps import Caps
from distributor.ledger import Ledger
from distributor.ledger.opened import Unreadable
from distributor.model import Order, OrderKey
from distributor.payout import preflight
from distributor.payout.preflight import Obstacle, Prepared
from distributor.state import BindingState

PAGE_ORDERS = 64
"""Waiting orders read together: four times what one operator may have in flight."""
PAGES_PER_ROUND = 16
"""A bound on how far a round looks past orders that cannot be afforded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The waiting orders a round can afford, the end of the line it looked to, and why others stay."""

    orders: Sequence[Order]
    binding_state: BindingState
    """Those the round was prepared on, with the totals of the wallets that were looked at."""
    looked_to: str | None
    obstacle: Obstacle | None
    unreadable: Sequence[Unreadable] = ()


@dataclass(kw_only=True, slots=True)
class _Selecting:
    """What was chosen so far, and the books as they would be with that bound."""

    prepared: Prepared
    caps: Caps
    binding_state: BindingState
    orders: list[Order]
    obstacle: Obstacle | None = None
    unreadable: list[Unreadable] = field(default_factory=list)

    def take(self, orders: Sequence[Order]) -> bool:
        """Take those of *orders* that fit; False when there is no room for what is left of them."""
        promised = self.binding_state.plus(self.orders)
        for order in orders:
            if len(self.orders) == self.prepared.room:
                return False
            trouble = preflight.unaffordable(order, self.prepared.snapshot, promised, self.caps)
            if trouble is None:
                self.orders.append(order)
                promised = promised.plus([order])
            self.obstacle = self.obstacle or trouble
        return True

    def selection(self, looked_to: str | None) -> Selection:
        return Selection(
            orders=self.orders,
            binding_state=self.binding_state,
            looked_to=looked_to,
            obstacle=self.obstacle,
            unreadable=self.unreadable,
        )


async def select_orders(ledger: Ledger, prepared: Prepared, caps: Caps, skip: Collection[OrderKey]) -> Selection:
    """Look along the waiting line for orders that fit, those to *skip* left out."""
    selecting, queue_key = _Selecting(prepared=prepared, caps=caps, binding_state=prepared.binding_state, orders=[]), ""
    for _ in range(PAGES_PER_ROUND):
        page = await ledger.waiting(limit=PAGE_ORDERS, after=queue_key)
        selecting.unreadable += page.unreadable
        orders = [order for order in page.orders if order.key not in skip]
        selecting.binding_state = await ledger.with_wallets(selecting.binding_state, [order.wallet for order in orders])
        if not selecting.take(orders):
            return selecting.selection(None)
        queue_key = page.after or (page.orders[-1].queue_key if page.orders else queue_key)
        if not page.after:
            return selecting.selection(queue_key)
    return selecting.selection(None)
