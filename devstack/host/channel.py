"""Messages between the host and its worker process, over a loopback connection of their own."""

from __future__ import annotations

import asyncio
import pickle
import struct
from asyncio import StreamReader, StreamWriter
from typing import Any

_LENGTH = struct.Struct("!I")


class Channel:
    """One end of the connection. Only the two processes that share its key speak on it."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._turn = asyncio.Lock()

    async def send(self, message: Any) -> None:
        """Send one message whole. Raises ConnectionError if the other process is gone."""
        packed = pickle.dumps(message)
        async with self._turn:
            self._writer.write(_LENGTH.pack(len(packed)) + packed)
            await self._writer.drain()

    async def receive(self) -> Any:
        """Return the next message; None once the other process is gone."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            return pickle.loads(await self._reader.readexactly(length))  # noqa: S301 -- from our own child, which knows the key
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def prove(self, key: str) -> None:
        """Send *key*, before anything else."""
        self._writer.write(key.encode())
        await self._writer.drain()

    async def is_proven(self, key: str) -> bool:
        """Tell whether the other end knows *key*; asked before any of its messages is read."""
        try:
            return await self._reader.readexactly(len(key)) == key.encode()
        except (asyncio.IncompleteReadError, ConnectionError):
            return False

    def close(self) -> None:
        self._writer.close()
