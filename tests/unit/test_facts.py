"""Active alarms are read from the rows of the facts: nothing that raised an alarm can have forgotten it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from distributor.ledger import Ledger, keys
from distributor.ledger.call_records import CallAddress, StopReason
from distributor.model import AttemptKind, HoldReason, TransactionStatus
from distributor.payout.ages import WATCHED_MS_MAX, clock_facts
from distributor.payout.catalogue import CATALOGUE
from distributor.payout.facts import LOOK_MS, UNANNOUNCED_MS_MAX, AlarmSweep, StandIn, standing_facts
from distributor.reasons import waiting_alarm
from distributor.settings.use_cases import AgeSettings
from distributor.state import MonitorState, WaitingReason
from distributor.units import TokenUnits
from foundation.alarms.model import LOG, Fact
from foundation.alarms.notifier import Notifier
from foundation.alarms.register import Register
from foundation.alarms.targets import LogTarget
from foundation.clock import UnixMs
from foundation.settings.reading import read_group
from foundation.tablestore.leases import TERM_MS_MAX
from foundation.tablestore.memory import MemoryRows
from tests.factories import IDENTITY, NOW_MS, OPERATOR, a_transaction, an_attempt
from tests.fakes.bench import Bench
from tests.fakes.clock import FrozenClock
from tests.fakes.queues import MemoryQueues
from tests.fakes.rows import ListAudit

AGES = read_group(AgeSettings, {})


@pytest.fixture
async def bench() -> Bench:
    """A ledger that is ours."""
    rows, audit, clock = MemoryRows(), ListAudit(), FrozenClock(NOW_MS)
    ledger = Ledger(rows, audit, clock=clock)
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    return Bench(ledger, rows, audit, clock)


async def codes(bench: Bench) -> list[tuple[str, str]]:
    """Return the active alarms, by code and subject."""
    return [(fact.code, fact.subject) for fact in await standing_facts(bench.ledger, bench.clock(), AGES)]


async def test_nothing_stands_in_a_calm_ledger(bench: Bench) -> None:
    """No fact, no row read for nothing."""
    assert await codes(bench) == []


async def test_each_held_order_stands_with_its_reason(bench: Bench) -> None:
    """Since it was held; a row that cannot be read harms itself alone, and is named."""
    await bench.received("A", "B", "C")
    for name in ("A", "B"):
        await bench.ledger.hold(await bench.order(name), HoldReason.SIMULATION, "refused")
    await bench.ledger.hold(await bench.order("C"), HoldReason.SIMULATION, "refused")
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put("order:default:C", {"status": "newer word"})
    bench.rows.put(keys.held_row((await bench.order("A")).key) + "x", {"source": "default", "order_id": "GONE"})

    facts = await standing_facts(bench.ledger, bench.clock(), AGES)
    assert facts[:2] == [
        Fact(code="held_simulation", subject=f"default:{name}", detail="refused", since_ms=bench.clock())
        for name in ("A", "B")
    ]
    assert [(fact.code, fact.subject) for fact in facts[2:]] == [
        ("row_unreadable", "held:default:Ax"),
        ("row_unreadable", "held:default:C"),
    ]
    assert "column" in facts[3].detail


@pytest.mark.parametrize("key", [keys.WAITING, keys.WATCH, keys.SETTLEMENT_LOOK])
async def test_a_torn_row_of_the_service_hides_no_other_fact(bench: Bench, key: str) -> None:
    """Otherwise active alarms would be sent as over, and nobody would hear that the broken row stopped the payouts."""
    assert isinstance(bench.rows, MemoryRows)
    await bench.received("A")
    await bench.ledger.hold(await bench.order("A"), HoldReason.SIMULATION, "refused")
    bench.rows.put(key, {"since_ms": "newer", "swept_ms": "newer", "looked_ms": "newer"})

    facts = await standing_facts(bench.ledger, bench.clock(), AGES)

    assert [fact.code for fact in facts] == ["held_simulation", "row_unreadable"]
    assert key in facts[1].detail


async def test_torn_rows_of_the_line_and_of_what_is_open_stand(bench: Bench) -> None:
    """Whether or not a round or the watch runs."""
    assert isinstance(bench.rows, MemoryRows)
    await bench.bound("A")
    await bench.received("B")
    bench.rows.remove("order:default:B")
    bench.rows.put(keys.transaction(OPERATOR, 7), {"status": "newer"})

    facts = await standing_facts(bench.ledger, bench.clock(), AGES)

    assert {fact.code for fact in facts} == {"row_unreadable"}
    assert {fact.subject.partition(":")[0] for fact in facts} == {"open", "tx"}


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
    bench.clock.advance(AGES.waiting_ms)
    await swept(bench)
    assert ("order_waiting_long", "default:A") not in await codes(bench)

    bench.clock.advance(1)
    fact = (await standing_facts(bench.ledger, bench.clock(), AGES))[-1]
    assert (fact.code, fact.subject, fact.since_ms) == ("order_waiting_long", "default:A", NOW_MS)
    assert fact.detail == ("reserve_short: 5 short" if reason else "")


async def swept(bench: Bench) -> None:
    """Let the sweep, and a look of settlement, have run now."""
    state = await bench.ledger.service.monitor_state()
    await bench.ledger.service.save_monitor_state(replace(state, swept_ms=bench.clock()))
    await bench.ledger.service.note_settlement_look()


async def test_a_transaction_that_is_open_long_is_an_alarm_by_itself(bench: Bench) -> None:
    """Nobody mines it, and no node refuses it: its order, hash, status, the nodes' last word, and the prices."""
    transaction = await bench.bound("A")
    bench.clock.advance(AGES.open_ms)
    await swept(bench)
    assert await codes(bench) == []

    bench.clock.advance(1)
    (fact,) = await standing_facts(bench.ledger, bench.clock(), AGES)
    assert (fact.code, fact.subject, fact.since_ms) == ("transaction_open_long", "nonce 7", transaction.bound_ms)
    assert fact.detail.startswith("orders default:A; 0x")
    assert "signed, attempt 1; nodes said nothing; offers 32 gwei, tip 30" in fact.detail
    assert "market unknown + unknown; ceilings 60, tip 40" in fact.detail


