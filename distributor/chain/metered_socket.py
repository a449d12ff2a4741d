"""
A socket that breaks when too much comes in.

What a library makes of the bytes is too late to count: a frame that never becomes a message is seen by nobody.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any


class Meter:
    """
    How many bytes came in within a second, over all the sockets of one connection.

    Args:
        bytes_per_s_max: More than these within a second break it.
        monotonic: Seconds, from anywhere.
    """

    def __init__(self, bytes_per_s_max: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most, self._monotonic = bytes_per_s_max, monotonic
        self._second_s, self._bytes = float("-inf"), 0
        self.broken = False

    def count(self, received_bytes: int) -> None:
        """Count them. Raises ConnectionAbortedError, from then on each time."""
        now_s = self._monotonic()
        if now_s - self._second_s >= 1:
            self._second_s, self._bytes = now_s, 0
        self._bytes += received_bytes
        self.broken = self.broken or self._bytes > self._most
        if self.broken:
            raise ConnectionAbortedError

    def socket(self, address: tuple[Any, ...]) -> socket.socket:
        """Return a socket for what ``getaddrinfo`` says, counted by this; as aiohttp's ``socket_factory``."""
        family, kind, protocol, _, _ = address
        return _MeteredSocket(self, family, kind, protocol)


class _MeteredSocket(socket.socket):
    """Counts in both ways that asyncio reads: into bytes, and under TLS into a buffer."""

    def __init__(self, meter: Meter, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self._meter = meter

    def recv(self, *arguments: Any) -> bytes:
        received = super().recv(*arguments)
        self._meter.count(len(received))
        return received

    def recv_into(self, *arguments: Any) -> int:
        received = super().recv_into(*arguments)
        self._meter.count(received)
        return received
