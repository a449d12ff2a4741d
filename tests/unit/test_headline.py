"""The one line that is read first, at three in the morning."""

from __future__ import annotations

from dataclasses import replace

import pytest

from distributor.cli.amounts import Amount, short_by, tokens
from distributor.cli.headline import PASSING, Situation, State, age, headline
from distributor.cli.tables import answer_lines
from distributor.payout.ages import WATCHED_MS_MAX
from distributor.state import MonitorState, PauseState, Waiting, WaitingReason
from foundation.clock import UnixMs
from tests.factories import IDENTITY, NOW_MS

PAYING = Situation(
    identity=IDENTITY,
    pause_state=PauseState(),
    waiting=Waiting(),
    oldest_ms=None,
    held=0,
    alarms=(),
    monitor=MonitorState(swept_ms=NOW_MS),
    now=NOW_MS,
)


def test_all_is_well() -> None:
    """One word, and nothing to do."""
    assert (headline(PAYING).line, headline(PAYING).action) == ("PAYING", "")


@pytest.mark.parametrize("code", ["settlement_silent", "transaction_open_long", "work_not_running"])
def test_an_alarm_that_makes_ready_red_is_never_under_paying(code: str) -> None:
    """The only node hung with a payout open: /ready was red, and `show --check` said PAYING."""
    said = headline(replace(PAYING, held=3, alarms={"low_gas", code}))

    assert said.state is State.STOPPED
    assert code in said.line
    assert said.action


def test_a_distribution_that_is_off_comes_before_what_its_last_round_found() -> None:
    """Another queue without its function is an alarm like others."""
    stale = replace(PAYING, waiting=Waiting(reason=WaitingReason.NODE_DOWN), oldest_ms=NOW_MS)

    off = headline(replace(stale, alarms={"work_not_running"}, off={"distributions"}))
    assert (off.state, bool(off.action)) == (State.STOPPED, True)
    assert "`distribute`" in off.line
    assert headline(replace(stale, off={"settlements"})) == headline(stale)


def test_what_needs_a_look_stands_under_it_although_payouts_go_on() -> None:
    """Held orders before alarms."""
    held = replace(PAYING, held=3, alarms={"low_gas"})

    assert headline(held).line == "PAYING"
    one = headline(replace(held, held=1)).action
    assert one == "1 order is held and waits for a person: `held` lists it."
    assert headline(held).action == "3 orders are held and wait for a person: `held` lists them."
    more = headline(replace(held, held=50, held_more=True)).action
    assert more == "At least 50 orders are held and wait for a person: `held` lists them."
    assert headline(replace(held, held=0)).action == "Alarms persist: low_gas. `alarms` says what to do."


@pytest.mark.parametrize("reason", WaitingReason)
def test_every_reason_says_whether_a_person_is_needed(reason: WaitingReason) -> None:
    """And what to do, while an order waits for it; a reason that nobody waits for is over."""
    waits = replace(PAYING, waiting=Waiting(reason=reason, detail="The detail."), oldest_ms=NOW_MS)

    said = headline(waits)
    assert said.state is (State.WAITING if reason in PASSING else State.STOPPED)
    assert said.line.endswith(" The detail.")
    assert said.action
    assert headline(replace(waits, oldest_ms=None)) == headline(PAYING)


@pytest.mark.parametrize(
    ("code", "state"), [("waiting_reserve_short", State.WAITING), ("waiting_decimals_wrong", State.STOPPED)]
)
def test_what_would_stop_the_next_order_is_said_while_none_waits(code: str, state: State) -> None:
    """As /ready says it; a watch that is dead says nothing."""
    monitor = replace(PAYING.monitor, watched_ms=NOW_MS, alarms=("low_reserve", code))

    said = headline(replace(PAYING, monitor=monitor))
    assert (said.state, bool(said.because), bool(said.action)) == (state, True, True)
    late = replace(monitor, watched_ms=UnixMs(NOW_MS - WATCHED_MS_MAX - 1))
    assert headline(replace(PAYING, monitor=late)).state is State.PAYING
    assert headline(replace(PAYING, monitor=replace(monitor, alarms=("low_reserve",)))).state is State.PAYING


