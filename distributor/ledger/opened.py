"""
Every transaction that is not final, as far as its rows can be read.

What ``opentx:`` names is read and nothing else, in ranges without large gaps: a nonce that stays open
while thousands behind it are final costs two ranges, not thousands of rows. A row that is missing or
cannot be read harms its own nonce alone; that one is named, and its operator binds nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from distributor.ledger import keys
from distributor.ledger.columns import decode
from distributor.ledger.records import Slot
from distributor.model import Address, Attempt, OpenTransaction, Transaction, TransactionStatus
from foundation.errors import InvariantBroken, require
from foundation.tablestore.ports import Row, Rows
from foundation.tablestore.queries import rows_between, rows_under

GAP_MAX = 16
"""Nonces between two open ones that are cheaper read than skipped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """A row that this code cannot use, and why; *operator* where it belongs to one."""

    key: str
    why: str
    operator: Address | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """What is open, by operator and nonce, and what could not be read of it."""

    transactions: Sequence[OpenTransaction]
    unreadable: Sequence[Unreadable]

    def blocks(self, operator: Address) -> str:
        """Return why *operator* must bind nothing: a row that cannot be read, or a newer version's word; else empty."""
        broken = [each.why for each in self.unreadable if each.operator == operator]
        newer = [_newer(each) for each in self.transactions if each.transaction.operator == operator]
        return next((why for why in (*broken, *newer) if why), "")


async def opened(rows: Rows) -> Opened:
    """Return every transaction that is not final. Raises StoreUnavailable."""
    slots, unreadable = list[Slot](), list[Unreadable]()
    async for row in rows_under(rows, keys.OPEN_TRANSACTIONS):
        try:
            slots.append(decode(Slot, row))
        except InvariantBroken as error:
            unreadable.append(Unreadable(key=row.key, why=str(error), operator=keys.operator_of(row.key)))
    runs = await asyncio.gather(*(_run(rows, run) for run in _runs(sorted(slots))))
    found = [each for run in runs for each in run]
    return Opened(
        transactions=[each for each in found if isinstance(each, OpenTransaction)],
        unreadable=[*unreadable, *(each for each in found if isinstance(each, Unreadable))],
    )


def _newer(opened: OpenTransaction) -> str:
    transaction = opened.transaction
    words = (transaction.status, *(attempt.kind for attempt in opened.attempts))
    unknown = [str(word) for word in words if not word.is_known]
    return f"Nonce {transaction.nonce} bears a newer version's word: {unknown[0]}." if unknown else ""


def _runs(slots: Sequence[Slot]) -> Iterator[Sequence[Slot]]:
    """Yield one operator's slots that lie close together."""
    run: list[Slot] = []
    for slot in slots:
        if run and (slot.operator != run[-1].operator or slot.nonce - run[-1].nonce > GAP_MAX):
            yield run
            run = []
        run.append(slot)
    if run:
        yield run


async def _run(rows: Rows, slots: Sequence[Slot]) -> Sequence[OpenTransaction | Unreadable]:
    """
    Return the open transactions of neighbouring slots.

    The transactions are read before the attempts: an attempt stored in between is one too many and
    left out, where the other order would miss one that the transaction already counts.
    """
    operator, lowest, highest = slots[0].operator, slots[0].nonce, slots[-1].nonce
    stored = [
        row
        async for row in rows_between(rows, keys.transaction(operator, lowest), keys.transaction(operator, highest + 1))
    ]
    signed = [
        row
        async for row in rows_between(rows, keys.attempts_of(operator, lowest), keys.attempts_of(operator, highest + 1))
    ]
    by_key = {row.key: row for row in stored}
    read = (_read(slot, by_key, signed) for slot in slots)
    return [each for each in read if each is not None]


def _read(slot: Slot, stored: Mapping[str, Row], signed: Sequence[Row]) -> OpenTransaction | Unreadable | None:
    """Return one open transaction; None when it was closed since its slot was read."""
    key = keys.transaction(*slot)
    try:
        require(key in stored, f"ledger row {key} is missing")
        transaction = decode(Transaction, stored[key])
        if transaction.status is TransactionStatus.FINAL:
            return None
        prefix = keys.attempts_of(*slot)
        return together(transaction, [decode(Attempt, row) for row in signed if row.key.startswith(prefix)])
    except InvariantBroken as error:
        return Unreadable(key=key, why=str(error), operator=slot.operator)


def together(transaction: Transaction, signed: Sequence[Attempt]) -> OpenTransaction:
    """Return *transaction* with the attempts it counts. Raises InvariantBroken where one is missing."""
    counted = tuple(signed[: transaction.attempts])
    gapless = [attempt.index for attempt in counted] == list(range(transaction.attempts))
    require(gapless, f"attempts of {keys.transaction(transaction.operator, transaction.nonce)} are missing")
    return OpenTransaction(transaction=transaction, attempts=counted)
