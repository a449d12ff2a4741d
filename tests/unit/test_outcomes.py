"""How each command ends is in one table of the runbook, and the command says the same next step."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import pytest

from distributor.cli.outcomes import OUTCOMES
from distributor.payout.cancellation import Cancelled
from distributor.payout.corrected import Corrected
from distributor.payout.resolution import Resolved
from tests.runbook import RUNBOOK

ROW = re.compile(r"^\| `([a-z-]+)` \| `(\w+)` \| ([012]) \| (.+?) \|$", re.MULTILINE)


def test_the_runbooks_table_is_the_programs() -> None:
    """Command, outcome, exit code and next step; no row too many, none missing."""
    said = [
        (command, str(outcome), str(each.code), each.following)
        for command, outcomes in OUTCOMES.items()
        for outcome, each in outcomes.items()
    ]

    assert ROW.findall(RUNBOOK) == said


@pytest.mark.parametrize(
    ("commands", "outcomes"),
    [
        (["resolve"], Resolved),
        (["cancel-nonce"], Cancelled),
        (["resubmit", "settle", "reopen"], Corrected),
    ],
)
def test_no_outcome_is_left_out(commands: Iterable[str], outcomes: type[StrEnum]) -> None:
    """A new one without a next step would end the command with a traceback."""
    assert {outcome for command in commands for outcome in OUTCOMES[command]} == set(outcomes)
