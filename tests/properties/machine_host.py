"""One process of the app, which may be killed at any call."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from distributor.ledger import Ledger
from distributor.model import Address, Order
from distributor.payout.cancellation import Cancellation
from distributor.payout.distribution import Distribution
from distributor.payout.guard_settling import GuardSettling
from distributor.payout.preflight import DistributionConfig
from distributor.payout.settlement import Settlement
from distributor.payout.steps import StepExecutor
from distributor.payout.sweep import Sweep
from foundation.errors import ConfigurationError, InvariantBroken, Transient
from tests.fakes.chain import FakeSigner
from tests.fakes.guard import FakeGuard
from tests.properties.machine_loop import Job, Turns
from tests.properties.machine_ports import SteppedAlarms, SteppedChain, SteppedRows, SteppedSigner
from tests.properties.machine_rules import BLOCK_MS, IDENTITY, MAX_IN_FLIGHT, OPERATORS

if TYPE_CHECKING:
    from tests.properties.machine_world import World


class Host:
    """One process of the app: its ports, its use cases, its memory; gone when it is killed."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.turns = Turns(world.loop, passes_time=world.block_passes)
        self.ledger = Ledger(SteppedRows(post=world.post, turns=self.turns), world.audit, clock=world.clock)
        chain = SteppedChain(chain=world.chain, turns=self.turns)
        alarms = SteppedAlarms(alarms=world.alarms, turns=self.turns)
        signers = {each: SteppedSigner(signer=FakeSigner(each), turns=self.turns) for each in world.operators}
        limits = world.rulebook.limits
        self.distribution = Distribution(
            ledger=self.ledger,
            chain=chain,
            signer=signers[world.operators[-1]],
            alarms=alarms,
            clock=world.clock,
            config=DistributionConfig(identity=IDENTITY, limits=limits, max_in_flight=MAX_IN_FLIGHT, caps=world.caps),
            holder=name,
        )
        steps = StepExecutor(
            ledger=self.ledger,
            chain=chain,
            signers=signers,
            alarms=alarms,
            clock=world.clock,
            identity=IDENTITY,
            policy=world.rulebook.policy,
            guard_settling=GuardSettling(
                ledger=self.ledger, guard=FakeGuard(world.chain), alarms=alarms, reserve=IDENTITY.reserve
            ),
        )
        self.settlement = Settlement(
            ledger=self.ledger,
            chain=chain,
            steps=steps,
            distribution=self.distribution,
            clock=world.clock,
            sleep=self.turns.sleep,
            limits=limits,
            block_time_s=BLOCK_MS / 1000,
            holder=name,
        )
        self.sweep = Sweep(ledger=self.ledger, clock=world.clock)
        self.cancellation = Cancellation(
            ledger=self.ledger,
            chain=chain,
            signers=signers,
            clock=world.clock,
            limits=limits,
            chain_id=IDENTITY.chain_id,
        )

    def drain(self) -> Job:
        """A message of the distributions queue."""

        async def work() -> None:
            self.world.to_settle |= (await self.distribution.drain()).open

        return self.turns.start("drain", _handled(work()))

    def follow(self) -> Job:
        """A message of the settlements queue."""

        async def work() -> None:
            self.world.to_settle |= (await self.settlement.follow()).again

        return self.turns.start("follow", _handled(work()))

    def swept(self) -> Job:
        """The timer."""

        async def work() -> None:
            wakes = await self.sweep.run()
            self.world.to_settle |= wakes.settle
            self.world.to_distribute |= wakes.distribute

        return self.turns.start("sweep", _handled(work()))

    def receive(self, order: Order) -> Job:
        """A request of the shop."""

        async def work() -> None:
            self.world.answered(order, await self.ledger.insert(order))

        return self.turns.start(f"receive {order.order_id}", _handled(work()))

    def pause(self, *, halts: bool) -> Job:
        """A person stops payouts, or submissions as well, and is told when they have stopped."""

        async def work() -> None:
            await (self.ledger.admin.halt if halts else self.ledger.admin.pause)("a person", "a rehearsal")
            self.world.paused(halts=halts)

        return self.turns.start("pause", _handled(work()))

    def resume(self) -> Job:
        """A person lets payouts go on."""
        return self.turns.start("resume", _handled(self.ledger.admin.resume("a person", "it is over")))

    def add_operator(self, answered: Callable[[], None]) -> Job:
        """A person prepares the next key."""

        async def work() -> None:
            await self.ledger.admin.add_operator(OPERATORS[1], 0)
            answered()

        return self.turns.start("add operator", _handled(work()))

    def retry(self, order: Order) -> Job:
        """A person has an order paid after all, if it is held."""
        work = _refusable(self.ledger.admin.retry(order, "a person", "looked"))
        return self.turns.start(f"retry {order.order_id}", _handled(work))

    def cancel(self, order: Order) -> Job:
        """A person takes an order back, if it has no nonce."""
        work = _refusable(self.ledger.admin.cancel(order, "a person", "asked"))
        return self.turns.start(f"cancel {order.order_id}", _handled(work))

    def cancel_nonce(self, operator: Address, nonce: int) -> Job:
        """A person spends a nonce on nothing, unless its payment would go through today."""
        work = self.cancellation.cancel(operator, nonce, by="a person", why="it is stuck")
        return self.turns.start(f"cancel nonce {nonce}", _handled(work))


async def _refusable(work: Coroutine[Any, Any, object]) -> None:
    """Do what a person asks for; the ledger refuses what the order's state forbids."""
    with suppress(InvariantBroken):
        await work


async def _handled(work: Coroutine[Any, Any, object]) -> None:
    """Run one invocation as the handlers do: trouble that passes ends it, and the message is done."""
    try:
        await work
    except (Transient, ConfigurationError):
        return
