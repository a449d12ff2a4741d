"""Things built at their first use, so that a process pays only for what it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")
S = TypeVar("S")


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


def built_once(build: Callable[[S], Awaitable[T]]) -> Callable[[S], Awaitable[T]]:
    """
    Make a method the part it builds: its first call builds, every call returns the same part.

    Two first calls at once build one; each part has a lock of its own, so a part may ask for others.
    """
    name = f"_{build.__name__}_part"

    @wraps(build)
    async def get(self: S) -> T:
        kept: dict[str, Any] = vars(self)
        part = kept.setdefault(name, Lazy(partial(build, self)))
        return cast("T", await part.get())

    return get
