"""Shops that send orders, the settings that hold their secrets, and the payouts behind them, in memory."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import Order, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.payout.shop_registration import ShopRegistration
from distributor.payout.shop_words import KnownSecret, ShopWords
from distributor.settings.chain import ContractSettings
from distributor.settings.shop_secrets import SecretName
from distributor.webhook.authentication import WebhookRequest
from distributor.webhook.intake import Intake
from distributor.webhook.signature import Key
from foundation.errors import ConfigurationError
from tests.distributions import with_lanes
from tests.fakes.chain import AUTHORITY, CUSTOMERS, RESERVE, TOKEN
from tests.fakes.senders import authentication
from tests.world import World

FIRST, SECOND, THIRD = "the first secret of shop A", "the second secret of shop A", "the only secret of shop B"
RULES = ContractSettings(chain_id=31337, token=TOKEN, authority=AUTHORITY, reserve=RESERVE, decimals=18)


@dataclass
class Shop:
    """A world whose settings hold secrets, and shops that send orders."""

    world: World
    settings: dict[str, str] = field(default_factory=dict)
    """Source, or source and ``/previous``, to the secret it holds now."""
    silent: bool = False
    """The vault does not answer."""

    def __post_init__(self) -> None:
        self.fingerprints = SecretFingerprints(salt=self.world.ledger.shops.salt)
        self.registration = ShopRegistration(
            ledger=self.world.ledger, fingerprints=self.fingerprints, secrets=self.secrets
        )
        self.words = ShopWords(ledger=self.world.ledger)

    async def secrets(self) -> dict[SecretName, str]:
        """Return what the settings hold now."""
        if self.silent:
            raise ConfigurationError("the vault does not answer")
        return {
            SecretName(name.partition("/")[0], "previous" if "/" in name else "current"): secret
            for name, secret in self.settings.items()
        }

    async def send(self, secret: str, order_id: str = "ORD1", **changes: Any) -> Order:
        """Sign an order and hand it in; the source is what the settings call the secret."""
        named = await self.secrets()
        found = [Key(source=name.source, which=name.which, secret=held) for name, held in named.items()]
        intake = Intake(
            ledger=self.world.ledger,
            authentication=authentication(found, self.world.clock),
            payment_rules=RULES,
            fingerprints=self.fingerprints,
            alarms=self.world.alarms,
            clock=self.world.clock,
            caps=self.world.caps,
        )
        body = json.dumps({"order_id": order_id, "wallet": CUSTOMERS[0], "amount": "10", **changes}).encode()
        signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
        _, accepted = await intake.accept(WebhookRequest(headers={"X-WP-Signature": signature}, body=body))
        return accepted.order

    async def lay(self, order_id: str, *, source: str = "default", **changes: Any) -> Order:
        """Put an order into the ledger as if it had come under the name *source*."""
        return await self.world.receive(order_id, source=source, ref_id=ref_id(source, order_id), **changes)

    async def pay(self) -> None:
        """Drain, and let the chain make what was bound final."""
        await with_lanes(self.world.distribution, registration=self.registration).drain()
        await self.world.settle(turns=16)

    async def secret(self, secret: str) -> KnownSecret:
        """Return what the list shows of *secret*."""
        marks = {name: await self.fingerprints.of(held) for name, held in (await self.secrets()).items()}
        mark = await self.fingerprints.of(secret)
        return next(each for each in await self.words.secrets(marks) if each.fingerprint == mark)

    async def status(self, source: str, order_id: str = "ORD1") -> OrderStatus | None:
        """Return how the order of that name is, or None."""
        found = await self.world.ledger.order(OrderKey(source, order_id))
        return found.status if found else None

    @property
    def paid(self) -> int:
        """How many transfers the chain shows."""
        return len(self.world.transfers())
