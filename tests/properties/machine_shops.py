"""Shops whose settings change: one gets other names and secrets, a second one opens, people say whose is whose."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distributor.errors import NotYet
from distributor.ledger import Inserted
from distributor.model import DEFAULT_SOURCE, Order
from distributor.payout.shop_registration import ShopRegistration
from distributor.payout.shop_words import ShopWords
from distributor.ports import Alarms
from distributor.settings.shop_secrets import SecretName
from distributor.webhook.order_keeper import OrderKeeper

if TYPE_CHECKING:
    from tests.properties.machine_host import Host

SECOND = "second"


@dataclass(kw_only=True)
class Shop:
    """One shop, whatever its settings are called."""

    home: str
    """The source its orders belong to."""
    name: str
    """Of its setting today."""
    secret: str
    """What it signs with today; its own fingerprint."""


@dataclass(kw_only=True)
class Shops:
    """Who sends: a shop that was registered at the beginning, and one that opens later."""

    first: Shop = field(default_factory=lambda: Shop(home=DEFAULT_SOURCE, name=DEFAULT_SOURCE, secret="first 0"))
    second: Shop | None = None
    home_of: dict[str, str] = field(default_factory=lambda: {DEFAULT_SOURCE: DEFAULT_SOURCE, SECOND: SECOND})
    """The shop that ever had a name."""
    changes: int = 0

    def open(self) -> Shop:
        """Return the second shop, from now on in the settings."""
        self.second = self.second or Shop(home=SECOND, name=SECOND, secret=SECOND)
        return self.second

    def change(self, *, name: bool, secret: bool) -> None:
        """Give the first shop another name, another secret, or both: nobody tells the service that it is the same."""
        self.changes += 1
        if name:
            self.first.name = f"shop-{self.changes}"
            self.home_of[self.first.name] = self.first.home
        if secret:
            self.first.secret = f"first {self.changes}"

    def names(self, shop: Shop) -> list[str]:
        """Return every name the shop ever had."""
        return [name for name, home in self.home_of.items() if home == shop.home]

    @property
    def configured(self) -> Mapping[SecretName, str]:
        """What the settings hold."""
        return {SecretName(shop.name, "current"): shop.secret for shop in (self.first, self.second) if shop is not None}

    # a vault that answers at once, and a fingerprint that costs nothing --------------------------

    async def secrets(self) -> Mapping[SecretName, str]:
        return self.configured

    async def of(self, secret: str) -> str:
        return secret

    async def of_all(self, secrets: Mapping[SecretName, str]) -> Mapping[SecretName, str]:
        return secrets


def a_registration(host: Host, shops: Shops) -> ShopRegistration:
    """Return what registers the secrets that need no person."""
    fingerprints: Any = shops
    return ShopRegistration(ledger=host.ledger, fingerprints=fingerprints, secrets=shops.secrets)


async def keep(host: Host, alarms: Alarms, shops: Shops, order: Order) -> Inserted:
    """Keep an order as a webhook does whose signature is right."""
    fingerprints: Any = shops
    keeper = OrderKeeper(ledger=host.ledger, fingerprints=fingerprints, alarms=alarms, caps=host.caps)
    accepted = await keeper.keep(order, order.signed_with or "")
    return Inserted(order=accepted.order, new=accepted.new)


async def say_whose(host: Host, shops: Shops) -> None:
    """Say of each secret that nobody has spoken of whose it is; what is refused now is said again later."""
    words = ShopWords(ledger=host.ledger)
    known = await words.secrets(shops.configured)
    for each in [each for each in known if each.registered is None]:
        with suppress(NotYet):
            if each.fingerprint == SECOND:
                await words.accept(each, SECOND, by="a person", why="another shop")
            else:
                await words.same_as(each, DEFAULT_SOURCE, by="a person", why="the same shop")
