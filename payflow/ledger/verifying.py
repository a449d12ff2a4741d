"""
Whether a company's rows fit together: every row is readable, each index row has its receipt, each row its index rows.

A row that a lane writes meanwhile may look wrong for a moment: what is found wrong is read once more before it is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from foundation.errors import ConfigurationError, InvariantBroken
from foundation.tablestore.ports import Row
from payflow.connection import Token
from payflow.days import Day
from payflow.ledger import keys, migrating
from payflow.ledger.backup import all_rows
from payflow.ledger.lane import LaneLedger
from payflow.payers import Mailbox, PayerMapping
from payflow.progress import Cursor, Instalment
from payflow.state import Company, Delivery, DocumentOwner, Receipt

KINDS: Final[Mapping[str, type[Any]]] = {
    "company": Company,
    "token": Token,
    "cursor": Cursor,
    "instalment": Instalment,
    "receipt": Receipt,
    "delivery": Delivery,
    "document": DocumentOwner,
    "day": Day,
    "customer": PayerMapping,
    "name": PayerMapping,
    "address": Mailbox,
}
_INDEXES: Final = (keys.DUE, keys.HELD, keys.FLAGGED)


@dataclass(frozen=True, slots=True)
class ConsistencyReport:
    """How many rows of each kind there are, and what is wrong, a sentence each."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


async def verify_company(ledger: LaneLedger) -> ConsistencyReport:
    """Read every row of a company. Raises StoreUnavailable."""
    found = ConsistencyReport()
    async for row in all_rows(ledger.rows):
        found.counts[row.key.partition(":")[0]] += 1
        async for fault in _faults(ledger, row):
            fresh = await ledger.rows.get(row.key)
            again = [each async for each in _faults(ledger, fresh)] if fresh else []
            if fault in again:
                found.faults.append(f"row {row.key}: {fault}")
    return found


async def _faults(ledger: LaneLedger, row: Row) -> AsyncIterator[str]:
    kind = row.key.partition(":")[0]
    if kind not in KINDS:
        if wrong := await _points_wrong(ledger, row.key):
            yield wrong
        return
    try:
        ledger.codec.decode(KINDS[kind], row)
    except (InvariantBroken, ConfigurationError) as why:
        yield str(why)
        return
    for key in migrating.indexes(ledger, row):
        if await ledger.rows.get(key) is None:
            yield f"its index row {key} is missing; `migrate --apply` writes it"


async def _points_wrong(ledger: LaneLedger, key: str) -> str:
    """Return what is wrong with an index row; empty if nothing is, or it is no index row."""
    if key.startswith(_INDEXES) and await _points_elsewhere(ledger, key):
        return "the receipt is not there, or is in another state"
    if key.startswith(keys.LISTED) and await ledger.rows.get(keys.receipt(keys.name_in(key))) is None:
        return "the receipt is not there"
    return ""


async def _points_elsewhere(ledger: LaneLedger, index: str) -> bool:
    name = keys.name_in(index)
    row = await ledger.rows.get(keys.receipt(name))
    return row is None or keys.index(ledger.codec.decode(Receipt, row), name) != index
