"""
Use case of an operator: say whose a secret is.

A word is for one secret, the one that is shown, and never for a name: the name of a setting may hold another
secret by the time the word is written. A word once given is changed only while the payouts are paused, after every
id that was bound or paid under the wrong source has been spent at the right one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from distributor.errors import NotYet
from distributor.ledger import Ledger
from distributor.ledger.records import ShopSecret
from distributor.ledger.secret_fingerprints import secret_id
from distributor.model import Order, OrderKey, OrderStatus
from distributor.settings.shop_secrets import SecretName
from foundation.sentences import sentence
from foundation.tablestore.ports import UNSTORED

PAGE_ORDERS = 200
_UNPAID = {OrderStatus.RECEIVED, OrderStatus.HELD}


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownSecret:
    """One secret, as far as ledger, settings and waiting orders show it."""

    fingerprint: str = field(repr=False)
    registered: ShopSecret | None = None
    setting: str | None = None
    """The setting that holds it now; None where none does, or the settings cannot be read."""
    waiting: int = 0
    """Orders that wait, signed with it."""
    names: frozenset[str] = frozenset()
    """The sources those came under."""

    @property
    def id(self) -> str:
        """What a person calls it."""
        return secret_id(self.fingerprint)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopWords:
    """Show the secrets, and write what a person says of one. Each refusal is NotYet, with the next step."""

    ledger: Ledger

    async def secrets(self, configured: Mapping[SecretName, str]) -> Sequence[KnownSecret]:
        """Return every secret that is registered, configured (by fingerprint), or waited for; by id."""
        found = {each.fingerprint: KnownSecret(fingerprint=each.fingerprint) for each in await self._registered()}
        for each in await self._registered():
            found[each.fingerprint] = replace(found[each.fingerprint], registered=each)
        for name, mark in configured.items():
            known = found.get(mark, KnownSecret(fingerprint=mark))
            found[mark] = replace(known, setting=name.setting)
        for order in await self._waiting():
            if order.signed_with is not None:
                known = found.get(order.signed_with, KnownSecret(fingerprint=order.signed_with))
                found[order.signed_with] = replace(known, waiting=known.waiting + 1, names=known.names | {order.source})
        return sorted(found.values(), key=lambda known: known.id)

    async def refuse_accept(self, secret: KnownSecret, source: str) -> None:
        """Raise NotYet where *secret* is somebody's, or *source* is."""
        if secret.registered is not None:
            raise NotYet(
                sentence(
                    "Secret {secret} belongs to {source} since a word was given for it. "
                    "If that was wrong: `shops same-as {secret} SOURCE`.",
                    secret=secret.id,
                    source=secret.registered.source,
                )
            )
        owned = any(each.source == source for each in await self._registered())
        if owned or source in await self._older_sources(secret):
            raise NotYet(
                sentence(
                    "{source} belongs to another secret, or has orders of before. If the same shop signs with this "
                    "secret now: `shops same-as {secret} {source}`. If it is another shop, give it a name of its own.",
                    secret=secret.id,
                    source=source,
                )
            )

    async def accept(self, secret: KnownSecret, source: str, *, by: str, why: str) -> None:
        """Say that *secret* is another shop's, which gets the name *source*."""
        await self.refuse_accept(secret, source)
        await self._add(secret, source, by=by, how="accept", why=why)

    async def refuse_same_as(self, secret: KnownSecret, source: str) -> None:
        """Raise NotYet where there is no such source, or a word that was given cannot be changed now."""
        registered = await self._registered()
        if source not in {each.source for each in registered} and source not in await self.ledger.shops.sources():
            raise NotYet(
                sentence("The ledger has no source {source}; `shops list` shows those there are.", source=source)
            )
        if secret.registered is None:
            return
        if secret.registered.source == source:
            raise NotYet(sentence("Secret {secret} belongs to {source} already.", secret=secret.id, source=source))
        pause_state = await self.ledger.admin.pause_state()
        if not pause_state.paused or pause_state.version == UNSTORED:
            raise NotYet(sentence("A word that was given is changed only while nothing is bound: run `pause` first."))

    async def same_as(self, secret: KnownSecret, source: str, *, by: str, why: str) -> Sequence[OrderKey]:
        """
        Say that the shop of *source* signs with *secret*; return the ids that were spent there for a correction.

        1. Each order of it that is bound, paid, or cancelled by a person under another source gets its id spent at
           the right one, where it would be paid again.
        2. A secret nobody spoke of: it is registered, and its orders move by themselves.
        3. A word that was wrong is changed. Nothing was bound since step 1, the payouts are paused.
        """
        pause_state = await self.ledger.admin.pause_state()
        await self.refuse_same_as(secret, source)
        spent = list[OrderKey]()
        for order in await self._decided(secret, source):
            spent += await self._spend(OrderKey(source, order.order_id), order.status, by, why)
        if secret.registered is None:
            await self._add(secret, source, by=by, how="same-as", why=why)
        else:
            await self.ledger.shops.correct(secret.registered, source, by=by, why=why, paused=pause_state.version)
        return spent

    async def _decided(self, secret: KnownSecret, source: str) -> Sequence[Order]:
        """
        Return the orders of *secret* under other names than *source* that must not be paid there.

        Under every name: a word may have been wrong twice. Raises NotYet where one is held: a person decides first.
        """
        found = list[Order]()
        for name in await self.ledger.shops.sources():
            if name == source:
                continue
            async for order in self.ledger.shops.orders_of(name):
                if order.signed_with != secret.fingerprint or order.moved_to is not None:
                    continue
                if order.status is OrderStatus.HELD:
                    raise NotYet(
                        sentence("{order} is held: `retry`, `approve`, `settle` or `cancel` it first.", order=order.key)
                    )
                if order.status is not OrderStatus.RECEIVED:
                    found.append(order)
        return found

    async def _spend(self, key: OrderKey, was: OrderStatus, by: str, why: str) -> Sequence[OrderKey]:
        """
        Make sure that *key* is not paid any more; what is bound or paid there already stays as it is.

        What was only cancelled elsewhere takes back nothing that is known here.
        """
        found = await self.ledger.order(key)
        if found is None and await self.ledger.exits.bar(key):
            await self.ledger.admin.record("cancel", str(key), by, why)
            return [key]
        if was is OrderStatus.CANCELLED:
            return []
        found = found or await self.ledger.order(key)
        if found is None or found.status not in _UNPAID or found.nonce is not None:
            return []
        await self.ledger.admin.cancel(found, by, why)
        return [key]

    async def _add(self, secret: KnownSecret, source: str, *, by: str, how: str, why: str) -> None:
        if not await self.ledger.shops.add(secret.fingerprint, source, by=by, how=how, why=why):
            raise NotYet(
                sentence("Somebody gave a word for secret {secret} in this moment; run `shops list`.", secret=secret.id)
            )
        await self.ledger.shops.begin()

    async def _older_sources(self, secret: KnownSecret) -> frozenset[str]:
        """Return the sources that have an order which *secret* did not sign."""
        shops = self.ledger.shops
        return frozenset(
            [name for name in await shops.sources() if await shops.has_orders_of_others(name, secret.fingerprint)]
        )

    async def _registered(self) -> Sequence[ShopSecret]:
        return (await self.ledger.shops.registered()).secrets

    async def _waiting(self) -> Sequence[Order]:
        found, after = list[Order](), ""
        while True:
            page = await self.ledger.waiting(limit=PAGE_ORDERS, after=after)
            found += page.orders
            after = page.after
            if not after:
                return found
