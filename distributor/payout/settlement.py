"""
Use case: follow open transactions until they are final.

Each turn: load what is open, observe the chain once, decide for each transaction (pure), store the
intent, act, store the result. Killed anywhere, the next turn enters the same path again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from distributor.chain_types import ChainSnapshot
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.ledger.records import Slot
from distributor.model import Address, OpenTransaction, TransactionStatus
from distributor.payout import alarms, lifecycle, submission
from distributor.payout.distribution import Distribution
from distributor.payout.observation import Observation, slot_of
from distributor.payout.preflight import identity_mismatch
from distributor.payout.step_kinds import (
    AttemptRefused,
    FeeCeiling,
    Finalise,
    ReplaceAttempt,
    Step,
    Submit,
    Wait,
)
from distributor.payout.step_runner import StepRunner
from distributor.payout.steps import StepExecutor, StepResult
from distributor.payout.stillness import resting
from distributor.ports import Chain
from distributor.settings.chain import FeeSettings
from distributor.state import SETTLEMENT_LEASE
from foundation import logs
from foundation.clock import Clock, Sleep, UnixMs
from foundation.errors import Contention, InvariantBroken
from foundation.single_flight import SingleFlight
from foundation.tablestore.leases import Lease

LEASE_MS = 30_000
LOOK_NOTED_MS = 60_000
"""How often a whole look is noted at most: its age is an alarm, counted in minutes."""
_PUSHES = (Submit, ReplaceAttempt, FeeCeiling, AttemptRefused)
"""The steps that only hand bytes to the nodes; left out, the next look decides the same again."""
FOLLOW_MS = 240_000
"""One invocation follows for at most four minutes, well inside the host's time-out, then wakes itself."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """Whether settlement must be woken again at once: the next block may change something."""

    again: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What one look left behind: transactions open, and those of them that are left to the sweep."""

    open: int
    resting: frozenset[Slot] = frozenset()

    @property
    def goes_on(self) -> bool:
        """Whether the next block can change anything."""
        return self.open > len(self.resting)


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """Follow every open transaction of every operator of this chain."""

    ledger: Ledger
    chain: Chain
    steps: StepExecutor
    distribution: Distribution
    """Called when slots come free."""
    clock: Clock
    sleep: Sleep
    limits: FeeSettings
    block_time_s: float
    holder: str
    """This process, as the owner of leases."""
    _flight: SingleFlight = field(default_factory=SingleFlight, init=False, repr=False)
    _noted: list[UnixMs] = field(default_factory=list, init=False, repr=False)
    """When a whole look was last noted by this process."""

    async def follow(self) -> Followed:
        """
        Follow until nothing is open or what is open has stalled, for at most ``FOLLOW_MS``.

        One at a time: a message that finds one running in this process is done, and over all hosts an
        advisory lease keeps them apart; conditional writes are the guard.

        Raises:
            StoreUnavailable: The ledger does not answer; the sweep wakes settlement again.
        """
        with self._flight.enter() as alone:
            return await self._leased() if alone else Followed(again=False)

    async def _leased(self) -> Followed:
        lease = await self.ledger.leases.acquire(SETTLEMENT_LEASE, self.holder, ttl_ms=LEASE_MS)
        if lease is None:
            return Followed(again=False)
        held: Lease | None = lease
        deadline_ms, turn = self.clock() + FOLLOW_MS, Turn(open=1)
        try:
            while held is not None and self.clock() < deadline_ms and turn.goes_on:
                turn = await self._go_on()
                held = await self.ledger.leases.renew(held, ttl_ms=LEASE_MS) if turn.goes_on else held
        finally:
            await self.ledger.leases.release(held or lease)
        return Followed(again=await self._more(turn.resting))

    async def _more(self, resting: frozenset[Slot]) -> bool:
        """
        Look once more: a round that bound while the lease was held found settlement busy.

        What rests wakes nobody but the sweep, once a minute.
        """
        if not resting:
            return await self.ledger.any_open()
        return any(slot_of(each) not in resting for each in await self.ledger.open_transactions())

    async def _go_on(self) -> Turn:
        """Do one turn, once a block; return what it left behind."""
        began_ms = self.clock()
        try:
            turn = await self.turn()
            await self._note_look()
        except (ChainUnavailable, WrongChain) as error:
            logs.warning(_log, "settlement_waits_for_a_node", detail=str(error))
            turn = self._unseen(await self.ledger.open_transactions())
        if turn.goes_on:
            await self.sleep(max(0.0, self.block_time_s - (self.clock() - began_ms) / 1000))
        return turn

    async def _note_look(self) -> None:
        """Note a look that was whole: a settlement that fails at each turn is found by the age of the last one."""
        now_ms = self.clock()
        if self._noted and 0 <= now_ms - self._noted[-1] < LOOK_NOTED_MS:
            return
        try:
            await self.ledger.service.note_settlement_look()
        except Contention:
            logs.info(_log, "settlement_look_noted_elsewhere")
        self._noted[:] = [now_ms]

    async def turn(self) -> Turn:
        """
        Look once and act once on every open transaction.

        What frees slots or goes to a node comes first and side by side, and the slots are filled again
        at once: the next block is at most two seconds away. The closings share the totals and come one
        after the other; what they no longer commit may be what a waiting order lacked.

        Raises:
            ChainUnavailable: No node gave a whole observation; nothing was concluded from that.
            InvariantBroken: About one transaction or more; all the others had their turn.
        """
        opened = await self.ledger.open_transactions()
        if not opened:
            return Turn(open=0)
        difference = identity_mismatch(await self.ledger.identity(), self.steps.identity)
        if difference is not None:  # judged by the wrong reserve or token, a paid order would be held
            await self.steps.alarms.raise_(alarms.ledger_foreign(difference))
            return self._unseen(opened)
        snapshot, closes = await self._observation.first(opened)
        views = await self._observation.views(opened, snapshot)
        lowest = _lowest_in_flight(opened)
        broken: list[InvariantBroken] = []
        decided = [(each, self._decide(each, views[slot_of(each)], lowest, broken)) for each in opened]
        steps = await self._unless_halted(decided)
        runner = StepRunner(self.steps, broken)
        done = await runner.run([(each, step, views[slot_of(each)]) for each, step in steps])
        await submission.submit(
            self.ledger, self.chain, self.clock, [each.submit for each in done if each.submit is not None]
        )
        if not closes:
            return self._left(opened, steps, closed=0, bound=0, broken=broken)
        bound = await self._refill(done)
        shown = [(each, step.receipt, views[slot_of(each)]) for each, step in steps if isinstance(step, Finalise)]
        confirmed = await self.steps.confirmation.confirm(shown, broken)
        closed = await runner.close(confirmed)
        bound += await self._refill(closed)
        return self._left(opened, steps, closed=sum(each.closed for each in closed), bound=bound, broken=broken)

    def _unseen(self, opened: Sequence[OpenTransaction]) -> Turn:
        """Say what is left when nothing could be judged: what has been open for minutes is left to the sweep."""
        return Turn(open=len(opened), resting=resting(opened, {}, now_ms=self.clock()))

    def _left(
        self,
        opened: Sequence[OpenTransaction],
        steps: Sequence[tuple[OpenTransaction, Step]],
        *,
        closed: int,
        bound: int,
        broken: Sequence[InvariantBroken],
    ) -> Turn:
        """Say what the turn left behind. Raises InvariantBroken about all that could not be judged."""
        if broken:
            raise InvariantBroken("; ".join(map(str, broken)))
        return Turn(
            open=len(opened) - closed + bound,
            resting=resting(opened, {slot_of(each): step for each, step in steps}, now_ms=self.clock()),
        )

    @property
    def _observation(self) -> Observation:
        return Observation(ledger=self.ledger, chain=self.chain, alarms=self.steps.alarms, clock=self.clock)

    async def _refill(self, done: Sequence[StepResult]) -> int:
        """Let distribution bind what waits when a slot came free; return how many transactions it bound."""
        return (await self.distribution.drain()).bound if any(each.freed for each in done) else 0

    def _decide(
        self,
        opened: OpenTransaction,
        snapshot: ChainSnapshot,
        lowest: dict[Address, int],
        broken: list[InvariantBroken],
    ) -> Step:
        transaction = opened.transaction
        try:
            return lifecycle.decide(
                opened,
                snapshot,
                self.steps.policy,
                self.limits,
                lowest=lowest.get(transaction.operator) == transaction.nonce,
                now_ms=self.clock(),
            )
        except InvariantBroken as error:  # one broken row must not stop what is paid beside it
            broken.append(error)
            return Wait()

    async def _unless_halted(
        self, steps: Sequence[tuple[OpenTransaction, Step]]
    ) -> Sequence[tuple[OpenTransaction, Step]]:
        """
        Return *steps* without those that push, while payouts are halted: look, close, and sign nothing.

        What is submitted is held back once more at the very end; but a replacement signed here would
        raise its price at each turn of a long halt, and use the attempts up.
        """
        if (
            not any(isinstance(step, _PUSHES) for _, step in steps)
            or not (await self.ledger.admin.pause_state()).halted
        ):
            return steps
        logs.info(_log, "pushes_halted", transactions=sum(isinstance(step, _PUSHES) for _, step in steps))
        return [(each, Wait() if isinstance(step, _PUSHES) else step) for each, step in steps]


def _lowest_in_flight(opened: Sequence[OpenTransaction]) -> dict[Address, int]:
    """Return each operator's lowest nonce that is not mined: the only one its own fees can hold up."""
    lowest: dict[Address, int] = {}
    for transaction in (each.transaction for each in opened):
        if transaction.status is not TransactionStatus.MINED:
            lowest.setdefault(transaction.operator, transaction.nonce)
    return lowest
