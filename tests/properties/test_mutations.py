"""Each discipline taken away is noticed by the machine: a proof that cannot fail proves nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties import machine_broken_caps, machine_invariants
from tests.properties.machine import Payouts
from tests.properties.machine_invariants import Broken
from tests.properties.machine_mutations import HALTED, MUTATIONS, Mutation
from tests.properties.machine_tally import not_tallied

GATES_MAX = 70
"""More awaits than the drain of one order has."""
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

    harm = [gates for gates in range(1, GATES_MAX) if _is_harmed(gates)]

    assert bool(harm) is broken


def _is_harmed(gates: int) -> bool:
    """Drain one order, halt after *gates* awaits, let the drain go on; say whether anything was broadcast then."""
    machine = Payouts()
    try:
        machine.begin(by_depth=True, capped=False, troubles=frozenset())
        machine.receive(0, 0, 10, True)
        machine.distribute(0, gates)
        machine.look()
        machine.pause(1, True, True)
        machine.look()
        machine.run(0)
        machine.look()
    except Broken as noticed:
        return noticed.rule == HALTED
    finally:
        for host in machine.world.hosts:
            host.turns.kill()
    return False
