"""Two hours of clock with a trouble: within ten minutes an alarm says so, again each hour, and /ready is not green."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from distributor.adapters.alarms import RegisteredAlarms
from distributor.chain_types import ChainSnapshot, Claim, Mark, Word
from distributor.errors import ChainUnavailable, WrongChain
from distributor.model import Address, Hash, HoldReason, SubmitOutcome
from distributor.payout.catalogue import CATALOGUE, OTHERS
from distributor.payout.facts import HELD_MAX, AlarmSweep
from distributor.readiness import Readiness
from distributor.settings.use_cases import AgeSettings
from distributor.units import Wei
from foundation.alarms.model import LOG, Fact, Message
from foundation.alarms.notifier import Notifier
from foundation.alarms.register import Register
from foundation.alarms.repetition import HOUR_MS
from foundation.alarms.targets import LogTarget, NotDelivered
from foundation.alarms.wording import TEXT_CHARS_MAX, message_text
from foundation.clock import UnixMs
from foundation.errors import ServiceError
from foundation.settings.reading import read_group
from foundation.tablestore.queries import PAGE_ROWS
from tests.factories import GWEI
from tests.fakes.alarms import ListAlarms
from tests.fakes.queues import MemoryQueues
from tests.unit.test_sweep import NO_FLOORS, a_sweep, a_watcher
from tests.world import World, a_world

MINUTE_MS = 60_000
WITHIN_MS = 10 * MINUTE_MS
CALLS_MAX, HELD = 20, 10_000
BESIDE = 5
"""Calls of every look beside nonces, receipts and blocks: chain, head, finalized block, fees, price."""


@dataclass
class Chat:
    """A target, and when it took what."""

    world: World
    refusing: int = 0
    took: list[tuple[UnixMs, Message]] = field(default_factory=list)

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Take all, or refuse as the test asks."""
        if self.refusing:
            self.refusing -= 1
            raise NotDelivered("the target answered 429")
        self.took += [(self.world.clock(), message) for message in messages]


class Service:
    """Everything a host runs in a minute, over a chain that a test spoils."""

    def __init__(self, world: World) -> None:
        self.world, self.chat, self.failures = world, Chat(world), list[ServiceError]()
        self.register = Register(rows=world.rows, clock=world.clock, catalogue=CATALOGUE)
        world.alarms = RegisteredAlarms(ListAlarms(), self._register, world.clock)  # type: ignore[assignment]  # what production raises through
        world.start()
        self.watcher = a_watcher(world, NO_FLOORS)
        self.began_ms = world.clock()
        self.mines = True

    async def minute(self) -> None:
        """Sweep, tell, watch, drain and settle; what one of them meets stops none of the others."""
        notifier = Notifier(register=self.register, targets={LOG: LogTarget(), "chat": self.chat}, holder="me")
        telling = AlarmSweep(
            ledger=self.world.ledger,
            notifier=notifier,
            queues=MemoryQueues(),
            clock=self.world.clock,
            ages=read_group(AgeSettings, {}),
        )
        wakes = await a_sweep(self.world).run()
        jobs = [telling.run, self.world.distribution.drain, self._settle]
        for job in [*jobs, *([self.watcher.run] if wakes.monitor else [])]:
            try:
                await job()
            except (ChainUnavailable, WrongChain) as error:
                self.failures.append(error)
        if self.mines:
            self.world.chain.mine()
        self.world.clock.advance(MINUTE_MS)

    async def hours(self, hours: int) -> None:
        """Let the clock go on."""
        for _ in range(60 * hours):
            await self.minute()

    def notifications(self, code: str) -> list[UnixMs]:
        """Return after how long the chat was told of *code*, each time."""
        return [UnixMs(at - self.began_ms) for at, message in self.chat.took if message.kind.code == code]

    def said(self, code: str) -> Message:
        """Return the first message of *code*."""
        return next(message for _, message in self.chat.took if message.kind.code == code)

    async def is_ready(self) -> bool:
        """Ask /ready as a stranger does."""

        async def nothing() -> list[str]:
            return []

        async def given(what: object) -> object:
            return what

        answer = await Readiness(
            wrong_settings=nothing,
            identity=lambda: given(self.world.identity),  # type: ignore[arg-type,return-value]
            ledger=lambda: given(self.world.ledger),  # type: ignore[arg-type,return-value]
            nodes=lambda: given(self.world.chain),  # type: ignore[arg-type,return-value]
            queues=lambda: given(MemoryQueues()),  # type: ignore[arg-type,return-value]
            register=self._register,
            clock=self.world.clock,
        ).report()
        return not {"open", "alarms", "payable", "waiting"} & {
            name for name, passed in answer.checks.items() if not passed
        }

    async def _settle(self) -> None:
        await self.world.settlement._go_on()  # one turn as the follower does it, its look noted

    async def _register(self) -> Register:
        return self.register


