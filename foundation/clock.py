"""Time: a clock is a callable that returns it, a sleep one that waits; both are passed in."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NewType

UnixMs = NewType("UnixMs", int)
"""Milliseconds since 1970-01-01 UTC."""

AHEAD_MS_MAX = 300_000
"""How far ahead of our clock another machine's clock may run."""
DAY_MS = 86_400_000
LONG_AGO_MS = 7 * DAY_MS

Clock = Callable[[], UnixMs]
Sleep = Callable[[float], Awaitable[None]]


def system_clock() -> UnixMs:
    """Return the time of this machine; only a composition root reads it."""
    return UnixMs(time.time_ns() // 1_000_000)


def elapsed_ms(then: UnixMs, now: UnixMs) -> int:
    """
    Return the milliseconds from *then* to *now*.

    A time a little ahead is another machine's clock and counts as now. One that is further ahead than any
    such clock was written by a wrong one: it counts as long ago, because nothing may wait for it.
    """
    return LONG_AGO_MS if then > now + AHEAD_MS_MAX else max(0, now - then)


def utc_day(now: UnixMs) -> str:
    """Return the UTC day of *now* as ``yyyy-mm-dd``."""
    return datetime.fromtimestamp(now // 1000, UTC).strftime("%Y-%m-%d")
