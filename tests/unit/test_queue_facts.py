"""The sweep looks at the queues themselves: a function that is off leaves its messages where they are."""

from __future__ import annotations

import pytest

from distributor.payout.catalogue import CATALOGUE
from distributor.payout.queue_facts import UNTAKEN_MS_MAX, WAKE_MS_MAX, queue_facts
from foundation.alarms.model import Fact
from foundation.clock import UnixMs
from tests.factories import NOW_MS
from tests.fakes.queues import MemoryQueues


async def test_queues_at_work_tell_nothing() -> None:
    """Empty, or with a wake-up that came again after its host was killed."""
    waiting = MemoryQueues(
        oldest_ms={"settlements": UnixMs(NOW_MS - WAKE_MS_MAX)},
        untaken_ms={"settlements": UnixMs(NOW_MS - UNTAKEN_MS_MAX)},
    )

    assert await queue_facts(MemoryQueues(), NOW_MS) == []
    assert await queue_facts(waiting, NOW_MS) == []


@pytest.mark.parametrize(("queue", "function"), [("distributions", "distribute"), ("settlements", "settlement")])
async def test_wake_ups_that_nobody_takes_say_that_a_function_is_off(queue: str, function: str) -> None:
    """Within ten minutes for one that nobody ever took; since the first of them was put."""
    untaken, back = UnixMs(NOW_MS - UNTAKEN_MS_MAX - 1), UnixMs(NOW_MS - WAKE_MS_MAX - 1)
    never_taken = MemoryQueues(oldest_ms={queue: untaken}, untaken_ms={queue: untaken})
    came_back = MemoryQueues(oldest_ms={queue: back}, untaken_ms={queue: untaken})

    for queues, since in ((never_taken, untaken), (came_back, back)):
        detail = f"The function `{function}` does not run."
        fact = Fact(code="work_not_running", subject=queue, detail=detail, since_ms=since)
        assert await queue_facts(queues, NOW_MS) == [fact]
    assert UNTAKEN_MS_MAX + 2 * 60_000 <= 600_000


@pytest.mark.parametrize("queue", ["distributions-poison", "settlements-poison"])
async def test_a_poison_queue_tells_by_its_length(queue: str) -> None:
    """Whether or not its handler could read what lies there."""
    assert await queue_facts(MemoryQueues(counts={queue: 3}), NOW_MS) == [
        Fact(code="poison_waiting", subject=queue, detail="3 messages", since_ms=NOW_MS)
    ]


async def test_queues_that_cannot_be_asked_are_told_too() -> None:
    """With what was the matter."""
    (fact,) = await queue_facts(MemoryQueues(away=True), NOW_MS)

    assert (fact.code, fact.detail) == ("queues_unavailable", "the queue service does not answer: ServiceRequestError")


def test_each_of_them_is_in_the_catalogue() -> None:
    """And is active until it ends."""
    kinds = [CATALOGUE.find(code) for code in ("work_not_running", "poison_waiting", "queues_unavailable")]

    assert {kind.code for kind in kinds} <= CATALOGUE.codes
    assert not any(kind.event for kind in kinds)
