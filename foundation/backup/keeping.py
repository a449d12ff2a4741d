"""
Use case: copy a ledger into another account while it works, and know that the copy is whole.

1. Count the rows of the ledger, by kind.
2. Read it once more, and write what is read into one blob; it appears with its last byte.
3. Read the blob back: digest, and rows by kind.
4. Of each kind that only grows the copy must have as many rows as were counted before. Rows that were stored while it
   was read may be in it or not. Fewer: the blob is deleted, and there is no backup.
5. Only now write the manifest. A blob without one is no backup, for whatever reason the writer stopped.
6. Delete what is older than seven days; never the newest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from foundation.backup import manifest
from foundation.backup.lines import BackupLine, Tally, packed
from foundation.backup.ports import Backup, BackupIncomplete, BackupPart, BackupSource, BackupStore, NoBackup, kind_of
from foundation.backup.reading import Counts, by_part, checked
from foundation.clock import DAY_MS, Clock, Sleep, UnixMs
from foundation.errors import StoreUnavailable
from foundation.tablestore.ports import Row, WriteConflict
from foundation.tablestore.queries import PAGE_ROWS, behind
from foundation.version import version

KEPT_MS: Final = 7 * DAY_MS
PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0)
"""Between the tries of one page: the service answers 503 or 412 while it moves a partition."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeping:
    """Writes backups of one ledger. Raises StoreUnavailable, ConfigurationError; the newest backup stays then."""

    store: BackupStore
    source: BackupSource
    parts: Sequence[BackupPart]
    clock: Clock
    sleep: Sleep = asyncio.sleep

    async def run(self) -> Backup:
        """Write a backup; return it. Raises BackupIncomplete where the copy lacks rows."""
        begun_ms, name = self.clock(), f"{self.source.prefix}{_stamp(self.clock())}"
        blob, written = manifest.blob_name(name), Tally()
        before = await self._counted()
        await self.store.write(blob, written.count(packed(self._lines())))
        try:
            rows, counts = await checked(self.store, blob, size=written.size, sha256=written.sha256)
            self._require_whole(before, counts)
        except (BackupIncomplete, NoBackup):
            await self.store.delete(blob)
            raise
        kept = Backup(
            name=name,
            source=self.source,
            version=version(),
            begun_ms=begun_ms,
            ended_ms=self.clock(),
            size=written.size,
            sha256=written.sha256,
            rows=rows,
            counts=counts,
        )
        await self.store.put(manifest.manifest_name(name), manifest.manifest_text(kept))
        await self._forget_old(name, UnixMs(begun_ms - KEPT_MS))
        return kept

    async def _counted(self) -> Counts:
        found = Counter[tuple[str, str]]()
        async for line in self._lines():
            found[line.part, kind_of(line.key)] += 1
        return by_part(found)

    def _require_whole(self, before: Counts, copied: Counts) -> None:
        short = [
            f"{count - have} of {count} rows of {part.name} {kind}"
            for part in self.parts
            for kind, count in before.get(part.name, {}).items()
            if kind in part.growing and (have := copied.get(part.name, {}).get(kind, 0)) < count
        ]
        if short:
            raise BackupIncomplete(f"the copy lacks {', '.join(short)}; it was not kept")

    async def _lines(self) -> AsyncIterator[BackupLine]:
        for part in self.parts:
            for first, last in part.ranges:
                async for row in self._rows(part, first, last):
                    yield BackupLine(part.name, row.key, row.values)

    async def _rows(self, part: BackupPart, first: str, last: str) -> AsyncIterator[Row]:
        while True:
            page = await self._page(part, first, last)
            for row in page:
                yield row
            if len(page) < PAGE_ROWS:
                return
            first = behind(page[-1].key)

    async def _page(self, part: BackupPart, first: str, last: str) -> Sequence[Row]:
        for pause in PAUSES_S:
            with suppress(StoreUnavailable, WriteConflict):
                return await part.rows.scan(first, last, limit=PAGE_ROWS)
            await self.sleep(pause)
        try:
            return await part.rows.scan(first, last, limit=PAGE_ROWS)
        except WriteConflict as error:
            raise StoreUnavailable(f"the ledger's storage keeps refusing to be read: {error}") from None

    async def _forget_old(self, newest: str, before_ms: UnixMs) -> None:
        """Delete the manifest first: what is cut between the two leaves a blob that is no backup."""
        oldest = f"{self.source.prefix}{_stamp(before_ms)}"
        for name in await self.store.names(self.source.prefix):
            if manifest.stem(name) < oldest and manifest.stem(name) != newest:
                await self.store.delete(name)


def _stamp(at_ms: int) -> str:
    """Return a time as a name that sorts by it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