async def test_a_long_list_of_orders_is_cut(bench: Bench) -> None:
    """The detail goes into a chat; the market is what the watch last saw."""
    await bench.bound(*"ABCDEFG")
    bench.clock.advance(AGES.open_ms + 1)
    await swept(bench)
    state = await bench.ledger.service.monitor_state()
    seen = replace(state, market_base_wei=5 * 10**9, market_tip_wei=31 * 10**9)
    await bench.ledger.service.save_monitor_state(seen)

    (fact,) = await standing_facts(bench.ledger, bench.clock(), AGES)
    assert "default:E and 2 more;" in fact.detail
    assert "market 5 + 31;" in fact.detail


async def test_full_slots_that_do_not_move_are_an_alarm(bench: Bench) -> None:
    """While an order waits, and since the last slot was taken; a slot that came free ends it."""
    ages = AGES.model_copy(update={"lane": AGES.lane.model_copy(update={"max_in_flight": 2})})
    await bench.bound("A")
    await bench.bound("B")
    bench.clock.advance(ages.slots_ms + 1)
    await swept(bench)
    assert [fact.code for fact in await standing_facts(bench.ledger, bench.clock(), ages)] == []

    await bench.received("C")
    (fact,) = await standing_facts(bench.ledger, bench.clock(), ages)
    assert (fact.code, fact.subject, fact.since_ms) == ("slots_stuck", "nonce 7", NOW_MS)
    assert fact.detail == "In flight: 2. The lowest is nonce 7; order default:C waits."
    assert await codes(bench) == []


async def test_a_settlement_that_no_longer_looks_is_an_alarm(bench: Bench) -> None:
    """While something is open: it fails at each turn, or its function is off."""
    await bench.bound("A")
    await swept(bench)
    bench.clock.advance(AGES.settlement_ms)
    state = await bench.ledger.service.monitor_state()
    await bench.ledger.service.save_monitor_state(replace(state, swept_ms=bench.clock()))
    assert await codes(bench) == []

    bench.clock.advance(1)
    (fact,) = await standing_facts(bench.ledger, bench.clock(), AGES)
    assert (fact.code, fact.since_ms) == ("settlement_silent", NOW_MS)
    assert fact.detail == "Open transactions: 1. The oldest is nonce 7 of order default:A."
    await bench.ledger.service.note_settlement_look()
    assert await codes(bench) == []


async def test_a_nonce_that_is_spent_on_nothing_silences_no_alarm(bench: Bench) -> None:
    """`cancel-nonce` bound it to no order; naming its first order once stopped every alarm there was."""
    await bench.received("HELD")
    await bench.ledger.hold(await bench.order("HELD"), HoldReason.SIMULATION, "refused")
    nothing = a_transaction(7, orders=(), committed_units=TokenUnits(0), status=TransactionStatus.CANCELLING)
    await bench.ledger.exits.bind_nothing(nothing, an_attempt(nonce=7, kind=AttemptKind.CANCEL))
    await swept(bench)
    bench.clock.advance(max(AGES.settlement_ms, AGES.open_ms) + 1)

    said = {fact.code: fact.detail for fact in await standing_facts(bench.ledger, bench.clock(), AGES)}
    assert said["settlement_silent"] == "Open transactions: 1. The oldest is nonce 7 of order none."
    assert said["transaction_open_long"].startswith("orders none; 0x")
    assert said["held_simulation"] == "refused"


