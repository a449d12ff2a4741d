"""What waits for the office, and one receipt: read for each page, of its own company alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.clock import UnixMs
from foundation.tablestore.queries import rows_at
from payflow.delivery import rules
from payflow.ledger import keys
from payflow.ledger.lane import LaneLedger
from payflow.model import BaixaId
from payflow.office.words import REASONS, REFUSED, UNKNOWN, Words
from payflow.state import After, Delivery, DeliveryState, Reason, Receipt, ReceiptState

READ_MAX: Final = 300
"""How many receipts of each kind a page reads; what is behind them is shown once these are decided."""
_MAILED: Final = frozenset({UNKNOWN, REFUSED})
_LAST_DUE: Final = f"{keys.DUE}{keys.END}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptView:
    """A receipt and its mails; the mails are read only where the page shows them."""

    receipt: Receipt
    mails: Sequence[Delivery] = ()

    @property
    def undecided(self) -> Sequence[Delivery]:
        """The mails of which nobody knows whether they arrived."""
        return [one for one in self.mails if one.state is DeliveryState.UNKNOWN and not one.decided_by]

    @property
    def again_ms(self) -> UnixMs:
        """From when on the undecided mails can be sent again."""
        latest = max((one.attempt_deadline_ms for one in self.undecided), default=UnixMs(0))
        return UnixMs(latest + rules.IDLE_MS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """What waits for one reason."""

    key: str
    words: Words
    receipts: Sequence[ReceiptView]


@dataclass(frozen=True, kw_only=True, slots=True)
class OfficeBacklog:
    """What waits, by reason, in the order of ``REASONS``; *more*: not all of it was read."""

    sections: Sequence[Section]
    more: bool

    @property
    def count(self) -> int:
        return sum(len(section.receipts) for section in self.sections)


async def office_backlog(lane: LaneLedger) -> OfficeBacklog:
    """Return what waits for the office, or for something only the office can do. Raises StoreUnavailable."""
    held = await lane.rows.scan(keys.HELD, keys.HELD + keys.END, limit=READ_MAX)
    due = await lane.rows.scan(keys.DUE, _LAST_DUE, limit=READ_MAX)
    flagged = await lane.rows.scan(keys.FLAGGED, keys.FLAGGED + keys.END, limit=READ_MAX)
    found = await _receipts(lane, [keys.name_in(row.key) for row in (*held, *due, *flagged)])
    by_key: dict[str, list[Receipt]] = {}
    for receipt in found:
        if key := key_of(receipt):
            by_key.setdefault(key, []).append(receipt)
    sections = [
        Section(key=key, words=words, receipts=await _items(lane, by_key[key], mails=key in _MAILED))
        for key, words in REASONS.items()
        if key in by_key
    ]
    return OfficeBacklog(sections=sections, more=READ_MAX in (len(held), len(due), len(flagged)))


async def item(lane: LaneLedger, baixa: BaixaId) -> ReceiptView | None:
    """Return one receipt with its mails; None if the company has no such payment. Raises StoreUnavailable."""
    receipt = await lane.receipt(baixa)
    return ReceiptView(receipt=receipt, mails=await lane.deliveries(baixa)) if receipt else None


def key_of(receipt: Receipt) -> str:
    """Return under which reason a receipt waits for the office; empty if it does not."""
    if receipt.state in (ReceiptState.UNKNOWN, ReceiptState.REFUSED, ReceiptState.WAITING_DOCUMENT):
        return str(receipt.state)
    if receipt.state is ReceiptState.SENT and receipt.flagged_ms:
        return str(After.UNDONE if receipt.gone else After.CHANGED)
    if receipt.state is ReceiptState.HELD and receipt.reason:
        return str(receipt.reason)
    is_asked = receipt.state is ReceiptState.READY and receipt.reason is Reason.NO_RECIPIENT
    return str(Reason.NO_RECIPIENT) if is_asked else ""


async def _receipts(lane: LaneLedger, names: Iterable[str]) -> Sequence[Receipt]:
    found = await rows_at(lane.rows, map(keys.receipt, names))
    return [lane.codec.decode(Receipt, row) for row in found.values()]


async def _items(lane: LaneLedger, receipts: Sequence[Receipt], *, mails: bool) -> Sequence[ReceiptView]:
    """Return the receipts in the order of their days, the oldest first."""
    ordered = sorted(receipts, key=lambda receipt: (receipt.paid_on, receipt.baixa))
    if not mails:
        return [ReceiptView(receipt=receipt) for receipt in ordered]
    read = await asyncio.gather(*(lane.deliveries(receipt.baixa) for receipt in ordered))
    return [ReceiptView(receipt=receipt, mails=found) for receipt, found in zip(ordered, read, strict=True)]
