"""
The entries of the ledger, each one group: what a verb writes, drawn up without touching a store.

A binding commits money, a settlement frees it: the rows of the orders, of the transaction and of
the totals change together or not at all. What an entry stands on was read before, and each row
that was read is written on the condition that it is still the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from distributor import keys
from distributor.groups import Group, require
from distributor.model import (
    UNSTORED,
    Address,
    Attempt,
    AttemptKind,
    Hash,
    HoldReason,
    Order,
    OrderKey,
    OrderStatus,
    Transaction,
    TransactionStatus,
    Version,
)
from distributor.rows import write
from distributor.standing import Books, Control, Identity, Spent, Stats
from distributor.units import TokenUnits, UnixMs, Wei

MAX_ORDERS_PER_TRANSACTION = 30
"""A binding writes 2N + 6 rows, a closing at most 2N + 5; a group holds 100."""
_IN_A_BLOCK = {TransactionStatus.MINED, TransactionStatus.FINAL}


@dataclass(frozen=True, kw_only=True, slots=True)
class Inserted:
    """The order as it stands in the ledger, and whether this insertion put it there."""

    order: Order
    new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Waiting orders, oldest first; ``after`` goes into the next call, empty when there are no more."""

    orders: Sequence[Order]
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Closing:
    """What the final receipt of a transaction proved, order by order; together exactly its orders."""

    tx_hash: Hash
    block_number: int
    paid: Sequence[OrderKey]
    held: Mapping[OrderKey, HoldReason]
    detail: str
    gas_used: int
    gas_cost_wei: Wei


class Slot(NamedTuple):
    """One nonce of one operator; what an ``opentx:`` row points to."""

    operator: Address
    nonce: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NextNonce:
    """The nonce that an operator's next transaction is bound to."""

    next: int
    version: Version = UNSTORED


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """Token units bound and not final."""

    units: TokenUnits
    version: Version = UNSTORED


@dataclass(frozen=True, kw_only=True, slots=True)
class Settling:
    """What a closing stands on, as read just before."""

    stored: Transaction
    orders: Sequence[Order]
    committed: Total
    spent: Spent
    stats: Stats
    stats_version: Version


def founding(identity: Identity, operator: Address, next_nonce: int) -> Group:
    """Return the group that makes a ledger *identity*'s, with its first operator."""
    group = Group()
    group.insert(keys.IDENTITY, write(identity))
    group.insert(keys.nonce(operator), write(NextNonce(next=next_nonce)))
    group.insert(keys.COMMITMENTS, write(Total(units=TokenUnits(0))))
    group.insert(keys.CONTROL, write(Control()))
    return group


def insertion(order: Order) -> Group:
    """Return the group that keeps a new order: the order, its spent reference, its place in the waiting line."""
    require(order.status is OrderStatus.RECEIVED, f"order {order.key} is inserted as {order.status}")
    group = Group()
    group.insert(keys.order(order.key), write(order))
    group.insert(keys.ref(order.ref_id), write(order.key) | {"fingerprint": order.fingerprint})
    group.insert(keys.open_order(order), write(order.key))
    return group


def holding(order: Order, reason: HoldReason, detail: str, now: UnixMs) -> Group:
    """Return the group that takes an order out of the waiting line until a person decides."""
    require(order.status is OrderStatus.RECEIVED, f"order {order.key} cannot be held, it is {order.status}")
    held = replace(order, status=OrderStatus.HELD, hold_reason=reason, hold_detail=detail, updated_ms=now)
    group = Group()
    group.replace(keys.order(order.key), write(held), order.version)
    group.delete(keys.open_order(order))
    group.insert(keys.held(order.key), write(order.key))
    return group


def addition(transaction: Transaction, attempt: Attempt) -> tuple[Group, Transaction]:
    """Return the group that keeps the next attempt, and the transaction that counts it; it was never handed over."""
    name = f"transaction {transaction.nonce} of {transaction.operator}"
    require(transaction.status not in _IN_A_BLOCK, f"{name} is {transaction.status} and needs no attempt")
    cancels = attempt.kind is AttemptKind.CANCEL
    cancelling = transaction.status is TransactionStatus.CANCELLING
    require(cancels or not cancelling, f"{name} is being cancelled, and an attempt would pay")
    mine = (attempt.operator, attempt.nonce, attempt.index)
    expected = (transaction.operator, transaction.nonce, transaction.attempts)
    require(mine == expected, f"attempt {mine} is not the next, {expected}")
    status = TransactionStatus.CANCELLING if cancels else transaction.status
    after = replace(transaction, attempts=transaction.attempts + 1, status=status, last_outcome=None)
    group = Group()
    group.replace(keys.transaction(transaction.operator, transaction.nonce), write(after), transaction.version)
    group.insert(keys.attempt(*mine), write(attempt))
    return group, after


def binding(
    books: Books, spent: Spent, orders: Sequence[Order], transaction: Transaction, attempt: Attempt
) -> tuple[Group, Books]:
    """
    Return the group that binds *orders* to the next nonce, and the books after it, their versions still old.

    Raises:
        InvariantBroken: The parts do not say the same.
    """
    _check_binding(books, orders, transaction, attempt)
    slot = Slot(transaction.operator, transaction.nonce)
    nonce = books.next_nonce + 1
    committed = TokenUnits(books.committed_units + transaction.committed_units)
    day = replace(spent, units=TokenUnits(spent.units + transaction.committed_units))
    group = Group()
    for order in orders:
        group.replace(keys.order(order.key), write(_assigned(order, transaction)), order.version)
        group.delete(keys.open_order(order))
    group.replace(keys.nonce(slot.operator), write(NextNonce(next=nonce)), books.nonce_version)
    group.replace(keys.COMMITMENTS, write(Total(units=committed)), books.commitments_version)
    group.put(keys.spent(day.day), write(day), spent.version)
    group.insert(keys.transaction(*slot), write(transaction))
    group.insert(keys.open_transaction(*slot), write(slot))
    group.insert(keys.attempt(*slot, 0), write(attempt))
    return group, replace(books, next_nonce=nonce, committed_units=committed, spent=day)


