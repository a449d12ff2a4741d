"""
Use case: a shop asks where an order of its own is.

The shop's secret signs the question; a function key is for operators, who see the orders of every shop. An order that
is not there and one of another shop are answered alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from distributor.ledger import Ledger
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.order_ids import ORDER_ID
from distributor.status import Document, Status
from distributor.webhook.authentication import Authentication, Sender

_SHOWN = (
    "order_id",
    "source",
    "wallet",
    "amount",
    "amount_units",
    "tipo",
    "reason",
    "ref_id",
    "status",
    "transaction_hash",
    "block",
    "received_at",
    "updated_at",
)
_WHY = ("reason", "summary")
"""Of what waits or is held; the detail may name an order of another shop, and the action is an operator's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopReading:
    """Show a shop its own orders; needs the ledger and the shops' secrets, and no node."""

    ledger: Ledger
    authentication: Authentication
    fingerprints: SecretFingerprints
    status: Status

    async def of(self, headers: Mapping[str, str], order_id: str) -> tuple[Sender, Document | None]:
        """
        Return who asks, and the order of that id; None where this shop has none.

        Raises:
            Rejected: The signature is missing, wrong, or covers no time.
            RateLimited: The address or the shop has used up its rate.
            StoreUnavailable: Nothing is known; ask again.
        """
        sender = await self.authentication.authenticate_question(headers, f"GET /shop/orders/{order_id}")
        if not ORDER_ID.fullmatch(order_id):
            return sender, None
        verified = sender.verified
        signed_with = await self.fingerprints.of(verified.signed_with)
        order = await self.ledger.shop_orders.own(verified.source, order_id, signed_with)
        return sender, _shown(await self.status.describe(order)) if order is not None else None


def _shown(document: Document) -> Document:
    shown = {name: document[name] for name in _SHOWN}
    return {**shown, "waiting": _why(document["waiting"]), "held": _why(document["held"])}


def _why(why: object) -> Document | None:
    return {name: why[name] for name in _WHY} if isinstance(why, dict) else None
