"""Each discipline taken away is noticed by the machine: a proof that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties import machine_broken_caps, machine_broken_chain, machine_broken_guard, machine_invariants
from tests.properties.machine import Payouts
from tests.properties.machine_invariants import Broken
from tests.properties.machine_mutations import HALTED, HAS_TRANSFER, MUTATIONS, TWICE, Mutation
from tests.properties.machine_rules import FINALITY_DEPTH
from tests.properties.machine_tally import not_tallied

GATES_MAX = 1_000
"""A drain of one order that is not over after so many awaits never is."""
PATIENT_MINUTES = 15
"""Longer than a second word is waited for."""
HISTORIES_MAX = 5_000
"""Most are noticed within a hundred; only one that is not noticed searches them all."""
FIRST_FAILURE = settings(
    max_examples=HISTORIES_MAX,
    stateful_step_count=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.no_cover  # what runs here is broken on purpose
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_broken_discipline_is_noticed(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first history that shows the harm ends the search."""
    mutation.apply(monkeypatch)
    monkeypatch.setattr(machine_invariants, "ONLY", mutation.seen)
    monkeypatch.setattr(Payouts, "only", mutation.troubles)

    with not_tallied(), pytest.raises(Broken) as noticed:
        run_state_machine_as_test(Payouts, settings=FIRST_FAILURE)

    assert noticed.value.rule in mutation.seen


@pytest.mark.no_cover
@pytest.mark.parametrize("broken", [True, False], ids=["the halt is looked at too early", "the halt is obeyed"])
def test_a_halt_at_any_await_of_a_drain_is_obeyed(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person halts at each await of a drain in turn; random histories seldom meet the one before the broadcast."""
    if broken:
        machine_broken_caps.halt_looked_at_before_signing_alone(monkeypatch)
    monkeypatch.setattr(machine_invariants, "ONLY", (HALTED,))

    harm = []
    for gates in range(1, GATES_MAX):
        harmed, over = _halt_after(gates)
        harm.append(harmed)
        if over:
            break

    assert over, "no halt came after the drain"
    assert any(harm) is broken


def _halt_after(gates: int) -> tuple[bool, bool]:
    """
    Drain one order, halt after *gates* awaits, let the drain go on.

    Return whether anything was broadcast then, and whether the drain was over before.
    """
    machine = Payouts()
    over = False
    try:
        machine.begin(by_depth=True, capped=False, guarded=False, troubles=frozenset())
        machine.receive(0, 0, 10, True)
        machine.distribute(0, gates)
        over = _all_over(machine)
        machine.look()
        machine.pause(1, True, True)
        machine.look()
        machine.run(0)
        machine.look()
    except Broken as noticed:
        return noticed.rule == HALTED, over
    finally:
        for host in machine.world.hosts:
            host.turns.kill()
    return False, over


@pytest.mark.no_cover
@pytest.mark.parametrize("broken", [True, False], ids=["one node's word pays", "two words pay"])
def test_a_failed_payment_that_one_node_calls_paid_is_not_paid(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The harm needs a failure, a lie about it and calm until finality: random histories seldom meet all three."""
    if broken:
        machine_broken_chain.paid_on_one_nodes_word(monkeypatch)

    def fails_and_is_called_paid(machine: Payouts) -> None:
        machine.change_contract("paused", dear=False)
        machine.mine(1)
        machine.lie(0, "paid")

    assert _is_falsely_paid(fails_and_is_called_paid, monkeypatch) is broken


@pytest.mark.no_cover
@pytest.mark.parametrize("broken", [True, False], ids=["no receipt is silence", "no receipt is a word"])
def test_a_payment_that_one_node_invents_is_not_paid(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool has forgotten it; the other node is as high and has no such receipt, also when patience is over."""
    if broken:
        machine_broken_chain.no_receipt_is_silence(monkeypatch)

    def is_invented(machine: Payouts) -> None:
        machine.lie(0, "invented")
        machine.drop(0, back=False)

    assert _is_falsely_paid(is_invented, monkeypatch) is broken


@pytest.mark.no_cover
@pytest.mark.parametrize("broken", [True, False], ids=["transfers tell them apart", "the guard tells them apart"])
def test_of_two_equal_items_the_failed_one_is_not_paid(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One transfer of that amount to that wallet, and two orders of one call that ask for it."""
    if broken:
        machine_broken_guard.equal_items_are_told_apart_by_transfers(monkeypatch)

    def one_fails(machine: Payouts) -> None:
        assert len({order.nonce for order in machine.world.stored()}) == 1
        machine.change_guard("fails", 0)

    assert _is_falsely_paid(one_fails, monkeypatch, guarded=True, orders=(0, 2)) is broken


@pytest.mark.no_cover
@pytest.mark.parametrize("broken", [True, False], ids=["nothing refuses", "the guard and the age of the ledger refuse"])
def test_a_table_that_is_put_back_pays_nothing_again(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The pool holds a payment, the table is put back as it was before it, and the shop sends the order again.

    Another order takes the nonce that the ledger forgot, so that the order itself gets the next one.
    """
    if broken:
        machine_broken_guard.neither_ledger_age_nor_guard_refuses(monkeypatch)
    monkeypatch.setattr(machine_invariants, "ONLY", (TWICE,))
    machine = Payouts()
    harmed = False
    try:
        machine.begin(by_depth=True, capped=False, guarded=True, troubles=frozenset({"lose_ledger"}))
        _bind(machine, 0)
        machine.lose_ledger("went back", 0, True)
        _bind(machine, 1)
        _bind(machine, 0)
        machine.mine(1)
        machine.look()
    except Broken as noticed:
        harmed = noticed.rule == TWICE
    finally:
        for host in machine.world.hosts:
            host.turns.kill()

    assert harmed is broken


def _all_over(machine: Payouts) -> bool:
    return all(job.over for _, job in machine.world.jobs)


def _bind(machine: Payouts, number: int) -> None:
    """Let an order come and be bound; no block is made."""
    machine.receive(0, number, 10, True)
    machine.distribute(0, GATES_MAX)
    assert _all_over(machine), "the drain is not over"


def _is_falsely_paid(
    trouble: Callable[[Payouts], None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    guarded: bool = False,
    orders: Sequence[int] = (0,),
) -> bool:
    """Submit one payment, let *trouble* happen, settle for long; say whether it is paid without a transfer."""
    monkeypatch.setattr(machine_invariants, "ONLY", (HAS_TRANSFER,))
    machine = Payouts()
    try:
        machine.begin(by_depth=True, capped=False, guarded=guarded, troubles=frozenset())
        for number in orders:
            machine.receive(0, number, 10, True)
        machine.distribute(0, GATES_MAX)
        machine.run(0)
        trouble(machine)
        for _ in range(PATIENT_MINUTES):
            machine.settle(0, 1)
            machine.run(0)
            for _ in range(FINALITY_DEPTH):
                machine.pass_block()
            machine.pass_time(60_000)
            machine.pass_block()
            machine.look()
    except Broken as noticed:
        return noticed.rule == HAS_TRANSFER
    finally:
        for host in machine.world.hosts:
            host.turns.kill()
    return False
