"""A ledger with shops that get call-backs: what a test of call-backs begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distributor.call_backs.posting import Posting, Receiver
from distributor.call_backs.sender import CallBackTurn
from distributor.ledger import Ledger
from distributor.ledger.call_records import CallBack, StopReason
from distributor.ledger.secret_fingerprints import SecretFingerprints
from distributor.model import HoldReason, Order, OrderKey
from distributor.order_ids import ref_id
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Value
from tests.factories import IDENTITY, NOW_MS, OPERATOR, an_order
from tests.fakes.alarms import ListAlarms
from tests.fakes.bench import Bench, a_closing
from tests.fakes.clock import FrozenClock
from tests.fakes.receiver import OURS, URL, FakeReceiver
from tests.fakes.rows import ListAudit

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
SOUTH = "secret of the shop in the south, 32"
NEVER_FAILED: Mapping[str, Value] = {"failures": 0, "next_ms": 0, "recovered_ms": 0, "answer": ""}


async def _salt() -> bytes:
    return b"salt"


@dataclass
class Telling:
    """One ledger, the shop ``default`` and its receiver; ``others`` are shops beside it."""

    bench: Bench
    clock: FrozenClock
    shop: FakeReceiver
    alarms: ListAlarms = field(default_factory=ListAlarms)
    url: str | None = URL
    secrets: Sequence[str] = (OURS,)
    others: dict[str, tuple[str, FakeReceiver]] = field(default_factory=dict)
    """Their secrets and receivers, by source."""
    fingerprints: SecretFingerprints = field(default_factory=lambda: SecretFingerprints(salt=_salt))

    @property
    def ledger(self) -> Ledger:
        return self.bench.ledger

    @property
    def rows(self) -> MemoryRows:
        assert isinstance(self.bench.rows, MemoryRows)
        return self.bench.rows

    def receivers(self) -> dict[str, Receiver]:
        """Return the shops that have an address."""
        ours = {"default": Receiver(source="default", url=self.url, secrets=self.secrets)} if self.url else {}
        others = {
            source: Receiver(source=source, url=f"https://{source}.example/", secrets=[secret])
            for source, (secret, _) in self.others.items()
        }
        return {**ours, **others}

    def a_turn(self, holder: str = "host-1") -> CallBackTurn:
        """Return the use case, as a process has it that was just started."""

        async def send(request: Any, limits: Any) -> Any:
            hosts = {f"https://{source}.example/": shop for source, (_, shop) in self.others.items()}
            return await hosts.get(request.url, self.shop).send(request, limits)

        return CallBackTurn(
            ledger=self.ledger,
            receivers=self.receivers,
            fingerprints=self.fingerprints,
            posting=Posting(send=send, clock=self.clock),
            alarms=self.alarms,
            clock=self.clock,
            holder=holder,
        )

    async def turn(self, minutes: int = 0) -> None:
        """Let *minutes* pass, and do one turn."""
        self.clock.advance(minutes * MINUTE_MS)
        await self.a_turn().run()

    async def turns(self, minutes: int) -> None:
        """Do a turn each minute."""
        for _ in range(minutes):
            await self.turn(1)

    async def order(self, order_id: str = "ORD1", source: str = "default", secret: str = OURS) -> Order:
        """Store an order that was signed with *secret*."""
        signed_with = await self.fingerprints.of(secret)
        return (
            await self.ledger.insert(
                an_order(order_id, source=source, signed_with=signed_with, ref_id=ref_id(source, order_id))
            )
        ).order

    async def paid(self, *order_ids: str) -> None:
        """Pay orders in one transaction."""
        await self.ledger.close(await self.bench.bound(*order_ids), a_closing(*order_ids))

    async def held(self, order_id: str = "ORD1", **more: str) -> Order:
        """Store an order and hold it."""
        order = await self.order(order_id, **more)
        await self.ledger.hold(order, HoldReason.SIMULATION, "refused")
        return await self.again(order)

    async def again(self, order: Order) -> Order:
        """Return *order* as it is now."""
        found = await self.ledger.order(order.key)
        assert found is not None
        return found

    async def calls(self, order_id: str = "ORD1", source: str = "default") -> Sequence[CallBack]:
        """Return the call-backs of an order."""
        return await self.ledger.call_backs.of_order(OrderKey(source, order_id), limit=100)

    async def states(self, order_id: str = "ORD1") -> Sequence[tuple[str, str, int]]:
        """Return what each call-back of an order said, what became of it, and how often it was tried."""
        return [(str(each.status), str(each.state), each.attempts) for each in await self.calls(order_id)]


async def a_telling(rows: MemoryRows | None = None) -> Telling:
    """Return a ledger that was initialised, with one shop that gets call-backs."""
    rows, audit, clock = rows or MemoryRows(), ListAudit(), FrozenClock(NOW_MS)
    ledger = Ledger(rows, audit, clock=clock)
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    return Telling(Bench(ledger, rows, audit, clock), clock, FakeReceiver(clock))


async def address_of(there: Telling) -> tuple[int, StopReason | None]:
    """Return how often in a row the shop's address failed, and why nothing is sent to it."""
    (address,) = await there.ledger.call_backs.addresses()
    return address.failures, address.stopped
