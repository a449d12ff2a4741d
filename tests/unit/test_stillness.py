"""What settlement leaves to the sweep, and what it goes on following."""

from __future__ import annotations

import pytest

from distributor.model import TransactionStatus
from distributor.payout.observation import slot_of
from distributor.payout.step_kinds import NonceLost, Reopen, ReplaceAttempt, Step, Submit, Wait
from distributor.payout.stillness import STILL_MS, resting
from foundation.clock import UnixMs
from tests.factories import NOW_MS, a_transaction, an_attempt, opened

OPEN = opened(a_transaction(), an_attempt(0), an_attempt(1, signed_ms=NOW_MS))
SLOT = slot_of(OPEN)
LATE = UnixMs(NOW_MS + 10 * STILL_MS)


@pytest.mark.parametrize("step", [None, Wait(), Submit(attempt=OPEN.attempts[1])])
def test_what_is_only_handed_to_the_nodes_again_rests_after_five_minutes(step: Step | None) -> None:
    """Counted from the last attempt: one that was just replaced is followed."""
    steps = {} if step is None else {SLOT: step}

    assert resting([OPEN], steps, now_ms=UnixMs(NOW_MS + STILL_MS - 1)) == frozenset()
    assert resting([OPEN], steps, now_ms=UnixMs(NOW_MS + STILL_MS)) == {SLOT}


def test_what_moves_is_followed_however_old_it_is() -> None:
    """A replacement may be mined in the next block, and what left a block goes to the nodes again."""
    last = OPEN.attempts[-1]
    moves: list[Step] = [
        ReplaceAttempt(previous=last, fees=last.fees, gas_limit=last.gas_limit),
        Reopen(attempt=last, status=TransactionStatus.SUBMITTED),
    ]

    assert [resting([OPEN], {SLOT: step}, now_ms=LATE) for step in moves] == [frozenset()] * 2


def test_what_only_a_person_can_end_rests_at_once() -> None:
    """However young."""
    assert resting([OPEN], {SLOT: NonceLost()}, now_ms=NOW_MS) == {SLOT}


def test_a_time_of_a_clock_that_ran_ahead_keeps_nothing_busy() -> None:
    """A row signed by a host a day ahead would be fresh for a day."""
    ahead = opened(a_transaction(), an_attempt(signed_ms=NOW_MS + 86_400_000))

    assert resting([ahead], {}, now_ms=NOW_MS) == {SLOT}
