"""Time: a clock is a callable that returns it, a sleep one that waits; both are passed in."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import NewType

UnixMs = NewType("UnixMs", int)
"""Milliseconds since 1970-01-01 UTC."""

Clock = Callable[[], UnixMs]
Sleep = Callable[[float], Awaitable[None]]


def system_clock() -> UnixMs:
    """Return the time of this machine; only a composition root reads it."""
    return UnixMs(time.time_ns() // 1_000_000)


def utc_day(now: UnixMs) -> str:
    """Return the UTC day of *now* as ``yyyy-mm-dd``."""
    return datetime.fromtimestamp(now // 1000, UTC).strftime("%Y-%m-%d")
