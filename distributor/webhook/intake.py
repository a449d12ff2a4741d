"""
Use case: accept one signed order into the ledger.

The order is stored before anyone is woken, and a message only wakes. So when the answer or the
message is lost, the shop's next try meets the stored order and wakes again while it still waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distributor.caps import NO_CAPS, Caps, refusal
from distributor.errors import BadSignature, ConflictingOrder
from distributor.ledger import Inserted, Ledger
from distributor.model import Order, OrderStatus
from distributor.webhook import orders, signature
from distributor.webhook.orders import PaymentRules
from distributor.webhook.signature import Key, Verified
from distributor.webhook.signature_schemes import Refusal
from foundation import logs
from foundation.clock import Clock

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
    keys: Callable[[], Sequence[Key]] = field(repr=False)
    """The secrets that count at this moment."""
    payment_rules: PaymentRules
    clock: Clock
    require_timestamp: bool = False
    """Refuse what is signed without a time."""
    caps: Caps = NO_CAPS

    async def accept(self, headers: Mapping[str, str], body: bytes) -> Accepted:
        """
        Store the order once; the same order again is the stored one.

        Raises:
            Rejected: The signature, the body, or the id used before with other content.
            LedgerUnavailable: Nothing is known; the sender's next try settles it.
        """
        return await self.take(self.authenticate(headers, body).source, body)

    def authenticate(self, headers: Mapping[str, str], body: bytes) -> Verified:
        """Return whose secret signed *body*, before anything in it is read. Raises BadSignature."""
        judged = signature.check_signature(
            headers, body, self.keys(), self.clock(), require_timestamp=self.require_timestamp
        )
        if isinstance(judged, Refusal):
            logs.info(_log, "signature_refused", cause=judged)
            raise BadSignature(signature.REFUSAL)
        logs.info(_log, "signature_verified", source=judged.source, secret=judged.secret, scheme=judged.scheme)
        return judged

    async def take(self, source: str, body: bytes) -> Accepted:
        """Store the order in a body that *source* signed. Raises what ``accept`` does, but for the signature."""
        return await self.keep(orders.parse(body, source, self.payment_rules, self.clock()))

    async def keep(self, order: Order) -> Accepted:
        """
        Store an order whose sender is known.

        Raises:
            ConflictingOrder: The id was used before with other content; the first content stands.
            UnpayableOrder: It is new, and above a cap by itself.
            LedgerUnavailable: Nothing is known; the sender's next try settles it.
        """
        inserted = await self._insert(order)
        if inserted.order.fingerprint != order.fingerprint:
            _note("order_conflict", order)
            raise ConflictingOrder
        _note("order_received" if inserted.new else "order_repeated", inserted.order)
        # Whoever stored it may have died before waking, so a repeated order wakes too while it waits.
        wake = inserted.order.status is OrderStatus.RECEIVED
        return Accepted(order=inserted.order, new=inserted.new, wake=wake)

    async def _insert(self, order: Order) -> Inserted:
        """Store *order*; one above a cap is only looked up: it may be there since before the cap was lowered."""
        cap = self.caps.above(order.amount_units)
        if cap is None:
            return await self.ledger.insert(order)
        stored = await self.ledger.recall(order)
        if stored is None:
            logs.warning(_log, "order_over_cap", order_id=order.order_id, source=order.source, cap=cap)
            raise refusal(cap)
        return Inserted(order=stored, new=False)


def _note(event: str, order: Order) -> None:
    logs.info(_log, event, order_id=order.order_id, source=order.source, amount_units=str(order.amount_units))
