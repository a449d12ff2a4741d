"""What a round of binding tells people: why orders wait, which are held or passed over, which rows are unreadable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from distributor import approvals
from distributor.chain_types import Revert
from distributor.ledger import Ledger
from distributor.ledger.opened import Unreadable
from distributor.ledger.records import DoubtedPast
from distributor.model import Address, HoldReason, Order
from distributor.payout import alarms
from distributor.payout.preflight import Obstacle
from distributor.ports import Alarms
from distributor.reasons import waiting_alarm
from distributor.state import WaitingReason
from foundation import logs
from foundation.clock import Clock, elapsed_ms
from foundation.errors import Contention

PASSED_OVER_MS = 300_000
"""How long an order that no node can judge waits before an alarm is raised; a node's bad minute is no trouble."""

_PASSES = {WaitingReason.SLOTS_FULL, WaitingReason.NODE_BEHIND}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Notices:
    """Each is stored first, then an alarm is raised; Contention means that another host did it."""

    ledger: Ledger
    alarms: Alarms
    clock: Clock

    async def waiting(self, obstacle: Obstacle | None) -> None:
        """Record why orders wait; one alarm when the reason changes. Full slots are no trouble."""
        if obstacle is not None and obstacle.reason is WaitingReason.SLOTS_FULL:
            return
        reason, detail = (obstacle.reason, obstacle.detail) if obstacle else (None, "")
        try:
            changed = await self.ledger.service.set_waiting(reason, detail)
        except Contention:
            return  # another host says what it sees; the next round says it again
        if changed and reason is None:
            logs.info(_log, "waiting_ended")
        elif changed and reason is not None:
            await self.alarms.raise_(waiting_alarm(reason, detail))

    async def lane_stopped(self, setting: str, operator: Address, obstacle: Obstacle) -> None:
        """Say that one of several lanes takes no orders; full slots, and a node that lags, pass in seconds."""
        if obstacle.reason not in _PASSES:
            await self.alarms.raise_(alarms.lane_stopped(setting, operator, obstacle.reason, obstacle.detail))

    async def unreadable(self, rows: Sequence[Unreadable]) -> None:
        for row in rows:
            await self.alarms.raise_(alarms.row_unreadable(row))

    async def hold(self, order: Order, refusal: Revert) -> None:
        """Hold an order that the contract refuses on two nodes while it pays the probe."""
        await self._hold(order, HoldReason.SIMULATION, refusal.text)

    async def _hold(self, order: Order, reason: HoldReason, why: str) -> None:
        try:
            await self.ledger.hold(order, reason, why)
        except Contention:
            return
        await self.alarms.raise_(alarms.order_held(order, reason, why))

    async def doubt(self, orders: Sequence[Order], doubted: DoubtedPast) -> None:
        """Hold orders that may have been paid in a past that was not found whole."""
        for order in orders:
            await self._hold(order, HoldReason.PAST_UNKNOWN, doubted.why)

    async def lacks_approval(self, orders: Sequence[Order]) -> None:
        """Hold orders above the limit of this host that no other person has approved, or not lately."""
        for order in orders:
            await self._hold(order, HoldReason.NEEDS_APPROVAL, approvals.why(order, self.clock()))

    async def pass_over(self, order: Order, why: str) -> None:
        """Leave an order waiting and name it: nothing is known against it, and the others go on."""
        logs.warning(_log, "order_passed_over", source=order.source, order_id=order.order_id, detail=why)
        if elapsed_ms(order.received_ms, self.clock()) >= PASSED_OVER_MS:
            await self.alarms.raise_(alarms.passed_over(order, why))
