"""Use case: keep an order whose sender is known: new, repeated, another shop's, in conflict, or never to be paid."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace

from distributor.caps import NO_CAPS, Caps, refusal
from distributor.errors import ConflictingOrder, ShopUnknown, UnpayableOrder
from distributor.ledger import Inserted, Ledger
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import Address, Order, OrderStatus
from distributor.ports import Alarms
from distributor.reasons import shop_unknown
from foundation import logs

_log = logging.getLogger(__name__)


async def _none() -> Collection[Address]:
    return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The order as the ledger holds it, whether it is new there, and whether distribution must be woken."""

    order: Order
    new: bool
    wake: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderKeeper:
    """Keep orders; needs the ledger, and no node."""

    ledger: Ledger
    fingerprints: SecretFingerprints
    alarms: Alarms
    caps: Caps = NO_CAPS
    own_addresses: Callable[[], Awaitable[Collection[Address]]] = _none
    """The operators, and what the ledger once paid through or from: no customer has such a wallet."""

    async def keep(self, order: Order, secret: str, *, or_known_as: Collection[str] = frozenset()) -> Accepted:
        """
        Store an order whose sender is known, with the fingerprint of the *secret* that signed it.

        Under a known id the content must be the stored one, or one of those whose fingerprints are *or_known_as*.

        Whose secret that is, is asked where the order is bound; here only of an order met under a known id.

        Raises:
            ShopUnknown: Its id is taken by an order that another shop's secret signed, or one nobody knows.
            ConflictingOrder: The id was used before with other content; the first content is kept.
            UnpayableOrder: It is new, and above a cap by itself, or its wallet is one of the service's own addresses.
            StoreUnavailable: Nothing is known; the sender's next try settles it.
        """
        order = replace(order, signed_with=await self.fingerprints.of(secret))
        inserted = await self._of_this_shop(await self._insert(order), self.ledger.judged(order, self.caps))
        erased = inserted.order.purged_ms is not None  # known by its id alone, whatever comes under it
        if not erased and inserted.order.fingerprint not in {order.fingerprint, *or_known_as}:
            _note("order_conflict", order)
            raise ConflictingOrder
        _note("order_received" if inserted.new else "order_repeated", inserted.order)
        # The process that stored it may have died before waking, so a repeated order wakes too while it waits.
        wake = inserted.order.status is OrderStatus.RECEIVED
        return Accepted(order=inserted.order, new=inserted.new, wake=wake)

    async def look(self, order: Order) -> Order | None:
        """
        Return the stored order that has the id of *order*, None where it is new; keep nothing.

        Whose secret signed the stored one is asked by ``keep``. Raises ConflictingOrder and UnpayableOrder as there.
        """
        stored = await self.ledger.recall(order)
        if stored is None and (refused := await self._refused(order)) is not None:
            raise refused
        if stored is not None and stored.purged_ms is None and stored.fingerprint != order.fingerprint:
            raise ConflictingOrder
        return stored

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
        """Store *order*; one that is refused now is only looked up: it may be there since before it was refused."""
        refused = await self._refused(order)
        if refused is None:
            return await self.ledger.insert(order, self.caps)
        stored = await self.ledger.recall(order)
        if stored is None:
            raise refused
        return Inserted(order=stored, new=False)

    async def _refused(self, order: Order) -> UnpayableOrder | None:
        about = {"order_id": order.order_id, "source": order.source}
        if (cap := self.caps.above(order.amount_units)) is not None:
            logs.warning(_log, "order_over_cap", **about, cap=cap)
            return refusal(cap)
        if order.wallet in await self.own_addresses():
            logs.warning(_log, "order_to_ourselves", **about)
            return UnpayableOrder(
                "wallet must not be an operator of this service, or a contract or reserve it once paid through.",
                code="wallet_forbidden",
            )
        return None


def _note(event: str, order: Order) -> None:
    logs.info(_log, event, order_id=order.order_id, source=order.source, amount_units=str(order.amount_units))
