"""
Use case: follow open transactions until they are final.

Each turn: load what is open, observe the chain once, decide for each transaction (pure), store the
intent, act, store the result. Killed anywhere, the next turn enters the same path again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from distributor.chain_types import ChainSnapshot
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.ledger.records import Slot
from distributor.model import Address, OpenTransaction, TransactionStatus
from distributor.payout import finality, lifecycle, submission
from distributor.payout.distribution import Distribution
from distributor.payout.fees import FeeLimits
from distributor.payout.lifecycle import (
    AttemptRefused,
    FeeCeiling,
    Finalise,
    NonceLost,
    ReplaceAttempt,
    Step,
    Submit,
    Wait,
)
from distributor.payout.steps import StepExecutor, StepResult
from distributor.ports import Chain
from distributor.state import SETTLEMENT_LEASE
from foundation import logs
from foundation.clock import Clock, Sleep
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.leases import Lease

LEASE_MS = 30_000
_PUSHES = (Submit, ReplaceAttempt, FeeCeiling, AttemptRefused)
"""The steps that only hand bytes to the nodes; left out, the next look decides the same again."""
FOLLOW_MS = 240_000
"""One invocation follows for at most four minutes, well inside the host's time-out, then wakes itself."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """Whether transactions are still open, so that settlement must be woken again."""

    again: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What one look left behind: transactions open, and those of them that only a person can end."""

    open: int
    lost: frozenset[Slot] = frozenset()

    @property
    def goes_on(self) -> bool:
        """Whether the next block can change anything."""
        return self.open > len(self.lost)


@dataclass(slots=True)
class _Gate:
    running: bool = False


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
    limits: FeeLimits
    block_time_s: float
    holder: str
    """This process, as the owner of leases."""
    _gate: _Gate = field(default_factory=_Gate, init=False, repr=False)

    async def follow(self) -> Followed:
        """
        Follow until nothing is open, for at most ``FOLLOW_MS``.

        One at a time: a message that finds one running in this process is done, and over all hosts an
        advisory lease keeps them apart; conditional writes are the guard.

        Raises:
            LedgerUnavailable: The ledger does not answer; the sweep wakes settlement again.
        """
        if self._gate.running:
            return Followed(again=False)
        self._gate.running = True
        try:
            return await self._leased()
        finally:
            self._gate.running = False

    async def _leased(self) -> Followed:
        lease = await self.ledger.acquire(SETTLEMENT_LEASE, self.holder, ttl_ms=LEASE_MS)
        if lease is None:
            return Followed(again=False)
        held: Lease | None = lease
        deadline_ms, turn = self.clock() + FOLLOW_MS, Turn(open=1)
        try:
            while held is not None and self.clock() < deadline_ms and turn.goes_on:
                turn = await self._go_on()
                held = await self.ledger.renew(held, ttl_ms=LEASE_MS) if turn.goes_on else held
        finally:
            await self.ledger.release(held or lease)
        return Followed(again=await self._more(turn.lost))

    async def _more(self, lost: frozenset[Slot]) -> bool:
        """
        Look once more: whoever bound while the lease was held found settlement busy.

        What is lost wakes nobody but the sweep, once a minute: a person ends it, or a node that lagged.
        """
        if not lost:
            return await self.ledger.any_open()
        return any(_slot(each) not in lost for each in await self.ledger.open_transactions())

    async def _go_on(self) -> Turn:
        """Do one turn, once a block; return what it left behind."""
        began_ms = self.clock()
        try:
            turn = await self.turn()
        except (ChainUnavailable, WrongChain) as error:
            logs.warning(_log, "settlement_waits_for_a_node", detail=str(error))
            turn = Turn(open=1)
        if turn.goes_on:
            await self.sleep(max(0.0, self.block_time_s - (self.clock() - began_ms) / 1000))
        return turn

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
        snapshot = await self._snapshot(opened)
        lowest = _lowest_in_flight(opened)
        broken: list[InvariantBroken] = []
        steps = await self._unless_halted([(each, self._decide(each, snapshot, lowest, broken)) for each in opened])
        urgent = [self._one(each, step, snapshot, broken) for each, step in steps if not isinstance(step, Finalise)]
        done = await asyncio.gather(*urgent)
        await submission.submit(
            self.ledger, self.chain, self.clock, [each.submit for each in done if each.submit is not None]
        )
        bound = await self._refill(done)
        closed = [await self._one(each, step, snapshot, broken) for each, step in steps if isinstance(step, Finalise)]
        bound += await self._refill(closed)
        if broken:
            raise InvariantBroken("; ".join(map(str, broken)))
        return Turn(
            open=len(opened) - sum(each.closed for each in closed) + bound,
            lost=frozenset(_slot(each) for each, step in steps if isinstance(step, NonceLost)),
        )

    async def _refill(self, done: Sequence[StepResult]) -> int:
        """Let distribution bind what waits when a slot came free; return how many transactions it bound."""
        return (await self.distribution.drain()).bound if any(each.freed for each in done) else 0

    async def _snapshot(self, opened: Sequence[OpenTransaction]) -> ChainSnapshot:
        operators = sorted({each.transaction.operator for each in opened})
        hashes = [attempt.tx_hash for each in opened for attempt in each.attempts]
        closed = await finality.newest_closings(self.ledger, operators)
        mined = {each.transaction.block_number for each in opened}
        numbers = {number for number in mined if number is not None} | finality.blocks_of(closed)
        snapshot = await self.chain.snapshot(operators, hashes, sorted(numbers))
        await finality.check_still_final(self.ledger, self.steps.alarms, closed, snapshot)
        return snapshot

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
        if not any(isinstance(step, _PUSHES) for _, step in steps) or not (await self.ledger.pause_state()).halted:
            return steps
        logs.info(_log, "pushes_halted", transactions=sum(isinstance(step, _PUSHES) for _, step in steps))
        return [(each, Wait() if isinstance(step, _PUSHES) else step) for each, step in steps]

    async def _one(
        self, opened: OpenTransaction, step: Step, snapshot: ChainSnapshot, broken: list[InvariantBroken]
    ) -> StepResult:
        try:
            return await self.steps.execute(opened, step, snapshot)
        except Contention:
            logs.info(_log, "transaction_changed_elsewhere", nonce=opened.transaction.nonce)
        except InvariantBroken as error:
            broken.append(error)
        return StepResult()


def _slot(opened: OpenTransaction) -> Slot:
    return Slot(opened.transaction.operator, opened.transaction.nonce)


def _lowest_in_flight(opened: Sequence[OpenTransaction]) -> dict[Address, int]:
    """Return each operator's lowest nonce that is not mined: the only one its own fees can hold up."""
    lowest: dict[Address, int] = {}
    for transaction in (each.transaction for each in opened):
        if transaction.status is not TransactionStatus.MINED:
            lowest.setdefault(transaction.operator, transaction.nonce)
    return lowest
