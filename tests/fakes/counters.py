"""Counters that live in a dictionary, and fail when a test says so."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from distributor.errors import CountersUnavailable
from distributor.rates import Rate, Window
from foundation.clock import Clock


@dataclass
class FakeCounters:
    """Counts by the test's clock; *asked* says how often, *down* makes it fail."""

    clock: Clock
    down: bool = False
    asked: int = 0
    _used: Counter[str] = field(default_factory=Counter)
    _ends_ms: dict[str, int] = field(default_factory=dict)

    async def left(self, name: str, rate: Rate) -> Window:
        self.asked += 1
        if self.down:
            raise CountersUnavailable
        now_ms = self.clock()
        if self._ends_ms.get(name, 0) <= now_ms:
            del self._used[name]
        ends_ms = self._ends_ms.get(name, now_ms) if self._used[name] else now_ms
        return Window(rate, rate.amount - self._used[name], max(1, math.ceil((ends_ms - now_ms) / 1_000)))

    async def take(self, name: str, rate: Rate) -> Window:
        await self.left(name, rate)
        if not self._used[name]:
            self._ends_ms[name] = self.clock() + rate.period_s * 1_000
        self._used[name] += 1
        return await self.left(name, rate)
