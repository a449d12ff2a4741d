"""A whole service in memory, minute by minute: the real functions of timer and queues over a world of a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from azure.functions.timer import TimerRequest

from distributor.adapters.alarms import OnceAnHour, RegisteredAlarms
from distributor.call_backs.posting import Posting, Receiver
from distributor.call_backs.sender import CallBackTurn
from distributor.functions import workers
from distributor.ledger import Ledger
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.payout.catalogue import CATALOGUE
from distributor.payout.distribution import Distribution
from distributor.payout.facts import AlarmSweep, StandIn
from distributor.payout.order_indexing import OrderIndexing
from distributor.payout.settlement import Followed, Settlement
from distributor.payout.shop_registration import ShopRegistration
from distributor.payout.sweep import BalanceMonitor, Sweep
from distributor.payout.would_pay import SomeLanePays
from distributor.recovery.retention import RetentionPass
from distributor.settings.shops import ThresholdSettings
from distributor.settings.use_cases import AgeSettings
from foundation.alarms.model import LOG, Message
from foundation.alarms.notifier import Notifier, Target
from foundation.alarms.register import Register
from foundation.alarms.targets import LogTarget, NotDelivered
from foundation.clock import UnixMs
from foundation.settings.reading import read_group
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row, RowWrite, Version
from tests.distributions import with_lanes
from tests.fakes.alarms import ListAlarms
from tests.fakes.functions import Out, a_context
from tests.fakes.queues import MemoryQueues
from tests.fakes.receiver import OURS, FakeReceiver
from tests.world import World

MINUTE_MS = 60_000
RETENTION_DAYS = 1_825
BLOCKS_A_MINUTE = 5
MESSAGE = func.QueueMessage(id="message-1", body="wake")
Job = Callable[[], Awaitable[None]]


class Killed(BaseException):
    """The process is gone between two lines; nothing that it holds in memory is left."""


@dataclass
class Death:
    """When a process dies: at its *at*-th step, counted from where a test begins to count."""

    at: int | None = None
    steps: int = 0
    dead: bool = False

    def step(self) -> None:
        """Count a step; die at the one that was chosen."""
        self.alive()
        if self.steps == self.at:
            self.dead = True
            raise Killed
        self.steps += 1

    def alive(self) -> None:
        """Let nothing act that ran beside what died."""
        if self.dead:
            raise Killed


class MortalRows(MemoryRows):
    """A table that a process may die after each write to."""

    def __init__(self, death: Death) -> None:
        super().__init__()
        self.death = death

    async def get(self, key: str) -> Row | None:
        self.death.alive()
        return await super().get(key)

    async def commit(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        self.death.alive()
        done = await super().commit(group)
        self.death.step()
        return done


@dataclass
class Chat:
    """A target, and when it took what; a process may die before and after each post to it."""

    clock: Callable[[], UnixMs]
    death: Death
    refusing: int = 0
    took: list[tuple[UnixMs, Message]] = field(default_factory=list)

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Take all, or refuse as the test asks."""
        self.death.step()
        if self.refusing:
            self.refusing -= 1
            raise NotDelivered("the target answered 429")
        self.took += [(self.clock(), message) for message in messages]
        self.death.step()


