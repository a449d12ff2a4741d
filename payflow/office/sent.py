"""What has ended in the last thirty days, found by a name, an amount, a day or a payment's id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from foundation.clock import DAY_MS, UnixMs
from foundation.tablestore.ports import Row
from foundation.tablestore.queries import rows_under
from payflow.ledger.lane import LaneLedger
from payflow.mail.formats import br_date, brl
from payflow.recipients.choice import name_key
from payflow.state import ENDED, Reason, Receipt

DAYS: Final = 30
SHOWN_MAX: Final = 100
ROWS_MAX: Final = 50_000
"""A page reads no further: a thousand rows a request, of a clinic's years."""
_LEFT_OUT: Final = frozenset({Reason.BEFORE_CONNECTION, Reason.NOT_A_PAYMENT})
"""Not our business: what was paid before, and entries that are no payments."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """The newest first; *more*: there are others, to be found by a search."""

    receipts: Sequence[Receipt]
    more: bool


async def ended(lane: LaneLedger, now: UnixMs, search: str) -> Sent:
    """Return what ended within thirty days and fits *search*. Raises StoreUnavailable."""
    since_ms, read, found = now - DAYS * DAY_MS, 0, list[Receipt]()
    async for row in rows_under(lane.rows, "receipt:"):
        read += 1
        if read > ROWS_MAX:
            break
        if _is_meant(row, since_ms) and _fits(receipt := lane.codec.decode(Receipt, row), search):
            found.append(receipt)
    found.sort(key=lambda receipt: (-receipt.changed_ms, receipt.baixa))
    return Sent(receipts=found[:SHOWN_MAX], more=len(found) > SHOWN_MAX or read > ROWS_MAX)


def _is_meant(row: Row, since_ms: int) -> bool:
    """Say so by the columns in the clear: most rows of a clinic are older, and need not be opened."""
    is_recent = int(row.values["changed_ms"]) >= since_ms
    return is_recent and row.values["state"] in ENDED and row.values.get("reason") not in _LEFT_OUT


def _fits(receipt: Receipt, search: str) -> bool:
    """Say whether each word of *search* is in what a person would call the receipt by."""
    day = br_date(receipt.paid_on) if receipt.paid_on else ""
    amount = brl(receipt.amount)
    called = f"{name_key(receipt.customer_name)} {amount} {amount.replace('.', '')} {day} {receipt.baixa}".casefold()
    return all(word in called for word in name_key(search).split())
