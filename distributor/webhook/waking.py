"""
Wake the payouts for an order that was stored.

Put by ourselves and not by the host's output binding: while the queue service alone is away, the
host would answer a stored order with 500, half a minute later, at each repetition. A message is
only a wake-up: without it the sweep finds the order within a minute.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from distributor.ports import Queues
from distributor.queue_names import DISTRIBUTIONS, WAKE
from foundation import logs
from foundation.errors import ConfigurationError, StoreUnavailable

WAIT_S = 3
"""A shop waits no longer for its order's wake-up, whatever becomes of it."""

_log = logging.getLogger(__name__)


class Waker:
    """
    Puts one wake-up at a time.

    Orders that come while one is under way share the next: it is put after all of them were stored, and one
    message wakes the payouts for two hundred orders as well as for one.
    """

    def __init__(self, queues: Callable[[], Awaitable[Queues]]) -> None:
        self._queues = queues
        self._under_way: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def wake(self) -> None:
        """Return once a wake-up that began after this call was put, or could not be, or the time is over."""
        if self._next is None:
            self._next = asyncio.create_task(self._put_after(self._under_way))
        await asyncio.wait({self._next}, timeout=WAIT_S)

    async def _put_after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        self._under_way, self._next = self._next, None  # from here on, an order needs another one
        try:
            await (await self._queues()).put(DISTRIBUTIONS, WAKE)
        except (StoreUnavailable, ConfigurationError) as error:
            logs.warning(_log, "wake_not_put", why=str(error))
