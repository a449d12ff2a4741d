"""One ledger, one chain, two hosts that may be killed at any call: what the machine plays with."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from distributor.cancellation import Cancellation
from distributor.distribution import Distribution
from distributor.errors import ConfigurationError, InvariantBroken, Transient
from distributor.fees import FeeLimits
from distributor.ledger import Inserted, Ledger
from distributor.lifecycle import Policy
from distributor.model import Address, Order, OrderKey
from distributor.preflight import Terms
from distributor.rows import read
from distributor.settlement import Settlement
from distributor.standing import Identity
from distributor.steps import Steps
from distributor.sweep import Sweep
from distributor.units import TokenUnits, UnixMs, Wei
from tests import factories
from tests.factories import GWEI, an_address, an_order
from tests.fakes.alarms import ListAlarms
from tests.fakes.chain import AUTHORITY, CUSTOMERS, OPERATOR, RESERVE, TOKEN, FakeChain, FakeSigner
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit, MemoryRows
from tests.properties.machine_loop import Job, Killed, ReadyLoop, Turns
from tests.properties.machine_ports import Post, SteppedAlarms, SteppedChain, SteppedRows, SteppedSigner

IDENTITY = Identity(ledger_id="ledger-1", chain_id=31337, token=TOKEN, authority=AUTHORITY, reserve=RESERVE)
OPERATORS = (OPERATOR, an_address("the next operator"))
NODES = ("left", "right")
ORDERS = tuple(f"ORD{number}" for number in range(1, 7))
HOSTS = 2
BLOCK_MS = 2_000
FINALITY_DEPTH = 6
RESERVE_UNITS = TokenUnits(60 * factories.TOKEN)
LEAST_TIP_WEI = Wei(25 * GWEI)
MAX_IN_FLIGHT = 3


@dataclass(frozen=True, kw_only=True)
class Rulebook:
    """What is configured: patience, finality, ceilings."""

    policy: Policy
    limits: FeeLimits = factories.LIMITS


BY_TAG = Rulebook(policy=replace(factories.POLICY, release_confirmations=10))
BY_DEPTH = Rulebook(policy=replace(BY_TAG.policy, finality_depth=FINALITY_DEPTH + 1))


class Host:
    """One process of the app: its ports, its use cases, its memory; gone when it is killed."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.turns = Turns(world.loop, passes_time=world.block_passes)
        self.ledger = Ledger(SteppedRows(post=world.post, turns=self.turns), world.audit, clock=world.clock)
        chain = SteppedChain(chain=world.chain, turns=self.turns, liars=world.liars)
        alarms = SteppedAlarms(alarms=world.alarms, turns=self.turns)
        signers = {each: SteppedSigner(signer=FakeSigner(each), turns=self.turns) for each in world.operators}
        limits = world.rulebook.limits
        self.distribution = Distribution(
            ledger=self.ledger,
            chain=chain,
            signer=signers[world.operators[-1]],
            alarms=alarms,
            clock=world.clock,
            terms=Terms(identity=IDENTITY, limits=limits, max_in_flight=MAX_IN_FLIGHT),
            holder=name,
        )
        steps = Steps(
            ledger=self.ledger,
            chain=chain,
            signers=signers,
            alarms=alarms,
            clock=world.clock,
            identity=IDENTITY,
            policy=world.rulebook.policy,
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

    def pause(self, answered: Callable[[], None]) -> Job:
        """A person stops payouts, and is told when they have stopped."""

        async def work() -> None:
            await self.ledger.pause("a person", "a rehearsal")
            answered()

        return self.turns.start("pause", _handled(work()))

    def resume(self) -> Job:
        """A person lets payouts go on."""
        return self.turns.start("resume", _handled(self.ledger.resume("a person", "it is over")))

    def add_operator(self, answered: Callable[[], None]) -> Job:
        """A person prepares the next key."""

        async def work() -> None:
            await self.ledger.add_operator(OPERATORS[1], 0)
            answered()

        return self.turns.start("add operator", _handled(work()))

    def retry(self, order: Order) -> Job:
        """A person has an order paid after all, if it is held."""
        work = _refusable(self.ledger.retry(order, "a person", "looked"))
        return self.turns.start(f"retry {order.order_id}", _handled(work))

    def cancel(self, order: Order) -> Job:
        """A person takes an order back, if it has no nonce."""
        work = _refusable(self.ledger.cancel(order, "a person", "asked"))
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


class World:
    """The shared things, and the two hosts that work on them."""

    def __init__(self, rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self.loop = ReadyLoop()  # type: ignore[abstract]  # it answers what tasks and futures ask, and no more
        self.clock = FrozenClock()
        self.rows, self.audit, self.alarms = MemoryRows(), ListAudit(), ListAlarms()
        self.post = Post(rows=self.rows)
        self.chain = FakeChain(operators=OPERATORS, nodes=NODES, finality_depth=FINALITY_DEPTH)
        self.chain.rules.least_tip_wei = LEAST_TIP_WEI
        self.chain.set_reserve(RESERVE_UNITS)
        self.liars: set[str] = set()
        self.operators: Sequence[Address] = OPERATORS[:1]
        """Those in the settings, the one that binds last."""
        self.reserve_units = RESERVE_UNITS
        self.to_settle = self.to_distribute = False
        self.paused_for_good = False
        self.asked: dict[OrderKey, int] = {}
        """How often the shop sent each order."""
        self.new: dict[OrderKey, int] = {}
        """How often it was told that an order is new."""
        self.ledger = Ledger(self.rows, self.audit, clock=self.clock)
        """The shared ledger, past every gate: for what is no part of the history."""
        self.loop.finish(self.ledger.initialise(IDENTITY, OPERATOR, 0))
        self.started = 0
        self.hosts = [self.a_host() for _ in range(HOSTS)]

    def a_host(self) -> Host:
        """Return a fresh process, with the settings as they are now."""
        self.started += 1
        return Host(self, f"host-{self.started}")

    @property
    def jobs(self) -> list[tuple[Host, Job]]:
        """What runs on either host, the oldest first."""
        return [(host, job) for host in self.hosts for job in host.turns.jobs]

    def an_order(self, number: int, tokens: int) -> Order:
        """Return an order as the shop signs it; other *tokens* make it another content under the same id."""
        order_id = ORDERS[number]
        return an_order(
            order_id,
            wallet=CUSTOMERS[number % 2],
            amount_units=TokenUnits(tokens * factories.TOKEN),
            fingerprint=f"{order_id} {tokens}",
            received_ms=UnixMs(self.clock() + number),
            updated_ms=self.clock(),
        )

    def stored(self) -> Sequence[Order]:
        """Return the orders as a person sees them in the ledger."""
        rows = self.loop.finish(self.rows.scan("order:", "order;", limit=len(ORDERS)))
        return [read(Order, row) for row in rows]

    def answered(self, order: Order, inserted: Inserted) -> None:
        """Note what the shop was told."""
        self.new[order.key] = self.new.get(order.key, 0) + inserted.new

    def paying_blocks(self, up_to: int) -> Sequence[int]:
        """Return the blocks up to a number in which someone was paid."""
        receipts = self.chain.receipts
        return [each.block.number for each in receipts if each.transfers and each.block.number <= up_to]

    def failed_blocks(self, above: int) -> Sequence[int]:
        """Return the blocks above a number in which a payment failed."""
        receipts = self.chain.receipts
        return [each.block.number for each in receipts if not each.transfers and each.block.number > above]

    def kill(self, at: int) -> None:
        """Kill a host; a fresh one, with empty memory, takes its place."""
        self.hosts[at].turns.kill()
        self.hosts[at] = self.a_host()

    def deploy(self) -> None:
        """Start every host anew with the settings as they are, undisturbed from now on."""
        for at, host in enumerate(self.hosts):
            host.turns.kill()
            self.hosts[at] = self.a_host()
            self.hosts[at].turns.go_free()

    def rotated(self) -> None:
        """Configure the next operator, to bind from the next start of a host on; the first one retires."""
        self.operators = OPERATORS

    def block_passes(self) -> None:
        """Let a block be made in its time."""
        self.clock.advance(BLOCK_MS)
        self.chain.mine()

    def calm(self) -> None:
        """Let every fault stop and all that is under way arrive."""
        self.rows.steady()
        self.post.hold_up = 0
        self.post.arrive()
        self.liars.clear()
        self.chain.calm()

    def ended(self) -> Sequence[BaseException]:
        """Drop what has ended; return what no handler takes for trouble that passes."""
        errors = list[BaseException]()
        for turns in (host.turns for host in self.hosts):
            tasks = [job.task for job in turns.jobs if job.task is not None and job.task.done()]
            found = (task.exception() for task in tasks)
            errors += [error for error in found if error is not None and not isinstance(error, Killed)]
            turns.jobs = [job for job in turns.jobs if not job.over]
        return errors
