"""
Which of the waiting orders a round binds: the oldest first, as many as there is room and money for.

An order that does not fit, for the reserve or for a cap, does not stop those behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from distributor import approvals
from distributor.caps import Caps
from distributor.ledger import Ledger
from distributor.ledger.opened import Unreadable
from distributor.ledger.shop_owners import Owners
from distributor.model import Order, OrderKey
from distributor.payout import preflight
from distributor.payout.preflight import Obstacle, Prepared
from distributor.state import BindingState, WaitingReason
from foundation.clock import UnixMs

PAGE_ORDERS = 64
"""Waiting orders read together: four times what one operator may have in flight."""
HELD_PER_ROUND = 64
"""Orders without approval that one round takes out of the backlog, each with a write of its own."""
PAGES_PER_ROUND = 16
"""A bound on how far a round looks past orders that cannot be afforded."""


@dataclass(kw_only=True, slots=True)
class Line:
    """
    How far one drain has come along the backlog.

    A round goes on where the one before found nothing to bind, so that many orders that wait (of one wallet at its
    cap, of a shop nobody knows) keep no other from being looked at. The next drain begins at the oldest again.
    """

    skip: set[OrderKey] = field(default_factory=set)
    """Orders that were judged and not bound."""
    after: str = ""
    """Everything up to this place waits for a reason of its own."""
    obstacle: Obstacle | None = None
    """Why the first of those waits."""
    waiting: int = 0
    """How many orders wait for a reason of their own, up to that place."""

    def why(self, obstacle: Obstacle | None, more: int) -> Obstacle | None:
        """Return what is said of all that wait: the first one's reason, and how many there are."""
        first, count = self.obstacle or obstacle, self.waiting + more
        if first is None or count <= 1:
            return first
        return replace(first, detail=f"{first.detail} {count} orders wait for a reason of their own.".lstrip())


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The waiting orders a round can afford, the end of the backlog it looked to, and why others stay."""

    orders: Sequence[Order]
    binding_state: BindingState
    """Those the round was prepared on, with the totals of the wallets that were looked at."""
    looked_to: str | None
    obstacle: Obstacle | None
    unreadable: Sequence[Unreadable] = ()
    misplaced: Sequence[Order] = ()
    """Orders that lie under another source than their secret's."""
    unapproved: Sequence[Order] = ()
    """Orders above the limit without an approval that counts: they are held, and stop no other."""
    unknown: Mapping[str, int] = field(default_factory=dict)
    """How many orders of each source wait because nobody knows whose secret signed them."""


@dataclass(kw_only=True, slots=True)
class _Selecting:
    """What was chosen so far, and the books as they would be with that bound."""

    prepared: Prepared
    caps: Caps
    owners: Owners
    now: UnixMs
    binding_state: BindingState
    orders: list[Order] = field(default_factory=list)
    misplaced: list[Order] = field(default_factory=list)
    unapproved: list[Order] = field(default_factory=list)
    obstacle: Obstacle | None = None
    unreadable: list[Unreadable] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    waiting: int = 0

    @property
    def fruitless(self) -> bool:
        return not self.orders and not self.misplaced and not self.unapproved

    def take(self, orders: Sequence[Order]) -> bool:
        """Take those of *orders* that fit; False when there is no room for what is left of them."""
        promised = self.binding_state.plus(self.orders)
        for order in orders:
            if len(self.orders) == self.prepared.room_for_orders or len(self.unapproved) == HELD_PER_ROUND:
                return False
            owner = self.owners.of(order)
            if owner is not None and owner != order.source:
                self.misplaced.append(order)
                continue
            if owner is not None and approvals.lacks(order, self.caps, self.now):
                self.unapproved.append(order)
                continue
            trouble = self._of_nobody(order) if owner is None else self._unaffordable(order, promised)
            if trouble is None:
                self.orders.append(order)
                promised = promised.plus([order])
            else:
                self.waiting += 1
            self.obstacle = self.obstacle or trouble
        return True

    def _unaffordable(self, order: Order, promised: BindingState) -> Obstacle | None:
        return preflight.unaffordable(order, self.prepared.snapshot, promised, self.caps)

    def _of_nobody(self, order: Order) -> Obstacle:
        self.unknown[order.source] += 1
        detail = f"Order {order.key} came under the name {order.source} with a secret that is not registered."
        if order.signed_with is None:
            detail = (
                f"Order {order.key} names no secret: an older version stored it under a name that is new since then. "
            )
            detail += "Update that host and `cancel` the order; what its shop sends again is stored under its own name."
        return Obstacle(reason=WaitingReason.SHOP_UNKNOWN, detail=detail)

    def selection(self, looked_to: str | None, line: Line) -> Selection:
        return Selection(
            orders=self.orders,
            binding_state=self.binding_state,
            looked_to=looked_to,
            obstacle=line.why(self.obstacle, self.waiting),
            unreadable=self.unreadable,
            misplaced=self.misplaced,
            unapproved=self.unapproved,
            unknown=self.unknown,
        )


async def select_orders(
    ledger: Ledger, prepared: Prepared, caps: Caps, line: Line, owners: Owners, *, now: UnixMs
) -> Selection:
    """
    Look along the backlog for orders that fit, from where *line* has come to; pages without any move it on.

    Args:
        ledger: Where the backlog is.
        prepared: What the round was prepared on.
        caps: The most that is paid.
        line: How far this drain has come, and which orders to leave out.
        owners: Whose each registered secret is.
        now: The time by which approvals are judged.
    """
    selecting = _Selecting(prepared=prepared, caps=caps, owners=owners, now=now, binding_state=prepared.binding_state)
    queue_key = line.after
    for _ in range(PAGES_PER_ROUND):
        page = await ledger.waiting(limit=PAGE_ORDERS, after=queue_key)
        selecting.unreadable += page.unreadable
        orders = [order for order in page.orders if order.key not in line.skip]
        selecting.binding_state = await ledger.with_wallets(selecting.binding_state, [order.wallet for order in orders])
        if not selecting.take(orders):
            return selecting.selection(None, line)
        queue_key = page.after or (page.orders[-1].queue_key if page.orders else queue_key)
        if not page.after:
            return selecting.selection(queue_key, line)
        if selecting.fruitless:
            line.after, line.obstacle = queue_key, line.obstacle or selecting.obstacle
            line.waiting, selecting.waiting = line.waiting + selecting.waiting, 0
    return selecting.selection(None, line)
