"""
The entries of the ledger, each one group: what a verb writes, drawn up without touching a store.

A binding commits money, a settlement frees it: the rows of the orders, of the transaction and of
the totals change together or not at all. The inputs were read before, and each row that was read
is written on the condition that it has not changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from distributor import approvals
from distributor.caps import Caps
from distributor.ledger import keys
from distributor.ledger.announcing import announce, numbered
from distributor.ledger.columns import encode
from distributor.ledger.opened import Unreadable
from distributor.ledger.order_index import index_attempt, index_order
from distributor.ledger.records import APPROVAL, WAITS_FOR, NextNonce, Slot, Total
from distributor.model import (
    Address,
    Attempt,
    AttemptKind,
    HoldReason,
    Order,
    OrderStatus,
    Transaction,
    TransactionStatus,
)
from distributor.state import BindingState, Identity, PauseState
from distributor.units import TokenUnits
from foundation.clock import UnixMs
from foundation.errors import require
from foundation.tablestore.atomic import ROWS_MAX, AtomicWrite, version_of
from foundation.tablestore.ports import Value, Version

MAX_ORDERS_PER_TRANSACTION = 30
"""
A group holds 100 rows, and both groups of a transaction fit with N = 30 orders of N wallets.

A binding writes at most 3N + 7. A closing writes 3N + 8: three for each order (itself, its place among the held or
waiting ones, its wallet's day), and eight for all: transaction, its open row, commitments, the totals of the day of the
binding and of the day of the closing, the operator's totals, the row that it rests on one node, and the one row of what
the shops are told.
"""
_IN_A_BLOCK = {TransactionStatus.MINED, TransactionStatus.FINAL}


@dataclass(frozen=True, kw_only=True, slots=True)
class Inserted:
    """The order as the ledger has it, and whether this insertion put it there."""

    order: Order
    new: bool


@dataclass(frozen=True, slots=True)
class Binding:
    """Orders, the transaction that carries them, and its first signed bytes: what is bound to one nonce."""

    orders: Sequence[Order]
    transaction: Transaction
    attempt: Attempt


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingPage:
    """Waiting orders, oldest first; ``after`` goes into the next call, empty when there are no more."""

    orders: Sequence[Order]
    after: str
    unreadable: Sequence[Unreadable] = ()
    """Rows of the backlog that were passed over."""


def found_ledger(identity: Identity, operator: Address, next_nonce: int) -> AtomicWrite:
    """Return the group that makes a ledger *identity*'s, with its first operator."""
    group = AtomicWrite()
    group.insert(keys.IDENTITY, encode(identity))
    group.insert(keys.nonce(operator), encode(NextNonce(next=next_nonce)))
    group.insert(keys.COMMITMENTS, encode(Total(units=TokenUnits(0))))
    group.insert(keys.CONTROL, encode(PauseState()))
    return group


def insert_order(order: Order) -> AtomicWrite:
    """
    Return the group that keeps a new order: itself, its spent reference, its index, its place in the backlog.

    One that came in held for approval has its place among the held ones instead, and its shop is told.
    """
    group = AtomicWrite()
    group.insert(keys.order_row(order.key), encode(order))
    group.insert(keys.ref(order.ref_id), encode(order.key) | {"fingerprint": order.fingerprint})
    lay_in_place(group, order)
    index_order(group, order)
    return group


def lay_in_place(group: AtomicWrite, order: Order) -> None:
    """Add to the *group* that stores *order* its place: in the backlog, or held for approval and announced."""
    held = order.hold_reason is HoldReason.NEEDS_APPROVAL
    expected = OrderStatus.HELD if held else OrderStatus.RECEIVED
    require(order.status is expected, f"order {order.key} is inserted as {order.status}")
    group.insert(keys.held_row(order.key) if held else keys.open_order(order), place_of(order))
    announce(group, [order] if held else [], order.updated_ms)


def place_of(order: Order) -> dict[str, Value]:
    """
    Return the row that names *order* in its place; one that is held for approval says so there.

    A file may have thousands of them: who looks for the others need not read each.
    """
    return encode(order.key) | ({WAITS_FOR: APPROVAL} if approvals.awaits(order) else {})


def judged(order: Order, caps: Caps, now: UnixMs) -> Order:
    """Return a new *order* as it comes in: held where it needs an approval that it has not got."""
    if not approvals.lacks(order, caps, now):
        return order
    detail = approvals.why(order, now)
    held = replace(order, status=OrderStatus.HELD, hold_reason=HoldReason.NEEDS_APPROVAL, hold_detail=detail)
    return numbered(held, now)


def hold_order(order: Order, reason: HoldReason, detail: str, now: UnixMs) -> AtomicWrite:
    """Return the group that takes an order out of the backlog until a person decides."""
    require(order.status is OrderStatus.RECEIVED, f"order {order.key} cannot be held, it is {order.status}")
    held = replace(order, status=OrderStatus.HELD, hold_reason=reason, hold_detail=detail, updated_ms=now)
    held = numbered(held, now)
    group = AtomicWrite()
    announce(group, [held], now)
    group.replace(keys.order_row(order.key), encode(held), order.version)
    group.delete(keys.open_order(order))
    group.insert(keys.held_row(order.key), place_of(held))
    return group


def add_attempt(transaction: Transaction, attempt: Attempt) -> tuple[AtomicWrite, Transaction]:
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
    group = AtomicWrite()
    group.replace(keys.transaction(transaction.operator, transaction.nonce), encode(after), transaction.version)
    group.insert(keys.attempt(*mine), encode(attempt))
    index_attempt(group, attempt)
    return group, after


def rows_of(bindings: Sequence[Binding]) -> int:
    """Return how many rows the group of *bindings* writes: the totals once, a wallet's day once."""
    orders = _orders(bindings)
    return 3 + 4 * len(bindings) + 2 * len(orders) + len(wallets_of(orders))


def fits_one_group(bindings: Sequence[Binding]) -> bool:
    """Say whether a table takes *bindings* in one group."""
    return rows_of(bindings) <= ROWS_MAX


def bind_orders(
    binding_state: BindingState, bindings: Sequence[Binding], caps: Caps
) -> tuple[AtomicWrite, BindingState]:
    """
    Return the group that binds orders to the next nonces, and the books after it, their versions still old.

    All of it or nothing is bound. The totals of the day stand in the group on the condition that they
    are as they were read, so two that bind at once can never exceed a cap together.

    Raises:
        InvariantBroken: The parts do not say the same, a cap would be exceeded, or an order lacks an approval.
    """
    after, group = binding_state, AtomicWrite()
    for binding in bindings:
        _check_binding(after, binding)
        _check_caps(after, binding.orders, caps)
        _check_approvals(binding.orders, caps, binding.transaction.bound_ms)
        after = replace(after.plus(binding.orders), next_nonce=after.next_nonce + 1)
        _bind(group, binding)
    group.replace(keys.nonce(after.operator), encode(NextNonce(next=after.next_nonce)), binding_state.nonce_version)
    group.replace(keys.COMMITMENTS, encode(Total(units=after.committed_units)), binding_state.commitments_version)
    for total in (after.spent, *(after.wallets[wallet] for wallet in wallets_of(_orders(bindings)))):
        group.put(keys.spent_row(total.day, total.wallet), encode(total), total.version)
    return group, after


def _bind(group: AtomicWrite, binding: Binding) -> None:
    transaction, attempt = binding.transaction, binding.attempt
    slot = Slot(transaction.operator, transaction.nonce)
    for order in binding.orders:
        group.replace(keys.order_row(order.key), encode(_bound_order(order, transaction)), order.version)
        group.delete(keys.open_order(order))
    group.insert(keys.transaction(*slot), encode(transaction))
    group.insert(keys.open_transaction(*slot), encode(slot))
    group.insert(keys.attempt(*slot, 0), encode(attempt))
    index_attempt(group, attempt)


def _orders(bindings: Iterable[Binding]) -> Sequence[Order]:
    return [order for binding in bindings for order in binding.orders]


def after_binding(
    after: BindingState, bindings: Sequence[Binding], versions: Mapping[str, Version]
) -> tuple[BindingState, Sequence[Transaction]]:
    """Return the books *after* a group and its transactions, with the versions it gave them. Raises Contention."""
    written = {
        wallet: replace(after.wallets[wallet], version=version_of(versions, keys.spent_row(after.spent.day, wallet)))
        for wallet in wallets_of(_orders(bindings))
    }
    books = replace(
        after,
        nonce_version=version_of(versions, keys.nonce(after.operator)),
        commitments_version=version_of(versions, keys.COMMITMENTS),
        spent=replace(after.spent, version=version_of(versions, keys.spent_row(after.spent.day))),
        wallets={**after.wallets, **written},
    )
    transactions = (binding.transaction for binding in bindings)
    rows = ((each, keys.transaction(each.operator, each.nonce)) for each in transactions)
    return books, [replace(each, version=version_of(versions, key)) for each, key in rows]


def require_whole(order: Order) -> None:
    """Raise InvariantBroken where the data of *order* was erased: nothing can be paid or decided by what is left."""
    require(order.purged_ms is None, f"the data of order {order.key} was erased: it is paid no more")


def wallets_of(orders: Iterable[Order]) -> Sequence[Address]:
    """Return the wallets that *orders* pay, each once."""
    return sorted({order.wallet for order in orders})


def _check_binding(binding_state: BindingState, binding: Binding) -> None:
    orders, transaction, attempt = binding.orders, binding.transaction, binding.attempt
    name = f"transaction {transaction.nonce} of {transaction.operator}"
    slot = (transaction.operator, transaction.nonce)
    require(
        binding_state.spent.day == transaction.bound_day, f"{name} is bound on {transaction.bound_day} by other books"
    )
    require(0 < len(orders) <= MAX_ORDERS_PER_TRANSACTION, f"{name} carries {len(orders)} orders")
    for order in orders:
        state = (order.status, order.operator, order.nonce)
        require(state == (OrderStatus.RECEIVED, None, None), f"{name} would bind order {order.key} again: {state}")
        require_whole(order)
    require(transaction.orders == tuple(order.key for order in orders), f"{name} names other orders than it binds")
    require(transaction.committed_units == sum_of(orders), f"{name} commits another sum than that of its orders")
    require(
        slot == (binding_state.operator, binding_state.next_nonce),
        f"{name} is not the next one, {binding_state.next_nonce}",
    )
    require((attempt.operator, attempt.nonce, attempt.index) == (*slot, 0), f"{name} is bound without its attempt 0")
    fresh = transaction.status is TransactionStatus.SIGNED and transaction.attempts == 1
    require(fresh, f"{name} is bound as {transaction.status} with {transaction.attempts} attempts")


def _check_caps(binding_state: BindingState, orders: Sequence[Order], caps: Caps) -> None:
    for order in orders:
        cap = caps.exceeded(binding_state, order)
        require(cap is None, f"order {order.key} would be bound above {cap}")
        binding_state = binding_state.plus([order])


def _check_approvals(orders: Sequence[Order], caps: Caps, now: UnixMs) -> None:
    for order in orders:
        require(not approvals.lacks(order, caps, now), f"order {order.key} would be bound without approval")


def _bound_order(order: Order, transaction: Transaction) -> Order:
    return replace(
        order,
        status=OrderStatus.BOUND,
        operator=transaction.operator,
        nonce=transaction.nonce,
        updated_ms=transaction.bound_ms,
    )


def sum_of(orders: Iterable[Order]) -> TokenUnits:
    """Return what *orders* cost together."""
    return TokenUnits(sum(order.amount_units for order in orders))


def leave_its_place(group: AtomicWrite, order: Order) -> None:
    """Take *order*, as it was read, out of the backlog or from among those that wait for a person."""
    if order.status is OrderStatus.RECEIVED:
        group.delete(keys.open_order(order))
    elif order.status is OrderStatus.HELD:
        group.delete(keys.held_row(order.key))
