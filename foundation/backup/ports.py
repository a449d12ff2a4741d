"""What a backup is made of and where it is kept, as both apps see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from foundation.clock import UnixMs
from foundation.errors import Rejected, ServiceError
from foundation.tablestore.ports import Rows

END: Final = "~"
"""Sorts behind every character a key has."""


class NoBackup(Rejected):
    """That is no backup, or not one of this ledger."""


class BackupIncomplete(ServiceError):
    """The copy lacks rows that the ledger has: it was not kept, and the one of before is still there."""


class BackupStore(Protocol):
    """Blobs by name. Each call raises StoreUnavailable, or ConfigurationError where the account refuses."""

    async def write(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        """Write a blob of any size; it appears whole, or not at all."""

    async def put(self, name: str, body: bytes) -> None:
        """Write a small blob at once."""

    async def get(self, name: str) -> bytes | None:
        """Return a small blob, or None."""

    def read(self, name: str) -> AsyncIterator[bytes]:
        """Yield a blob piece by piece. Raises ConfigurationError where there is none."""

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the name of each blob that begins with *prefix*, in order."""

    async def delete(self, name: str) -> None:
        """Delete a blob; one that is gone is deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupPart:
    """One partition of a table, and how it is read."""

    name: str
    rows: Rows
    growing: frozenset[str]
    """Kinds of which no row is ever removed: a copy that has fewer than the ledger had before it is not whole."""
    ranges: Sequence[tuple[str, str]] = (("", END),)
    """Keys from one on and before another, in the order in which they are read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupSource:
    """Whose backup it is."""

    app: str
    ledger: str
    """The ledger's id."""
    prefix: str
    """What the names of its blobs begin with, with a slash at the end."""
    schema: int = 0
    """The rules that the rows ask for; code that knows fewer restores nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backup:
    """A backup that was kept, as its manifest says."""

    name: str
    source: BackupSource
    version: str
    """Of the app that wrote it."""
    begun_ms: UnixMs
    """Before the first row was read."""
    ended_ms: UnixMs
    size: int
    """Bytes."""
    sha256: str
    """Of the blob's bytes, hex."""
    rows: int
    counts: dict[str, dict[str, int]]
    """How many rows of each kind, by part."""


def kind_of(key: str) -> str:
    """Return the kind of a row: what its key begins with."""
    return key.partition(":")[0]
