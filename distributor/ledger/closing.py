"""
How a transaction ends: one group pays or holds its orders, frees what it had committed, and counts it.

Drawn up from what was read just before, each row on the condition that it is still the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from distributor.ledger import keys
from distributor.ledger.binding import sum_of
from distributor.ledger.columns import encode
from distributor.ledger.records import Slot, Total
from distributor.model import Hash, HoldReason, Order, OrderKey, OrderStatus, Transaction, TransactionStatus
from distributor.state import Spent, Stats
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from foundation.errors import require
from foundation.tablestore.atomic import AtomicWrite
from foundation.tablestore.ports import Version


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


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosingInputs:
    """What a closing stands on, as read just before."""

    stored: Transaction
    orders: Sequence[Order]
    committed: Total
    spent: Sequence[Spent]
    """Of the day of the binding: in all, and to each wallet whose order is held."""
    stats: Stats
    stats_version: Version


def close_transaction(transaction: Transaction, inputs: ClosingInputs, closing: Closing, now: UnixMs) -> AtomicWrite:
    """
    Return the group that ends *transaction*, pays or holds its orders, and frees what it had committed.

    Raises:
        InvariantBroken: The closing is not about the orders of the transaction, or they are not bound to it.
    """
    name = f"transaction {transaction.nonce} of {transaction.operator}"
    said = sorted([*closing.paid, *closing.held])
    require(said == sorted(transaction.orders), f"the closing of {name} is not about its orders")
    group = AtomicWrite()
    for order in inputs.orders:
        bound_to = (order.status, order.operator, order.nonce)
        mine = bound_to == (OrderStatus.BOUND, transaction.operator, transaction.nonce)
        require(mine, f"{name} would close order {order.key}, which is not bound to it")
        _close_order(group, order, closing, now)
    _finalise_transaction(group, transaction, closing)
    _settle_totals(group, transaction, inputs, closing)
    return group


def check_unchanged(closed: Transaction, closing: Closing) -> None:
    """Raise InvariantBroken when *closed* was ended by another receipt than that of *closing*."""
    name = f"transaction {closed.nonce} of {closed.operator}"
    require(closed.mined_hash == closing.tx_hash, f"{name} was closed by {closed.mined_hash}, not {closing.tx_hash}")


def _close_order(group: AtomicWrite, order: Order, closing: Closing, now: UnixMs) -> None:
    closed = replace(order, paid_hash=closing.tx_hash, updated_ms=now)
    if order.key in closing.paid:
        closed = replace(closed, status=OrderStatus.PAID, paid_block=closing.block_number)
    else:
        reason, detail = closing.held[order.key], closing.detail
        closed = replace(closed, status=OrderStatus.HELD, hold_reason=reason, hold_detail=detail)
        closed = replace(closed, operator=None, nonce=None)
        group.insert(keys.held(order.key), encode(order.key))
    group.replace(keys.order(order.key), encode(closed), order.version)


def _finalise_transaction(group: AtomicWrite, transaction: Transaction, closing: Closing) -> None:
    slot = Slot(transaction.operator, transaction.nonce)
    final = replace(transaction, status=TransactionStatus.FINAL, mined_hash=closing.tx_hash)
    final = replace(final, block_number=closing.block_number)
    group.replace(keys.transaction(*slot), encode(final), transaction.version)
    group.delete(keys.open_transaction(*slot))


def _settle_totals(group: AtomicWrite, transaction: Transaction, inputs: ClosingInputs, closing: Closing) -> None:
    before, held = inputs.stats, [order for order in inputs.orders if order.key in closing.held]
    left = _less(inputs.committed.units, transaction.committed_units, keys.COMMITMENTS)
    group.replace(keys.COMMITMENTS, encode(Total(units=left)), inputs.committed.version)
    for total in inputs.spent if held else ():
        key = keys.spent(total.day, total.wallet)
        back = sum_of(order for order in _given_back(held, closing) if total.wallet in {None, order.wallet})
        group.replace(key, encode(replace(total, units=_less(total.units, back, key))), total.version)
    paid_units = TokenUnits(transaction.committed_units - sum_of(held))
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
    group.put(keys.stats(transaction.operator), encode(stats), inputs.stats_version)


def _given_back(held: Sequence[Order], closing: Closing) -> Sequence[Order]:
    """Return the orders whose units come back to the day; where no transfer is seen, something may have moved."""
    return [order for order in held if closing.held[order.key] is not HoldReason.NO_TRANSFER]


def _less(total: TokenUnits, units: TokenUnits, key: str) -> TokenUnits:
    require(total >= units, f"ledger row {key} holds {total} units, less than the {units} to take from it")
    return TokenUnits(total - units)
