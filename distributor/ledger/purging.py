"""
Erasure of personal data (LGPD, art. 18 VI): rows are emptied and stay, rows whose key holds a wallet are deleted.

An order's row is its idempotency key: were it gone, the next delivery of the shop would be paid a second time. So its
id, its reference and the hash of its content stay, and what comes under that id later is answered as known.

Each group is atomic and conditional on the rows as they were read. The order is emptied last: it is found by the row
of its wallet, and a purge that was cut is begun again. Which columns are emptied is the table of ``classes``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

from distributor.ledger import keys
from distributor.ledger.classes import emptied
from distributor.ledger.columns import decode, encode
from distributor.ledger.records import PaidRef
from distributor.model import Address, Attempt, Order, OrderKey, OrderStatus, Transaction, TransactionStatus
from foundation.alarms.model import FACTS
from foundation.clock import DAY_MS, Clock, UnixMs, utc_day
from foundation.errors import InvariantBroken
from foundation.personal_data import empty
from foundation.tablestore.atomic import ROWS_MAX, AtomicWrite, commit
from foundation.tablestore.ports import Row, Rows
from foundation.tablestore.queries import rows_under

_TRANSACTIONS: Final = "tx:"
T = TypeVar("T")


class Unfinished(StrEnum):
    """Why the data of an order cannot be erased yet: it is still needed to pay it, or to prove that it was paid."""

    WAITS = "waits"
    BOUND = "bound"
    HELD = "held"
    OPEN = "open"
    """A transaction that carried it is not final."""
    ONE_WORD = "one_word"
    """Its payment rests on one node's word, and is looked at again."""
    NEWER = "newer"
    """A newer version wrote its status."""
    YOUNG = "young"
    """It was bound within a day: should its block leave the chain after all, its bytes are needed."""


