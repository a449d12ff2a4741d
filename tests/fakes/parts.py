"""The parts of commands and pages over a ledger in memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from distributor.ledger import Ledger
from distributor.resources import Resources
from tests.fakes.bench import Bench
from tests.fakes.queues import MemoryQueues


class InMemory(Resources):
    """The real parts, but for what is stored: it is on a bench."""

    def __init__(self, environ: Mapping[str, str], bench: Bench) -> None:
        super().__init__(environ, clock=bench.clock)
        self.bench = bench

    async def tables(self) -> Any:
        service = SimpleNamespace(url="https://account.table.example/")
        return SimpleNamespace(
            rows=self.bench.rows, audit=self.bench.audit, audit_rows=self.bench.audit.rows, service=service
        )

    async def ledger(self) -> Ledger:
        return self.bench.ledger

    async def queues(self) -> Any:
        return MemoryQueues()
