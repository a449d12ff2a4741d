"""Answers that are lost, late, twice, in the wrong order, old: nobody is paid twice, and everybody is paid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from devstack.bor.faults import Fault, Kind, fault
from devstack.contracts import Devchain
from distributor.model import OrderStatus
from tests.fakes import stores
from tests.faults.polygon_world import BLOCKS_PER_MINUTE, PolygonWorld, polygon_world

SUBMIT = "eth_sendRawTransaction"


@pytest.fixture(params=stores.KINDS)
async def stored_world(
    request: pytest.FixtureRequest, devchain: Devchain, table_name: str
) -> AsyncIterator[PolygonWorld]:
    """One Polygon node; the ledger in memory, and in real tables."""
    async with stores.store(request, table_name) as rows, polygon_world(devchain, rows) as opened:
        yield opened


async def test_with_every_answer_to_a_submission_lost_for_a_minute_each_order_is_paid_once(
    stored_world: PolygonWorld,
) -> None:
    """The node acts each time and nobody hears of it; orders come all the while."""
    world = stored_world
    world.proxy.script.set(fault("drop_answer", SUBMIT))
    for _ in range(BLOCKS_PER_MINUTE // 5):
        await world.receive(4)
        await world.step(5)
    lost = world.proxy.script.struck[Kind.DROP_ANSWER]
    world.proxy.script.clear()
    await world.run()

    assert len(world.orders) == 24
    assert lost >= 6
    await world.everybody_was_paid_once()


async def test_with_every_submission_lost_for_a_minute_each_order_is_paid_once(world: PolygonWorld) -> None:
    """The node never sees one; the same bytes go out again until it does."""
    world.proxy.script.set(fault("drop_request", SUBMIT))
    await world.receive(20)
    await world.step(BLOCKS_PER_MINUTE)
    paid = (await world.statuses())[OrderStatus.PAID]
    world.proxy.script.clear()
    await world.run()

    nonces = [(await world.transaction(order)).nonce for order in world.orders]
    assert paid == 0
    assert nonces == list(range(nonces[0], nonces[0] + 20))
    await world.everybody_was_paid_once()


async def test_a_late_submission_finds_its_place_taken(world: PolygonWorld) -> None:
    """The request is on its way while its client has given up, and reaches the node after the same bytes did."""
    world.proxy.script.set(fault("delay", SUBMIT, after_s=1.5, times=1))
    await world.bind(3)
    await world.run()
    async with asyncio.timeout(30):
        while world.proxy.calls[SUBMIT] < 6:  # three again, three late
            await world.a_block_passes(0)

    await world.everybody_was_paid_once()


UNRULY = {
    "last first": [fault("reorder")],
    "twice": [fault("duplicate")],
    "twice and last first": [fault("duplicate"), fault("reorder")],
    "old now and then": [fault("stale", blocks=4, chance=0.5)],
    "old for all but submissions": [fault("stale", "eth_getBlockByNumber", blocks=3)],
    "old, twice and last first": [
        fault("stale", blocks=2, chance=0.4),
        fault("duplicate", chance=0.5),
        fault("reorder", chance=0.5),
    ],
}


@pytest.mark.parametrize("name", UNRULY)
async def test_unruly_answers_pay_each_order_once(world: PolygonWorld, name: str) -> None:
    """As long as they come, and without a pause between: the orders are paid while the node is like this."""
    world.proxy.script.set(*UNRULY[name])
    for _ in range(6):
        await world.receive(4)
        await world.step(3)
    await world.run()

    assert sum(world.proxy.script.struck.values()) > 10
    await world.everybody_was_paid_once()


@pytest.mark.parametrize("seed", range(3))
async def test_a_wire_where_everything_goes_wrong_at_times_pays_each_order_once(world: PolygonWorld, seed: int) -> None:
    """Every fault with some chance for two minutes, the base fee moving; then an end of faults."""
    faults: list[Fault] = [
        *(fault(kind, chance=0.07) for kind in ("drop_request", "drop_answer", "truncated", "reset", "rate_limited")),
        *(fault(kind, chance=0.05) for kind in ("server_error", "html")),
        *(fault(kind, chance=0.2) for kind in ("duplicate", "reorder")),
        fault("stale", blocks=1 + seed, chance=0.1),
    ]
    world.proxy.script.set(*faults)
    for gwei in (5, 30, 12, 45, 5, 22, 8, 5):
        world.set_base_fee(gwei)
        await world.receive(3)
        await world.step(BLOCKS_PER_MINUTE // 4)
    world.proxy.script.clear()
    await world.run()

    assert len(world.proxy.script.struck) >= 8
    await world.everybody_was_paid_once()
