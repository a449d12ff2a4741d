"""Reading a backup: every line of it, and at the end the certainty that these are the bytes that were written."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping

from foundation.backup.lines import BackupLine, Tally, unpacked
from foundation.backup.manifest import blob_name
from foundation.backup.ports import Backup, BackupStore, NoBackup, kind_of

Counts = dict[str, dict[str, int]]


async def backup_lines(store: BackupStore, backup: Backup) -> AsyncIterator[BackupLine]:
    """Yield every row. Raises NoBackup, at the end at the latest, unless the bytes are those of the manifest."""
    async for line in _lines(store, blob_name(backup.name), size=backup.size, sha256=backup.sha256):
        yield line


async def checked(store: BackupStore, blob: str, *, size: int, sha256: str) -> tuple[int, Counts]:
    """Return how many rows a blob has, in all and by part and kind. Raises NoBackup if its bytes are others."""
    found, rows = Counter[tuple[str, str]](), 0
    async for line in _lines(store, blob, size=size, sha256=sha256):
        found[line.part, kind_of(line.key)] += 1
        rows += 1
    return rows, by_part(found)


async def _lines(store: BackupStore, blob: str, *, size: int, sha256: str) -> AsyncIterator[BackupLine]:
    read = Tally()
    async for line in unpacked(read.count(store.read(blob))):
        yield line
    if (read.size, read.sha256) != (size, sha256):
        raise NoBackup("the backup is damaged: its digest is not the one of its manifest")


def by_part(found: Mapping[tuple[str, str], int]) -> Counts:
    """Return counts of (part, kind) as the manifest has them."""
    counts: Counts = {}
    for (part, kind), count in sorted(found.items()):
        counts.setdefault(part, {})[kind] = count
    return counts
