"""One of a thing for each running event loop, because clients live as long as the loop they were made on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """What is closed on the loop it was made on."""

    async def aclose(self) -> None: ...


C = TypeVar("C", bound=Closable)


class PerLoop(Generic[C]):
    """The thing of the running loop; those of closed loops are forgotten."""

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._made: dict[asyncio.AbstractEventLoop, C] = {}

    def __len__(self) -> int:
        """Return of how many loops one is kept."""
        return len(self._made)

    def get(self) -> C:
        """Return the one of the running loop; made at the first call, closed by ``aclose``."""
        loop = asyncio.get_running_loop()
        for gone in [known for known in self._made if known.is_closed()]:
            del self._made[gone]
        if loop not in self._made:
            self._made[loop] = self._make()
        return self._made[loop]

    async def aclose(self) -> None:
        """Close the one of the running loop, if there is one; the next call makes a new one."""
        mine = self._made.pop(asyncio.get_running_loop(), None)
        if mine is not None:
            await mine.aclose()
