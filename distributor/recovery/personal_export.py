"""
Use case: everything that is stored about a person's wallet, opened, as the person may ask for it (LGPD, art. 18 II, V).

What is left out says nothing of the person: signed bytes and call data hold what the columns beside them show
already, and payments of others; fingerprints of secrets are the shop's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from distributor.ledger import audit_words, keys
from distributor.ledger.call_backs import CallBacks
from distributor.ledger.classes import CLASSES
from distributor.ledger.columns import encode
from distributor.ledger.purging import PurgeRows
from distributor.model import Address, Order, Transaction
from foundation.alarms.model import FACTS
from foundation.clock import Clock
from foundation.personal_data import DataClass
from foundation.tablestore.codec import OWNER
from foundation.tablestore.ports import Row, Rows, Value
from foundation.tablestore.queries import rows_under

CALL_BACKS_MAX: Final = 1_000
_LEFT_OUT: Final = frozenset({OWNER, "data", "raw", "orders"})

Section = Sequence[Mapping[str, Value]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalExport:
    """Reads; nothing is written. Raises StoreUnavailable."""

    rows: Rows
    audit: Rows
    clock: Clock

    async def of_wallet(self, wallet: Address) -> Mapping[str, Section]:
        """Return what is stored about *wallet*, by kind."""
        found = PurgeRows(self.rows, self.clock)
        orders = await found.of_wallet(wallet)
        carriers = await found.transactions([order.key for order in orders])
        return {
            "orders": [_columns("Order", encode(order)) for order in orders],
            "transactions": [_columns("Transaction", encode(each)) for each in carriers],
            "attempts": [each for carrier in carriers for each in await self._attempts(carrier)],
            "day_totals": await self._under("spent:", lambda row: row.values.get("wallet") == wallet),
            "found_payments": await self._under(keys.REFS, lambda row: row.values.get("wallet") == wallet),
            "call_backs": [each for order in orders for each in await self._call_backs(order)],
            "decisions": [each for order in orders for each in await self._decisions(order)],
            "alarms": await self._alarms(orders),
        }

    async def _attempts(self, carrier: Transaction) -> Section:
        return await self._under(keys.attempts_of(carrier.operator, carrier.nonce), lambda _: True)

    async def _call_backs(self, order: Order) -> Section:
        found = await CallBacks(self.rows, self.clock).of_order(order.key, limit=CALL_BACKS_MAX)
        return [{"order": str(order.key), "status": each.status, "at_ms": each.at_ms} for each in found]

    async def _decisions(self, order: Order) -> Section:
        return [_shown(row.values) async for row in audit_words.entries_about(self.audit, order.key)]

    async def _alarms(self, orders: Sequence[Order]) -> Section:
        subjects = {str(order.key) for order in orders}
        return await self._under(FACTS, lambda row: row.values.get("subject") in subjects)

    async def _under(self, prefix: str, wanted: Callable[[Row], bool]) -> Section:
        return [_shown(row.values) async for row in rows_under(self.rows, prefix) if wanted(row)]


def _columns(record: str, values: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the columns of a record without what opens something of the shop's."""
    secret = {name for name, kind in CLASSES[record].items() if kind is DataClass.CREDENTIAL}
    return {name: value for name, value in _shown(values).items() if name not in secret}


def _shown(values: Mapping[str, Any]) -> Mapping[str, Value]:
    return {name: value for name, value in values.items() if name not in _LEFT_OUT}
