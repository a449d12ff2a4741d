from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from distributor.ledger import Ledger
from distributor.payout.queue_facts import WAKE_MS_MAX
from distributor.ports import Head, Queues
from distributor.readiness import (
    HEAD_AGE_MS_MAX,
    KEPT_MS,
    SWEEP_AGE_MS_MAX,
    WAITING_AGE_MS_MAX,
    Readiness,
    ReadinessReport,
)
from distributor.state import Identity
from foundation.clock import UnixMs
from foundation.errors import ConfigurationError
from foundation.tablestore.memory import MemoryRows
from tests.factories import IDENTITY, an_address, an_order
from tests.fakes.clock import FrozenClock
from tests.fakes.queues import MemoryQueues
from tests.fakes.rows import ListAudit

CHAIN_ID = IDENTITY.chain_id
ALL = {"settings", "ledger", "sweep", "waiting", "identity", "node", "chain", "head", "work"}


@dataclass
class Nodes:
    """Nodes that are where they are told to be; or none, for a reason."""

    at: list[Head] = field(default_factory=lambda: [Head(chain_id=CHAIN_ID, number=100)])
    asked: int = 0

    async def heads(self) -> Sequence[Head]:
        self.asked += 1
        await asyncio.sleep(0)
        return self.at


@dataclass
class Service:
    """A service in order, and the handles to bring it out of order."""

    clock: FrozenClock
    rows: MemoryRows = field(default_factory=MemoryRows)
    nodes: Nodes = field(default_factory=Nodes)
    queues: MemoryQueues = field(default_factory=MemoryQueues)
    wrong: list[str] = field(default_factory=list)
    expected: Identity = IDENTITY
    broken: Exception | None = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.rows, ListAudit(), clock=self.clock)
        self.readiness = Readiness(
            wrong_settings=self._wrong,
            identity=self._expected,
            ledger=self._ledger,
            nodes=self._nodes,
            queues=self._queues,
            clock=self.clock,
        )

    async def start(self) -> None:
        """Initialise the ledger, and sweep once."""
        await self.ledger.admin.initialise(IDENTITY, an_address("operator"), 0)
        await self.sweep()

    async def sweep(self) -> None:
        """Note that the sweep ran now."""
        await self.ledger.service.save_monitor_state(
            replace(await self.ledger.service.monitor_state(), swept_ms=self.clock())
        )

    async def failed(self, *, after_ms: int = 0) -> set[str]:
        """Return the checks that fail *after_ms* from now."""
        self.clock.advance(after_ms)
        report = await self.readiness.report()
        assert report.checks.keys() == ALL
        assert report.ready == all(report.checks.values())
        return {name for name, passed in report.checks.items() if not passed}

    async def _queues(self) -> Queues:
        if self.broken:
            raise self.broken
        return self.queues

    async def _wrong(self) -> Sequence[str]:
        return self.wrong

    async def _expected(self) -> Identity:
        return self.expected

    async def _ledger(self) -> Ledger:
        if self.broken:
            raise self.broken
        return self.ledger

    async def _nodes(self) -> Nodes:
        if self.broken:
            raise self.broken
        return self.nodes


@pytest.fixture
async def service(clock: FrozenClock) -> Service:
    """A service in order."""
    started = Service(clock)
    await started.start()
    return started


async def test_a_service_in_order_is_ready(service: Service) -> None:
    """Every check passes, and no setting is named."""
    report = await service.readiness.report()

    assert report == ReadinessReport(checks=dict.fromkeys(ALL, True), settings=[])
    assert report.ready


async def test_wrong_settings_are_named_and_nothing_else_is(service: Service) -> None:
    """Names only: anybody may ask."""
    service.wrong = ["MAX_FEE_GWEI", "RPC_URL"]

    report = await service.readiness.report()

    assert not report.ready
    assert (report.checks["settings"], report.settings) == (False, ["MAX_FEE_GWEI", "RPC_URL"])


