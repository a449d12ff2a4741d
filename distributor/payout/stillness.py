"""
Which open transactions settlement leaves to the sweep: those that the next block will not change.

An instance that follows is paid for by the second, day and night. A transaction that is stuck, or whose nodes are all
away, is looked at once a minute, when the sweep wakes settlement; once replaced, it is followed block by block again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from distributor.ledger.records import Slot
from distributor.model import OpenTransaction
from distributor.payout.observation import slot_of
from distributor.payout.step_kinds import Finalise, Mined, NonceLost, Reopen, ReplaceAttempt, Step
from foundation.clock import UnixMs, elapsed_ms

STILL_MS = 300_000
"""Five minutes after its last attempt was signed, a transaction for which nothing is done counts as stalled."""
_MOVES = (ReplaceAttempt, Mined, Reopen, Finalise)


def resting(opened: Iterable[OpenTransaction], steps: Mapping[Slot, Step], *, now_ms: UnixMs) -> frozenset[Slot]:
    """
    Return the slots that wake nobody but the sweep.

    Args:
        opened: Every open transaction.
        steps: What this look decided for each; without a decision, because no node answered, the age alone counts.
        now_ms: The time.
    """
    return frozenset(slot_of(each) for each in opened if _rests(each, steps.get(slot_of(each)), now_ms))


def _rests(opened: OpenTransaction, step: Step | None, now_ms: UnixMs) -> bool:
    if isinstance(step, NonceLost):  # a person ends it, or a node that lagged
        return True
    return not isinstance(step, _MOVES) and elapsed_ms(opened.attempts[-1].signed_ms, now_ms) >= STILL_MS
