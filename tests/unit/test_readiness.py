from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from distributor.ledger import Ledger
from distributor.payout.catalogue import CATALOGUE
from distributor.payout.queue_facts import WAKE_MS_MAX
from distributor.ports import NodeHead, Queues
from distributor.readiness import (
    HEAD_AGE_MS_MAX,
    OPEN_AGE_MS_MAX,
    SWEEP_AGE_MS_MAX,
    WAITING_AGE_MS_MAX,
    Readiness,
)
from distributor.state import Identity, WaitingReason
from foundation.alarms.model import LOG, Fact
from foundation.alarms.notifier import Notifier
from foundation.alarms.register import Register
from foundation.alarms.targets import LogTarget
from foundation.clock import UnixMs
from foundation.errors import ConfigurationError
from foundation.http.readiness import (
    DEADLINE_S,
    KEPT_MS,
    ReadinessFrame,
    ReadinessProbe,
    ReadinessReport,
    StandingAlarms,
)
from foundation.tablestore.memory import MemoryRows
from tests.factories import IDENTITY, OPERATOR, an_address, an_order
from tests.fakes.bench import Bench
from tests.fakes.clock import FrozenClock
from tests.fakes.queues import MemoryQueues
from tests.fakes.rows import ListAudit

ROOT = Path(__file__).parents[2]

CHAIN_ID = IDENTITY.chain_id
IN_LEDGER = {"ledger", "sweep", "waiting", "open", "switch", "payable", "identity"}
ALL = {*IN_LEDGER, "settings", "node", "chain", "head", "work", "alarms"}


@dataclass
class Nodes:
    """Nodes that are where the test puts them; or none, for a reason."""

    at: list[NodeHead] = field(default_factory=lambda: [NodeHead(chain_id=CHAIN_ID, number=100)])
    asked: int = 0

    async def heads(self) -> Sequence[NodeHead]:
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
            register=self._register,
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

    async def _register(self) -> Register:
        if self.broken:
            raise self.broken
        return Register(rows=self.rows, clock=self.clock, catalogue=CATALOGUE)

    async def tell(self, *codes: str) -> None:
        """Let a sweep tell alarms of these codes."""
        facts = [Fact(code=code, subject="loja:7", detail="", since_ms=self.clock()) for code in codes]
        notifier = Notifier(register=await self._register(), targets={LOG: LogTarget()}, holder="me")
        await notifier.run(facts)

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

    assert report == ReadinessReport(checks=dict.fromkeys(ALL, True), alarms=[])
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

    assert await service.failed() == {*IN_LEDGER, "alarms"}


async def test_a_ledger_of_another_one_is_not_ready(service: Service) -> None:
    """Nothing would be paid from it."""
    service.expected = replace(IDENTITY, reserve=an_address("another reserve"))

    assert await service.failed() == {"identity"}


async def test_a_ledger_nobody_initialised_is_not_ready(clock: FrozenClock) -> None:
    """An emptied ledger must not look healthy."""
    service = Service(clock)
    await service.sweep()

    assert await service.failed() == {"identity", "switch"}


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
    service.nodes.at = [NodeHead(chain_id=CHAIN_ID + 1, number=10_000)]

    assert await service.failed() == {"chain", "head"}


async def test_one_good_node_among_several_is_enough(service: Service) -> None:
    """The others are failed over."""
    service.nodes.at.insert(0, NodeHead(chain_id=CHAIN_ID + 1, number=10_000))

    assert await service.failed() == set()


async def test_a_chain_that_stands_still_shows(service: Service) -> None:
    """A node that answers with an old block for minutes is no node; a new block cures it."""
    assert await service.failed() == set()
    await service.sweep()
    assert await service.failed(after_ms=HEAD_AGE_MS_MAX) == set()
    assert await service.failed(after_ms=KEPT_MS) == {"head"}

    service.nodes.at = [NodeHead(chain_id=CHAIN_ID, number=101)]
    assert await service.failed(after_ms=KEPT_MS) == set()


async def test_many_questions_are_one_check_in_ten_seconds(service: Service) -> None:
    """Nobody can make this service load its nodes by asking."""
    await asyncio.gather(*(service.readiness.report() for _ in range(20)))
    await service.failed(after_ms=KEPT_MS - 1)
    assert service.nodes.asked == 1

    await service.failed(after_ms=1)
    assert service.nodes.asked == 2


async def test_a_clock_that_is_put_back_keeps_no_old_answer(service: Service) -> None:
    """An hour ahead and then corrected: green for an hour would hide whatever happens in it."""
    assert await service.failed() == set()
    await service.ledger.admin.pause("ana", "test")
    service.clock.now_ms = UnixMs(service.clock.now_ms - 1)
    assert await service.failed() == {"switch"}


