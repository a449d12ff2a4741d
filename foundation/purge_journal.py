"""
Whose data was erased, kept outside the ledger and its backups: each restore reads it and erases again.

An entry is written before any row is emptied, so a purge that was cut is known. It names nobody: it holds a hash of
the subject with a salt of its own. Who has the subject can try it; who has the journal alone must guess it.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Protocol

from foundation.clock import UnixMs
from foundation.errors import InvariantBroken

PURGES: Final = "purges"
"""The container of the journal, in the account of the backups; no rule deletes what is in it."""
SALT_BYTES: Final = 16


class JournalStore(Protocol):
    """Small blobs by name. Each call raises StoreUnavailable, or ConfigurationError where the account refuses."""

    async def put(self, name: str, body: bytes) -> None:
        """Write a blob at once."""

    async def get(self, name: str) -> bytes | None:
        """Return a blob, or None."""

    async def names(self, prefix: str) -> Sequence[str]:
        """Return the name of each blob that begins with *prefix*, in order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Purged:
    """One purge."""

    kind: str
    """What the subject is, in the app's words: ``wallet``, ``order``, ``shop``."""
    salt: str
    digest: str
    at_ms: UnixMs
    by: str

    def is_of(self, kind: str, subject: str) -> bool:
        """Say whether this was the purge of *subject*."""
        return kind == self.kind and hmac.compare_digest(self.digest, _digest(self.salt, kind, subject))

    def among(self, kind: str, subjects: Collection[str]) -> frozenset[str]:
        """Return those of *subjects* whose purge this was: one, or none."""
        return frozenset(each for each in subjects if self.is_of(kind, each))


@dataclass(frozen=True, slots=True)
class PurgeJournal:
    """The entries of one ledger. Where an entry cannot be written nothing may be erased."""

    store: JournalStore
    prefix: str
    """What the names of its blobs begin with, with a slash at the end."""

    async def write(self, kind: str, subject: str, *, by: str, at_ms: UnixMs) -> Purged:
        """Keep that the data of *subject* is erased from now on; a second entry of the same does no harm."""
        salt = secrets.token_hex(SALT_BYTES)
        entry = Purged(kind=kind, salt=salt, digest=_digest(salt, kind, subject), at_ms=at_ms, by=by)
        await self.store.put(f"{self.prefix}{at_ms:015d}-{entry.digest}.json", json.dumps(asdict(entry)).encode())
        return entry

    async def entries(self) -> Sequence[Purged]:
        """Return every entry, the oldest first. Raises InvariantBroken for one that cannot be read."""
        return [_read(name, await self.store.get(name)) for name in await self.store.names(self.prefix)]


def _read(name: str, body: bytes | None) -> Purged:
    """Return the entry that *body* is: one that is passed over would bring a person's data back for good."""
    try:
        found = json.loads(body or b"")
        return Purged(
            kind=str(found["kind"]),
            salt=bytes.fromhex(found["salt"]).hex(),
            digest=str(found["digest"]),
            at_ms=UnixMs(int(found["at_ms"])),
            by=str(found["by"]),
        )
    except (ValueError, KeyError, TypeError):
        raise InvariantBroken(f"the entry {name} of the purge journal cannot be read") from None


def _digest(salt: str, kind: str, subject: str) -> str:
    return hmac.digest(bytes.fromhex(salt), f"{kind}:{subject}".encode(), "sha256").hex()
