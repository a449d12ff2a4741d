"""One partition of a table, as the rules of both apps need it. Nothing here knows Azure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Value = str | int | bool | bytes


@dataclass(frozen=True, slots=True)
class Version:
    """
    The ETag of a stored row as it was read; a later write of the row is conditional on it.

    ``kept`` holds the columns of that row which this code does not know, a newer version wrote them.
    A replacement on the condition of this version writes them back.
    """

    etag: str
    kept: Mapping[str, Value] = field(default_factory=dict, compare=False, repr=False)


UNSTORED = Version("")
"""The version of a value that was never read from a table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One stored row: its key, its values, and the version a later write is conditional on."""

    key: str
    values: Mapping[str, Value]
    version: Version


@dataclass(frozen=True, kw_only=True, slots=True)
class InsertRow:
    """Write a row that must not exist."""

    key: str
    values: Mapping[str, Value]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplaceRow:
    """Write a whole row that must still have *version*."""

    key: str
    values: Mapping[str, Value]
    version: Version


@dataclass(frozen=True, kw_only=True, slots=True)
class DeleteRow:
    """Remove a row that must be there, in any version: only rows that never change are removed."""

    key: str


RowWrite = InsertRow | ReplaceRow | DeleteRow


class WriteConflict(Exception):
    """The store says a condition of the group did not hold. May be the echo of the group's own success."""


class OutcomeUnknown(Exception):
    """The store did not answer a write: it was done wholly, or not at all."""


class Rows(Protocol):
    """
    One partition of a table: rows sorted by key, and groups that are done wholly or not at all.

    Keys sort as text. A group holds at most 100 writes and each key once.
    """

    async def get(self, key: str) -> Row | None:
        """Return the row, or None. Raises StoreUnavailable."""

    async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
        """Return at most *limit* rows with ``first <= key < last``, in key order. Raises StoreUnavailable."""

    async def commit(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        """
        Do the whole *group* or nothing; return the new version of each row written (not of deleted ones).

        Raises:
            WriteConflict: A row exists, is gone, or has another version; or the store's own retry met its success.
            OutcomeUnknown: The answer is lost (connection, time-out, 5xx): done wholly or not at all.
        """

    async def aclose(self) -> None: ...


class AuditTrail(Protocol):
    """Who did what and when; append-only, best effort, and never a reason to stop."""

    async def record(self, key: str, values: Mapping[str, Value]) -> None:
        """Add an entry under a deterministic *key*; the same key again changes nothing."""

    async def recorded(self, prefix: str) -> Sequence[Mapping[str, Value]]:
        """Return every entry whose key begins with *prefix*. Raises StoreUnavailable."""
