"""
Whether the rows of the ledger agree with one another: no pointer without its row, no row without its pointer.

Every group keeps these rules, so a finding is a row that was edited, lost in a restore, or written by a
bug. The service may write while this reads: what is found is looked for a second time, and what is gone
by then was a row on its way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar

from distributor.day_totals import DayTotals
from distributor.ledger import keys
from distributor.ledger.columns import decode
from distributor.ledger.records import NextNonce, PaidRef, Slot, Total
from distributor.model import Order, OrderKey, OrderStatus, Transaction, TransactionStatus
from foundation.errors import InvariantBroken
from foundation.tablestore.ports import Row, Rows
from foundation.tablestore.queries import rows_under

_TRANSACTIONS = "tx:"
_T = TypeVar("_T")


class Disorder(StrEnum):
    """What is wrong with a row."""

    UNREADABLE = "unreadable"
    """This version cannot read it."""
    ORDER_MISSING = "order_missing"
    """It names an order that is not there."""
    ORDER_ELSEWHERE = "order_elsewhere"
    """It names an order that is in another state."""
    NOT_LISTED = "not_listed"
    """An order waits or is held, or a transaction is open, and the row by which it is found is missing."""
    BOUND_TO_NOTHING = "bound_to_nothing"
    """An order is bound, and no open transaction carries it."""
    TRANSACTION_MISSING = "transaction_missing"
    """It names a transaction that is not there, or is final."""
    REFERENCE_MISSING = "reference_missing"
    """An order without the row that its reference is taken: the reference could be paid again."""
    ATTEMPT_MISSING = "attempt_missing"
    """A transaction counts more attempts than there are rows of it."""
    NONCE_BEHIND = "nonce_behind"
    """The next nonce is one that a transaction has."""
    TOTAL_WRONG = "total_wrong"
    """The tokens bound are not the sum of the open transactions."""


class Disagreement(NamedTuple):
    """One row, and what is wrong with it."""

    key: str
    disorder: Disorder
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Consistency:
    """Read the whole ledger; nothing is written. Raises StoreUnavailable."""

    rows: Rows

    async def disagreements(self) -> Sequence[Disagreement]:
        """Return what two looks in a row both found, by key."""
        first = await self._look()
        return sorted(first & await self._look()) if first else []

    async def _look(self) -> set[Disagreement]:
        looks = (
            self._orders(),
            self._waiting(),
            self._held(),
            self._open(),
            self._transactions(),
            self._references(),
            self._days(),
        )
        found = {each for look in looks async for each in look}
        return found | {each async for each in self._totals()}

    async def _orders(self) -> AsyncIterator[Disagreement]:
        async for row in rows_under(self.rows, keys.ORDERS):
            order = _read(Order, row)
            if isinstance(order, Disagreement):
                yield order
                continue
            if await self.rows.get(keys.ref(order.ref_id)) is None:
                yield Disagreement(row.key, Disorder.REFERENCE_MISSING, order.ref_id)
            if wrong := await self._place(order):
                yield Disagreement(row.key, wrong, str(order.status))

    async def _place(self, order: Order) -> Disorder | None:
        """Return what is wrong with where *order* is listed."""
        listed = {OrderStatus.RECEIVED: keys.open_order(order), OrderStatus.HELD: keys.held_row(order.key)}
        if order.status in listed:
            return None if await self.rows.get(listed[order.status]) else Disorder.NOT_LISTED
        if order.status is not OrderStatus.BOUND:
            return None
        return None if await self._carries(order) else Disorder.BOUND_TO_NOTHING

    async def _carries(self, order: Order) -> bool:
        """Say whether the transaction that a bound order names is open and carries it, as far as it can be read."""
        if order.operator is None or order.nonce is None:
            return False
        found = await self._find(Transaction, keys.transaction(order.operator, order.nonce))
        if isinstance(found, Disagreement):
            return True
        return found is not None and found.status is not TransactionStatus.FINAL and order.key in found.orders

    async def _find(self, kind: type[_T], key: str) -> _T | Disagreement | None:
        """Return what is under *key*; a row that cannot be read is named where its own kind is looked at."""
        row = await self.rows.get(key)
        return None if row is None else _read(kind, row)

    async def _waiting(self) -> AsyncIterator[Disagreement]:
        async for found in self._listed(keys.OPEN_ORDERS, OrderStatus.RECEIVED):
            yield found

    async def _held(self) -> AsyncIterator[Disagreement]:
        async for found in self._listed(keys.HELD, OrderStatus.HELD):
            yield found

    async def _listed(self, prefix: str, status: OrderStatus) -> AsyncIterator[Disagreement]:
        """Yield the pointers that name no order, or one in another state."""
        async for row in rows_under(self.rows, prefix):
            key = _read(OrderKey, row)
            if isinstance(key, Disagreement):
                yield key
                continue
            order = await self._find(Order, keys.order_row(key))
            if order is None:
                yield Disagreement(row.key, Disorder.ORDER_MISSING, str(key))
            elif isinstance(order, Order) and order.status is not status:
                yield Disagreement(row.key, Disorder.ORDER_ELSEWHERE, f"{key}: {order.status}")

    async def _open(self) -> AsyncIterator[Disagreement]:
        async for row in rows_under(self.rows, keys.OPEN_TRANSACTIONS):
            slot = _read(Slot, row)
            if isinstance(slot, Disagreement):
                yield slot
                continue
            found = await self._find(Transaction, keys.transaction(*slot))
            if found is None or (isinstance(found, Transaction) and found.status is TransactionStatus.FINAL):
                yield Disagreement(row.key, Disorder.TRANSACTION_MISSING, str(slot.nonce))

    async def _transactions(self) -> AsyncIterator[Disagreement]:
        async for row in rows_under(self.rows, _TRANSACTIONS):
            transaction = _read(Transaction, row)
            if isinstance(transaction, Disagreement):
                yield transaction
                continue
            async for wrong in self._of(row.key, transaction):
                yield wrong

    async def _of(self, key: str, transaction: Transaction) -> AsyncIterator[Disagreement]:
        """Yield what is wrong with one transaction: its orders, its attempts, its nonce, how it is found."""
        operator, nonce = transaction.operator, transaction.nonce
        for order in transaction.orders:
            if await self.rows.get(keys.order_row(order)) is None:
                yield Disagreement(key, Disorder.ORDER_MISSING, str(order))
        attempts = [row async for row in rows_under(self.rows, keys.attempts_of(operator, nonce))]
        if len(attempts) < transaction.attempts:
            yield Disagreement(key, Disorder.ATTEMPT_MISSING, f"{len(attempts)} of {transaction.attempts}")
        next_nonce = await self._find(NextNonce, keys.nonce(operator))
        if not isinstance(next_nonce, NextNonce) or next_nonce.next <= nonce:
            yield Disagreement(key, Disorder.NONCE_BEHIND, keys.nonce(operator))
        is_open = transaction.status is not TransactionStatus.FINAL
        if is_open and await self.rows.get(keys.open_transaction(operator, nonce)) is None:
            yield Disagreement(key, Disorder.NOT_LISTED, str(transaction.status))

    async def _references(self) -> AsyncIterator[Disagreement]:
        async for row in rows_under(self.rows, keys.REFS):
            if PaidRef.is_in(row):
                continue  # a rebuild found this payout: the chain may show no name of its order
            key = _read(OrderKey, row)
            if isinstance(key, Disagreement):
                yield key
            elif await self.rows.get(keys.order_row(key)) is None:
                yield Disagreement(row.key, Disorder.ORDER_MISSING, str(key))

    async def _days(self) -> AsyncIterator[Disagreement]:
        """Yield the days that cannot be read; only charts read them."""
        async for row in rows_under(self.rows, keys.DAYS):
            day = _read(DayTotals, row)
            if isinstance(day, Disagreement):
                yield day

    async def _totals(self) -> AsyncIterator[Disagreement]:
        bound, counted = 0, await self._find(Total, keys.COMMITMENTS)
        async for row in rows_under(self.rows, keys.OPEN_TRANSACTIONS):
            slot = _read(Slot, row)
            found = await self._find(Transaction, keys.transaction(*slot)) if isinstance(slot, Slot) else None
            bound += found.committed_units if isinstance(found, Transaction) else 0
        if isinstance(counted, Total) and counted.units != bound:
            yield Disagreement(keys.COMMITMENTS, Disorder.TOTAL_WRONG, f"{counted.units}, open transactions {bound}")


def _read(kind: type[_T], row: Row) -> _T | Disagreement:
    try:
        return decode(kind, row)
    except InvariantBroken as error:
        return Disagreement(row.key, Disorder.UNREADABLE, str(error))