def nobody_mines(service: Service) -> None:
    """Accepted by every node, and in no block, at a fair price."""
    service.world.chain.rules.least_tip_wei = Wei(1_000 * GWEI)
    service.mines = False


def tip_above_the_ceiling(service: Service) -> None:
    """The market asks for more than MAX_PRIORITY_FEE_GWEI allows."""
    service.world.chain.rules.tip_wei = service.world.chain.rules.least_tip_wei = Wei(45 * GWEI)


def refused_in_unknown_words(service: Service) -> None:
    """No node says why in words that we know."""
    service.world.chain.refuse(SubmitOutcome.UNKNOWN, times=1_000_000)


def settlement_fails(service: Service) -> None:
    """From the binding on no node answers."""
    service.world.chain.go_down()


@pytest.mark.parametrize(
    ("trouble", "code", "after_binding"),
    [
        (nobody_mines, "transaction_open_long", True),
        (tip_above_the_ceiling, "transaction_open_long", True),
        (tip_above_the_ceiling, "replacement_ceiling", True),
        (refused_in_unknown_words, "transaction_open_long", False),
        (settlement_fails, "settlement_silent", True),
    ],
)
async def test_a_trouble_is_told_within_ten_minutes_and_hourly(
    trouble: Callable[[Service], None], code: str, after_binding: bool
) -> None:
    """It names the nonce, and what to do; /ready is not green from then on."""
    service = Service(await a_world())
    assert await service.is_ready()
    await service.world.receive("ORD1")
    if after_binding:
        await service.world.distribution.drain()
    trouble(service)

    await service.hours(2)

    notification = service.notifications(code)
    assert notification[0] <= WITHIN_MS
    assert [round((later - earlier) / HOUR_MS) for earlier, later in pairwise(notification)] == [1]
    message = service.said(code)
    about = f"{message.facts[0].subject} {message.facts[0].detail}"
    assert "nonce 0" in about
    assert "default:ORD1" in about
    assert message.kind.texts["en"].action
    assert not await service.is_ready()


def takes_twenty_calls(service: Service) -> None:
    """The provider refuses a batch of more than twenty calls, however often it is asked; a small try is answered."""
    chain = service.world.chain
    snapshot, words = chain.snapshot, chain.words

    def fits(*parts: Sequence[object]) -> None:
        if sum(map(len, parts)) + BESIDE > CALLS_MAX:
            raise ChainUnavailable(f"batches of more than {CALLS_MAX} calls are not allowed")

    async def limited(
        operators: Sequence[Address], hashes: Sequence[Hash], blocks: Sequence[int], *, node: str = ""
    ) -> ChainSnapshot:
        fits(operators, hashes, blocks)
        return await snapshot(operators, hashes, blocks, node=node)

    async def said(claims: Sequence[Claim], *, node: str, mark: Mark | None = None) -> Mapping[Hash, Word]:
        fits(claims, claims)
        return await words(claims, node=node, mark=mark)

    chain.snapshot, chain.words = limited, said  # type: ignore[method-assign]


async def test_a_batch_limit_of_twenty_is_told_on_the_first_busy_day() -> None:
    """One order at a time went through; with sixteen open nobody can look any more."""
    service = Service(await a_world())
    takes_twenty_calls(service)
    service.world.chain.rules.least_tip_wei = Wei(1_000 * GWEI)
    for _ in range(16):
        await service.world.receive()

    await service.hours(2)

    told = service.notifications("settlement_silent")
    assert told[0] <= WITHIN_MS
    assert [round((later - earlier) / HOUR_MS) for earlier, later in pairwise(told)] == [1]
    detail = service.said("settlement_silent").facts[0].detail
    assert "nonce 0" in detail
    assert "default:ORD1" in detail
    assert not await service.is_ready()


async def test_a_batch_limit_of_twenty_is_told_before_an_order_comes() -> None:
    """The watch asks for as much as settlement will."""
    service = Service(await a_world())
    takes_twenty_calls(service)
    await service.hours(2)

    told = service.notifications("waiting_node_down")
    assert told[0] <= WITHIN_MS
    assert len(told) == 2
    assert "20 calls" in service.said("waiting_node_down").facts[0].detail
    assert not await service.is_ready()