async def test_times_of_a_clock_that_ran_ahead_hide_no_dead_sweep(service: Service) -> None:
    """They count as long ago."""
    now = service.clock()
    service.clock.advance(86_400_000)
    await service.sweep()
    service.clock.now_ms = now
    assert await service.failed() == {"sweep"}


async def test_an_alarm_that_stops_payouts_shows_by_its_code(service: Service) -> None:
    """The code alone: no order, no shop. A held order and a warning are shown too, and stop nobody."""
    await service.tell("held_simulation", "low_gas")
    report = await service.readiness.report()
    assert (report.ready, report.alarms) == (True, ["held_simulation", "low_gas"])

    await service.tell("held_simulation", "low_gas", "alarm_target_failing")
    service.clock.advance(KEPT_MS)
    report = await service.readiness.report()
    assert (report.checks["alarms"], report.alarms[0]) == (False, "alarm_target_failing")
    assert "loja" not in str(report.document)


async def test_a_transaction_that_stays_open_shows(service: Service) -> None:
    """Whatever its reason."""
    await service.ledger.admin.add_operator(OPERATOR, 0)
    bench = Bench(service.ledger, service.rows, ListAudit(), service.clock)
    bound_ms = (await bench.bound("A")).bound_ms
    service.clock.advance(bound_ms - service.clock() + OPEN_AGE_MS_MAX)

    assert "open" not in await service.failed()
    assert "open" in await service.failed(after_ms=KEPT_MS)


async def test_a_paused_service_is_not_ready(service: Service) -> None:
    """An order that came now would wait."""
    await service.ledger.admin.pause("ana", "a look")

    assert await service.failed() == {"switch"}


async def test_what_the_watch_found_in_the_payouts_way_shows(service: Service) -> None:
    """It asks what the payout asks: code, decimals, role, allowance, gas."""
    state = await service.ledger.service.monitor_state()
    await service.ledger.service.save_monitor_state(replace(state, alarms=("low_gas", "waiting_role_missing")))

    assert await service.failed() == {"payable"}


async def test_a_reason_to_wait_shows_while_an_order_waits(service: Service) -> None:
    """A reason without an order is an old one."""
    await service.ledger.service.set_waiting(WaitingReason.GAS_SHORT, "")
    assert await service.failed() == set()

    await service.ledger.insert(an_order(received_ms=UnixMs(service.clock())))
    assert await service.failed(after_ms=KEPT_MS) == {"payable"}


async def test_no_shop_is_named_to_strangers(service: Service) -> None:
    """The kind of setting is; `doctor` and the log have the whole name."""
    service.wrong = ["WEBHOOK_SECRET__SHOP_B", "WEBHOOK_SECRET_PREVIOUS__SHOP_B", "WEBHOOK_SECRET__SHOP_C"]

    assert (await service.readiness.report()).settings == [
        "WEBHOOK_SECRET_PREVIOUS__<SOURCE>",
        "WEBHOOK_SECRET__<SOURCE>",
    ]


async def test_what_hangs_is_a_failed_check_and_no_late_answer() -> None:
    """Every part has the same deadline, and all are asked at once; a deadline of 0 spares immediate answers."""

    async def hangs() -> Any:
        await asyncio.Event().wait()

    async def well() -> dict[str, bool]:
        return {"node": True}

    frame = ReadinessFrame(
        parts=[
            ReadinessProbe(name="ledger", checks=("ledger", "sweep"), ask=hangs),
            ReadinessProbe(name="node", checks=("node", "head"), ask=well),
        ],
        wrong_settings=hangs,
        standing=hangs,
        clock=FrozenClock(),
        deadline_s=0,
    )

    report = await asyncio.wait_for(frame.report(), timeout=30)
    expected = {"settings": False, "ledger": False, "sweep": False, "node": True, "head": False, "alarms": False}
    assert report == ReadinessReport(checks=expected)


def test_the_deadline_of_each_part_leaves_an_answer_within_three_seconds() -> None:
    """Of both apps: a client may hang up after three; neither names a deadline of its own."""
    apart = [(ROOT / app / "readiness.py").read_text("utf-8") for app in ("distributor", "payflow")]

    assert DEADLINE_S <= 2.5
    assert [text for text in apart if "deadline_s" in text or "ReadinessFrame(" not in text] == []


async def test_standing_alarms_are_those_of_the_register() -> None:
    """None of them blocking: ready."""

    async def nothing() -> list[str]:
        return []

    async def quiet() -> StandingAlarms:
        return StandingAlarms(codes=["low_gas"], blocking=[])

    report = await ReadinessFrame(parts=[], wrong_settings=nothing, standing=quiet, clock=FrozenClock()).report()
    assert (report.ready, report.alarms) == (True, ["low_gas"])
