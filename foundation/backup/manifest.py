"""The manifest of a backup: what was read when, of whose ledger, and the digest of its blob. Names are promises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from foundation.backup.ports import Backup, BackupSource, BackupStore, NoBackup
from foundation.clock import UnixMs

FORMAT: Final = 1
_BLOB, _MANIFEST = ".rows.gz", ".manifest.json"


def blob_name(name: str) -> str:
    """Return the name of a backup's rows."""
    return f"{name}{_BLOB}"


def manifest_name(name: str) -> str:
    """Return the name of a backup's manifest."""
    return f"{name}{_MANIFEST}"


def stem(blob: str) -> str:
    """Return the name of the backup that a blob belongs to."""
    return blob.removesuffix(_BLOB).removesuffix(_MANIFEST)


def manifest_text(backup: Backup) -> bytes:
    """Return the manifest's text."""
    source = backup.source
    head = {"format": FORMAT, "app": source.app, "ledger": source.ledger, "prefix": source.prefix}
    rest = {
        "schema": source.schema,
        "version": backup.version,
        "begun_ms": backup.begun_ms,
        "ended_ms": backup.ended_ms,
        "size": backup.size,
        "sha256": backup.sha256,
        "rows": backup.rows,
        "counts": backup.counts,
    }
    return json.dumps(head | rest, indent=1).encode()


async def load_manifest(store: BackupStore, name: str, *, app: str) -> Backup:
    """
    Return the backup of a name.

    Raises:
        NoBackup: There is none, its manifest cannot be read, is of a newer format, or of another app.
    """
    body = await store.get(manifest_name(name))
    if body is None:
        raise NoBackup(f"there is no backup {name}: it has no manifest")
    try:
        found = json.loads(body)
        if found["format"] > FORMAT:
            raise NoBackup(f"backup {name} has the format {found['format']}, of a newer version: restore it with that")
        if found["app"] != app:
            raise NoBackup(f"backup {name} is of the app {found['app']}, not of {app}")
        return _backup(name, found)
    except (ValueError, KeyError, TypeError):
        raise NoBackup(f"the manifest of backup {name} cannot be read") from None


def _backup(name: str, found: dict[str, Any]) -> Backup:
    source = BackupSource(
        app=found["app"], ledger=found["ledger"], prefix=found["prefix"], schema=int(found.get("schema", 0))
    )
    return Backup(
        name=name,
        source=source,
        version=str(found["version"]),
        begun_ms=UnixMs(int(found["begun_ms"])),
        ended_ms=UnixMs(int(found["ended_ms"])),
        size=int(found["size"]),
        sha256=str(found["sha256"]),
        rows=int(found["rows"]),
        counts=found["counts"],
    )


async def backup_names(store: BackupStore, prefix: str) -> Sequence[str]:
    """Return the names of the backups there are, the oldest first."""
    return [stem(name) for name in await store.names(prefix) if name.endswith(_MANIFEST)]
