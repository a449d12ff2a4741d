"""
Exactly once, whatever happens: thousands of random histories of the payout, the rules checked after every step.

The histories are the same at every run. A long search draws new ones, 100,000 of them, and prints its seed:
``pytest tests/properties/test_machine.py -s --hypothesis-profile=soak [--hypothesis-seed=N]``
"""

from __future__ import annotations

import secrets

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from distributor.recovery import fence
from tests.properties.machine import Payouts
from tests.properties.machine_tally import TALLY

HISTORIES = 2_000
HISTORIES_BESIDES = 200
"""In each of the searches that are after something of their own."""
LOST = frozenset(
    {"lose_ledger", "rebuild", "silence_lane", "refuse_batches", "rotate", "crash", "lose_group", "reorganise", "drop"}
)
RENAMED = frozenset({"receive_from_second", "change_shop", "say_whose", "crash", "lose_group", "decide", "reorganise"})
APPROVED = frozenset(
    {
        "approve",
        "change_limit",
        "forge_approval",
        "pay_elsewhere",
        "reorganise",
        "wait_a_week",
        "decide",
        "crash",
        "lose_group",
        "pause",
        "resume",
        "skew",
    }
)
STRAYED = frozenset({"stray", "resolve", "pause", "resume", "rotate"})
ERASED = frozenset(
    {"purge", "crash", "lose_group", "decide", "command", "reorganise", "reorganise_failures", "change_contract"}
)
LANED = frozenset(
    {
        "set_lanes",
        "dry_lane",
        "bar_lane",
        "silence_lane",
        "crash",
        "lose_group",
        "reorganise",
        "drop",
        "pause",
        "resume",
        "decide",
        "skew",
        "set_base_fee",
    }
)
FENCE_NONCES = 16
"""More than a history of six orders ever has in flight; a fence as wide as a real one would be most of the search."""
STEPS = 60
"""Of one history, at most; then it is driven to its end."""


@pytest.mark.no_cover  # tracing each line doubles the time; unit tests cover the branches
def test_every_order_is_paid_once_whatever_happens(request: pytest.FixtureRequest) -> None:
    """Crashes, races, lost answers, reorganisations, lies; and when they stop, every order comes to its end."""
    histories = max(HISTORIES, settings().max_examples)
    search = settings(
        max_examples=histories,
        stateful_step_count=STEPS,
        derandomize=histories == HISTORIES,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    machine = Payouts if search.derandomize else _seeded(request.config.getoption("--hypothesis-seed"))

    run_state_machine_as_test(machine, settings=search)

    assert TALLY["histories"] >= histories


@pytest.mark.no_cover
def test_a_lost_ledger_pays_nothing_twice_and_a_silent_lane_holds_up_its_own_orders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The table is emptied, put back as it was, or restored from a torn backup, and is made again.

    One lane is silent, whole batches are refused. Half of the histories have a guard; where there is none, no table is
    put back as it was.
    """
    monkeypatch.setattr(fence, "FENCE_NONCES", FENCE_NONCES)

    _search_besides(LOST, monkeypatch)

    happened = (
        "ledger emptied",
        "ledger went back",
        "ledger restored",
        "ledger rebuilt",
        "silence_lane",
        "refuse_batches",
    )
    assert min(TALLY[name] for name in happened) > 0


@pytest.mark.no_cover
def test_a_renamed_shop_is_paid_nothing_again_and_a_stray_nonce_is_stepped_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Old orders come under a new name or with a new secret, another shop has the same ids, people say whose is whose.

    Besides, a key is used for something else: the ledger bound that nonce, or never will, and a person resolves it.
    """
    _search_besides(RENAMED | STRAYED, monkeypatch)

    happened = ("receive_from_second", "change_shop", "say_whose", "stray", "resolve")
    assert min(TALLY[name] for name in happened) > 0


@pytest.mark.no_cover
def test_what_is_erased_is_paid_no_second_time() -> None:
    """A person has orders erased at any moment; the shop sends them again, people decide, hosts die, blocks leave."""
    with pytest.MonkeyPatch.context() as patch:
        _search_besides(ERASED, patch)

    assert min(TALLY[name] for name in ("purge", "orders erased")) > 0


@pytest.mark.no_cover
def test_nothing_above_the_limit_is_bound_that_no_other_person_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is set, changed and taken away; people approve, also too early and what they asked for themselves."""
    _search_besides(APPROVED, monkeypatch)

    assert min(TALLY[name] for name in ("approve", "change_limit", "forge_approval", "wait_a_week")) > 0


@pytest.mark.no_cover
def test_two_operators_that_pay_at_once_pay_every_order_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lanes are configured and taken out, run dry, lose their role, stand still; hosts die with half a round done."""
    _search_besides(LANED, monkeypatch)

    happened = ("set_lanes", "dry_lane", "bar_lane", "silence_lane", "paid by both lanes")
    assert min(TALLY[name] for name in happened) > 0


def _search_besides(troubles: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Play histories with *troubles*, each of them."""
    monkeypatch.setattr(Payouts, "only", troubles)
    search = settings(
        max_examples=HISTORIES_BESIDES,
        stateful_step_count=STEPS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    run_state_machine_as_test(Payouts, settings=search)


def _seeded(asked: str | int | None) -> type[Payouts]:
    """Return the machine with the seed that was asked for, or a fresh one; say which."""
    chosen = secrets.randbits(32) if asked is None else int(asked)
    print(f"--hypothesis-seed={chosen}")  # noqa: T201 -- a person who searches for an hour wants to repeat what is found
    return seed(chosen)(Payouts)