async def test_a_vault_that_does_not_sign_is_told_before_an_order_comes() -> None:
    """The watch lets it sign what no node would take, and hands it to none."""
    service = Service(await a_world())
    assert await service.is_ready()
    service.world.signer.signs_only = 0
    await service.hours(1)

    assert service.notifications("waiting_signer_down")[0] <= WITHIN_MS
    assert "429" in service.said("waiting_signer_down").facts[0].detail
    assert not await service.is_ready()
    assert service.world.chain.handed == []
    service.world.signer.signs_only = None
    await service.hours(1)
    assert await service.is_ready()


async def test_ten_thousand_held_orders_are_one_message_an_hour() -> None:
    """One message of ten names, and /ready reads no more than for one held order."""
    service = Service(await a_world())
    for number in range(HELD):
        order = await service.world.receive(f"ORD{number:05}")
        await service.world.ledger.hold(order, HoldReason.SIMULATION, "refused")
        if not number:
            before = service.world.rows.reads
            await service.is_ready()
            reads_for_one = service.world.rows.reads - before

    for _ in range(62):
        await service.minute()
    before = service.world.rows.reads
    assert await service.is_ready()

    assert service.world.rows.reads - before <= reads_for_one + 2
    assert [round(at / HOUR_MS) for at in service.notifications("held_simulation")] == [0, 1]
    message = service.said("held_simulation")
    assert (message.count, len(message.facts)) == (HELD_MAX, 10)
    assert len(message_text([message], "shop", "en")) <= TEXT_CHARS_MAX


async def test_a_long_line_costs_ready_no_more_than_one_order() -> None:
    """It reads the oldest of them, and why they wait; the line is longer than a page of rows."""
    service = Service(await a_world())
    for number in range(PAGE_ROWS + 100):
        await service.world.receive(f"ORD{number:05}")
        if not number:
            before = service.world.rows.reads
            await service.is_ready()
            reads_for_one = service.world.rows.reads - before
    before = service.world.rows.reads
    await service.is_ready()

    assert service.world.rows.reads - before == reads_for_one


async def test_an_open_transaction_is_told_with_its_order() -> None:
    """Order, nonce, hash, the nodes' words and the price."""
    service = Service(await a_world())
    await service.world.receive("ORD1")
    await service.world.distribution.drain()
    nobody_mines(service)
    await service.hours(1)

    detail = service.said("transaction_open_long").facts[0].detail
    assert "default:ORD1" in detail
    assert "market" in detail


async def test_a_target_that_answers_429_first_is_told_within_ten_minutes() -> None:
    """And it is an alarm itself."""
    service = Service(await a_world())
    service.chat.refusing = 4
    await service.world.receive("ORD1")
    await service.world.distribution.drain()
    service.world.chain.go_down()
    await service.hours(1)

    assert service.notifications("settlement_silent")[0] <= WITHIN_MS
    assert not await service.is_ready()


async def test_a_trouble_that_ends_is_told_as_ended() -> None:
    """Paid after all: once, and /ready is green again."""
    service = Service(await a_world())
    await service.world.receive("ORD1")
    await service.world.distribution.drain()
    nobody_mines(service)
    await service.hours(1)
    service.mines, service.world.chain.rules.least_tip_wei = True, Wei(0)
    await service.hours(1)

    words = [message.word.value for _, message in service.chat.took if message.kind.code == "transaction_open_long"]
    assert words[-1] == "ended"
    assert await service.is_ready()


@pytest.mark.parametrize("code", sorted(CATALOGUE.codes))
async def test_every_code_is_told_again_after_an_hour_and_once_when_it_ended(code: str) -> None:
    """An event is sent once; refused at first, or killed before, it is sent all the same."""
    world = await a_world()
    register = Register(rows=world.rows, clock=world.clock, catalogue=CATALOGUE)
    chat = Chat(world, refusing=1)
    notifier = Notifier(register=register, targets={LOG: LogTarget("pt"), "chat": chat}, holder="me")
    fact = Fact(code=code, subject="default:ORD1", detail="why", since_ms=world.clock())
    for minute in range(70):
        await notifier.run([fact] if minute < 64 else [])
        world.clock.advance(MINUTE_MS)

    words = [message.word.value for _, message in chat.took if message.kind.code == code]
    kind = CATALOGUE.find(code)
    expected = ["stands", "stands"] if kind.event else ["stands", "stands", "ended"]
    assert words == expected[: 3 if code != "alarm_target_failing" else None]
    assert kind.texts["pt"].summary
    assert code in OTHERS or code.startswith(("waiting_", "held_", "alarm_"))
