"""
The rows of one company as a text: what is sealed in a row stays sealed in the backup.

Index rows and leases are left out. The rows are read one page after another while lanes may work, so an index could
contradict its receipt; a restore makes them anew of the receipts and instalments.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from foundation.clock import UnixMs
from foundation.errors import Rejected
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, Row, Rows, Value
from foundation.tablestore.queries import PAGE_ROWS, behind
from payflow.ledger import keys
from payflow.model import CompanyId

FORMAT: Final = 1
_INDEXES: Final = (keys.DUE, keys.HELD, keys.FLAGGED, keys.AGAIN, keys.SIBLING, keys.MESSAGE, keys.LISTED, keys.LISTING)
LEFT_OUT: Final = (*_INDEXES, "lease:", "waiting:")
"""Rows that are made of others, or that only spare work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyBackup:
    """
    One company's rows, and the row that says whose ledger it is: without its key no receipt would be found again.

    ``began_ms`` is the time before the first was read.
    """

    ledger_id: str
    company: CompanyId
    began_ms: UnixMs
    rows: Mapping[str, Mapping[str, Value]]
    identity: Mapping[str, Value] = field(default_factory=dict)


async def take_backup(
    rows: Rows, *, ledger_id: str, company: CompanyId, now: UnixMs, identity: Row | None = None
) -> CompanyBackup:
    """
    Read every row of a company.

    Raises StoreUnavailable; Rejected while a restore is under way, because the send log would be asked for the days
    since this backup alone, and the rows are those of an older one.
    """
    begun = await rows.get(keys.RESTORING)
    kept = {row.key: row.values async for row in all_rows(rows) if not row.key.startswith(LEFT_OUT)}
    if begun or await rows.get(keys.RESTORING):
        raise Rejected("a restore of this company is under way, or was cut: end it first")
    whose = identity.values if identity else {}
    return CompanyBackup(ledger_id=ledger_id, company=company, began_ms=now, rows=kept, identity=whose)


async def all_rows(rows: Rows) -> AsyncIterator[Row]:
    """Yield every row of a partition, in key order, page by page."""
    first = ""
    while True:
        page = await rows.scan(first, keys.END, limit=PAGE_ROWS)
        for row in page:
            yield row
        if len(page) < PAGE_ROWS:
            return
        first = behind(page[-1].key)


def as_json_lines(backup: CompanyBackup) -> str:
    """Return *backup* as lines of JSON; the first names the digest of the others."""
    lines = [json.dumps([key, dict(values)], ensure_ascii=False) for key, values in backup.rows.items()]
    head = {
        "format": FORMAT,
        "ledger_id": backup.ledger_id,
        "company": backup.company,
        "began_ms": backup.began_ms,
        "identity": dict(backup.identity),
        "rows": len(lines),
        "sha256": _digest(lines),
    }
    return "\n".join([json.dumps(head), *lines]) + "\n"


def from_json_lines(text: str) -> CompanyBackup:
    """Return the backup that *text* is. Raises Rejected if it is not a backup, or not whole."""
    head_line, *lines = text.removesuffix("\n").split("\n")  # no other sign ends a line: a value may hold it
    try:
        head = json.loads(head_line)
        if head["format"] != FORMAT or head["sha256"] != _digest(lines) or head["rows"] != len(lines):
            raise Rejected("this backup is not whole, or of another format")
        return CompanyBackup(
            ledger_id=head["ledger_id"],
            company=CompanyId(head["company"]),
            began_ms=UnixMs(head["began_ms"]),
            rows=dict(json.loads(line) for line in lines),
            identity=head["identity"],
        )
    except (ValueError, KeyError, TypeError):
        raise Rejected("this file is no backup of PayFlow") from None


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


async def noted(rows: Rows) -> UnixMs:
    """Return when the last good backup was begun; 0 where there was none, or the row does not say."""
    row = await rows.get(keys.BACKUP)
    at_ms = row.values.get("at_ms") if row else None
    return UnixMs(at_ms if isinstance(at_ms, int) else 0)


async def note(rows: Rows, began_ms: UnixMs) -> None:
    """Store when the last backup was begun that was written to its end: an old one is an alarm."""
    row, write = await rows.get(keys.BACKUP), AtomicWrite()
    write.put(keys.BACKUP, {"at_ms": began_ms}, row.version if row else UNSTORED)
    await commit(rows, write, marker_row=keys.BACKUP)
