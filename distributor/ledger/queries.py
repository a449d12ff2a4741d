"""What the ledger reads: one record under its key, the open transactions, the inputs of a closing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from distributor.errors import ConflictingOrder
from distributor.ledger import closing, keys
from distributor.ledger.binding import WaitingPage, wallets_of
from distributor.ledger.closing import Closing, ClosingTotals, Ending
from distributor.ledger.columns import decode
from distributor.ledger.days import totals_of
from distributor.ledger.opened import Unreadable
from distributor.ledger.records import APPROVAL, UNREMEMBERED, WAITS_FOR, NextNonce, PaidRef, Total
from distributor.model import (
    Address,
    Attempt,
    Order,
    OrderKey,
    OrderStatus,
    Transaction,
)
from distributor.state import BindingState, Spent, Stats
from foundation.clock import UnixMs
from foundation.errors import InvariantBroken, require
from foundation.tablestore.ports import UNSTORED, Row, Rows
from foundation.tablestore.queries import past, rows_at

SCAN_ROWS_MAX = 10_000
"""A bound on one scan; 16 nonces per operator are open at a time, each with a handful of attempts."""

_Record = TypeVar("_Record")


async def find_record(rows: Rows, record: type[_Record], key: str) -> _Record | None:
    """Return the record under *key*, or None."""
    row = await rows.get(key)
    return decode(record, row) if row else None


async def must_find_record(rows: Rows, record: type[_Record], key: str) -> _Record:
    """Return the record under *key*; InvariantBroken when a row that is never removed is gone."""
    return must_decode(record, await rows.get(key), key)


def must_decode(record: type[_Record], row: Row | None, key: str) -> _Record:
    """Return the record in *row*, read under *key*; InvariantBroken when it is gone or torn."""
    if row is None:
        raise InvariantBroken(f"ledger row {key} is missing")
    return decode(record, row)


async def orders_by_key(rows: Rows, wanted: Sequence[OrderKey]) -> Sequence[Order]:
    """Return the orders under the keys *wanted*, in that order. Raises InvariantBroken when one is not there."""
    found = await rows_at(rows, map(keys.order_row, wanted))
    return [_order(found, key) for key in wanted]


async def named_orders(rows: Rows, index: Iterable[Row]) -> Sequence[Order | Unreadable]:
    """Return the order that each row of an *index* names, or that it cannot be read."""
    named = [(row.key, _named(row)) for row in index]
    found = await rows_at(rows, (keys.order_row(key) for _, key in named if isinstance(key, OrderKey)))
    return [key if isinstance(key, Unreadable) else _readable(found, key, row) for row, key in named]


def _named(row: Row) -> OrderKey | Unreadable:
    try:
        return decode(OrderKey, row)
    except InvariantBroken as error:
        return Unreadable(key=row.key, why=str(error))


def _readable(found: Mapping[str, Row], key: OrderKey, index_key: str) -> Order | Unreadable:
    try:
        return _order(found, key)
    except InvariantBroken as error:
        return Unreadable(key=index_key, why=str(error))


def _order(found: Mapping[str, Row], key: OrderKey) -> Order:
    row = found.get(keys.order_row(key))
    if row is None:
        raise InvariantBroken(f"ledger row {keys.order_row(key)} is missing")
    return decode(Order, row)


APPROVALS_MAX = 20_000
"""Rows of orders that wait for approval, and that are passed over to find the others: as many as a file has lines."""


async def held_orders(rows: Rows, limit: int) -> WaitingPage:
    """
    Return orders that wait for a person, from at most *limit* rows; one that cannot be read is named.

    Those of large files that wait for approval hide no other one: they are read from as many rows by themselves.
    """
    found = await rows.scan(keys.HELD, past(keys.HELD), limit=limit + APPROVALS_MAX)
    approvals = [row for row in found if row.values.get(WAITS_FOR) == APPROVAL]
    others = [row for row in found if row.values.get(WAITS_FOR) != APPROVAL]
    read = await named_orders(rows, [*others[:limit], *approvals[:limit]])
    return WaitingPage(
        orders=[each for each in read if isinstance(each, Order) and each.status is OrderStatus.HELD],
        after="",
        unreadable=[each for each in read if isinstance(each, Unreadable)],
    )


async def known_order(rows: Rows, order: Order) -> Order:
    """
    Return the order of the ledger whose id or reference *order* has.

    What a rebuild found on the chain has no fingerprint, and a name too long for the chain not even a
    row of its own; wallet and amount then say whether it is the same order, and it counts as paid. Whose data was
    erased is known by its id alone, with any content.

    Raises:
        ConflictingOrder: The reference is spent, and by a payout to another wallet or of another amount.
    """
    found = await find_record(rows, Order, keys.order_row(order.key))
    if found is not None and (found.fingerprint != UNREMEMBERED or found.purged_ms is not None):
        return found
    if found is not None and found.status is OrderStatus.CANCELLED:  # barred before it came: known, and never paid
        return replace(found, fingerprint=order.fingerprint)
    ref = await rows.get(keys.ref(order.ref_id))
    spent = decode(PaidRef, ref) if ref is not None and PaidRef.is_in(ref) else None
    if spent is not None and spent.purged_ms is not None:  # whatever the shop says of it now: that id is paid
        return replace(_paid_by(order, spent), wallet=Address(""), reason="", tipo="", purged_ms=spent.purged_ms)
    if spent is None or (spent.wallet, spent.amount_units) != (order.wallet, order.amount_units):
        raise ConflictingOrder(f"order {order.key} was paid before with other content, and the ledger rebuilt since")
    return replace(found, fingerprint=order.fingerprint) if found is not None else _paid_by(order, spent)


def _paid_by(order: Order, spent: PaidRef) -> Order:
    return replace(order, status=OrderStatus.PAID, paid_hash=spent.paid_hash, paid_block=spent.paid_block)


async def recall(rows: Rows, order: Order) -> Order | None:
    """Return the order of the ledger whose id or reference *order* has, as ``known``; None when it is new here."""
    taken = await asyncio.gather(rows.get(keys.order_row(order.key)), rows.get(keys.ref(order.ref_id)))
    return await known_order(rows, order) if any(taken) else None


async def spent(rows: Rows, day: str, wallets: Sequence[Address | None]) -> Sequence[Spent]:
    """Return what was bound in the UTC *day* so far, to each of *wallets*; for None, in all."""
    found = await rows_at(rows, (keys.spent_row(day, wallet) for wallet in wallets))
    stored = {key: decode(Spent, row) for key, row in found.items()}
    return [stored.get(keys.spent_row(day, wallet)) or Spent(day=day, wallet=wallet) for wallet in wallets]


async def binding_state(rows: Rows, operator: Address, day: str) -> BindingState | None:
    """Return what *operator* binds on: the nonce first, so that the totals are never older than it."""
    nonce = await find_record(rows, NextNonce, keys.nonce(operator))
    if nonce is None:
        return None
    committed, (spent_today,) = await asyncio.gather(
        must_find_record(rows, Total, keys.COMMITMENTS), spent(rows, day, [None])
    )
    return BindingState(
        operator=operator,
        next_nonce=nonce.next,
        nonce_version=nonce.version,
        committed_units=committed.units,
        commitments_version=committed.version,
        spent=spent_today,
    )


async def with_day_totals(rows: Rows, before: BindingState, day: str, wallets: Iterable[Address]) -> BindingState:
    """Return the books with the totals of *day*, and of *wallets*; what they know already is not read again."""
    if before.spent.day != day:
        (total,) = await spent(rows, day, [None])
        before = replace(before, spent=total, wallets={})
    missing = sorted(set(wallets) - before.wallets.keys())
    looked_up = dict(zip(missing, await spent(rows, day, missing), strict=True))
    return replace(before, wallets={**before.wallets, **looked_up})


async def endings(
    rows: Rows, ends: Sequence[tuple[Transaction, Closing]], now: UnixMs
) -> tuple[Sequence[Ending], ClosingTotals, Sequence[Transaction]]:
    """
    Return what is to be ended at the time *now*, with the totals, and the transactions as stored, read last.

    1. Two settlers close one transaction. The first is done between our readings.
    2. If the transaction were read before its orders, it would look open, and its orders bound to nothing.
    3. Read last and still of the version we know, it vouches for all that was read before it: only its
       own closing touches its orders and takes its units from the totals.
    """
    names = [name for transaction, _ in ends for name in transaction.orders]
    found = {order.key: order for order in await orders_by_key(rows, names)}
    ending = [Ending(each, [found[name] for name in each.orders], proved) for each, proved in ends]
    totals = await closing_totals(rows, ending, now)
    at = [keys.transaction(each.operator, each.nonce) for each, _ in ends]
    stored = await rows_at(rows, at)
    return ending, totals, [must_decode(Transaction, stored.get(key), key) for key in at]


async def closing_totals(rows: Rows, ending: Sequence[Ending], now: UnixMs) -> ClosingTotals:
    """Return the totals that the transactions *ending* settle, all of one operator."""
    operator = ending[0].transaction.operator
    committed, stats, day = await asyncio.gather(
        must_find_record(rows, Total, keys.COMMITMENTS),
        rows.get(keys.stats(operator)),
        totals_of(rows, now),
    )
    return ClosingTotals(
        committed=committed,
        spent=[total for freed_on in _freed(ending) for total in await spent(rows, *freed_on)],
        stats=decode(Stats, stats) if stats else Stats(),
        stats_version=stats.version if stats else UNSTORED,
        day=day,
    )


def _freed(ending: Sequence[Ending]) -> Iterable[tuple[str, Sequence[Address | None]]]:
    """Yield each day on which something is given back, and the totals of it that change."""
    days = sorted({closing.released_on(each.transaction) for each in ending if each.unpaid})
    for day in days:
        unpaid = (each.unpaid for each in ending if closing.released_on(each.transaction) == day)
        yield day, [None, *wallets_of(order for some in unpaid for order in some)]


async def attempts(rows: Rows, operator: Address, nonce: int) -> Sequence[Attempt]:
    """Return every attempt of one nonce, oldest first."""
    prefix = keys.attempts_of(operator, nonce)
    return [decode(Attempt, row) for row in await _scan(rows, prefix, past(prefix))]


async def _scan(rows: Rows, first: str, last: str) -> Sequence[Row]:
    found = await rows.scan(first, last, limit=SCAN_ROWS_MAX)
    require(len(found) < SCAN_ROWS_MAX, f"more than {SCAN_ROWS_MAX} ledger rows from {first}")
    return found
