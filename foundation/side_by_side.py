"""Two things done at the same time, so that neither is left running when the other one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")
E = TypeVar("E", bound=Exception)


async def side_by_side(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Return what both return. When both have ended, the error that *first* raised is raised, else that of *second*."""
    done = await asyncio.gather(_boxed(first), _boxed(second), return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException):
            raise each
    ((one,), (other,)) = done  # type: ignore[misc]  # no exception is left
    return one, other


async def _boxed(ask: Awaitable[A]) -> tuple[A]:
    """Return the value in a box: an error that is returned is a value, and none that was raised."""
    return (await ask,)


async def value_or_error(ask: Callable[[], Awaitable[A]], *expected: type[E]) -> A | E:
    """Return what *ask* does, or its error of an *expected* kind: somebody else's answer may count before it."""
    try:
        return await ask()
    except expected as error:
        return error
