"""
A company's receipts by the day they were found, a page at a time.

Each receipt has one row under ``listed:``, the newest first, written in the group that creates it and never changed. So
a page costs one scan and the receipts it looks at, however many there ever were. Receipts of a version before have no
such row; the nightly check gives them one, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.clock import UnixMs
from foundation.tablestore.atomic import ROWS_MAX, AtomicWrite, commit
from foundation.tablestore.ports import Row
from foundation.tablestore.queries import READS_AT_ONCE, behind, rows_under
from payflow.ledger import keys
from payflow.ledger.lane import LaneLedger
from payflow.model import BaixaId
from payflow.state import Receipt, ReceiptState

SHOWN_MAX: Final = 50
SCANNED_MAX: Final = 1_000
"""Index rows of one page: one request."""
OPENED_MAX: Final = 200
"""Receipts that one page opens, to find those in the state that is wanted."""
INDEXED_MAX: Final = 500
"""What waits, for a person or for time, that one page looks at."""
_BY_PERSON: Final = frozenset({ReceiptState.HELD, ReceiptState.UNKNOWN, ReceiptState.REFUSED})
_BY_TIME: Final = frozenset(
    {ReceiptState.FOUND, ReceiptState.WAITING_DOCUMENT, ReceiptState.READY, ReceiptState.SENDING}
)
FOREVER: Final = UnixMs(10**15 - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Which receipts are wanted."""

    since_ms: UnixMs = UnixMs(0)
    until_ms: UnixMs = FOREVER
    """Found in this time, the end excluded."""
    state: ReceiptState | None = None
    flagged: bool = False
    """Changed or undone after the mail, and a person is asked."""
    prefix: str = ""
    """Beginning of the payment's id."""
    after: str = ""
    """Where the page before ended."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListPage:
    """One page; *after* is where the next one begins, empty at the end."""

    receipts: Sequence[Receipt]
    after: str = ""


async def receipt_page(lane: LaneLedger, wish: Wish) -> ListPage:
    """Return a page of what is wanted, the newest first. Raises StoreUnavailable."""
    if wish.flagged:
        return _fitting(await lane.flagged(limit=INDEXED_MAX), wish)
    if wish.state in _BY_PERSON or wish.state in _BY_TIME:
        return await _waiting(lane, wish, wish.state)
    first = behind(wish.after) if wish.after else keys.listed(UnixMs(wish.until_ms - 1), "")
    last = f"{keys.listed(wish.since_ms, '')}{keys.END}"
    rows = await lane.rows.scan(first, last, limit=SCANNED_MAX)
    meant = [row for row in rows if str(row.values["baixa"]).startswith(wish.prefix)]
    looked, found = await _opened(lane, meant[:OPENED_MAX], wish)
    if looked:
        return ListPage(receipts=found, after=looked)
    more = rows[-1].key if len(rows) == SCANNED_MAX or len(meant) > OPENED_MAX else ""
    return ListPage(receipts=found, after=meant[OPENED_MAX - 1].key if len(meant) > OPENED_MAX else more)


async def is_whole(lane: LaneLedger) -> bool:
    """Say whether every receipt of versions before has its row."""
    return await lane.rows.get(keys.LISTING) is not None


async def complete(lane: LaneLedger, now: UnixMs) -> int:
    """Give each receipt of a version before its row; return how many had none. Raises StoreUnavailable, Contention."""
    if await is_whole(lane):
        return 0
    known = {str(row.values["baixa"]) async for row in rows_under(lane.rows, keys.LISTED)}
    write, added = AtomicWrite(), 0
    async for row in rows_under(lane.rows, "receipt:"):
        receipt = lane.codec.decode(Receipt, row)
        if receipt.baixa in known:
            continue
        lane.list_receipt(write, receipt)
        added += 1
        if len(write.writes) == ROWS_MAX - 1:
            await commit(lane.rows, write, marker_row=write.writes[0].key)
            write = AtomicWrite()
    write.insert(keys.LISTING, {"at_ms": now})
    await commit(lane.rows, write, marker_row=keys.LISTING)
    return added


# Inside ----------------------------------------------------------------------------------------------


async def _opened(lane: LaneLedger, rows: Sequence[Row], wish: Wish) -> tuple[str, Sequence[Receipt]]:
    """Open receipts until a page is full; return where it was full, empty if it was not, and what fits."""
    found: list[Receipt] = []
    for at in range(0, len(rows), READS_AT_ONCE):
        part = rows[at : at + READS_AT_ONCE]
        opened = await asyncio.gather(*(lane.receipt(BaixaId(str(row.values["baixa"]))) for row in part))
        for row, receipt in zip(part, opened, strict=True):
            if receipt and wish.state in (None, receipt.state):
                found.append(receipt)
                if len(found) == SHOWN_MAX:
                    return row.key, found
    return "", found


async def _waiting(lane: LaneLedger, wish: Wish, state: ReceiptState) -> ListPage:
    """What waits has an index of its own, which holds what waits alone."""
    waiting: Collection[Receipt] = (
        await lane.held(limit=INDEXED_MAX) if state in _BY_PERSON else await lane.due(FOREVER, limit=INDEXED_MAX)
    )
    return _fitting([one for one in waiting if one.state is state], wish)


def _fitting(receipts: Iterable[Receipt], wish: Wish) -> ListPage:
    found = [
        one for one in receipts if wish.since_ms <= one.found_ms < wish.until_ms and one.baixa.startswith(wish.prefix)
    ]
    return ListPage(receipts=sorted(found, key=lambda one: (-one.found_ms, one.baixa)))
