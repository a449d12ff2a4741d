"""What the rows of an index say: the orders that they name, are or carry, and the status that users see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distributor.ledger import keys
from distributor.ledger.columns import decode
from distributor.ledger.opened import Unreadable
from distributor.ledger.queries import must_decode, named_orders
from distributor.ledger.records import Slot
from distributor.model import Order, OrderKey, OrderStatus, Transaction, TransactionStatus
from foundation.errors import InvariantBroken
from foundation.tablestore.ports import Row, Rows
from foundation.tablestore.queries import rows_at

MINED, SUBMITTED = "mined", "submitted"

OrdersOfRow = Sequence[Order | Unreadable]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundOrder:
    """One order and its status as it is shown."""

    order: Order
    shown: str


async def orders_named(rows: Rows, chunk: Sequence[Row]) -> Sequence[OrdersOfRow]:
    """Return the order that each row names."""
    return [[each] for each in await named_orders(rows, chunk)]


async def orders_themselves(_: Rows, chunk: Sequence[Row]) -> Sequence[OrdersOfRow]:
    """Return the order that each row is."""
    return [[stored_order(row)] for row in chunk]


async def orders_carried(rows: Rows, chunk: Sequence[Row]) -> Sequence[OrdersOfRow]:
    """Return the orders of the transaction that each row names, or the one order; two ranges for all of them."""
    transactions = await rows_at(rows, [place for row in chunk if (place := _transaction_named(row))])
    places = [_carried_by(row, transactions) for row in chunk]
    found = await rows_at(rows, [place for each in places if not isinstance(each, Unreadable) for place in each])
    return [
        [each] if isinstance(each, Unreadable) else [_read(found.get(place), place) for place in each]
        for each in places
    ]


def stored_order(row: Row) -> Order | Unreadable:
    """Return the order that *row* is."""
    return _read(row, row.key)


async def with_status(
    rows: Rows, read: Sequence[OrdersOfRow]
) -> Sequence[tuple[Sequence[FoundOrder], Sequence[Unreadable]]]:
    """Return the orders of each row with the status that users see, and what of it cannot be read."""
    bound = [place for orders in read for each in orders if isinstance(each, Order) and (place := _bound_to(each))]
    transactions = await rows_at(rows, bound)
    found = [[_shown(each, transactions) for each in orders] for orders in read]
    return [
        (
            [each for each in orders if isinstance(each, FoundOrder)],
            [each for each in orders if isinstance(each, Unreadable)],
        )
        for orders in found
    ]


def _transaction_named(row: Row) -> str:
    """Return the row of the transaction that *row* names; empty where it names an order, or cannot be read."""
    try:
        return "" if "order_id" in row.values else keys.transaction(*decode(Slot, row))
    except InvariantBroken:
        return ""  # _carried_by says why


def _carried_by(row: Row, transactions: Mapping[str, Row]) -> Sequence[str] | Unreadable:
    try:
        if "order_id" in row.values:
            return [keys.order_row(decode(OrderKey, row))]
        place = keys.transaction(*decode(Slot, row))
        return list(map(keys.order_row, must_decode(Transaction, transactions.get(place), place).orders))
    except InvariantBroken as error:
        return Unreadable(key=row.key, why=str(error))


def _read(row: Row | None, place: str) -> Order | Unreadable:
    try:
        return must_decode(Order, row, place)
    except InvariantBroken as error:
        return Unreadable(key=place, why=str(error))


def _bound_to(order: Order) -> str:
    """Return the row of the transaction that *order* is bound to; empty where there is none."""
    if order.status is not OrderStatus.BOUND or order.operator is None or order.nonce is None:
        return ""
    return keys.transaction(order.operator, order.nonce)


def _shown(order: Order | Unreadable, transactions: Mapping[str, Row]) -> FoundOrder | Unreadable:
    """Return *order* with its status as users see it: a bound order shows how far its transaction is."""
    if isinstance(order, Unreadable):
        return order
    row = transactions.get(_bound_to(order))
    try:
        mined = row is not None and decode(Transaction, row).status is TransactionStatus.MINED
    except InvariantBroken as error:
        return Unreadable(key=_bound_to(order), why=str(error))
    waits = MINED if mined else SUBMITTED
    return FoundOrder(order=order, shown=waits if order.status is OrderStatus.BOUND else str(order.status))
