"""
The index of the orders: by time, by shop and time, by wallet and time, and by the hash of a transaction.

An index row names an order and says nothing else of it, so it never changes. It is written in the group that stores
the order, and names no order that is not there. One that has become wrong (an order that changed places with another)
is passed over by its reader, who compares it with the order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from distributor.ledger import keys
from distributor.ledger.columns import encode
from distributor.ledger.records import Slot
from distributor.model import Attempt, Hash, Order, OrderKey
from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Rows, Value
from foundation.tablestore.queries import past, rows_at

READS_AT_ONCE = 16
ORDERS_IN_A_GROUP = 24
"""Four rows each at most; a group holds 100."""


def place_keys(order: Order) -> Sequence[str]:
    """Return the keys under which *order* is found by time, the one that is read for completeness first."""
    by_wallet = [keys.wallet_time_row(order)] if order.wallet else []  # none where it was erased
    return (keys.time_row(order), keys.shop_time_row(order), *by_wallet)


def index_order(group: AtomicWrite, order: Order) -> None:
    """Add to the *group* that stores a new order the rows by which it is found."""
    for key in place_keys(order):
        group.insert(key, encode(order.key))


def index_attempt(group: AtomicWrite, attempt: Attempt) -> None:
    """Add to the *group* that stores an attempt the row by which its hash is found."""
    group.insert(keys.attempt_hash(attempt), encode(Slot(attempt.operator, attempt.nonce)))


async def index_again(rows: Rows, group: AtomicWrite, order: Order) -> None:
    """
    Add the rows by which *order* is found as far as they are missing.

    For an order that is written over another one, or paid by a transaction that no attempt of this ledger made: such
    rows may be there since before, and a group that inserts one again could never be done.
    """
    for key, values in (await _missing(rows, order)).items():
        group.insert(key, values)


async def index_payments(rows: Rows, group: AtomicWrite, payments: Mapping[OrderKey, Hash]) -> None:
    """
    Add the rows by which orders are found by the hash that paid them, another transaction's than that which ends.

    Only as far as they are missing, as in ``index_again``; one row for each order that is paid.
    """
    for order, tx_hash in payments.items():
        key = keys.payment_hash(tx_hash, order)
        if await rows.get(key) is None:
            group.insert(key, encode(order))


async def index_stored(rows: Rows, orders: Sequence[Order]) -> int:
    """Index *orders* that are stored and perhaps not indexed; return how many were not. May be done again."""
    by_time = await rows_at(rows, map(keys.time_row, orders))
    timed = [order for order in orders if keys.time_row(order) in by_time]
    lost = await _lost_by_hash(rows, {each.key: each.paid_hash for each in timed if each.paid_hash is not None})
    missing = [order for order in orders if keys.time_row(order) not in by_time or order.key in lost]
    for first in range(0, len(missing), ORDERS_IN_A_GROUP):
        await _index_some(rows, missing[first : first + ORDERS_IN_A_GROUP])
    return len(missing)


async def _lost_by_hash(rows: Rows, paid: Mapping[OrderKey, Hash]) -> Collection[OrderKey]:
    """
    Return which of the orders *paid* their hash does not find: neither by an attempt, nor by a row of its own.

    A version of before may have paid an order that this one indexed by time. A batch has one hash for thirty orders.
    """
    hashes = sorted(set(paid.values()))
    reading = asyncio.Semaphore(READS_AT_ONCE)

    async def attempted(tx_hash: Hash) -> bool:
        attempts = f"{keys.of_hash(tx_hash)}0x"  # the operator comes next in the key
        async with reading:
            return bool(await rows.scan(attempts, past(attempts), limit=1))

    ours = dict(zip(hashes, await asyncio.gather(*map(attempted, hashes)), strict=True))
    others = {keys.payment_hash(tx_hash, key): key for key, tx_hash in paid.items() if not ours[tx_hash]}
    by_itself = await rows_at(rows, others)
    return {key for place, key in others.items() if place not in by_itself}


async def _index_some(rows: Rows, orders: Sequence[Order]) -> None:
    """Index *orders* in one group; one by one where some row of them is there already."""
    try:
        group = AtomicWrite()
        for order in orders:
            for key, values in _rows_of(order).items():
                group.insert(key, values)
        await commit(rows, group, marker_row=keys.time_row(orders[0]))
    except Contention:
        for order in orders:
            await _index_one(rows, order)


async def _index_one(rows: Rows, order: Order) -> None:
    missing = await _missing(rows, order)
    if missing:
        group = AtomicWrite()
        for key, values in missing.items():
            group.insert(key, values)
        await commit(rows, group, marker_row=next(iter(missing)))


async def _missing(rows: Rows, order: Order) -> Mapping[str, Mapping[str, Value]]:
    wanted = _rows_of(order)
    found = await asyncio.gather(*(rows.get(key) for key in wanted))
    return {key: values for (key, values), row in zip(wanted.items(), found, strict=True) if row is None}


def _rows_of(order: Order) -> Mapping[str, Mapping[str, Value]]:
    """Return the rows of a stored order; of a paid one also that of the hash, whose attempt may be of before."""
    places = list(place_keys(order))
    if order.paid_hash is not None:
        places.append(keys.payment_hash(order.paid_hash, order.key))
    return {key: encode(order.key) for key in places}