async def test_a_part_that_cannot_be_opened_is_a_failed_check(service: Service) -> None:
    """Not configured is an answer, not an error."""
    service.broken = ConfigurationError("RPC_URL is not set")

    assert await service.failed() == ALL - {"settings"}


async def test_a_ledger_that_does_not_answer_fails_what_is_in_it(service: Service) -> None:
    """What cannot be seen is not in order."""
    service.rows.go_down()

    assert await service.failed() == {"ledger", "sweep", "waiting", "identity"}


async def test_a_ledger_of_another_one_is_not_ready(service: Service) -> None:
    """Nothing would be paid from it."""
    service.expected = replace(IDENTITY, reserve=an_address("another reserve"))

    assert await service.failed() == {"identity"}


async def test_a_ledger_nobody_initialised_is_not_ready(clock: FrozenClock) -> None:
    """An emptied ledger must not look healthy."""
    service = Service(clock)
    await service.sweep()

    assert await service.failed() == {"identity"}


async def test_a_sweep_that_stopped_shows(service: Service) -> None:
    """It runs each minute; after three the timer is broken."""
    assert await service.failed(after_ms=SWEEP_AGE_MS_MAX) == set()
    assert await service.failed(after_ms=KEPT_MS) == {"sweep"}


async def test_an_order_that_waits_too_long_shows(service: Service) -> None:
    """Whatever the reason: the shop's customer has not been paid."""
    await service.ledger.insert(an_order(received_ms=UnixMs(service.clock())))

    assert "waiting" not in await service.failed(after_ms=WAITING_AGE_MS_MAX)
    assert "waiting" in await service.failed(after_ms=KEPT_MS)


@pytest.mark.parametrize("queue", ["distributions", "settlements"])
async def test_a_function_that_is_off_shows_by_the_messages_it_leaves(service: Service, queue: str) -> None:
    """The host disables one function for one wrong setting, and answers /healthz as if nothing were."""
    service.queues.oldest_ms[queue] = UnixMs(service.clock() - WAKE_MS_MAX - 1)

    assert await service.failed() == {"work"}


async def test_poison_alone_stops_nobody(service: Service) -> None:
    """It is an alarm; payouts go on."""
    service.queues.counts["distributions-poison"] = 1

    assert await service.failed() == set()


async def test_queues_that_do_not_answer_show(service: Service) -> None:
    """Then only the webhook works."""
    service.queues.away = True

    assert await service.failed() == {"work"}


async def test_silent_nodes_are_not_ready(service: Service) -> None:
    """No node, no chain, no head."""
    service.nodes.at = []

    assert await service.failed() == {"node", "chain", "head"}


async def test_nodes_of_another_chain_are_not_ready(service: Service) -> None:
    """They answer, and say nothing about ours."""
    service.nodes.at = [Head(chain_id=CHAIN_ID + 1, number=10_000)]

    assert await service.failed() == {"chain", "head"}


async def test_one_good_node_among_several_is_enough(service: Service) -> None:
    """The others are failed over."""
    service.nodes.at.insert(0, Head(chain_id=CHAIN_ID + 1, number=10_000))

    assert await service.failed() == set()


async def test_a_chain_that_stands_still_shows(service: Service) -> None:
    """A node that answers with an old block for minutes is no node; a new block cures it."""
    assert await service.failed() == set()
    await service.sweep()
    assert await service.failed(after_ms=HEAD_AGE_MS_MAX) == set()
    assert await service.failed(after_ms=KEPT_MS) == {"head"}

    service.nodes.at = [Head(chain_id=CHAIN_ID, number=101)]
    assert await service.failed(after_ms=KEPT_MS) == set()


async def test_many_questions_are_one_check_in_ten_seconds(service: Service) -> None:
    """Nobody can make this service load its nodes by asking."""
    await asyncio.gather(*(service.readiness.report() for _ in range(20)))
    await service.failed(after_ms=KEPT_MS - 1)
    assert service.nodes.asked == 1

    await service.failed(after_ms=1)
    assert service.nodes.asked == 2
