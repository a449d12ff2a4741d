"""The ports of one simulated process: every call waits at a gate before and after it, and may go wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

from distributor.chain_types import (
    Call,
    ChainSnapshot,
    Claim,
    GuardFacts,
    GuardLink,
    GuardPast,
    GuardPayment,
    Mark,
    PoolView,
    PreBindSnapshot,
    Simulation,
    Submitted,
    Word,
)
from distributor.ledger import keys
from distributor.model import Address, Hash, Order
from distributor.ports import Alarm, SignedTransaction, Signer, UnsignedTransaction
from distributor.units import TokenUnits
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import OutcomeUnknown, Row, RowWrite, Version, WriteConflict
from tests.fakes.alarms import ListAlarms
from tests.fakes.chain import FakeChain
from tests.fakes.guard import FakeGuard
from tests.properties.machine_loop import Job, Turns, current_job


class Sender(NamedTuple):
    """Who sent a group: the invocation, and what its process pays without approval, in token units."""

    job: str = ""
    limit: TokenUnits | None = None


_NOBODY = Sender()
_SENDER: ContextVar[Sender] = ContextVar("sender", default=_NOBODY)


def sender() -> Sender:
    """Return who sent the group that is being done."""
    return _SENDER.get()


@dataclass(kw_only=True)
class Post:
    """The line to the table: a group may be held up on it and arrive when nobody expects it any more."""

    rows: MemoryRows
    hold_up: int = 0
    """How many of the next groups are held up, their senders left without an answer."""
    late: list[tuple[Sender, Sequence[RowWrite]]] = field(default_factory=list)
    stragglers: set[Job] = field(default_factory=set)
    """Invocations that have looked at the switch before it was halted, and not since: their bytes are on their way."""

    async def get(self, key: str) -> Row | None:
        if key == keys.CONTROL:
            self.stragglers.discard(current_job())
        return await self.rows.get(key)

    async def commit(self, group: Sequence[RowWrite], limit: TokenUnits | None) -> Mapping[str, Version]:
        _SENDER.set(Sender(current_job().name, limit))
        if self.hold_up:
            self.hold_up -= 1
            self.late.append((sender(), group))
            raise OutcomeUnknown
        return await self.rows.commit(group)

    def arrive(self) -> None:
        """Let every held up group arrive, each on its own conditions."""
        while self.late:
            said, group = self.late.pop(0)
            token = _SENDER.set(said)
            with suppress(WriteConflict):
                self.rows.do(group)
            _SENDER.reset(token)


@dataclass(frozen=True, kw_only=True)
class SteppedRows:
    """``Rows``, one gate before and one after each call."""

    post: Post
    turns: Turns
    limit: TokenUnits | None = None
    """What this process pays without approval."""

    async def get(self, key: str) -> Row | None:
        return await self.turns.step(f"get {key}", lambda: self.post.get(key))

    async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
        return await self.turns.step(f"scan {first}", lambda: self.post.rows.scan(first, last, limit=limit))

    async def commit(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        return await self.turns.step(f"commit {group[0].key}", lambda: self.post.commit(group, self.limit))

    async def aclose(self) -> None:
        """The store outlives its clients."""


@dataclass(frozen=True, kw_only=True)
class SteppedChain:
    """``Chain``, one gate before and one after each call."""

    chain: FakeChain
    turns: Turns

    @property
    def nodes(self) -> Sequence[str]:
        return self.chain.nodes

    def pay(self, *orders: Order) -> Call:
        return self.chain.pay(*orders)

    def probe(self, operator: Address) -> Call:
        return self.chain.probe(operator)

    async def pre_bind_snapshot(self, operator: Address) -> PreBindSnapshot:
        return await self.turns.step("survey", lambda: self.chain.pre_bind_snapshot(operator))

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        return await self.turns.step("simulate", lambda: self.chain.simulate(operator, calls, node=node))

    async def snapshot(
        self, operators: Sequence[Address], hashes: Sequence[Hash], blocks: Sequence[int], *, node: str = ""
    ) -> ChainSnapshot:
        return await self.turns.step("observe", lambda: self.chain.snapshot(operators, hashes, blocks, node=node))

    async def words(self, claims: Sequence[Claim], *, node: str, mark: Mark | None = None) -> Mapping[Hash, Word]:
        return await self.turns.step("words", lambda: self.chain.words(claims, node=node, mark=mark))

    async def pool_views(self, operators: Sequence[Address]) -> Sequence[PoolView]:
        return await self.turns.step("pool_views", lambda: self.chain.pool_views(operators))

    async def submit(self, raws: Sequence[bytes]) -> Sequence[Submitted]:
        return await self.turns.step("submit", lambda: self.chain.submit(raws))

    async def aclose(self) -> None:
        """The chain outlives its clients."""


@dataclass(frozen=True, kw_only=True)
class SteppedGuard:
    """``Guard``, one gate before and one after each call that a round or a closing makes."""

    guard: FakeGuard
    turns: Turns

    def pay(self, *orders: Order) -> Call:
        return self.guard.pay(*orders)

    def probe(self, operator: Address) -> Call:
        return self.guard.probe(operator)

    async def simulate(self, operator: Address, calls: Sequence[Call], *, node: str = "") -> Sequence[Simulation]:
        return await self.turns.step("simulate", lambda: self.guard.simulate(operator, calls, node=node))

    async def direct_payers(self, operators: Sequence[Address], *, node: str = "") -> Sequence[Address]:
        return await self.turns.step("direct payers", lambda: self.guard.direct_payers(operators, node=node))

    async def payment(self, guard: Address, ref_id: Hash) -> GuardPayment | None:
        return await self.turns.step("record", lambda: self.guard.payment(guard, ref_id))

    async def pasts(self, guard: Address, since: int) -> Sequence[GuardPast]:
        return await self.turns.step("pasts", lambda: self.guard.pasts(guard, since))

    async def facts(
        self, guard: Address, operators: Sequence[Address], others: Sequence[Address], *, block: int
    ) -> GuardFacts | None:
        return await self.guard.facts(guard, operators, others, block=block)

    async def unrecorded(self, guard: Address, ref_ids: Sequence[Hash], *, block: int) -> Sequence[Hash]:
        return await self.guard.unrecorded(guard, ref_ids, block=block)

    async def agreed_past(self, guard: Address, since: int, *, block: int) -> Sequence[GuardLink]:
        return await self.turns.step("agreed past", lambda: self.guard.agreed_past(guard, since, block=block))

    async def aclose(self) -> None:
        """The chain outlives its clients."""


@dataclass(frozen=True, kw_only=True)
class SteppedSigner:
    """``Signer``, one gate before and one after a signature."""

    signer: Signer
    turns: Turns

    @property
    def address(self) -> Address:
        return self.signer.address

    async def sign(self, unsigned: UnsignedTransaction) -> SignedTransaction:
        return await self.turns.step("sign", lambda: self.signer.sign(unsigned))


@dataclass(frozen=True, kw_only=True)
class SteppedAlarms:
    """``Alarms``, one gate before and one after each: a webhook may be slow."""

    alarms: ListAlarms
    turns: Turns

    async def raise_(self, alarm: Alarm) -> None:
        await self.turns.step(f"alarm {alarm.code}", lambda: self.alarms.raise_(alarm))
