"""
Counters of requests: the `limits` library, in this process or in a Redis that all instances share.

A window is fixed: it begins with its first request and ends as a whole, so that ``Retry-After`` is
exact and one number is kept for each name. Twice the rate can pass where two windows meet; a guard
of machines can bear that.

Source: https://limits.readthedocs.io/en/stable/strategies.html#fixed-window
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from limits.aio.storage import MemoryStorage, RedisStorage
from limits.errors import StorageError

from distributor.errors import CountersUnavailable
from distributor.rates import Rate, Window
from foundation.clock import Clock

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool

WAIT_S = 0.25
"""The longest an order may wait to be counted; a Redis close by answers in a millisecond."""


class LimitsCounters:
    """
    Counters of requests, by name and rate.

    Args:
        url: ``redis://`` or ``rediss://`` of the counters; empty: in this process alone.
        clock: The time, as the library reads it too.
        wait_s: The longest wait for an answer.
    """

    def __init__(self, url: str, *, clock: Clock, wait_s: float = WAIT_S) -> None:
        self._pool = _pool(url) if url else None
        self._storage = _shared(url, self._pool) if self._pool else MemoryStorage()
        self._clock, self._wait_s = clock, wait_s

    async def left(self, name: str, rate: Rate) -> Window:
        """Return what is left for *name*, counting nothing. Raises CountersUnavailable."""
        return await self._window(name, rate, cost=0)

    async def take(self, name: str, rate: Rate) -> Window:
        """Count one request of *name* and return what is left. Raises CountersUnavailable."""
        return await self._window(name, rate, cost=1)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._pool:
            await self._pool.aclose()

    async def _window(self, name: str, rate: Rate, *, cost: int) -> Window:
        key = f"{name}/{rate.amount}/{rate.period_s}"
        try:
            async with asyncio.timeout(self._wait_s):
                used = await (self._storage.incr(key, rate.period_s) if cost else self._storage.get(key))
                ends_s = await self._storage.get_expiry(key)
        except (StorageError, TimeoutError, OSError) as error:
            raise CountersUnavailable(f"the counters of requests do not answer: {type(error).__name__}") from error
        reset_s = math.ceil(ends_s - self._clock() / 1_000)  # the library rounds up too, so it may be one too many
        return Window(rate, rate.amount - used, min(max(1, reset_s), rate.period_s))


def _pool(url: str) -> ConnectionPool:
    from redis.asyncio import ConnectionPool  # noqa: PLC0415 -- 0.1 s, for those who use Redis

    return ConnectionPool.from_url(url)


def _shared(url: str, pool: ConnectionPool) -> RedisStorage:
    # The library passes its options on to the client as they are, whatever their type.
    options: dict[str, Any] = {"connection_pool": pool}
    return RedisStorage(f"async+{url}", wrap_exceptions=True, implementation="redispy", key_prefix="ballx", **options)
