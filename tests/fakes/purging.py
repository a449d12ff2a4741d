"""The erasure of personal data on a bench."""

from __future__ import annotations

from dataclasses import dataclass, field

from distributor.recovery.purging import PurgeKind, PurgeReport, PurgeSubject, Purging
from foundation.purge_journal import PurgeJournal
from tests.fakes.bench import Bench, a_closing, founded
from tests.fakes.blobs import MemoryBlobs

DAY_MS = 86_400_000


@dataclass
class Eraser:
    """A ledger on a bench, and the journal outside it."""

    bench: Bench
    journal: MemoryBlobs = field(default_factory=MemoryBlobs)

    @property
    def purging(self) -> Purging:
        """The use case."""
        journal = PurgeJournal(self.journal, "31337/")
        return Purging(rows=self.bench.rows, audit=self.bench.audit.rows, journal=journal, clock=self.bench.clock)

    async def erase(self, kind: PurgeKind, name: str, *, apply: bool = True) -> PurgeReport:
        """Erase the data of one subject."""
        return await self.purging.run(PurgeSubject(kind=kind, name=name), by="ana", apply=apply)

    async def replay(self, *, apply: bool = True) -> PurgeReport:
        """Erase again what the journal says."""
        return await self.purging.replay(apply=apply)


async def paid_yesterday(*order_ids: str) -> Eraser:
    """Return a ledger in which orders of alice were paid by one transaction, more than a day ago."""
    bench = await founded()
    transaction = await bench.bound(*order_ids)
    await bench.ledger.close(transaction, a_closing(*order_ids))
    bench.clock.advance(2 * DAY_MS)
    return Eraser(bench)
