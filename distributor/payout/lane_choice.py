"""
Which lane the next round binds in, where several operators pay at once.

Each operator has slots of its own. A round binds in one lane, the one with the most free slots, and a drain goes on
with the next lane until nothing waits or no lane takes orders.

1. A lane with a trouble of its own (no gas, no role, a vault that does not sign) takes no orders in this drain.
2. A lane whose lowest nonce does not move takes none while another lane moves, also when that one is full: its slots
   come free within a block or two, and what is bound behind a nonce that does not move waits for that nonce.
3. Everything else concerns all lanes. A sign that the ledger is older than the chain, in whichever lane it is seen,
   ends the drain: an order that was paid in one lane must not be paid again in another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distributor.ledger.opened import Opened
from distributor.model import Address, TransactionStatus
from distributor.payout.lane import OperatorLane
from distributor.payout.preflight import Obstacle
from distributor.state import WaitingReason
from foundation.clock import UnixMs, elapsed_ms

STUCK_MS = 60_000
"""A lowest nonce that is older and not mined does not move: by default a dearer attempt was sent at half of this."""
_OF_LANE = {
    WaitingReason.SLOTS_FULL,
    WaitingReason.GAS_SHORT,
    WaitingReason.ROLE_MISSING,
    WaitingReason.AUTHORITY_REFUSES,
    WaitingReason.SIGNER_DOWN,
    WaitingReason.NEWER_ROWS,
    WaitingReason.FINALITY_BEHIND,
    WaitingReason.NODE_BEHIND,
}
"""
What may stop one lane and no other. Each lane asks all of it for itself, so what is wrong with the whole service stops
every lane in turn. ``nonce_ahead`` and ``pool_ahead`` are no such reasons.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Slots:
    free: int
    moves: bool


@dataclass(frozen=True, kw_only=True)
class LaneChoice:
    """The lanes of one drain, in the order of the settings, and why some of them take no orders in it."""

    lanes: Sequence[OperatorLane]
    stopped: dict[Address, Obstacle] = field(default_factory=dict)

    @property
    def several(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.lanes) > 1

    def next(self, opened: Opened, now: UnixMs) -> OperatorLane | None:
        """Return the lane with the most free slots among those that take orders; None where none does."""
        slots = {lane.operator: _slots(lane, opened, now) for lane in self.lanes}
        usable = [lane for lane in self.lanes if lane.operator not in self._troubled]
        moving = [lane for lane in usable if slots[lane.operator].moves]
        asked = [lane for lane in moving or usable if lane.operator not in self.stopped]
        free = [lane for lane in asked if slots[lane.operator].free > 0]
        return max(free, key=lambda lane: slots[lane.operator].free, default=None)

    def set_aside(self, lane: OperatorLane, obstacle: Obstacle) -> bool:
        """Leave *lane* out of this drain if *obstacle* concerns it alone; say whether it does."""
        alone = obstacle.of_operator or obstacle.reason in _OF_LANE
        if alone:
            self.stopped[lane.operator] = obstacle
        return alone

    def obstacle(self) -> Obstacle:
        """Return why no lane takes orders: full ones are no trouble, else the first lane's reason with all details."""
        troubled = self._troubled
        if len(troubled) < len(self.lanes):
            return Obstacle(reason=WaitingReason.SLOTS_FULL)
        found = [(lane.operator, troubled[lane.operator]) for lane in self.lanes]
        detail = " ".join(f"{operator}: {each.reason} {each.detail}".rstrip() for operator, each in found)
        return Obstacle(reason=found[0][1].reason, detail=detail)

    @property
    def _troubled(self) -> Mapping[Address, Obstacle]:
        """The lanes that were set aside for another reason than that their slots are full."""
        full = WaitingReason.SLOTS_FULL
        return {operator: each for operator, each in self.stopped.items() if each.reason is not full}


def _slots(lane: OperatorLane, opened: Opened, now: UnixMs) -> _Slots:
    flying = [
        each.transaction
        for each in opened.transactions
        if each.transaction.operator == lane.operator and each.transaction.status is not TransactionStatus.MINED
    ]
    lowest = min(flying, key=lambda transaction: transaction.nonce, default=None)
    moves = lowest is None or elapsed_ms(lowest.bound_ms, now) < STUCK_MS
    return _Slots(free=lane.config.max_in_flight - len(flying), moves=moves)
