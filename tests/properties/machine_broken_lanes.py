"""Disciplines of several operators taken away: what stops all of them, what one order is bound to, who goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from distributor.chain_types import GuardPayment
from distributor.ledger.opened import Opened
from distributor.model import Address, Hash
from distributor.payout import lane_choice
from distributor.payout.lane import OperatorLane
from distributor.payout.lane_choice import LaneChoice
from distributor.payout.ledger_age import find_sign
from distributor.payout.preflight import Obstacle
from distributor.state import WaitingReason
from foundation.clock import UnixMs
from tests.fakes.chain_state import State
from tests.properties import machine_broken_writes as writes

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class _OwnAge:
    """The age of the ledger by the nonces of one lane; nothing is noted and nobody pauses."""

    lane: OperatorLane

    async def known(self) -> None:
        """Nothing is read before."""

    async def check(self, _known: None) -> Obstacle | None:
        operator = self.lane.operator
        views = await self.lane.chain.pool_views([operator])
        nonces = await self.lane.ledger.signs.next_nonces()
        sign = find_sign(views, {operator: nonces[operator]})
        return Obstacle(reason=sign.reason, detail=sign.detail) if sign else None


class _Forgetful(dict[Hash, GuardPayment]):
    def __contains__(self, _: object) -> bool:
        return False


def a_sign_stops_its_own_lane_alone(patch: Patch) -> None:
    """Let each lane look at its own nonces only, through a guard that keeps no record."""
    signs = {WaitingReason.POOL_AHEAD, WaitingReason.NONCE_AHEAD}
    copy = State.copy
    patch.setattr(OperatorLane, "_age", property(_OwnAge))
    patch.setattr(lane_choice, "_OF_LANE", lane_choice._OF_LANE | signs)
    patch.setattr(State, "copy", lambda self: replace(copy(self), payments=_Forgetful(self.payments)))


def an_order_is_bound_in_two_lanes(patch: Patch) -> None:
    """Let each lane keep its totals and bind what it has read, whatever another lane has bound since."""
    writes.unconditional(patch, "commitments", "spent:", "stats:")
    writes.order_rows_without_any_condition(patch)


def a_lane_that_stands_still_takes_orders(patch: Patch) -> None:
    """Go by free slots alone."""
    patch.setattr(lane_choice, "STUCK_MS", 1 << 62)


def a_dry_lane_stops_the_others(patch: Patch) -> None:
    """Take a lane without coin for a trouble of the whole service."""
    patch.setattr(lane_choice, "_OF_LANE", lane_choice._OF_LANE - {WaitingReason.GAS_SHORT})


def a_full_lane_makes_way_for_one_that_stands_still(patch: Patch) -> None:
    """Bind behind a nonce that stands still as soon as the lanes that move are full."""

    def next_(self: LaneChoice, opened: Opened, now: UnixMs) -> OperatorLane | None:
        slots = {lane.operator: lane_choice._slots(lane, opened, now) for lane in self.lanes}
        free: Sequence[OperatorLane] = [
            lane for lane in self.lanes if lane.operator not in self.stopped and slots[lane.operator].free > 0
        ]
        return max(free, key=lambda lane: _rank(slots, lane.operator), default=None)

    patch.setattr(LaneChoice, "next", next_)


def _rank(slots: dict[Address, lane_choice._Slots], operator: Address) -> tuple[bool, int]:
    return slots[operator].moves, slots[operator].free
