"""
Whose orders a round may bind: only those that lie under the source their secret belongs to.

Asked where orders are bound and never at the webhook, so a setting renamed or swapped changes where orders come
in, and nothing else. The words are read after the nonce row: a person who corrects one writes that row again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from distributor.ledger import Ledger, keys
from distributor.ledger.opened import Unreadable
from distributor.ledger.shop_orders import Moved
from distributor.ledger.shop_owners import Owners
from distributor.model import Order, OrderKey
from distributor.payout import alarms
from distributor.payout.shop_registration import ShopRegistration
from distributor.ports import Alarms
from distributor.reasons import shop_unknown
from foundation import logs
from foundation.errors import Contention, InvariantBroken

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ShopCheck:
    """Tell whose secrets are registered, and bring orders to the source that is theirs."""

    ledger: Ledger
    alarms: Alarms
    registration: ShopRegistration | None = None
    """None: nothing is registered from here."""

    async def owners(self) -> Owners:
        """Return whose each secret is, after registering what needs no person."""
        registered = await (self.registration.keep_up() if self.registration else self.ledger.shops.registered())
        for row in registered.unreadable:
            await self.alarms.raise_(alarms.row_unreadable(row))
        return registered.owners

    async def bring_home(self, orders: Sequence[Order], owners: Owners) -> Sequence[Order]:
        """Move *orders* to their own source; return those that stay, because another order is in the way."""
        stay = []
        for order in orders:
            source = owners.sources[order.signed_with or ""]
            try:
                moved = await self.ledger.shop_orders.move(order, owners)
            except Contention:
                continue  # it or the one in its place changed: the next round reads both
            except InvariantBroken as error:  # what lies in its place cannot be read
                stay.append(order)
                place = keys.order_row(OrderKey(source, order.order_id))
                await self.alarms.raise_(alarms.row_unreadable(Unreadable(key=place, why=str(error))))
                continue
            logs.info(_log, "order_moved", source=order.source, order_id=order.order_id, to=source, result=moved)
            if moved is Moved.BLOCKED:
                stay.append(order)
                await self.alarms.raise_(
                    shop_unknown(
                        order.source, f"{order.key} belongs to {source}, where an order of another secret has its id."
                    )
                )
            elif moved is Moved.DIFFERS:
                # Alarm first: once it is cancelled no round finds it again, and a crash between would lose the alarm.
                await self.alarms.raise_(alarms.shop_order_differs(order, source))
                with suppress(Contention):
                    await self.ledger.shop_orders.give_up(order, source)
        return stay

    async def tell_unknown(self, unknown: Mapping[str, int]) -> None:
        """Name each source whose orders wait because nobody knows whose secret signed them."""
        for source in unknown:
            await self.alarms.raise_(shop_unknown(source, "Its orders wait."))
