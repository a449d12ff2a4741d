"""Each discipline taken away is noticed by the machine: a proof that cannot fail proves nothing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties import machine_invariants
from tests.properties.machine import Payouts
from tests.properties.machine_invariants import Broken
from tests.properties.machine_mutations import MUTATIONS, Mutation
from tests.properties.machine_tally import not_tallied

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
