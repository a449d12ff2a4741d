"""
Use case: accept one signed order into the ledger.

The order is stored before anyone is woken, and a message only wakes. So when the answer or the
message is lost, the shop's next try meets the stored order and wakes again while it still waits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distributor import logs, orders, signature
from distributor.errors import ConflictingOrder
from distributor.ledger import Ledger
from distributor.model import Order, OrderStatus
from distributor.orders import Terms
from distributor.ports import Clock

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The order as the ledger holds it, whether it is new there, and whether distribution must be woken."""

    order: Order
    new: bool
    wake: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Intake:
    """Accept orders; needs the ledger and the shops' secrets, and no node."""

    ledger: Ledger
    secrets: Mapping[str, Sequence[str]] = field(repr=False)
    """The secrets of each source; several while one is being replaced."""
    terms: Terms
    clock: Clock

    async def accept(self, headers: Mapping[str, str], body: bytes) -> Accepted:
        """
        Store the order once; the same order again is the stored one.

        Raises:
            Rejected: The signature, the body, or the id used before with other content.
            LedgerUnavailable: Nothing is known; the sender's next try settles it.
        """
        source = signature.verify(headers, body, self.secrets)
        order = orders.parse(body, source, self.terms, self.clock())
        inserted = await self.ledger.insert(order)
        if inserted.order.fingerprint != order.fingerprint:
            _note("order_conflict", order)
            raise ConflictingOrder
        _note("order_received" if inserted.new else "order_repeated", inserted.order)
        # Whoever stored it may have died before waking, so a repeated order wakes too while it waits.
        wake = inserted.order.status is OrderStatus.RECEIVED
        return Accepted(order=inserted.order, new=inserted.new, wake=wake)


def _note(event: str, order: Order) -> None:
    logs.info(_log, event, order_id=order.order_id, source=order.source, amount_units=str(order.amount_units))
