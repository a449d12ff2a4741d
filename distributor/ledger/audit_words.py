"""The words of people in the audit trail: whose they are about, and how they are emptied; the entries stay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from distributor.ledger.classes import AUDIT, outdated
from distributor.ledger.purging import Erasure
from distributor.model import Address, OrderKey
from foundation.tablestore.atomic import AtomicWrite
from foundation.tablestore.ports import Row, Rows, Value
from foundation.tablestore.queries import rows_under

OF_AN_ORDER: Final = ("approve", "cancel", "retry", "settle", "reopen", "adopted", "held", "callbacks-resend")
"""Words of the audit trail whose subject is an order."""
OF_A_NONCE: Final = ("resolve", "cancel-nonce", "resubmit")
"""Words whose subject is ``operator:nonce``."""


def prefixes_of(key: OrderKey) -> tuple[str, ...]:
    """Return what the keys of the entries about an order begin with."""
    return tuple(f"{word}:{key}:" for word in OF_AN_ORDER)


def prefixes_of_nonce(operator: Address, nonce: int) -> tuple[str, ...]:
    """Return what the keys of the entries about a nonce begin with."""
    return tuple(f"{word}:{operator}:{nonce}:" for word in OF_A_NONCE)


async def about_nonce(rows: Rows, operator: Address, nonce: int) -> AsyncIterator[Row]:
    """Yield the entries about a nonce: what somebody decided about its orders."""
    for prefix in prefixes_of_nonce(operator, nonce):
        async for row in rows_under(rows, prefix):
            yield row


async def entries_about(rows: Rows, key: OrderKey) -> AsyncIterator[Row]:
    """Yield the entries about an order."""
    for prefix in prefixes_of(key):
        async for row in rows_under(rows, prefix):
            yield row


def without_words(rows: Rows, row: Row) -> Erasure | None:
    """Return what empties the words of an entry; None where it has none."""
    words: Mapping[str, Value] = {name: "" for name in outdated(AUDIT) if row.values.get(name)}
    if not words:
        return None
    group = AtomicWrite()
    group.replace(row.key, {**row.values, **words}, row.version)
    return Erasure.of(rows, group, row.key, "audit")
