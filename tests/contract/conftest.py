"""The ledger of the contract suites, once in memory and once in real tables."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from distributor.ledger import Ledger
from tests.factories import IDENTITY, NOW_MS, OPERATOR
from tests.fakes import stores
from tests.fakes.bench import Bench
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit


@pytest.fixture(params=stores.KINDS)
async def empty(request: pytest.FixtureRequest, table_name: str) -> AsyncIterator[Bench]:
    """A ledger that is nobody's yet."""
    clock, audit = FrozenClock(NOW_MS), ListAudit()
    async with stores.store(request, table_name) as rows:
        yield Bench(ledger=Ledger(rows, audit, clock=clock), rows=rows, audit=audit, clock=clock)


@pytest.fixture
async def bench(empty: Bench) -> Bench:
    """Our ledger, its operator's next nonce being 7."""
    assert await empty.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    return empty