def test_a_person_stopped_it() -> None:
    """By name, and the first word counts: a halt is a pause as well."""
    paused = replace(PAYING, pause_state=PauseState(paused=True, paused_by="ana", paused_why="a stolen key"))
    halted = PauseState(paused=True, paused_by="ana", halted=True, halted_by="bia", halted_why="a thief")

    assert headline(paused).line == (
        "STOPPED, a person is needed: Payouts are paused by an operator. By ana: a stolen key"
    )
    assert headline(replace(paused, pause_state=halted)).line.endswith("By bia: a thief")
    assert headline(replace(paused, identity=None)).line.startswith("STOPPED, a person is needed: The ledger has no")


def test_a_sweep_that_does_not_run_is_told_before_what_it_saw() -> None:
    """What it never saw is not zero."""
    never = headline(replace(PAYING, monitor=MonitorState()))
    late = headline(replace(PAYING, now=UnixMs(NOW_MS + 7_500_000)))

    assert never.line == "WAITING because the sweep has not been seen yet."
    assert late.line == "WAITING because the sweep last ran 2 h 5 min ago."
    ahead = headline(replace(PAYING, monitor=MonitorState(swept_ms=UnixMs(NOW_MS + 86_400_000))))
    assert ahead.state is State.WAITING, "written by a wrong clock: nobody waits a day to miss the sweep"


@pytest.mark.parametrize(
    ("ago_ms", "text"),
    [
        (0, "0 min 0 s"),
        (65_000, "1 min 5 s"),
        (7_500_000, "2 h 5 min"),
        (180_000_000, "2 d 2 h"),
        (-9_000, "0 min 0 s"),
    ],
)
def test_an_age_has_two_units(ago_ms: int, text: str) -> None:
    """Another machine's clock may be ahead."""
    assert age(UnixMs(NOW_MS - ago_ms), NOW_MS) == text


@pytest.mark.parametrize(
    ("units", "plain", "grouped"),
    [
        (1_234_567_500, "1234567.5", "1,234,567.5"),
        (-1_234_000, "-1234", "-1,234"),
        (0, "0", "0"),
        (1, "0.001", "0.001"),
    ],
)
def test_amounts_are_grouped_for_people_and_plain_for_programs(units: int, plain: str, grouped: str) -> None:
    """In tokens, never in units."""
    amount = tokens(units, 3)

    assert (amount, amount.grouped) == (plain, grouped)
    assert list(answer_lines({"paid": amount})) == [f"paid: {grouped}"]
    assert isinstance(amount, Amount)


def test_what_is_missing_is_said() -> None:
    """And nothing where there is enough."""
    assert short_by(5_000, 1_000, 3) == "short by 4"
    assert short_by(1_000, 1_000, 3) == ""


ALARM = {
    "alarm": "waiting_role_missing",
    "about": [],
    "summary": "The address that pays may not call distribute: the guard, or the operator where there is none.",
    "action": "Grant the role to the operator; with a guard to the guard alone, and `allow` the operator there.",
}


def test_a_table_wider_than_the_terminal_is_paragraphs() -> None:
    """A line of 500 characters folded over itself eight times is what nobody reads at three in the morning."""
    shown = list(answer_lines({"headline": {"state": "x " * 50}, "alarms": [ALARM]}, columns=80))

    assert max(map(len, shown)) <= 80
    assert "  waiting_role_missing" in shown
    assert shown[-3:] == [
        "             operator where there is none.",
        "    action:  Grant the role to the operator; with a guard to the guard alone,",
        "             and `allow` the operator there.",
    ]


def test_what_a_script_reads_is_never_folded() -> None:
    """One row, one line; and so is a table that fits the terminal."""
    assert len(list(answer_lines({"alarms": [ALARM]}))) == 3
    small = {"leases": [{"lease": "settlement", "alive": True}]}
    assert list(answer_lines(small, columns=80)) == list(answer_lines(small))


def test_a_word_longer_than_the_terminal_stays_whole() -> None:
    """A hash that is cut cannot be copied."""
    assert next(answer_lines({"transaction": "0x" + "a" * 64}, columns=20)).endswith("a" * 64)
