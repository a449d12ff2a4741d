"""What stands is read from the rows of the facts: nothing that raised an alarm can have forgotten it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.ledger import Ledger, keys
from distributor.model import HoldReason
from distributor.payout.catalogue import CATALOGUE
from distributor.payout.facts import OPEN_MS_MAX, WAITING_MS_MAX, WATCHED_MS_MAX, AlarmSweep, standing_facts
from distributor.state import MonitorState, WaitingReason
from foundation.alarms.model import LOG, Fact
from foundation.alarms.register import Register
from foundation.alarms.targets import LogTarget
from foundation.alarms.teller import Teller
from foundation.tablestore.memory import MemoryRows
from tests.factories import IDENTITY, NOW_MS, OPERATOR
from tests.fakes.bench import Bench
from tests.fakes.clock import FrozenClock
from tests.fakes.queues import MemoryQueues
from tests.fakes.rows import ListAudit


@pytest.fixture
async def bench() -> Bench:
    """A ledger that is ours."""
    rows, audit, clock = MemoryRows(), ListAudit(), FrozenClock(NOW_MS)
    ledger = Ledger(rows, audit, clock=clock)
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    return Bench(ledger, rows, audit, clock)


async def codes(bench: Bench) -> list[tuple[str, str]]:
    """Return what stands, by code and subject."""
    return [(fact.code, fact.subject) for fact in await standing_facts(bench.ledger, bench.clock())]


async def test_nothing_stands_in_a_calm_ledger(bench: Bench) -> None:
    """No fact, no row read for nothing."""
    assert await codes(bench) == []


async def test_each_held_order_stands_with_its_reason(bench: Bench) -> None:
    """Since it was held; a row that cannot be read harms itself alone."""
    await bench.received("A", "B", "C")
    for name in ("A", "B"):
        await bench.ledger.hold(await bench.order(name), HoldReason.SIMULATION, "refused")
    await bench.ledger.hold(await bench.order("C"), HoldReason.SIMULATION, "refused")
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put("order:default:C", {"status": "newer word"})
    bench.rows.put(keys.held((await bench.order("A")).key) + "x", {"source": "default", "order_id": "GONE"})

    assert await standing_facts(bench.ledger, bench.clock()) == [
        Fact(code="held_simulation", subject=f"default:{name}", detail="refused", since_ms=bench.clock())
        for name in ("A", "B")
    ]


async def test_a_reason_to_wait_stands_while_an_order_waits(bench: Bench) -> None:
    """Without one there is nothing to tell, whatever the row says."""
    await bench.ledger.service.set_waiting(WaitingReason.GAS_SHORT, "3 left")
    assert await codes(bench) == []

    await bench.received("A")
    assert await codes(bench) == [("waiting_gas_short", "")]


@pytest.mark.parametrize("reason", [WaitingReason.RESERVE_SHORT, None])
async def test_an_order_that_waits_long_is_an_alarm_by_itself(bench: Bench, reason: WaitingReason | None) -> None:
    """With its reason, or without one: then nobody pays, and nobody says why."""
    await bench.received("A")
    await bench.ledger.service.set_waiting(reason, "5 short" if reason else "")
    bench.clock.advance(WAITING_MS_MAX)
    assert ("order_waiting_long", "default:A") not in await codes(bench)

    bench.clock.advance(1)
    fact = (await standing_facts(bench.ledger, bench.clock()))[-1]
    assert (fact.code, fact.subject, fact.since_ms) == ("order_waiting_long", "default:A", NOW_MS)
    assert fact.detail == ("reserve_short: 5 short" if reason else "")


async def test_a_transaction_that_is_open_long_is_an_alarm_by_itself(bench: Bench) -> None:
    """Nobody mines it, and no node refuses it: nonce, hash, status, fees and the nodes' last word."""
    transaction = await bench.bound("A")
    bench.clock.advance(OPEN_MS_MAX)
    assert await codes(bench) == []

    bench.clock.advance(1)
    (fact,) = await standing_facts(bench.ledger, bench.clock())
    assert (fact.code, fact.subject, fact.since_ms) == ("transaction_open_long", "nonce 7", transaction.bound_ms)
    assert "signed, attempt 0, nodes said None, max fee 32000000000 wei" in fact.detail


async def test_what_the_watch_saw_stands_until_it_looks_again(bench: Bench) -> None:
    """A watch that is dead says nothing."""
    monitor_state = await bench.ledger.service.monitor_state()
    await bench.ledger.service.save_monitor_state(replace(monitor_state, watched_ms=bench.clock(), alarms=("low_gas",)))
    bench.clock.advance(WATCHED_MS_MAX)
    assert await codes(bench) == [("low_gas", "")]

    bench.clock.advance(1)
    assert await codes(bench) == []


async def test_the_alarm_sweep_tells_what_stands(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """From the row of the fact and from the queues, whoever wrote it, and however they died."""
    register = Register(rows=bench.rows, clock=bench.clock, catalogue=CATALOGUE)
    teller = Teller(register=register, targets={LOG: LogTarget()}, holder="me")
    await bench.received("A")
    await bench.ledger.hold(await bench.order("A"), HoldReason.SIMULATION, "refused")

    queues = MemoryQueues(counts={"settlements-poison": 2})
    await AlarmSweep(ledger=bench.ledger, teller=teller, queues=queues, clock=bench.clock).run()

    assert "held_simulation" in caplog.text
    assert "poison_waiting" in caplog.text
    assert "default:A" in caplog.text
    assert MonitorState().alarms == ()
