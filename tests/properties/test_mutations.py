"""Each discipline taken away is noticed by the machine: a proof that cannot fail proves nothing."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties import (
    machine_harm,
    machine_stories,
    machine_stories_approvals,
    machine_stories_lanes,
    machine_stories_lost,
    machine_stories_shops,
)
from tests.properties.machine import Payouts
from tests.properties.machine_harm import Broken
from tests.properties.machine_mutations import MUTATIONS, Mutation
from tests.properties.machine_stories import Story, play
from tests.properties.machine_tally import not_tallied

ALL_BY_CHANCE = os.environ.get("MUTATIONS") == "all"
"""Whether random histories are searched also for the harms that have a story."""
HISTORIES_MAX = 5_000 if ALL_BY_CHANCE else 1_000
"""Most harms are met within a hundred; one that is met less often needs a story, so that it costs seconds."""
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
STORIES = {
    name: story
    for told in (
        machine_stories,
        machine_stories_approvals,
        machine_stories_lanes,
        machine_stories_lost,
        machine_stories_shops,
    )
    for name, story in vars(told).items()
    if isinstance(story, Story)
}


@pytest.mark.no_cover  # what runs here is broken on purpose
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_broken_discipline_is_noticed(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the story that shows the harm, or by the first random history that does, which ends the search."""
    mutation.apply(monkeypatch)
    monkeypatch.setattr(machine_harm, "ONLY", mutation.seen)
    monkeypatch.setattr(Payouts, "only", mutation.troubles)

    with not_tallied(), pytest.raises(Broken) as noticed:
        _look_for_harm(mutation)

    assert noticed.value.rule in mutation.seen


def _look_for_harm(mutation: Mutation) -> None:
    if mutation.story and not (ALL_BY_CHANCE and mutation.by_chance):
        play(mutation.story)
    else:
        run_state_machine_as_test(Payouts, settings=FIRST_FAILURE)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_story_does_no_harm_while_the_discipline_holds(story: Story) -> None:
    """What is noticed is the harm of the missing discipline, not of the story: here every rule is looked at."""
    with not_tallied():
        play(story)
