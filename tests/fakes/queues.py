"""Queues in memory: what was put, what lies there, and a service that is away."""

from __future__ import annotations

from dataclasses import dataclass, field

from foundation.clock import UnixMs
from foundation.errors import StoreUnavailable
from foundation.queue_ages import Oldest


@dataclass
class MemoryQueues:
    """The ``Queues`` port. A test says what lies there."""

    put_there: list[tuple[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    oldest_ms: dict[str, UnixMs] = field(default_factory=dict)
    untaken_ms: dict[str, UnixMs] = field(default_factory=dict)
    away: bool = False

    async def put(self, queue: str, text: str) -> None:
        self._there()
        self.put_there.append((queue, text))

    async def count(self, queue: str) -> int:
        self._there()
        return self.counts.get(queue, 0)

    async def oldest(self, queue: str) -> Oldest:
        self._there()
        return Oldest(self.oldest_ms.get(queue), self.untaken_ms.get(queue))

    def _there(self) -> None:
        if self.away:
            raise StoreUnavailable("the queue service does not answer: ServiceRequestError")
