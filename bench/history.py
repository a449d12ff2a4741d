"""A ledger with many finished orders, in memory: an emulator that reads its whole table at a request is no measure."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count

from distributor.ledger import keys
from distributor.ledger.columns import encode
from distributor.ledger.order_index import place_keys
from distributor.ledger.records import NextNonce, Slot
from distributor.model import (
    Address,
    Attempt,
    AttemptKind,
    Fees,
    Hash,
    Order,
    OrderStatus,
    SubmitOutcome,
    Transaction,
    TransactionStatus,
)
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row, RowWrite, Value, Version

BATCH = 30
_DAY_MS = 86_400_000
_UNITS = TokenUnits(10**18)
_SIGNED_BYTES = 9_000
"""About what a signed transaction of thirty orders takes."""


class RowsWithHistory(MemoryRows):
    """Rows in memory, some of them there from the beginning, that count what is asked of them and what that takes."""

    def __init__(self, there: Iterable[tuple[str, dict[str, Value]]]) -> None:
        super().__init__()
        versions = count(1)
        self._rows = {key: Row(key=key, values=values, version=Version(f"h{next(versions)}")) for key, values in there}
        self.handed_over = 0
        """Rows that scans returned."""
        self.own_cpu_s = 0.0
        """What keeping the keys in their order took: a table's work, none of the app's."""

    async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
        found = await super().scan(first, last, limit=limit)
        self.handed_over += len(found)
        return found

    def _apply(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        began = time.process_time()
        try:
            return super()._apply(group)
        finally:
            self.own_cpu_s += time.process_time() - began

    @property
    def asked(self) -> int:
        """Return how many requests a table would have had: reads, scans and groups."""
        return self.reads + self.commits


def finished(orders: int, operator: Address, now: UnixMs) -> Iterator[tuple[str, dict[str, Value]]]:
    """
    Yield the rows of so many paid orders in batches of *operator*, the last of them paid a day before *now*.

    Its next nonce is behind them all.
    """
    for nonce, first in enumerate(range(0, orders, BATCH)):
        numbers = range(first, min(first + BATCH, orders))
        batch = [_order(number, nonce, operator, UnixMs(now - _DAY_MS - orders + number)) for number in numbers]
        for order in batch:
            name = encode(order.key)
            yield keys.order_row(order.key), encode(order)
            yield keys.ref(order.ref_id), name | {"fingerprint": order.fingerprint}
            yield from ((key, name) for key in place_keys(order))
        yield from _transaction(nonce, batch)
    yield keys.nonce(operator), encode(NextNonce(next=next_nonce(orders)))


def next_nonce(orders: int) -> int:
    """Return the nonce behind those that paid so many *orders*."""
    return -(-orders // BATCH)


def _order(number: int, nonce: int, operator: Address, at: UnixMs) -> Order:
    order_id = f"finished-{number:06d}"
    return Order(
        source="default",
        order_id=order_id,
        wallet=Address("0x" + _hex(order_id)[:40]),
        amount_units=_UNITS,
        tipo="",
        reason=order_id,
        ref_id=Hash("0x" + _hex(f"reference of {order_id}")),
        fingerprint=_hex(f"content of {order_id}"),
        received_ms=at,
        updated_ms=at,
        status=OrderStatus.PAID,
        operator=operator,
        nonce=nonce,
        paid_hash=_paid(nonce),
        paid_block=nonce,
        paid_log=number % BATCH,
        paid_ms=at,
    )


def _transaction(nonce: int, batch: Sequence[Order]) -> Iterator[tuple[str, dict[str, Value]]]:
    first = batch[0]
    operator = first.operator or Address("")
    attempt = Attempt(
        operator=operator,
        nonce=nonce,
        index=0,
        kind=AttemptKind.PAY,
        raw=bytes(_SIGNED_BYTES),
        tx_hash=_paid(nonce),
        fees=Fees(max_fee_wei=Wei(10**11), tip_wei=Wei(10**10)),
        gas_limit=6_000_000,
        signed_ms=first.received_ms,
    )
    transaction = Transaction(
        operator=operator,
        nonce=nonce,
        to=operator,
        data=bytes(_SIGNED_BYTES),
        orders=tuple(each.key for each in batch),
        committed_units=TokenUnits(_UNITS * len(batch)),
        bound_day="2026-01-01",
        bound_ms=first.received_ms,
        status=TransactionStatus.FINAL,
        submitted_ms=first.received_ms,
        last_outcome=SubmitOutcome.ACCEPTED,
        mined_hash=_paid(nonce),
        block_number=nonce,
        block_hash=_paid(nonce),
        witnesses=2,
    )
    yield keys.transaction(operator, nonce), encode(transaction)
    yield keys.attempt(operator, nonce, 0), encode(attempt)
    yield keys.attempt_hash(attempt), encode(Slot(operator, nonce))


def _paid(nonce: int) -> Hash:
    return Hash("0x" + _hex(f"transaction {nonce}"))


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
