"""The work behind the queues and the timer: what it wakes, and how it ends when something is wrong."""

import json
import logging
from types import SimpleNamespace

import azure.functions as func
import pytest
from azure.functions.timer import TimerRequest

from distributor.errors import ChainUnavailable
from distributor.functions import workers
from distributor.ledger import Ledger
from distributor.payout.distribution import Drained
from distributor.payout.settlement import Followed
from distributor.payout.sweep import Wakes
from distributor.state import WaitingReason
from foundation.backup.ports import BackupIncomplete, NoBackup
from foundation.errors import ConfigurationError, Contention, InvariantBroken, StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from foundation.version import version
from tests.fakes.clock import FrozenClock
from tests.fakes.functions import FakeContainer, Out, a_context, raises, returns
from tests.fakes.rows import ListAudit

MESSAGE = func.QueueMessage(id="message-1", body="wake")
TIMER = TimerRequest()


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> FakeContainer:
    """Replace the composition root."""
    fake = FakeContainer()
    monkeypatch.setattr(workers, "container", lambda: fake)
    return fake


@pytest.mark.parametrize("is_open", [True, False])
async def test_distribution_wakes_settlement_when_it_has_work(container: FakeContainer, is_open: bool) -> None:
    """An open transaction must be followed."""
    container.acts["distribution"] = returns(Drained(bound=1, open=is_open))
    out = Out()

    await workers.distribute(MESSAGE, out, a_context("distribute"))

    assert out.message == ("wake" if is_open else None)


@pytest.mark.parametrize("again", [True, False])
async def test_settlement_wakes_itself_while_something_is_open(container: FakeContainer, again: bool) -> None:
    """When it says so, and only then."""
    container.acts["settlement"] = returns(Followed(again=again))
    out = Out()

    await workers.settlement(MESSAGE, out, a_context("settlement"))

    assert out.message == ("wake" if again else None)