class Service:
    """
    Everything a host runs in a minute, and the container of use cases that its functions ask.

    ``off`` names functions that do not run, ``broken`` the use cases that cannot be built and why.
    """

    def __init__(self, world: World, patch: pytest.MonkeyPatch) -> None:
        self.world, self.patch, self.queues = world, patch, MemoryQueues()
        self.death = Death()
        self.chat, self.pager = Chat(world.clock, self.death), Chat(world.clock, self.death)
        self.off, self.broken = set[str](), dict[str, Exception]()
        self.thresholds = ThresholdSettings(low_gas_payouts=0)
        self.registration: ShopRegistration | None = None
        self.decimals: int | None = None
        self.keyless = False
        """Whether the keys of operators that bound earlier are not configured."""
        self.clock_ahead_ms: int | None = None
        self.shop_secrets: Sequence[str] = (OURS,)
        self.shop, self.shop_url = FakeReceiver(world.clock), ""
        """The receiver of the default shop's call-backs; without an address the shop is not told."""
        self.jobs: list[Job] = []
        """What comes from outside in the next minute, again until it was done."""
        self.register = Register(rows=world.rows, clock=world.clock, catalogue=CATALOGUE)
        patch.setattr(workers, "container", lambda: self)
        self.start()

    def start(self) -> None:
        """Start the process anew, with nothing in memory."""
        self.death.dead, self.death.at = False, None
        log = OnceAnHour(ListAlarms(), self.world.clock)
        self.raised = RegisteredAlarms(log, self._register, self.world.clock)
        self._stand_in = StandIn(clock=self.world.clock, alarm_sweep=self.alarm_sweep)
        self.world.alarms = self.raised  # type: ignore[assignment]  # what production raises through
        self.world.start()
        self.restart_payouts()

    def restart_payouts(self) -> None:
        """Build distribution and settlement from the settings of now."""
        made = self.world.a_distribution(self.world.distribution.holder)
        config = replace(made.lane.config, decimals=self.decimals)
        made = with_lanes(made, registration=self.registration, config=config)
        settlement = self.world.a_settlement(made)
        signers = {} if self.keyless else settlement.steps.signers
        settlement = replace(settlement, steps=replace(settlement.steps, signers=signers))
        self.world.distribution, self.world.settlement = made, settlement

    async def minute(self) -> None:
        """What comes from outside, then the timer, then what it or they woke; then blocks."""
        try:
            await self._run()
        except Killed:
            self.start()
        self.world.chain.mine(BLOCKS_A_MINUTE)
        self.world.clock.advance(MINUTE_MS)

    async def minutes(self, count: int) -> None:
        """Let the clock go on."""
        for _ in range(count):
            await self.minute()

    def told(self, code: str) -> list[tuple[UnixMs, Message]]:
        """Return what the chat took of *code*."""
        return [(at, message) for at, message in self.chat.took if message.kind.code == code]

    async def _run(self) -> None:
        while self.jobs:
            await self.jobs[0]()
            del self.jobs[0]
        distributions, settlements = Out(), Out()
        if "sweep" not in self.off:
            await workers.sweep(TimerRequest(), settlements, distributions, a_context("sweep"))
        if distributions.message or "sweep" in self.off:  # shops go on sending: each order wakes by itself
            await workers.distribute(MESSAGE, settlements, a_context("distribute"))
        if (settlements.message or "sweep" in self.off) and "settlement" not in self.off:
            await workers.settlement(MESSAGE, Out(), a_context("settlement"))
        if "call_backs" not in self.off:
            await workers.call_backs(TimerRequest(), a_context("call_backs"))

    # the container -----------------------------------------------------------------------------

    @property
    def payouts(self) -> Service:
        """The use cases that move money are here too."""
        return self

    async def ledger(self) -> Ledger:
        return self.world.ledger

    async def alarms(self) -> RegisteredAlarms:
        return self.raised

    async def heartbeat(self) -> None:
        """Nobody listens."""

    async def distribution(self) -> Distribution:
        self._built("distribution")
        return self.world.distribution

    async def settlement(self) -> Any:
        """Give one turn a minute, instead of following for four."""
        self._built("settlement")
        settlement: Settlement = self.world.settlement

        async def follow() -> Followed:
            turn = await settlement._go_on()  # one turn as the follower does it, its look noted
            return Followed(again=turn.goes_on)

        return SimpleNamespace(follow=follow)

    async def call_backs(self) -> CallBackTurn:
        receiver = Receiver(source="default", url=self.shop_url, secrets=self.shop_secrets)
        return CallBackTurn(
            ledger=self.world.ledger,
            receivers=lambda: {"default": receiver} if self.shop_url else {},
            fingerprints=SecretFingerprints(salt=self.world.ledger.shops.salt),
            posting=Posting(send=self.shop.send, clock=self.world.clock),
            alarms=self.raised,
            clock=self.world.clock,
            holder=self.world.distribution.holder,
        )

    async def sweep(self) -> Sweep:
        return Sweep(ledger=self.world.ledger, clock=self.world.clock)

    async def order_indexing(self) -> OrderIndexing:
        return OrderIndexing(ledger=self.world.ledger)

    async def retention(self) -> RetentionPass:
        return RetentionPass(
            rows=self.world.rows, audit=self.world.audit.rows, clock=self.world.clock, days=RETENTION_DAYS
        )

    async def alarm_sweep(self) -> AlarmSweep:
        targets: dict[str, Target] = {LOG: LogTarget(), "chat": self.chat, "pager": self.pager}
        return AlarmSweep(
            ledger=self.world.ledger,
            notifier=Notifier(register=self.register, targets=targets, holder=self.world.distribution.holder),
            queues=self.queues,
            clock=self.world.clock,
            ages=read_group(AgeSettings, {}),
            clock_ahead_ms=lambda: self.clock_ahead_ms,
        )

    async def stand_in(self) -> StandIn:
        return self._stand_in

    async def balance_monitor(self) -> BalanceMonitor:
        self._built("balance_monitor")
        world = self.world
        return BalanceMonitor(
            ledger=world.ledger,
            chain=world.chain,
            alarms=self.raised,
            clock=world.clock,
            operator=world.signer.address,
            others=[each.address for each in world.others.values()],
            thresholds=self.thresholds,
            limits=world.limits,
            obstacle=SomeLanePays(world.distribution).obstacle,
            heads=world.chain,
            recheck=world.a_recheck(),
            registration=self.registration,
        )

    def _built(self, what: str) -> None:
        if what in self.broken:
            raise self.broken[what]

    async def _register(self) -> Register:
        return self.register


async def a_service(patch: pytest.MonkeyPatch, **options: Any) -> Service:
    """Return a service whose ledger is initialised and whose process may die."""
    world = World(**options)
    death = Death()
    world.rows = MortalRows(death)
    world.ledger = world.a_ledger()
    service = Service(await world.initialised(), patch)
    world.rows.death = service.death
    return service