async def test_a_dead_sweep_is_an_alarm_that_another_turn_sends(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Also where it never ran at all, once there is work; never while it runs."""
    sweep = an_alarm_sweep(bench)
    await sweep.run_for_a_dead_sweep()
    await bench.received("A")
    await swept(bench)
    bench.clock.advance(AGES.sweep_ms)
    await sweep.run_for_a_dead_sweep()
    assert "sweep_missing" not in caplog.text

    bench.clock.advance(1)
    await sweep.run_for_a_dead_sweep()
    assert "sweep_missing" in caplog.text


async def test_a_process_looks_for_a_dead_sweep_once_a_minute(bench: Bench) -> None:
    """A thousand messages in a minute once cost a thousand looks, and each built its targets anew."""
    looks = 0

    async def alarm_sweep() -> AlarmSweep:
        nonlocal looks
        looks += 1
        return an_alarm_sweep(bench)

    stand_in = StandIn(clock=bench.clock, alarm_sweep=alarm_sweep)
    found = []
    for step_ms in (0, 1, LOOK_MS - 2, 1, -1):  # the last: a clock that was set back
        bench.clock.now_ms += step_ms
        await stand_in.run()
        found.append(looks)
    assert found == [1, 1, 1, 2, 3]


async def test_a_sweep_that_never_ran_is_missed_once_there_is_work(bench: Bench) -> None:
    """A new system without an order misses nothing."""
    bench.clock.advance(10 * AGES.sweep_ms)
    assert await codes(bench) == []
    await bench.received("A", received_ms=bench.clock())
    bench.clock.advance(AGES.sweep_ms + 1)

    assert ("sweep_missing", "") in await codes(bench)


async def test_times_of_a_clock_that_ran_ahead_are_old(bench: Bench) -> None:
    """A host's clock was a day ahead when it took, bound and swept; nobody waits a day for the alarm."""
    await bench.bound("A")
    await bench.received("B")
    await swept(bench)
    bench.clock.now_ms -= 86_400_000

    assert {code for code, _ in await codes(bench)} == {
        "order_waiting_long",
        "transaction_open_long",
        "settlement_silent",
        "sweep_missing",
    }


def an_alarm_sweep(bench: Bench) -> AlarmSweep:
    """Return the sweep's use case that sends to the log."""
    register = Register(rows=bench.rows, clock=bench.clock, catalogue=CATALOGUE)
    notifier = Notifier(register=register, targets={LOG: LogTarget()}, holder="me")
    return AlarmSweep(ledger=bench.ledger, notifier=notifier, queues=MemoryQueues(), clock=bench.clock, ages=AGES)


async def test_what_the_watch_saw_stands_until_it_looks_again(bench: Bench) -> None:
    """A watch that is dead says nothing, and that is an alarm; otherwise what it had found would only end."""
    monitor_state = await bench.ledger.service.monitor_state()
    now, swept_ms = bench.clock(), UnixMs(bench.clock() + WATCHED_MS_MAX)
    seen = replace(monitor_state, watched_ms=now, swept_ms=swept_ms, alarms=("low_gas",))
    await bench.ledger.service.save_monitor_state(seen)
    bench.clock.advance(WATCHED_MS_MAX)
    assert await codes(bench) == [("low_gas", "")]

    bench.clock.advance(1)
    assert await codes(bench) == [("watch_missing", "")]


async def test_what_the_watch_saw_is_told_in_its_words_each_hour(bench: Bench) -> None:
    """The action says 'do what the detail says'; a word of an older version has none, and words without a code none."""
    words = ("retiring_gas_short\t0xA\tHolds 1.", "retiring_gas_short\t0xB\tHolds 2.", "low_gas\t\tOver.", "torn")
    seen = MonitorState(
        swept_ms=bench.clock(),
        watched_ms=bench.clock(),
        alarms=("retiring_gas_short", "low_reserve"),
        found=words,
    )
    await bench.ledger.service.save_monitor_state(seen)

    assert [
        (fact.code, fact.subject, fact.detail) for fact in await standing_facts(bench.ledger, bench.clock(), AGES)
    ] == [
        ("retiring_gas_short", "0xA", "Holds 1."),
        ("retiring_gas_short", "0xB", "Holds 2."),
        ("low_reserve", "", ""),
    ]


async def test_what_the_watch_found_is_not_said_twice(bench: Bench) -> None:
    """Its words begin with the summary, which a message has already."""
    found = waiting_alarm(WaitingReason.ROLE_MISSING, "NotAHotKey(0xA)")
    seen = replace(
        await bench.ledger.service.monitor_state(),
        swept_ms=bench.clock(),
        watched_ms=bench.clock(),
        alarms=(found.code,),
        found=(f"{found.code}\t\t{found.summary}",),
    )
    await bench.ledger.service.save_monitor_state(seen)

    (fact,) = await standing_facts(bench.ledger, bench.clock(), AGES)
    assert fact.detail == "NotAHotKey(0xA)"


async def test_the_alarm_sweep_tells_what_stands(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """From the row of the fact and from the queues, for every writer, however it died."""
    register = Register(rows=bench.rows, clock=bench.clock, catalogue=CATALOGUE)
    notifier = Notifier(register=register, targets={LOG: LogTarget()}, holder="me")
    await bench.received("A")
    await bench.ledger.hold(await bench.order("A"), HoldReason.SIMULATION, "refused")

    queues = MemoryQueues(counts={"settlements-poison": 2})
    await AlarmSweep(ledger=bench.ledger, notifier=notifier, queues=queues, clock=bench.clock, ages=AGES).run()

    assert "held_simulation" in caplog.text
    assert "poison_waiting" in caplog.text
    assert "default:A" in caplog.text
    assert MonitorState().alarms == ()


@pytest.mark.parametrize("ahead_ms", [None, 0, TERM_MS_MAX, -TERM_MS_MAX])
def test_a_clock_within_the_longest_lease_is_no_fact(ahead_ms: int | None) -> None:
    """Nor is one that no answer has been compared with yet."""
    assert clock_facts(ahead_ms, NOW_MS) == []


@pytest.mark.parametrize(("ahead_ms", "said"), [(3_600_000, "3600 s ahead of"), (-TERM_MS_MAX - 1, "120 s behind")])
def test_a_clock_further_away_is_told(ahead_ms: int, said: str) -> None:
    """By how much, and which way; it keeps /ready from being green."""
    (fact,) = clock_facts(ahead_ms, NOW_MS)
    assert said in fact.detail
    assert CATALOGUE.find(fact.code).blocks


async def test_the_sweep_tells_of_a_wrong_clock(bench: Bench) -> None:
    """Also while nothing waits and nothing is open."""
    register = Register(rows=bench.rows, clock=bench.clock, catalogue=CATALOGUE)
    notifier = Notifier(register=register, targets={LOG: LogTarget()}, holder="host")
    await sweep_of(bench, notifier, lambda: 3_600_000).run()
    assert "clock_wrong" in [notification.code for notification in await register.standing()]


def sweep_of(bench: Bench, notifier: Notifier, ahead: Callable[[], int | None]) -> AlarmSweep:
    """A sweep on a machine whose clock is *ahead*."""
    return AlarmSweep(
        ledger=bench.ledger,
        notifier=notifier,
        queues=MemoryQueues(),
        clock=bench.clock,
        ages=AGES,
        clock_ahead_ms=ahead,
    )


async def test_an_address_that_is_told_no_more_stands_by_its_shop(bench: Bench) -> None:
    """Two words for two causes; one that only fails is no alarm yet."""
    address = CallAddress(source="south", url_id="1", failures=15, answer="HTTP 500")
    stops = {"east": StopReason.GONE, "south": StopReason.FAILING, "west": None}
    for source, stopped in stops.items():
        since_ms = UnixMs(NOW_MS - 5) if source == "east" else None
        await bench.ledger.call_backs.save_address(
            replace(address, source=source, stopped=stopped, stopped_ms=since_ms)
        )

    facts = await standing_facts(bench.ledger, bench.clock(), AGES)

    assert [(fact.code, fact.subject, fact.detail, fact.since_ms) for fact in facts] == [
        ("callbacks_gone", "east", "The last answer was: HTTP 500.", NOW_MS - 5),
        ("callbacks_stopped", "south", "The last answer was: HTTP 500.", 0),
    ]


async def test_what_nobody_has_fanned_out_for_ten_minutes_stands(bench: Bench) -> None:
    """From the oldest announcement that can be read; the turn takes each within a minute or two."""
    await bench.received("A")
    await bench.ledger.hold(await bench.order("A"), HoldReason.SIMULATION, "refused")
    assert isinstance(bench.rows, MemoryRows)
    bench.rows.put("call:000000000000000:default:TORN", {"events": 7})
    bench.clock.advance(UNANNOUNCED_MS_MAX - 1)
    assert [code for code, _ in await codes(bench)] == ["held_simulation"]

    bench.clock.advance(1)

    facts = {fact.code: fact for fact in await standing_facts(bench.ledger, bench.clock(), AGES)}
    assert facts["callbacks_silent"].detail == "The oldest is about order default:A."
    assert facts["callbacks_silent"].since_ms == NOW_MS
