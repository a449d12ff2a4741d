"""
Use case: accept one signed order into the ledger.

The order is stored before anyone is woken, and a message only wakes. So when the answer or the
message is lost, the shop's next try meets the stored order and wakes again while it still waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from distributor.settings.chain import ContractSettings
from distributor.webhook import orders
from distributor.webhook.authentication import Authentication, Sender, WebhookRequest
from distributor.webhook.order_keeper import Accepted, OrderKeeper
from foundation.clock import Clock

BODY_BYTES_MAX = 64 * 1024
"""An order has a few hundred bytes; a plug-in may add fields of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Intake(OrderKeeper):
    """Accept signed orders; needs the shops' secrets besides."""

    authentication: Authentication
    payment_rules: ContractSettings
    clock: Clock

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
        return sender, await self.keep(order, sender.verified.signed_with)
