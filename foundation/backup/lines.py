"""
Rows as lines of JSON, compressed: a part, a key, and each value with its type kept.

Whole numbers are JSON numbers: all that we write are Int64. Bytes and the kinds that only other programs write have
an object with one name. Memory does not grow with the rows.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from foundation.backup.ports import NoBackup

_GZIP: Final = 31
"""What zlib calls the format of gzip."""
_CHUNK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class BackupLine:
    """One row of a part."""

    part: str
    key: str
    values: Mapping[str, Any]


@dataclass(slots=True)
class Tally:
    """What went by: bytes, and their digest."""

    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    async def count(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield *chunks* as they are, and count them."""
        async for chunk in chunks:
            self.size += len(chunk)
            self.digest.update(chunk)
            yield chunk

    @property
    def sha256(self) -> str:
        return str(self.digest.hexdigest())


async def packed(lines: AsyncIterator[BackupLine]) -> AsyncIterator[bytes]:
    """Yield *lines* as the bytes of one gzip file."""
    squeeze = zlib.compressobj(wbits=_GZIP)
    waiting = bytearray()
    async for line in lines:
        waiting += squeeze.compress(_written(line))
        if len(waiting) >= _CHUNK_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting) + squeeze.flush()


async def unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[BackupLine]:
    """Yield the lines that *packed* wrote. Raises NoBackup where the bytes are others, or end too early."""
    widen, rest = zlib.decompressobj(wbits=_GZIP), b""
    try:
        async for chunk in chunks:
            data = widen.decompress(chunk, _CHUNK_BYTES)
            while data:
                *whole, rest = (rest + data).split(b"\n")
                for text in whole:
                    yield _read(text)
                data = widen.decompress(widen.unconsumed_tail, _CHUNK_BYTES) if widen.unconsumed_tail else b""
    except zlib.error:
        raise NoBackup("the backup is damaged: its bytes are not as they were written") from None
    if not widen.eof or rest:
        raise NoBackup("the backup is not whole: it ends too early")


def _written(line: BackupLine) -> bytes:
    values = {name: _stored(value) for name, value in line.values.items()}
    return json.dumps([line.part, line.key, values], separators=(",", ":")).encode() + b"\n"


def _read(text: bytes) -> BackupLine:
    try:
        part, key, values = json.loads(text)
        return BackupLine(part, key, {name: _value(value) for name, value in values.items()})
    except (ValueError, TypeError, AttributeError, KeyError):
        raise NoBackup("the backup has a line that is no row") from None


def _stored(value: Any) -> Any:
    match value:
        case bytes():
            return {"bytes": base64.b64encode(value).decode()}
        case float():
            return {"float": value.hex()}
        case datetime():
            return {"time": value.isoformat()}
        case UUID():
            return {"guid": str(value)}
        case _:
            return value


_READ: Final = {
    "bytes": lambda text: base64.b64decode(text, validate=True),
    "float": float.fromhex,
    "time": datetime.fromisoformat,
    "guid": UUID,
}


def _value(stored: Any) -> Any:
    if isinstance(stored, dict):
        ((kind, text),) = stored.items()
        return _READ[kind](text)
    return stored
