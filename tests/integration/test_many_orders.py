"""Ten thousand waiting orders on real storage: /ready answers all its questions in its three seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from distributor.cli.init import initialise
from distributor.ledger import keys
from distributor.ledger.columns import encode
from distributor.model import Order
from distributor.order_ids import ref_id
from distributor.resources import Resources
from distributor.state import WaitingReason
from distributor.wiring import Container
from foundation.clock import UnixMs, system_clock
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Rows
from tests.factories import an_order

ORDERS, IN_A_GROUP, AT_ONCE = 10_000, 45, 2


@pytest.fixture
async def parts(environ: dict[str, str]) -> AsyncIterator[Resources]:
    """A ledger that is ours."""
    own = Resources(environ, clock=system_clock)
    assert await initialise(own, apply=True, say=lambda _: None)
    yield own
    await own.aclose()


@pytest.fixture
async def container(environ: dict[str, str], parts: Resources) -> AsyncIterator[Container]:  # noqa: ARG001 -- the ledger is there
    """The service with real clients on that ledger, swept once."""
    own = Container(environ, clock=system_clock)
    await (await own.sweep()).run()
    yield own
    await own.aclose()


async def fill(rows: Rows) -> None:
    """Put the orders into the table, each with its place in the line."""
    now = system_clock()
    orders = [_order(number, now) for number in range(ORDERS)]
    room = asyncio.Semaphore(AT_ONCE)

    async def put(some: Sequence[Order]) -> None:
        group = AtomicWrite()
        for order in some:
            group.insert(keys.order_row(order.key), encode(order))
            group.insert(keys.open_order(order), encode(order.key))
        async with room:
            await commit(rows, group, marker_row=keys.order_row(some[0].key))

    await asyncio.gather(*(put(orders[at : at + IN_A_GROUP]) for at in range(0, ORDERS, IN_A_GROUP)))


def _order(number: int, now: UnixMs) -> Order:
    order_id = f"A-{number:05}"
    return an_order(order_id=order_id, ref_id=ref_id("default", order_id), received_ms=UnixMs(now + number))


async def test_ready_answers_every_question_while_ten_thousand_orders_wait(
    parts: Resources, container: Container
) -> None:
    """None is cut short by its three seconds; what is wrong is why they wait, and nothing else."""
    await fill((await parts.tables()).rows)
    await (await parts.ledger()).service.set_waiting(WaitingReason.PAUSED, "")

    report = await (await container.readiness()).report()

    failed = {name for name, passed in report.checks.items() if not passed}
    assert failed == {"payable"}
