"""
Use case: bind waiting orders to nonces, sign, store, submit.

A message only says that there is work; a drain works in rounds until nothing waits or the slots
are full. Everything that can stop a payment is checked before a nonce is bound; the signed bytes
are in the ledger before any node sees them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from distributor.ledger import Ledger
from distributor.payout.lane import OperatorLane, Outcome
from distributor.payout.lane_choice import LaneChoice
from distributor.payout.notices import Notices
from distributor.payout.selection import Line
from distributor.ports import Alarms
from foundation import logs
from foundation.clock import Clock
from foundation.single_flight import SingleFlight
from foundation.tablestore.leases import Lease

LEASE_MS = 30_000
ROUNDS_PER_DRAIN = 1_000
"""A bound on one drain; what is left is woken again by settlement or the sweep."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drained:
    """What a drain did: transactions bound, and whether settlement has work."""

    bound: int
    open: bool


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Pay waiting orders, oldest first, in rounds; each round binds in one lane, under one lease for all lanes."""

    ledger: Ledger
    alarms: Alarms
    clock: Clock
    lanes: Sequence[OperatorLane]
    """One for each operator that pays, at least one. The first, as a rule the one without a name, names the lease."""
    holder: str
    """This process, as the owner of leases."""
    _flight: SingleFlight = field(default_factory=SingleFlight, init=False, repr=False)

    @property
    def lane(self) -> OperatorLane:
        """The lane without a name."""
        return self.lanes[0]

    @property
    def _notices(self) -> Notices:
        return Notices(ledger=self.ledger, alarms=self.alarms, clock=self.clock)

    async def drain(self) -> Drained:
        """
        Bind and broadcast until nothing waits or the slots are full.

        A drain that finds one running in this process asks it to look once more, and ends.

        Raises:
            StoreUnavailable: The ledger does not answer; the sweep wakes what is left.
        """
        with self._flight.enter() as alone:
            if not alone:
                return Drained(bound=0, open=False)
            bound = await self._leased()
            while self._flight.wanted_again:
                self._flight.wanted_again = False
                bound += await self._leased()
        return Drained(bound=bound, open=await self.ledger.any_open())

    async def _leased(self) -> int:
        lease = await self.ledger.leases.acquire(f"distribution:{self.lane.operator}", self.holder, ttl_ms=LEASE_MS)
        if lease is None:
            logs.info(_log, "distribution_elsewhere", operator=self.lane.operator)
            return 0
        try:
            bound, looked_to = await self._rounds(lease)
        finally:
            await self.ledger.leases.release(lease)
        # A message that found this lease taken is gone: look once more for what came meanwhile.
        if looked_to is not None and (await self.ledger.waiting(limit=1, after=looked_to)).orders:
            self._flight.wanted_again = True
        return bound

    async def _rounds(self, lease: Lease) -> tuple[int, str | None]:
        """Go on while rounds move orders; return the transactions bound and the last place looked at."""
        bound, line = 0, Line()
        choice = LaneChoice(lanes=self.lanes)
        for _ in range(ROUNDS_PER_DRAIN):
            done = await self._round(line, choice)
            bound += done.bound
            renewed = await self.ledger.leases.renew(lease, ttl_ms=LEASE_MS) if done.progress else None
            if renewed is None:
                return bound, done.looked_to
            lease = renewed
        return bound, None

    async def _round(self, line: Line, choice: LaneChoice) -> Outcome:
        if not (await self.ledger.waiting(limit=1)).orders:
            await self._notices.waiting(None)
            return Outcome(looked_to="")
        lane = choice.next(await self.ledger.opened(), self.clock()) if choice.several else self.lane
        done = await lane.round(line) if lane else Outcome(obstacle=choice.obstacle())
        if lane and choice.several and done.obstacle and choice.set_aside(lane, done.obstacle):
            await self._notices.lane_stopped(lane.setting, lane.operator, done.obstacle)
            return replace(done, progress=True, obstacle=None)
        await self._notices.waiting(done.obstacle)
        return done
