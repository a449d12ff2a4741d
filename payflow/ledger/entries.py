"""
When each company's lane must run next: ``next_due_ms`` may be early, never late.

It is in another partition than what is due, so the two are never one write:

1. A due row is written first, then the entry is lowered, always, also when it looks low already: each lowering
   gives the entry a new version.
2. A lane reads the entry before it looks for what is due, and raises it at its end on that version. If anything
   was written meanwhile, the version is another one and the raise fails: the lane runs again at once.
3. A process that dies between the two writes of 1 costs one polling interval, because the raise never goes
   beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from foundation.clock import UnixMs
from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Rows
from foundation.tablestore.queries import behind
from payflow.ledger import keys
from payflow.ledger.records import ENTRIES
from payflow.model import CompanyId
from payflow.progress import Entry
from payflow.state import CompanyStatus

COMPANIES_MAX = 10_000
TRIES_MAX = 20


@dataclass(frozen=True, slots=True)
class Entries:
    """The partition of all companies."""

    rows: Rows

    async def all(self) -> Sequence[Entry]:
        """Return every company, in the order of their ids."""
        found = await self.rows.scan("", keys.END, limit=COMPANIES_MAX)
        return [ENTRIES.decode(Entry, row) for row in found]

    async def page(self, after: str, *, limit: int) -> Sequence[Entry]:
        """Return at most *limit* companies behind the id *after*, in the order of their ids."""
        found = await self.rows.scan(behind(after) if after else "", keys.END, limit=limit)
        return [ENTRIES.decode(Entry, row) for row in found]

    async def get(self, company: CompanyId) -> Entry | None:
        row = await self.rows.get(company)
        return ENTRIES.decode(Entry, row) if row else None

    async def lower(self, company: CompanyId, due_ms: UnixMs, status: CompanyStatus | None = None) -> None:
        """
        Let the lane of *company* run at *due_ms* at the latest.

        Raises:
            Contention: Others wrote the entry each time; what is due waits one polling interval at most.
        """
        for _ in range(TRIES_MAX):
            try:
                return await self._lower(company, due_ms, status)
            except Contention:
                continue
        raise Contention(f"the entry of company {company} is written without a pause")

    async def raise_(self, read: Entry, due_ms: UnixMs, *, looked_ms: UnixMs, status: CompanyStatus) -> bool:
        """Let the lane rest until *due_ms*, unless anybody wrote the entry since *read*; say whether it may."""
        try:
            await self._put(replace(read, next_due_ms=due_ms, looked_ms=looked_ms, status=status))
        except Contention:
            return False
        return True

    async def _lower(self, company: CompanyId, due_ms: UnixMs, status: CompanyStatus | None) -> None:
        found = await self.get(company) or Entry(
            company=company, next_due_ms=due_ms, status=status or CompanyStatus.CONFIRM
        )
        due_ms = min(found.next_due_ms, due_ms)
        await self._put(replace(found, next_due_ms=due_ms, status=status or found.status))

    async def _put(self, entry: Entry) -> None:
        write = AtomicWrite()
        write.put(entry.company, ENTRIES.encode(entry), entry.version)
        await commit(self.rows, write, marker_row=entry.company)
