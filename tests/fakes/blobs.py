"""The ``BackupStore`` port in memory; it can be away, and give back less than was written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from foundation.errors import ConfigurationError, StoreUnavailable

PIECE_BYTES = 1_000


class MemoryBlobs:
    """Blobs by name; a blob appears when it is whole."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.down_after: int | None = None
        """How many bytes are taken before the account is away; None: it is there."""

    async def write(self, name: str, chunks: AsyncIterator[bytes]) -> None:
        body = bytearray()
        async for chunk in chunks:
            body += chunk
            self._reach(len(body))
        self.blobs[name] = bytes(body)

    async def put(self, name: str, body: bytes) -> None:
        self._reach(len(body))
        self.blobs[name] = body

    async def get(self, name: str) -> bytes | None:
        return self.blobs.get(name)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        if name not in self.blobs:
            raise ConfigurationError(f"there is no blob {name}")
        body = self.blobs[name]
        for first in range(0, len(body), PIECE_BYTES):
            yield body[first : first + PIECE_BYTES]

    async def names(self, prefix: str) -> Sequence[str]:
        return sorted(name for name in self.blobs if name.startswith(prefix))

    async def delete(self, name: str) -> None:
        self.blobs.pop(name, None)

    async def aclose(self) -> None: ...

    def _reach(self, size: int) -> None:
        if self.down_after is not None and size > self.down_after:
            raise StoreUnavailable