@pytest.mark.parametrize("work", ["distribution", "settlement"])
async def test_every_turn_looks_whether_the_sweep_is_dead(
    container: FakeContainer, work: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one that failed; and what it cannot look at changes nothing about its own failure."""
    container.acts |= {
        work: raises(InvariantBroken("broken")),
        "dead_sweep": StoreUnavailable(),
        "ledger": StoreUnavailable(),
    }
    run = workers.distribute if work == "distribution" else workers.settlement

    await run(MESSAGE, Out(), a_context(work))

    assert container.dead_sweep_looks == 1
    assert "alarms_not_looked_at" in caplog.text
    assert {alarm.code for alarm in container.alarms_raised} == {"invariant_broken"}


@pytest.mark.parametrize(("settle", "distribute", "monitor"), [(True, True, True), (False, False, False)])
async def test_the_sweep_wakes_and_watches(
    container: FakeContainer, settle: bool, distribute: bool, monitor: bool
) -> None:
    """What its use case found is put on the queues; the watch runs when it is due."""
    watched: list[bool] = []

    async def run() -> None:
        watched.append(True)

    container.acts |= {
        "sweep": returns(Wakes(distribute=distribute, settle=settle, monitor=monitor)),
        "balance_monitor": run,
        "retention": run,
    }
    settlements, distributions = Out(), Out()

    await workers.sweep(TIMER, settlements, distributions, a_context("sweep"))

    assert [settlements.message == "wake", distributions.message == "wake", bool(watched)] == [
        settle,
        distribute,
        monitor,
    ]
    assert container.heartbeats == 1


async def test_a_sweep_that_a_torn_row_breaks_tells_what_stands(container: FakeContainer) -> None:
    """Nobody else does: its alarm would be a line in the log alone."""
    container.acts |= {
        "sweep": raises(InvariantBroken("ledger row watch: column swept_ms is missing")),
        "ledger": StoreUnavailable(),
    }

    await workers.sweep(TIMER, Out(), Out(), a_context("sweep"))

    assert (container.alarm_sweeps, container.heartbeats) == (1, 0)
    assert {alarm.code for alarm in container.alarms_raised} == {"invariant_broken"}


async def test_a_bug_in_the_watch_stops_no_wake(container: FakeContainer, caplog: pytest.LogCaptureFixture) -> None:
    """A function that raises writes no output; the dead man's switch and the watch's age tell it."""
    wakes = Wakes(distribute=True, settle=True, monitor=True)
    nothing = returns(None)
    container.acts |= {"sweep": returns(wakes), "balance_monitor": raises(KeyError("result")), "retention": nothing}
    settlements, distributions = Out(), Out()

    await workers.sweep(TIMER, settlements, distributions, a_context("sweep"))

    assert (settlements.message, distributions.message, container.heartbeats) == ("wake", "wake", 0)
    assert "watch_failed" in caplog.text


async def test_words_that_cannot_be_emptied_stop_no_payout(container: FakeContainer) -> None:
    """A row that is wrong there raises an alarm; the sweep woke and watched before, and nothing is paused."""
    wakes = Wakes(distribute=True, settle=True, monitor=True)
    torn = raises(InvariantBroken("ledger row tx:a: column data is missing"))
    container.acts |= {"sweep": returns(wakes), "balance_monitor": returns(None), "retention": torn}
    out = Out()

    await workers.sweep(TIMER, Out(), out, a_context("sweep"))

    (alarm,) = container.alarms_raised
    assert (out.message, container.heartbeats, alarm.code, alarm.subject) == ("wake", 1, "row_unreadable", "retention")


@pytest.mark.parametrize("error", [ConfigurationError("RPC_URL is missing"), ChainUnavailable()])
async def test_a_watch_that_cannot_run_stops_no_wake(container: FakeContainer, error: Exception) -> None:
    """What was found before is still put on the queues."""
    container.acts |= {"sweep": returns(Wakes(distribute=True, settle=True, monitor=True)), "balance_monitor": error}
    settlements, distributions = Out(), Out()

    await workers.sweep(TIMER, settlements, distributions, a_context("sweep"))

    assert (settlements.message, distributions.message) == ("wake", "wake")


async def test_the_shops_are_told_by_a_function_of_their_own(container: FakeContainer) -> None:
    """A slow shop never keeps the sweep waiting."""
    told: list[bool] = []

    async def run() -> None:
        told.append(True)

    container.acts["call_backs"] = run

    await workers.call_backs(TIMER, a_context("call_backs"))

    assert (told, container.alarms_raised) == ([True], [])


@pytest.mark.parametrize(
    "error", [BackupIncomplete("short"), NoBackup("cut"), ConfigurationError("no account"), InvariantBroken("torn")]
)
async def test_a_backup_that_fails_stops_no_payout(
    container: FakeContainer, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """It is logged; the age of the last good one is the alarm."""
    container.acts["ledger_backup"] = SimpleNamespace(run_if_due=raises(error))  # type: ignore[assignment]  # as it is

    await workers.back_up(TIMER, a_context("back_up"))

    assert "not_backed_up" in caplog.text
    assert container.alarms_raised == []


async def test_a_backup_is_asked_for_each_hour(container: FakeContainer) -> None:
    """It knows itself whether one is due."""
    asked: list[bool] = []

    async def run_if_due() -> None:
        asked.append(True)

    container.acts["ledger_backup"] = SimpleNamespace(run_if_due=run_if_due)  # type: ignore[assignment]  # as it is

    await workers.back_up(TIMER, a_context("back_up"))

    assert asked == [True]


async def test_a_row_of_a_call_back_that_is_broken_pauses_no_payout(container: FakeContainer) -> None:
    """It is named as a row, and money moves on."""
    container.acts["call_backs"] = raises(InvariantBroken("ledger row callback:a: column state is missing"))

    await workers.call_backs(TIMER, a_context("call_backs"))

    (alarm,) = container.alarms_raised
    assert (alarm.code, alarm.subject) == ("row_unreadable", "call_backs")


@pytest.mark.parametrize("error", [ChainUnavailable(), StoreUnavailable(), Contention()])
async def test_trouble_that_passes_ends_the_message(
    container: FakeContainer, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, nobody is called, and the sweep wakes again: a retry now would only press harder."""
    container.acts["distribution"] = raises(error)
    out = Out()

    with caplog.at_level(logging.INFO):
        await workers.distribute(MESSAGE, out, a_context("distribute"))

    lines = [json.loads(record.getMessage()) for record in caplog.records]
    assert [(line["event"], line["function"], line["invocation_id"]) for line in lines] == [
        ("deferred", "distribute", "inv-1"),
        ("function_ended", "distribute", "inv-1"),
    ]
    assert isinstance(lines[1]["duration_ms"], int)
    assert {line["version"] for line in lines} == {version()}
    assert (out.message, container.alarms_raised) == (None, [])


async def test_a_wrong_setting_is_an_alarm(container: FakeContainer) -> None:
    """Named, and the message is done: trying again does not help."""
    container.acts["settlement"] = raises(ConfigurationError("RPC_URL is missing"))

    await workers.settlement(MESSAGE, Out(), a_context("settlement"))

    (alarm,) = container.alarms_raised
    assert (alarm.code, alarm.summary, alarm.subject) == ("not_configured", "RPC_URL is missing", "settlement")


async def test_a_broken_rule_pauses_and_alarms(container: FakeContainer) -> None:
    """Nothing is bound until a person has found out why."""
    ledger = Ledger(MemoryRows(), ListAudit(), clock=FrozenClock())
    container.acts |= {"settlement": raises(InvariantBroken("nonce 7 twice")), "ledger": ledger}

    await workers.settlement(MESSAGE, Out(), a_context("settlement"))

    (alarm,) = container.alarms_raised
    pause_state = await ledger.admin.pause_state()
    assert (alarm.code, alarm.summary, alarm.subject) == ("invariant_broken", "nonce 7 twice", "settlement")
    assert alarm.action.startswith("Payouts are paused.")
    assert (pause_state.paused, pause_state.paused_why) == (True, "settlement: nonce 7 twice")


async def test_a_broken_rule_alarms_even_when_pausing_fails(container: FakeContainer) -> None:
    """The answer asks the person to pause."""
    container.acts |= {"settlement": raises(InvariantBroken("nonce 7 twice")), "ledger": StoreUnavailable()}

    await workers.settlement(MESSAGE, Out(), a_context("settlement"))

    first, alarm = container.alarms_raised
    assert first.summary == alarm.summary
    assert "pausing by itself failed: The ledger did not answer" in alarm.action


async def test_a_setting_that_stays_wrong_is_raised_each_time(container: FakeContainer) -> None:
    """Raised once, it would be sent as over while it is active; the register keeps it one alarm."""
    container.acts["settlement"] = raises(ConfigurationError("RPC_URL is missing"))
    for _ in range(3):
        await workers.settlement(MESSAGE, Out(), a_context("settlement"))

    assert [alarm.summary for alarm in container.alarms_raised] == ["RPC_URL is missing"] * 3


async def test_orders_wait_visibly_for_a_setting(container: FakeContainer) -> None:
    """Distribution cannot even be built, so the handler records why; the status of every order shows it."""
    ledger = Ledger(MemoryRows(), ListAudit(), clock=FrozenClock())
    container.acts |= {
        "distribution": ConfigurationError("RPC_URL is missing"),
        "ledger": ledger,
    }

    await workers.distribute(MESSAGE, Out(), a_context("distribute"))

    waiting = await ledger.service.why_waiting()
    assert (waiting.reason, waiting.detail) == (WaitingReason.NOT_CONFIGURED, "RPC_URL is missing")
    assert [alarm.code for alarm in container.alarms_raised] == ["not_configured"]


async def test_a_bug_fails_the_message(container: FakeContainer) -> None:
    """Only so does the host try it again and at last put it on the poison queue."""
    container.acts["distribution"] = raises(ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        await workers.distribute(MESSAGE, Out(), a_context("distribute"))


@pytest.mark.parametrize("function", ["distribute", "settlement"])
async def test_a_poison_message_alarms_and_touches_no_order(container: FakeContainer, function: str) -> None:
    """No use case is asked for: an empty container would fail."""
    handler = {"distribute": workers.distribute_poisoned, "settlement": workers.settlement_poisoned}

    await handler[function](MESSAGE, a_context())

    (alarm,) = container.alarms_raised
    assert (alarm.code, alarm.subject) == ("poison_message", "message-1")
    assert function in alarm.summary


async def test_warming_up_builds_the_intake(container: FakeContainer) -> None:
    """And an app that is not configured still starts."""
    container.acts["intake"] = ConfigurationError("WEBHOOK_SECRET is missing")

    await workers.warmup(SimpleNamespace(), a_context("warmup"))

    assert [alarm.code for alarm in container.alarms_raised] == ["not_configured"]