def _check_binding(books: Books, orders: Sequence[Order], transaction: Transaction, attempt: Attempt) -> None:
    name = f"transaction {transaction.nonce} of {transaction.operator}"
    slot = (transaction.operator, transaction.nonce)
    require(0 < len(orders) <= MAX_ORDERS_PER_TRANSACTION, f"{name} carries {len(orders)} orders")
    for order in orders:
        state = (order.status, order.operator, order.nonce)
        require(state == (OrderStatus.RECEIVED, None, None), f"{name} would bind order {order.key} again: {state}")
    require(transaction.orders == tuple(order.key for order in orders), f"{name} names other orders than it binds")
    require(transaction.committed_units == _sum(orders), f"{name} commits another sum than that of its orders")
    require(slot == (books.operator, books.next_nonce), f"{name} is not the next one, {books.next_nonce}")
    require((attempt.operator, attempt.nonce, attempt.index) == (*slot, 0), f"{name} is bound without its attempt 0")
    fresh = transaction.status is TransactionStatus.SIGNED and transaction.attempts == 1
    require(fresh, f"{name} is bound as {transaction.status} with {transaction.attempts} attempts")


def settlement(transaction: Transaction, standing: Settling, closing: Closing, now: UnixMs) -> Group:
    """
    Return the group that ends *transaction*, pays or holds its orders, and frees what it had committed.

    Raises:
        InvariantBroken: The closing is not about the orders of the transaction, or they are not bound to it.
    """
    name = f"transaction {transaction.nonce} of {transaction.operator}"
    said = sorted([*closing.paid, *closing.held])
    require(said == sorted(transaction.orders), f"the closing of {name} is not about its orders")
    group = Group()
    for order in standing.orders:
        bound_to = (order.status, order.operator, order.nonce)
        mine = bound_to == (OrderStatus.ASSIGNED, transaction.operator, transaction.nonce)
        require(mine, f"{name} would close order {order.key}, which is not bound to it")
        _close_order(group, order, closing, now)
    _close_transaction(group, transaction, closing)
    _settle_totals(group, transaction, standing, closing)
    return group


def _close_order(group: Group, order: Order, closing: Closing, now: UnixMs) -> None:
    closed = replace(order, paid_hash=closing.tx_hash, updated_ms=now)
    if order.key in closing.paid:
        closed = replace(closed, status=OrderStatus.PAID, paid_block=closing.block_number)
    else:
        reason, detail = closing.held[order.key], closing.detail
        closed = replace(closed, status=OrderStatus.HELD, hold_reason=reason, hold_detail=detail)
        closed = replace(closed, operator=None, nonce=None)
        group.insert(keys.held(order.key), write(order.key))
    group.replace(keys.order(order.key), write(closed), order.version)


def _close_transaction(group: Group, transaction: Transaction, closing: Closing) -> None:
    slot = Slot(transaction.operator, transaction.nonce)
    final = replace(transaction, status=TransactionStatus.FINAL, mined_hash=closing.tx_hash)
    final = replace(final, block_number=closing.block_number)
    group.replace(keys.transaction(*slot), write(final), transaction.version)
    group.delete(keys.open_transaction(*slot))


def _settle_totals(group: Group, transaction: Transaction, standing: Settling, closing: Closing) -> None:
    spent, before = standing.spent, standing.stats
    left = _less(standing.committed.units, transaction.committed_units, keys.COMMITMENTS)
    group.replace(keys.COMMITMENTS, write(Total(units=left)), standing.committed.version)
    held_units = _sum(order for order in standing.orders if order.key in closing.held)
    if held_units:
        units = _less(spent.units, held_units, keys.spent(spent.day))
        group.replace(keys.spent(spent.day), write(replace(spent, units=units)), spent.version)
    paid_units = TokenUnits(transaction.committed_units - held_units)
    stats = Stats(
        transactions=before.transactions + 1,
        orders_paid=before.orders_paid + len(closing.paid),
        paid_units=TokenUnits(before.paid_units + paid_units),
        gas_used=before.gas_used + closing.gas_used,
        gas_cost_wei=Wei(before.gas_cost_wei + closing.gas_cost_wei),
        final_number=before.final_number,
        final_hash=before.final_hash,
    )
    if transaction.block_hash is not None and closing.block_number >= (before.final_number or 0):
        stats = replace(stats, final_number=closing.block_number, final_hash=transaction.block_hash)
    group.put(keys.stats(transaction.operator), write(stats), standing.stats_version)


def _assigned(order: Order, transaction: Transaction) -> Order:
    return replace(
        order,
        status=OrderStatus.ASSIGNED,
        operator=transaction.operator,
        nonce=transaction.nonce,
        updated_ms=transaction.bound_ms,
    )


def _sum(orders: Iterable[Order]) -> TokenUnits:
    return TokenUnits(sum(order.amount_units for order in orders))


def _less(total: TokenUnits, units: TokenUnits, key: str) -> TokenUnits:
    require(total >= units, f"ledger row {key} holds {total} units, less than the {units} to take from it")
    return TokenUnits(total - units)
