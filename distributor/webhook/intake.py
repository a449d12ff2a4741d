"""
Use case: accept one signed order into the ledger.

The order is stored before anyone is woken, and a message only wakes. So when the answer or the
message is lost, the shop's next try meets the stored order and wakes again while it still waits.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from distributor.caps import NO_CAPS, Caps, refusal
from distributor.errors import ConflictingOrder, ShopUnknown
from distributor.ledger import Inserted, Ledger
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import Order, OrderStatus
from distributor.ports import Alarms
from distributor.reasons import shop_unknown
from distributor.settings.chain import ContractSettings
from distributor.webhook import orders
from distributor.webhook.authentication import Authentication, Sender, WebhookRequest
from distributor.webhook.signature import Verified
from foundation import logs
from foundation.clock import Clock

BODY_BYTES_MAX = 64 * 1024
"""An order has a few hundred bytes; a plug-in may add fields of its own."""

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
    authentication: Authentication
    payment_rules: ContractSettings
    fingerprints: SecretFingerprints
    alarms: Alarms
    clock: Clock
    caps: Caps = NO_CAPS

    async def accept(self, request: WebhookRequest) -> tuple[Sender, Accepted]:
        """
        Store the order in *request* once; the same order again returns the stored one.

        Raises:
            Rejected: The signature or the body is wrong, or the id was used before with other content.
            RateLimited: The address or the shop has used up its rate.
            StoreUnavailable: The outcome is unknown; the sender's next try settles it.
        """
        sender = await self.authentication.authenticate(request, body_bytes_max=BODY_BYTES_MAX)
        order = orders.parse(request.body, sender.verified.source, self.payment_rules, self.clock())
        return sender, await self.keep(order, sender.verified)

    async def keep(self, order: Order, verified: Verified) -> Accepted:
        """
        Store an order whose sender is known, with the fingerprint of the secret that signed it.

        Whose secret that is, is asked where the order is bound; here only of an order met under a known id.

        Raises:
            ShopUnknown: Its id is taken by an order that another shop's secret signed, or one nobody knows.
            ConflictingOrder: The id was used before with other content; the first content is kept.
            UnpayableOrder: It is new, and above a cap by itself.
            LedgerUnavailable: Nothing is known; the sender's next try settles it.
        """
        order = replace(order, signed_with=await self.fingerprints.of(verified.signed_with))
        inserted = await self._of_this_shop(await self._insert(order), order)
        if inserted.order.fingerprint != order.fingerprint:
            _note("order_conflict", order)
            raise ConflictingOrder
        _note("order_received" if inserted.new else "order_repeated", inserted.order)
        # The process that stored it may have died before waking, so a repeated order wakes too while it waits.
        wake = inserted.order.status is OrderStatus.RECEIVED
        return Accepted(order=inserted.order, new=inserted.new, wake=wake)

    async def _of_this_shop(self, inserted: Inserted, order: Order) -> Inserted:
        """Return what this shop has under the id; another shop's order is not its own, whatever the setting's name."""
        if inserted.new:
            return inserted
        answer = await self.ledger.shop_orders.answer(inserted.order, order)
        if answer is None:
            await self.alarms.raise_(
                shop_unknown(order.source, f"Order {order.key} was sent with another secret, and is not stored.")
            )
            raise ShopUnknown
        return answer

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
