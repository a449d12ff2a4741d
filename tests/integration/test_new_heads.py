"""New heads of a real node: anvil serves ``eth_subscribe`` at its own port. One chain with a block each two seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import cycle, islice

import pytest

from devstack import contracts, servers
from devstack.contracts import Deployment, Devchain
from devstack.servers import Azurite
from distributor.chain.head_subscription import connected
from distributor.chain.new_heads import NewHeads
from distributor.cli.init import initialise
from distributor.model import DEFAULT_SOURCE, OrderKey
from distributor.resources import Resources
from distributor.wiring import Container
from foundation.clock import Sleep, system_clock
from tests.integration.conftest import settings_on, signed_order

BLOCK_S = 2
EARLY, LOOK, LATE = "early", "look", "late"


def announcing(url: str) -> str:
    """Return where the node at *url* announces."""
    return url.replace("http://", "ws://")


async def test_a_real_node_ends_a_pause_at_its_block(deployment: Deployment, devchain: Devchain) -> None:
    """And says before that it will, for the chain that it serves."""
    heads = NewHeads([announcing(deployment.url)], block_time_s=60, timeout_s=5)
    async with asyncio.timeout(30):
        assert list((await heads.reaches(deployment.chain_id)).values()) == [""]
        assert list((await heads.reaches(137)).values()) == [f"wrong_chain: {deployment.chain_id}"]
        pause = asyncio.create_task(heads.pause(60))
        while not pause.done():
            await asyncio.to_thread(devchain.mine)
            await asyncio.sleep(0.05)
        await heads.aclose()

    assert pause.exception() is None


@pytest.fixture
def beating() -> Iterator[Deployment]:
    """Contracts on a chain that mines by itself from then on, each two seconds."""
    with servers.anvil() as server:
        deployment = contracts.deploy(server.url)
        chain = Devchain(deployment)
        chain.set_automine(enabled=False)
        chain.rpc("evm_setIntervalMining", BLOCK_S)
        yield deployment


@asynccontextmanager
async def watched(url: str) -> AsyncIterator[tuple[asyncio.Event, list[str]]]:
    """Set an event at each block; tell when half a second has gone since, and when as much is left to the next."""

    async def watch() -> None:
        async with connected(announcing(url), timeout_s=5) as line:
            await line.subscribe()
            loop = asyncio.get_running_loop()
            while True:
                await line.heard(within_s=10)
                mined.set()
                loop.call_later(0.5, story.append, EARLY)
                loop.call_later(1.5, story.append, LATE)

    mined, story = asyncio.Event(), list[str]()
    watching = asyncio.create_task(watch())
    try:
        yield mined, story
    finally:
        watching.cancel()
        await asyncio.wait([watching])


@pytest.mark.parametrize("heads", [True, False], ids=["new heads", "pauses alone"])
async def test_settlement_looks_at_each_block_once_and_at_once(
    beating: Deployment, azurite: Azurite, table_name: str, *, heads: bool
) -> None:
    """
    It begins to follow a second after a block. By pauses alone every look comes a second after a block.

    With heads it comes right after the block, and there are no more of them: one for each, until the order is paid.
    """
    environ = settings_on(beating, azurite, table_name) | {"BLOCK_TIME_S": str(BLOCK_S)}
    environ["RPC_URL"] += f",{announcing(beating.url)}" if heads else ""
    async with asyncio.timeout(60), founded(environ) as container, watched(beating.url) as (mined, story):
        await (await container.intake()).accept(signed_order("HEADS-1", beating.customers[0]))
        await (await container.payouts.distribution()).drain()
        settlement = await container.payouts.settlement()
        mined.clear()
        await mined.wait()
        await asyncio.sleep(1)
        story.clear()
        await replace(settlement, sleep=telling(settlement.sleep, story)).follow()
        document = await (await container.status()).of(OrderKey(DEFAULT_SOURCE, "HEADS-1"))

    assert document is not None
    assert document["status"] == "paid"
    assert story.count(LOOK) >= 3
    assert story == list(islice(cycle([LATE, LOOK, EARLY] if heads else [LATE, EARLY, LOOK]), len(story)))


@asynccontextmanager
async def founded(environ: dict[str, str]) -> AsyncIterator[Container]:
    """The service on a new ledger."""
    parts = Resources(environ, clock=system_clock)
    assert await initialise(parts, apply=True, say=lambda _: None)
    await parts.aclose()
    container = Container(environ, clock=system_clock)
    try:
        yield container
    finally:
        await container.aclose()


def telling(sleep: Sleep, story: list[str]) -> Sleep:
    """Return *sleep*, after which settlement looks, and the story says so."""

    async def pause(seconds: float) -> None:
        await sleep(seconds)
        story.append(LOOK)

    return pause
