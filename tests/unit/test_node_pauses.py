"""A pause that a node asks for is kept, also by the only node there is."""

from __future__ import annotations

from typing import Any, cast

import pytest

from distributor.chain.batches import RATE_WAIT_S_MAX
from distributor.chain.node import Node
from distributor.chain.nodes import Nodes
from distributor.chain.rpc_responses import RATE_LIMITED, NodeUnavailable
from distributor.errors import ChainUnavailable
from tests.fakes.clock import FrozenClock

PAUSE_S = 60


class Busy:
    """The only node, which asks to be left alone for a minute."""

    def __init__(self, clock: FrozenClock) -> None:
        self.asked = 0

        async def sleep(seconds: float) -> None:
            assert seconds <= RATE_WAIT_S_MAX
            clock.advance(int(1_000 * seconds))

        node = Node("only", cast("Any", None), chain_id=137, sleep=sleep)
        self.nodes = Nodes([node], clock=clock, sleep=sleep)

    async def read(self, _: Node) -> None:
        self.asked += 1
        raise NodeUnavailable(RATE_LIMITED, retry_after_s=PAUSE_S)


async def test_the_only_node_is_left_alone_for_as_long_as_it_asks(clock: FrozenClock) -> None:
    """It was asked 300 times in ten minutes; only the last seconds of a pause are waited for in a reading."""
    busy = Busy(clock)
    began_ms = clock()
    for _ in range(300):
        with pytest.raises(ChainUnavailable):
            await busy.nodes.read(busy.read)
        clock.advance(2_000)

    assert busy.asked <= 1 + (clock() - began_ms) // (1_000 * PAUSE_S)


async def test_submissions_keep_the_pause_too(clock: FrozenClock) -> None:
    """Bytes go to every healthy node; to one that asked for a pause after it."""
    busy = Busy(clock)
    first = await busy.nodes.read_all(busy.read)
    again = await busy.nodes.read_all(busy.read)
    clock.advance(1_000 * PAUSE_S)
    await busy.nodes.read_all(busy.read)

    assert [label for label, _ in [*first, *again]] == ["only", "only"]
    assert busy.asked == 2


async def test_a_node_never_decides_how_long_a_person_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for an hour at each answer: the same is asked again after seconds, four times; then an alarm comes."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def busy(_: Node, __: object) -> None:
        raise NodeUnavailable(RATE_LIMITED, retry_after_s=3_600)

    monkeypatch.setattr(Node, "ask", busy)
    node = Node("only", cast("Any", None), chain_id=137, sleep=sleep)

    with pytest.raises(NodeUnavailable):
        await node.ask_patiently({})

    assert len(slept) == 4
    assert sum(slept) <= PAUSE_S
