"""Asking about many orders, some at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from distributor.model import Order
from foundation.errors import Rejected, ServiceError

TOGETHER = 16
"""Orders that are looked up or stored at a time."""

T = TypeVar("T")


async def ask_for_each(ask: Callable[[Order], Awaitable[T]], orders: Iterable[Order]) -> Sequence[T | Rejected]:
    """Return what *ask* answers for each order, or why it refused that one; some at a time. Raises as *ask*."""
    asking = asyncio.Semaphore(TOGETHER)

    async def one(order: Order) -> T | Rejected:
        async with asking:
            try:
                return await ask(order)
            except Rejected as error:
                return error

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(order)) for order in orders]
    except* ServiceError as troubles:
        raise troubles.exceptions[0] from None
    return [task.result() for task in tasks]
