"""
How a transaction ends: one group pays or holds its orders, frees what it had committed, and counts it.

Drawn up from what was read just before, each row on the condition that it is still the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from distributor.day_totals import DayTotals
from distributor.ledger import keys
from distributor.ledger.announcing import announce, numbered
from distributor.ledger.binding import sum_of
from distributor.ledger.closing import Closing, ClosingTotals, Ending, Release, released_on
from distributor.ledger.columns import encode
from distributor.ledger.days import counted, put_day
from distributor.ledger.records import Slot, Total
from distributor.model import Address, HoldReason, Order, OrderKey, OrderStatus, Transaction, TransactionStatus
from distributor.state import Spent, Stats, counted_by_time
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from foundation.errors import require
from foundation.tablestore.atomic import AtomicWrite


def close_transactions(endings: Sequence[Ending], totals: ClosingTotals, now: UnixMs) -> AtomicWrite:
    """
    Return the group that ends transactions, pays or holds their orders, and frees what they had committed.

    Raises:
        InvariantBroken: A closing is not about the orders of its transaction, or they are not bound to it.
    """
    group, ended, after = AtomicWrite(), list[Order](), totals
    for ending in endings:
        closed = [_close_order(group, order, ending.closing, totals.day, now) for order in _checked(ending)]
        ended += [order for order in closed if order.status is not OrderStatus.RECEIVED]
        _finalise_transaction(group, ending.transaction, ending.closing)
        after = _settled(after, ending, [order for order in closed if order.status is OrderStatus.PAID], now)
    announce(group, ended, now)
    _write_totals(group, endings[0].transaction.operator, totals, after)
    return group


def _checked(ending: Ending) -> Sequence[Order]:
    transaction, closing = ending.transaction, ending.closing
    name = f"transaction {transaction.nonce} of {transaction.operator}"
    said = sorted([*closing.paid, *closing.held, *closing.released])
    require(said == sorted(transaction.orders), f"the closing of {name} is not about its orders")
    for order in ending.orders:
        bound_to = (order.status, order.operator, order.nonce)
        mine = bound_to == (OrderStatus.BOUND, transaction.operator, transaction.nonce)
        require(mine, f"{name} would close order {order.key}, which is not bound to it")
    return ending.orders


def _close_order(group: AtomicWrite, order: Order, closing: Closing, day: DayTotals | None, now: UnixMs) -> Order:
    if order.key in closing.paid:
        closed = counted(numbered(_paid(order, closing), now), day, now)
    elif order.key in closing.held:
        reason, detail = closing.held[order.key], closing.detail_of(order.key)
        closed = replace(numbered(order, now), status=OrderStatus.HELD, hold_reason=reason, hold_detail=detail)
        closed = replace(closed, operator=None, nonce=None, paid_hash=closing.tx_hash)
        group.insert(keys.held_row(order.key), encode(order.key))
    else:
        closed = _waiting_again(order, closing.released[order.key])
        group.insert(keys.open_order(order), encode(order.key))
    closed = replace(closed, updated_ms=now)
    group.replace(keys.order_row(order.key), encode(closed), order.version)
    return closed


def _paid(order: Order, closing: Closing) -> Order:
    proof = closing.proofs.get(order.key)
    place = (closing.tx_hash, closing.block_number, None)
    tx_hash, block, log = (proof.tx_hash, proof.block_number, proof.log_index) if proof else place
    paid = replace(order, status=OrderStatus.PAID, paid_hash=tx_hash, paid_block=block, paid_log=log, hold_detail="")
    return replace(paid, gas_cost_wei=_gas_share(order.key, closing))


def _gas_share(key: OrderKey, closing: Closing) -> Wei | None:
    """
    Return what of the transaction's cost falls on one order that it paid; None where another transaction paid it.

    The orders it paid carry its cost in equal parts, the first of them what cannot be divided: their shares add up.
    """
    carried = [each for each in closing.paid if _paid_here(each, closing)]
    if key not in carried:
        return None
    share, rest = divmod(closing.gas_cost_wei, len(carried))
    return Wei(share + rest if key == carried[0] else share)


def _paid_here(key: OrderKey, closing: Closing) -> bool:
    proof = closing.proofs.get(key)
    return proof is None or proof.tx_hash == closing.tx_hash


def _waiting_again(order: Order, release: Release) -> Order:
    """Return *order* without its nonce; the reason stays with it, for the second failure and for people."""
    failures = (order.item_failures or 0) + 1 if release.own_fault else order.item_failures
    waits = replace(order, status=OrderStatus.RECEIVED, hold_detail=release.detail, item_failures=failures)
    return replace(waits, operator=None, nonce=None)


def _finalise_transaction(group: AtomicWrite, transaction: Transaction, closing: Closing) -> None:
    slot = Slot(transaction.operator, transaction.nonce)
    final = replace(transaction, status=TransactionStatus.FINAL, mined_hash=closing.tx_hash)
    final = replace(final, block_number=closing.block_number, witnesses=closing.witnesses)
    group.replace(keys.transaction(*slot), encode(final), transaction.version)
    group.delete(keys.open_transaction(*slot))
    if closing.alone:
        group.insert(keys.unwitnessed(*slot), encode(slot))


def _settled(totals: ClosingTotals, ending: Ending, paid: Sequence[Order], now: UnixMs) -> ClosingTotals:
    """Free what the transaction committed, give the day back what was not paid, and count what it did."""
    transaction, closing = ending.transaction, ending.closing
    # All of it is freed, paid or not: what was paid has left the reserve, whose balance shows it from now on.
    left = _less(totals.committed.units, transaction.committed_units, keys.COMMITMENTS)
    day = totals.day and totals.day.plus(paid).spending(closing.gas_used, closing.gas_cost_wei)
    return replace(
        totals,
        committed=replace(totals.committed, units=left),
        spent=[_freed(total, ending) for total in totals.spent],
        stats=_counted(totals.stats, ending, now),
        day=day,
    )


def _freed(total: Spent, ending: Ending) -> Spent:
    """Return the total of a day without what did not leave on it: only an unpaid order frees room under a cap."""
    if total.day != released_on(ending.transaction):
        return total
    given_back = _given_back(ending.unpaid, ending.closing)
    back = sum_of(order for order in given_back if total.wallet in {None, order.wallet})
    return replace(total, units=_less(total.units, back, keys.spent_row(total.day, total.wallet)))


def _counted(before: Stats, ending: Ending, now: UnixMs) -> Stats:
    transaction, closing = ending.transaction, ending.closing
    times_ms = (now - order.received_ms for order in ending.orders if order.key in closing.paid)
    paid_within, paid_ms_sum = counted_by_time(before, times_ms)
    paid_units = TokenUnits(transaction.committed_units - sum_of(ending.unpaid))
    stats = Stats(
        transactions=before.transactions + 1,
        orders_paid=before.orders_paid + len(closing.paid),
        paid_units=TokenUnits(before.paid_units + paid_units),
        gas_used=before.gas_used + closing.gas_used,
        gas_cost_wei=Wei(before.gas_cost_wei + closing.gas_cost_wei),
        paid_within=paid_within,
        paid_ms_sum=paid_ms_sum,
        final_number=before.final_number,
        final_hash=before.final_hash,
        # In a row: any transaction that was not refused as a whole begins the count anew.
        batches_reverted=(before.batches_reverted or 0) + 1 if closing.reverted else None,
    )
    # The newest closed block is what is looked at again later; a block that closes late does not replace it.
    if transaction.block_hash is not None and closing.block_number >= (before.final_number or 0):
        stats = replace(stats, final_number=closing.block_number, final_hash=transaction.block_hash)
    return stats


def _write_totals(group: AtomicWrite, operator: Address, before: ClosingTotals, after: ClosingTotals) -> None:
    """
    Write the totals that changed, each on the condition that it is still as it was read.

    Where all orders are paid the totals of the days of their bindings stay as they are, and closings of other
    transactions do not contend for those rows.
    """
    group.replace(keys.COMMITMENTS, encode(Total(units=after.committed.units)), before.committed.version)
    for total in (total for old, total in zip(before.spent, after.spent, strict=True) if total.units != old.units):
        group.replace(keys.spent_row(total.day, total.wallet), encode(total), total.version)
    group.put(keys.stats(operator), encode(after.stats), before.stats_version)
    if after.day is not None:
        put_day(group, after.day)


def _given_back(unpaid: Sequence[Order], closing: Closing) -> Sequence[Order]:
    """Return the orders whose units come back to the day; where no transfer is seen, something may have moved."""
    return [order for order in unpaid if closing.held.get(order.key) is not HoldReason.NO_TRANSFER]


def _less(total: TokenUnits, units: TokenUnits, key: str) -> TokenUnits:
    require(total >= units, f"ledger row {key} holds {total} units, less than the {units} to take from it")
    return TokenUnits(total - units)
