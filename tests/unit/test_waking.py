"""A wake-up that cannot be put is no failure of the order."""

from __future__ import annotations

import asyncio
import logging

import pytest

from distributor.ports import Queues
from distributor.webhook import waking
from distributor.webhook.waking import Waker
from foundation.errors import ConfigurationError
from foundation.http.handler import ANSWER_S_MAX
from tests.fakes.queues import MemoryQueues


async def test_an_order_that_was_stored_wakes_the_payouts() -> None:
    """One message, which says nothing but that."""
    queues = MemoryQueues()

    async def found() -> Queues:
        return queues

    await Waker(found).wake()

    assert queues.put_there == [("distributions", "wake")]


@pytest.mark.parametrize("why", ["away", "not configured"])
async def test_queues_that_do_not_work_fail_no_order(why: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is written to the log, and the sweep finds the order."""

    async def found() -> Queues:
        if why == "not configured":
            raise ConfigurationError("AzureWebJobsStorage is not set")
        return MemoryQueues(away=True)

    with caplog.at_level(logging.WARNING, logger="distributor"):
        await Waker(found).wake()

    assert "wake_not_put" in caplog.text


class SlowQueues(MemoryQueues):
    """Each put ends when a test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()
        self.began = 0

    async def put(self, queue: str, text: str) -> None:
        self.began += 1
        self.begun.set()
        await self.go_on.wait()
        await super().put(queue, text)


async def test_orders_that_come_together_share_a_wake_up() -> None:
    """Those that come while one is under way share the next, which begins after they were stored."""
    queues = SlowQueues()

    async def found() -> Queues:
        return queues

    waker = Waker(found)
    first = asyncio.create_task(waker.wake())
    await queues.begun.wait()
    later = [asyncio.create_task(waker.wake()) for _ in range(100)]
    await asyncio.sleep(0)
    assert queues.began == 1

    queues.go_on.set()
    await asyncio.gather(first, *later)
    assert len(queues.put_there) == 2
    await waker.wake()
    assert len(queues.put_there) == 3


def test_a_wake_up_leaves_the_order_its_time() -> None:
    """Both are within the eight seconds in which a shop is answered; a slow wake-up would refuse a stored order."""
    assert ANSWER_S_MAX <= 8
    assert ANSWER_S_MAX / 2 >= waking.WAIT_S


async def test_a_shop_does_not_wait_for_a_queue_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The put goes on by itself; without a limit this test would end by its own."""
    monkeypatch.setattr(waking, "WAIT_S", 0.01)
    queues = SlowQueues()

    async def found() -> Queues:
        return queues

    waker = Waker(found)
    await asyncio.wait_for(waker.wake(), timeout=30)
    assert queues.put_there == []

    queues.go_on.set()
    await waker.wake()
    assert queues.put_there
