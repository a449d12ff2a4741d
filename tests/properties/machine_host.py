"""One process of the app, which may be killed at any call."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from distributor.errors import ConflictingOrder
from distributor.ledger import Inserted, Ledger
from distributor.ledger.rebuild_store import RebuildStore
from distributor.model import Address, Hash, Order, OrderKey
from distributor.payout.adoption import Adoption
from distributor.payout.cancellation import Cancellation
from distributor.payout.correction import Correction
from distributor.payout.decision import Decision
from distributor.payout.guard_settling import GuardSettling
from distributor.payout.guard_way import GuardWay
from distributor.payout.preflight import DistributionConfig
from distributor.payout.resolution import Resolution
from distributor.payout.resumption import Resumption
from distributor.payout.settlement import Settlement
from distributor.payout.steps import StepExecutor
from distributor.payout.sweep import Sweep
from distributor.recovery.fence import FenceOpen
from distributor.recovery.purging import PurgeKind, PurgeSubject, Purging
from distributor.recovery.rebuild import NotSettled
from foundation.clock import UnixMs
from foundation.errors import ConfigurationError, InvariantBroken, Transient
from foundation.purge_journal import PurgeJournal
from foundation.tablestore.memory import MemoryRows
from tests.distributions import a_distribution
from tests.fakes.chain import FakeSigner
from tests.fakes.chain_state import GUARD
from tests.fakes.history import FakeHistory
from tests.properties.machine_loop import Job, Turns
from tests.properties.machine_ports import SteppedAlarms, SteppedChain, SteppedGuard, SteppedRows, SteppedSigner
from tests.properties.machine_recovery import rebuild
from tests.properties.machine_rules import BLOCK_MS, MAX_IN_FLIGHT, OPERATORS, ORDERS_PER_TRANSACTION
from tests.properties.machine_shops import Shops, a_registration, keep, say_whose

if TYPE_CHECKING:
    from tests.properties.machine_world import World


DECISION = Decision(by="a person", why="looked")


class Host:
    """One process of the app: its ports, its use cases, its memory; gone when it is killed."""

    def __init__(self, world: World, at: int, name: str) -> None:
        self.world = world
        clock = lambda: UnixMs(max(0, world.clock() + world.skew_ms[at]))  # noqa: E731 -- the clock of this machine
        self.turns = Turns(world.loop, passes_time=world.block_passes)
        self.caps = world.caps
        rows = SteppedRows(post=world.post, turns=self.turns, limit=self.caps.approval_units)
        self.ledger = Ledger(rows, world.audit, clock=clock)
        chain = SteppedChain(chain=world.chain, turns=self.turns)
        self.alarms = alarms = SteppedAlarms(alarms=world.alarms, turns=self.turns)
        signers = {each: SteppedSigner(signer=FakeSigner(each), turns=self.turns) for each in world.operators}
        guard = SteppedGuard(guard=world.guard, turns=self.turns)
        limits = world.rulebook.limits
        first, *others = world.lanes or world.operators[-1:]
        self.distribution = a_distribution(
            self.ledger,
            alarms,
            clock,
            {"": signers[first], **{f"lane {each}": signers[each] for each in others}},
            holder=name,
            chain=chain,
            config=DistributionConfig(
                identity=world.identity,
                limits=limits,
                max_in_flight=MAX_IN_FLIGHT,
                orders_per_transaction=ORDERS_PER_TRANSACTION if world.guarded else 1,
                caps=self.caps,
            ),
            guard_way=self._guard_way(guard, alarms) if world.guarded else None,
            registration=None if world.shops is None else a_registration(self, world.shops),
        )
        guard_settling = GuardSettling(ledger=self.ledger, guard=guard, alarms=alarms, reserve=world.identity.reserve)
        steps = StepExecutor(
            ledger=self.ledger,
            chain=chain,
            signers=signers,
            alarms=alarms,
            clock=clock,
            identity=world.identity,
            policy=world.rulebook.policy,
            guard_settling=guard_settling,
        )
        self.settlement = Settlement(
            ledger=self.ledger,
            chain=chain,
            steps=steps,
            distribution=self.distribution,
            clock=clock,
            sleep=self.turns.sleep,
            limits=limits,
            block_time_s=BLOCK_MS / 1000,
            holder=name,
        )
        self.sweep = Sweep(ledger=self.ledger, clock=clock)
        self.cancellation = Cancellation(
            ledger=self.ledger,
            chain=chain,
            guard=guard,
            signers=signers,
            clock=clock,
            limits=limits,
            chain_id=world.identity.chain_id,
        )

        self.correction = Correction(
            ledger=self.ledger,
            chain=chain,
            history=FakeHistory(world.chain),
            identity=world.identity,
            policy=world.rulebook.policy,
            guard_settling=guard_settling,
        )
        self.resolution = Resolution(
            ledger=self.ledger,
            chain=chain,
            history=FakeHistory(world.chain),
            store=RebuildStore(SteppedRows(post=world.post, turns=self.turns), clock),
            identity=world.identity,
            policy=world.rulebook.policy,
        )
        self.resumption = Resumption(ledger=self.ledger, chain=chain, guard=guard)

    def _guard_way(self, guard: SteppedGuard, alarms: SteppedAlarms) -> GuardWay:
        adoption = Adoption(ledger=self.ledger, guard=guard, alarms=alarms, policy=self.world.rulebook.policy)
        return GuardWay(guard=guard, address=GUARD, ledger=self.ledger, adoption=adoption)

    def drain(self) -> Job:
        """A message of the distributions queue."""

        async def work() -> None:
            self.world.to_settle |= (await self.distribution.drain()).open

        return self.turns.start("drain", handled(work()))

    def follow(self) -> Job:
        """A message of the settlements queue."""

        async def work() -> None:
            self.world.to_settle |= (await self.settlement.follow()).again

        return self.turns.start("follow", handled(work()))

    def swept(self) -> Job:
        """The timer."""

        async def work() -> None:
            wakes = await self.sweep.run()
            self.world.to_settle |= wakes.settle
            self.world.to_distribute |= wakes.distribute

        return self.turns.start("sweep", handled(work()))

    def receive(self, order: Order) -> Job:
        """A request of the shop."""

        async def work() -> None:
            with suppress(ConflictingOrder):  # it is known with other content
                self.world.answered(order, await self._keep(order))

        return self.turns.start(f"receive {order.order_id}", handled(work()))

    async def _keep(self, order: Order) -> Inserted:
        shops = self.world.shops
        return await (self.ledger.insert(order, self.caps) if shops is None else keep(self, self.alarms, shops, order))

    def say_whose(self) -> Job:
        """A person says whose the secrets are that nobody has spoken of."""
        shops = self.world.shops or Shops()
        return self.turns.start("say whose", handled(say_whose(self, shops)))

    def pause(self, *, halts: bool) -> Job:
        """A person stops payouts, or submissions as well, and learns when they have stopped."""

        async def work() -> None:
            await (self.ledger.admin.halt if halts else self.ledger.admin.pause)("a person", "a rehearsal")
            self.world.paused(halts=halts)

        return self.turns.start("pause", handled(work()))

    def resume(self) -> Job:
        """A person lets payouts go on, unless the chain is ahead of the ledger."""

        async def work() -> None:
            if not await self.resumption.obstacles():
                await self.ledger.admin.resume("a person", "it is over")

        return self.turns.start("resume", handled(work()))

    def add_operator(self, answered: Callable[[], None]) -> Job:
        """A person prepares the next key; refused where the ledger is nobody's, as by the command."""

        async def work() -> None:
            if await self.ledger.identity() is None:
                return
            await self.ledger.admin.add_operator(OPERATORS[1], 0)
            answered()

        return self.turns.start("add operator", handled(work()))

    def retry(self, order: Order) -> Job:
        """A person has an order paid after all, if it is held."""
        work = _refusable(self.ledger.admin.retry(order, "a person", "looked"))
        return self.turns.start(f"retry {order.order_id}", handled(work))

    def approve(self, order: Order, by: str) -> Job:
        """A person approves an order, if it waits for that and they did not ask for it."""
        work = _refusable(self.ledger.approving.approve(order, by, "looked"))
        return self.turns.start(f"approve {order.order_id}", handled(work))

    def cancel(self, order: Order) -> Job:
        """A person takes an order back, if it has no nonce."""
        work = _refusable(self.ledger.admin.cancel(order, "a person", "asked"))
        return self.turns.start(f"cancel {order.order_id}", handled(work))

    def purge(self, order: Order) -> Job:
        """A person has the data of an order erased; refused while it is needed."""
        rows, journal = SteppedRows(post=self.world.post, turns=self.turns), PurgeJournal(self.world.purges, "31337/")
        purging = Purging(rows=rows, audit=MemoryRows(), journal=journal, clock=self.world.clock)
        work = purging.run(PurgeSubject(kind=PurgeKind.ORDER, name=str(order.key)), by="a person", apply=True)
        return self.turns.start(f"purge {order.order_id}", handled(work))

    def bar(self, key: OrderKey) -> Job:
        """A person spends an id that was never seen."""
        return self.turns.start(f"bar {key}", handled(self.ledger.exits.bar(key)))

    def resubmit(self, operator: Address, nonce: int) -> Job:
        """A person hands stored bytes to the nodes once more."""
        return self.turns.start(f"resubmit {nonce}", handled(self.correction.resubmit(operator, nonce, DECISION)))

    def settle_by(self, order: Order, tx_hash: Hash) -> Job:
        """A person calls an order paid by a transaction; refused unless the chain shows it."""
        work = _refusable(self.correction.settle(order, tx_hash, DECISION))
        return self.turns.start(f"settle {order.order_id}", handled(work))

    def reopen(self, order: Order, tx_hash: Hash) -> Job:
        """A person says that an order was not paid; refused while the chain shows that it was."""
        work = _refusable(self.correction.reopening.reopen(order, tx_hash, DECISION))
        return self.turns.start(f"reopen {order.order_id}", handled(work))

    def resolve(self, operator: Address, nonce: int) -> Job:
        """A person says which transaction spent a nonce; refused unless the chain shows it, final and deep."""
        tx_hash = self.world.strays[operator, nonce]
        work = self.resolution.resolve(operator, nonce, tx_hash, by=DECISION.by, why=DECISION.why)
        return self.turns.start(f"resolve {nonce}", handled(_refusable(work)))

    def rebuild(self) -> Job:
        """A person has a lost ledger made again from the chain; refused while something of it is open."""
        return self.turns.start("rebuild", handled(_unless_open(rebuild(self))))

    def cancel_nonce(self, operator: Address, nonce: int) -> Job:
        """A person spends a nonce on nothing, unless its payment would go through today."""
        work = self.cancellation.cancel(operator, nonce, by="a person", why="it is stuck")
        return self.turns.start(f"cancel nonce {nonce}", handled(work))


async def _refusable(work: Coroutine[Any, Any, object]) -> None:
    """Do what a person asks for; the ledger refuses what the order's state forbids."""
    with suppress(InvariantBroken):
        await work


async def _unless_open(work: Coroutine[Any, Any, object]) -> None:
    """Rebuild, unless the ledger has open transactions, or a transaction of before may still be mined."""
    with suppress(NotSettled, FenceOpen):
        await work


async def handled(work: Coroutine[Any, Any, object]) -> None:
    """Run one invocation as the handlers do: trouble that passes ends it, and the message is done."""
    try:
        await work
    except (Transient, ConfigurationError):
        return
