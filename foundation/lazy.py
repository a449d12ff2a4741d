"""Things built at their first use, so that a process pays only for what it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lazy(Generic[T]):
    """A thing built once, at its first use; a failed build is tried again."""

    def __init__(self, build: Callable[[], Awaitable[T]]) -> None:
        self._build, self._lock = build, asyncio.Lock()
        self._built: T | None = None

    async def get(self) -> T:
        async with self._lock:
            if self._built is None:
                self._built = await self._build()
            return self._built