_BY_STATUS: Final = {
    OrderStatus.RECEIVED: Unfinished.WAITS,
    OrderStatus.BOUND: Unfinished.BOUND,
    OrderStatus.HELD: Unfinished.HELD,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """One group of a purge, where it is written, and the rows of each kind in it."""

    rows: Rows
    group: AtomicWrite
    marker_row: str
    counts: Counter[str]

    @classmethod
    def of(cls, rows: Rows, group: AtomicWrite, key: str, kind: str) -> Self:
        """Return the erasure of one row of a *kind*."""
        return cls(rows=rows, group=group, marker_row=key, counts=Counter({kind: 1}))

    async def do(self) -> None:
        """Write it. Raises Contention, StoreUnavailable."""
        await commit(self.rows, self.group, marker_row=self.marker_row)


@dataclass(frozen=True, slots=True)
class PurgeRows:
    """What a purge reads and writes. Raises StoreUnavailable; Contention: a row changed since, begin it again."""

    rows: Rows
    clock: Clock
    torn: list[str] = field(default_factory=list)
    """Rows that could not be read, and so were neither looked at nor emptied."""

    # finding -----------------------------------------------------------------------------------

    async def order(self, key: OrderKey) -> Sequence[Order]:
        """Return the order that came as *key*, and each row that it was moved to."""
        found, wanted = dict[OrderKey, Order](), [key]
        while wanted:
            row = await self.rows.get(keys.order_row(wanted.pop()))
            if row is None or (order := decode(Order, row)).key in found:
                continue
            found[order.key] = order
            wanted += [OrderKey(order.moved_to, order.order_id)] if order.moved_to else []
        return list(found.values())

    async def of_wallet(self, wallet: Address) -> Sequence[Order]:
        """Return the orders of a wallet that its index names and that are still its own."""
        named = [decode(OrderKey, row) async for row in rows_under(self.rows, f"{keys.WALLET_TIMES}{wallet}:")]
        rows = [await self.rows.get(keys.order_row(key)) for key in named]
        return [order for row in rows if row and (order := self._read(Order, row)) and order.wallet == wallet]

    async def of_shop(self, source: str) -> Sequence[Order]:
        """Return the orders under the name of a shop whose data was not erased."""
        found = [self._read(Order, row) async for row in rows_under(self.rows, f"{keys.ORDERS}{source}:")]
        return [order for order in found if order and order.purged_ms is None]

    async def left_behind(self, found: Sequence[Order]) -> Sequence[Order]:
        """Return the rows from which orders were moved to where *found* are; it reads every order there is."""
        moved = {order.key: OrderKey(order.moved_to, order.order_id) async for order in self.orders() if order.moved_to}
        places = dict.fromkeys(order.key for order in found)
        while more := [key for key, to in moved.items() if to in places and key not in places]:
            places |= dict.fromkeys(more)
        rows = [await self.rows.get(keys.order_row(key)) for key in places]
        known = {order.key for order in found}
        return [order for row in rows if row and (order := self._read(Order, row)) and order.key not in known]

    async def orders(self) -> AsyncIterator[Order]:
        """Yield every order there is."""
        async for row in rows_under(self.rows, keys.ORDERS):
            if order := self._read(Order, row):
                yield order

    async def ref_wallets(self) -> frozenset[Address]:
        """Return the wallets of payments that a rebuild found."""
        found = [self._read(PaidRef, row) async for row in rows_under(self.rows, keys.REFS) if PaidRef.is_in(row)]
        return frozenset(each.wallet for each in found if each and each.wallet)

    async def transactions(self, wanted: Collection[OrderKey]) -> Sequence[Transaction]:
        """Return every transaction that carries, or once carried, one of the orders; it reads all there are."""
        found = [self._read(Transaction, row) async for row in rows_under(self.rows, _TRANSACTIONS)]
        return [each for each in found if each and not set(wanted).isdisjoint(each.orders)]

    async def unfinished(self, order: Order, carriers: Sequence[Transaction]) -> Unfinished | None:
        """Return why the data of *order* is still needed; None where it is not."""
        if order.is_frozen:
            return Unfinished.NEWER
        if order.status in _BY_STATUS:
            return _BY_STATUS[order.status]
        mine = [each for each in carriers if order.key in each.orders]
        if any(each.status is not TransactionStatus.FINAL for each in mine):
            return Unfinished.OPEN
        if any(each.bound_ms > self.clock() - DAY_MS for each in mine):
            return Unfinished.YOUNG
        alone = [await self.rows.get(keys.unwitnessed(each.operator, each.nonce)) for each in mine]
        return Unfinished.ONE_WORD if any(alone) else None

    # drawing up --------------------------------------------------------------------------------

    async def of_transaction(self, transaction: Transaction) -> AsyncIterator[Erasure]:
        """Yield the groups that empty the call data of a final transaction and the signed bytes of its attempts."""
        prefix = keys.attempts_of(transaction.operator, transaction.nonce)
        attempts = [row async for row in rows_under(self.rows, prefix)]
        writes = [(row, _emptied(Attempt, row)) for row in attempts]
        row = await self.rows.get(keys.transaction(transaction.operator, transaction.nonce))
        writes += [(row, _emptied(Transaction, row))] if row else []
        changed = [(row, values) for row, values in writes if values]
        for first in range(0, len(changed), ROWS_MAX):
            group, part = AtomicWrite(), changed[first : first + ROWS_MAX]
            for row, values in part:
                group.replace(row.key, values, row.version)
            counts = Counter(row.key.partition(":")[0] for row, _ in part)
            yield Erasure(rows=self.rows, group=group, marker_row=part[-1][0].key, counts=counts)

    async def of_order(self, order: Order) -> Erasure | None:
        """Return the group that empties an order, its reference and its place by wallet; None where that was done."""
        if order.purged_ms is not None:
            return None
        group, now = AtomicWrite(), self.clock()
        purged = replace(order, **empty(order, emptied("Order")), purged_ms=now)
        group.replace(keys.order_row(order.key), encode(purged), order.version)
        by_wallet, counts = keys.wallet_time_row(order), Counter({"order": 1})
        if await self.rows.get(by_wallet):
            group.delete(by_wallet)
            counts["time-wallet"] += 1
        ref = await self.rows.get(keys.ref(order.ref_id))
        if ref is not None and PaidRef.is_in(ref):
            self._empty_ref(group, ref)
            counts["ref"] += 1
        return Erasure(rows=self.rows, group=group, marker_row=keys.order_row(order.key), counts=counts)

    async def of_alarms(self, order: Order) -> AsyncIterator[Erasure]:
        """Yield the groups that empty what was noted about an order; an alarm itself ends by its own rule."""
        async for row in rows_under(self.rows, FACTS):
            if row.values.get("subject") == str(order.key) and row.values.get("detail"):
                group = AtomicWrite()
                group.replace(row.key, {**row.values, "detail": ""}, row.version)
                yield Erasure.of(self.rows, group, row.key, "alarm")

    async def of_refs(self, wallet: Address) -> AsyncIterator[Erasure]:
        """Yield the groups for payments that a rebuild found under a reference that names no order."""
        async for row in rows_under(self.rows, keys.REFS):
            if PaidRef.is_in(row) and row.values.get("wallet") == wallet:
                group = AtomicWrite()
                self._empty_ref(group, row)
                yield Erasure.of(self.rows, group, row.key, "ref")

    async def of_keys(self, wallet: Address) -> AsyncIterator[Erasure]:
        """
        Yield the groups that delete rows whose key holds the wallet: what is left of its index, and its days' totals.

        The totals of yesterday and today stay: the caps of those days are counted with them.
        """
        named = [row async for row in rows_under(self.rows, f"{keys.WALLET_TIMES}{wallet}:")]
        stale = [row.key for row in named if not await self._is_of(wallet, decode(OrderKey, row))]
        kept_from = utc_day(UnixMs(self.clock() - DAY_MS))
        days = [row.key async for row in rows_under(self.rows, "spent:") if _is_past(row, wallet, kept_from)]
        gone = [*stale, *days]
        for first in range(0, len(gone), ROWS_MAX):
            group, part = AtomicWrite(), gone[first : first + ROWS_MAX]
            for key in part:
                group.delete(key)
            counts = Counter(key.partition(":")[0] for key in part)
            yield Erasure(rows=self.rows, group=group, marker_row=part[0], counts=counts)

    async def _is_of(self, wallet: Address, key: OrderKey) -> bool:
        row = await self.rows.get(keys.order_row(key))
        return row is not None and decode(Order, row).wallet == wallet

    def _read(self, kind: type[T], row: Row) -> T | None:
        """Return what *row* holds; None, and its key among the torn ones, where it cannot be read."""
        try:
            return decode(kind, row)
        except InvariantBroken:
            self.torn.append(row.key)
            return None

    def _empty_ref(self, group: AtomicWrite, row: Row) -> None:
        """Empty the wallet of a reference; the reference itself stays taken."""
        purged = {**row.values, "wallet": "", "purged_ms": self.clock()}
        group.replace(row.key, purged, row.version)


def _emptied(kind: type[Any], row: Row) -> Mapping[str, Any]:
    """Return the columns of *row* with what a purge empties emptied; nothing where that was done."""
    value = decode(kind, row)
    changes = empty(value, emptied(kind.__name__))
    return {**row.values, **encode(replace(value, **changes))} if changes else {}


def _is_past(row: Row, wallet: Address, kept_from: str) -> bool:
    return row.values.get("wallet") == wallet and str(row.values["day"]) < kept_from
