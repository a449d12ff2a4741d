"""
Use case: accept an order from a WooCommerce without this service's plug-in.

WooCommerce counts every answer but 200 to 302 as a failed delivery, sends nothing again, and switches
a webhook off at the seventh failure in a row. So one order that cannot be paid is no failed delivery:
it raises an alarm, and the webhook stays on for the orders after it. A wrong signature
and a ledger that is down stay failures, because then no order would be taken (docs/decisions/0022).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from distributor.errors import ConflictingOrder, ShopUnknown, UnpayableOrder
from distributor.model import Order, OrderKey
from distributor.ports import Alarm, Alarms
from distributor.settings.shops import WooCommerceSettings
from distributor.webhook import woocommerce
from distributor.webhook.authentication import Sender, WebhookRequest
from distributor.webhook.intake import Intake
from distributor.webhook.order_keeper import Accepted
from distributor.webhook.signature import Verified
from distributor.webhook.woocommerce import NotPaid, NotPaidKind
from foundation import logs

BODY_BYTES_MAX = 512 * 1024
"""A whole order, with all its items and everything plug-ins keep in it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WooCommerceIntake:
    """Accept orders by the shop's rules; the ledger, the secrets and the terms are those of the plain intake."""

    intake: Intake
    rules: WooCommerceSettings
    alarms: Alarms

    async def accept(self, request: WebhookRequest) -> tuple[Sender, Accepted | NotPaid]:
        """
        Store the order in *request* once, or return why it pays nothing.

        Raises:
            Rejected: The signature is wrong, or the body cannot be a delivery.
            RateLimited: The address or the shop has used up its rate.
            StoreUnavailable: The outcome is unknown; WooCommerce sends it again only when the order is saved again.
        """
        sender = await self.intake.authentication.authenticate(request, body_bytes_max=BODY_BYTES_MAX)
        return sender, await self.take(sender.verified, request.body)

    async def take(self, verified: Verified, body: bytes) -> Accepted | NotPaid:
        """Store the order in a *body* that a shop signed, or return why it pays nothing."""
        source = verified.source
        found = woocommerce.read_order(body, source, self.intake.payment_rules, self.rules, self.intake.clock())
        taken = await self._kept(found, verified, body) if isinstance(found, Order) else found
        if isinstance(taken, NotPaid):
            await self._tell(taken, source)
        return taken

    async def _kept(self, order: Order, verified: Verified, body: bytes) -> Accepted | NotPaid:
        try:
            return await self._same_order(order, verified, body)
        except ConflictingOrder as error:
            return NotPaid(verdict=NotPaidKind.CONFLICT, reason=error.code, detail=str(error), order_id=order.order_id)
        except ShopUnknown:  # WooCommerce would send it no second time, and switch the webhook off after some of them
            detail = "its id is taken by an order that was signed with another secret; `shops list` shows whose"
            return NotPaid(verdict=NotPaidKind.UNPAYABLE, reason="shop_unknown", detail=detail, order_id=order.order_id)
        except UnpayableOrder as error:  # above a cap
            return NotPaid(verdict=NotPaidKind.UNPAYABLE, reason=error.code, detail=str(error), order_id=order.order_id)

    async def _same_order(self, order: Order, verified: Verified, body: bytes) -> Accepted:
        """Keep *order*; one that was stored before its refunds is the same order, and its first content is kept."""
        try:
            return await self.intake.keep(order, verified.signed_with)
        except ConflictingOrder:
            rules = self.intake.payment_rules
            earlier = woocommerce.fingerprints_before_refunds(body, order, rules, self.rules)
            return await self.intake.keep(order, verified.signed_with, or_known_as=earlier)

    async def _tell(self, unpaid: NotPaid, source: str) -> None:
        logs.info(
            _log,
            "woocommerce_not_paid",
            verdict=unpaid.verdict,
            code=unpaid.reason,
            order_id=unpaid.order_id,
            source=source,
        )
        subject = str(OrderKey(source, unpaid.order_id)) if unpaid.order_id else source
        if unpaid.verdict is NotPaidKind.UNPAYABLE:
            await self.alarms.raise_(_cannot_be_paid(unpaid, subject))
        if unpaid.verdict is NotPaidKind.CONFLICT:
            await self.alarms.raise_(_changed(subject))


def _cannot_be_paid(unpaid: NotPaid, subject: str) -> Alarm:
    return Alarm(
        code="woocommerce_unpayable",
        summary=f"WooCommerce shows an order that should be paid and cannot be ({unpaid.reason}): {unpaid.detail}",
        action="Nothing was paid for this delivery. Correct what it names; then save the order again in the shop: "
        "that sends it again.",
        subject=subject,
    )


def _changed(subject: str) -> Alarm:
    return Alarm(
        code="woocommerce_conflict",
        summary="WooCommerce shows an order with another wallet or amount than it had when it was stored. "
        "The first content is kept.",
        action="Compare the order in the shop with GET /orders. Where more is owed, pay it by an order of its own.",
        subject=subject,
    )
