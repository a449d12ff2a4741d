"""
How fast we ask.

The limit belongs to the clinic's account and is shared with its other integrations, and the published figures
differ (600 a minute and 10 a second; 500 and 20), so ours are lower and a 429 is believed. Requests are spaced
evenly: there is no burst, also not when a lane moves to another instance, whose limiter knows nothing of the last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

PER_SECOND: Final = 6
PER_MINUTE: Final = 360
SLOW_S: Final = 600.0
"""For so long the rate is halved after a 429."""

Monotonic = Callable[[], float]


class Limiter:
    """The pace of one company's requests in one lane."""

    def __init__(self, now: Monotonic, *, per_second: int = PER_SECOND, per_minute: int = PER_MINUTE) -> None:
        self._now = now
        self._interval_s = max(1 / per_second, 60 / per_minute)
        self._next = now() + self._interval_s
        self._slow_until = 0.0

    def reserve(self) -> float:
        """Take the next place; return how many seconds to wait for it."""
        now = self._now()
        at = max(now, self._next)
        self._next = at + self._interval_s * (2 if at < self._slow_until else 1)
        return at - now

    def refused(self, retry_after_s: float) -> None:
        """Obey a 429: nothing for *retry_after_s*, and half the rate for ten minutes."""
        now = self._now()
        self._next = max(self._next, now + retry_after_s)
        self._slow_until = now + SLOW_S
