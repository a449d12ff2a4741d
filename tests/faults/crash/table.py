"""
The crash table: one order for each call of the payout, each side of it, and what may happen meanwhile.

1. A process that is not killed tells its calls.
2. A process is killed just before each of them, and another just after. What a call reads leaves nothing behind, so a
   build draws some of those; it kills at every call that changes a row or hands bytes to a node (``choice``).
3. Where the chain had a transaction of the service that could still be lost, the same again with the node's
   pool emptied, with a block made, or with the block reorganised away while nobody looks.
4. A fresh process goes on; then the chain itself is asked how often the order was paid.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from queue import SimpleQueue

from devstack import contracts, servers
from devstack.contracts import Deployment, Devchain
from distributor.model import Address
from distributor.units import TokenUnits
from tests.faults.crash.choice import trips
from tests.faults.crash.forks import run_process
from tests.faults.crash.process import Answered, Died, Ended, Job, Left, come_after, work
from tests.faults.crash.wire import Call, Trip

AMOUNT_UNITS = TokenUnits(12_500_000_000_000_000_000)
SECRET = "the shop and we know this"
SUBMISSION = "node: sendRawTransaction"
LANES = 2
"""Points worked on at once: one chain and up to one busy process each."""

Habit = Callable[[], None]
"""What a process does to itself before it works; a function of a module."""


class Meanwhile(StrEnum):
    """What happens to the chain between the kill and the next process."""

    NOTHING = "nothing"
    MINED = "a block is made"
    FORGOTTEN = "the node forgets its pool"
    REORGANISED = "the block leaves the chain"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a process is killed, and what happens before the next one comes."""

    trip: Trip
    call: Call
    meanwhile: Meanwhile = Meanwhile.NOTHING

    def __str__(self) -> str:
        return f"{self.trip.side} call {self.trip.at} ({self.call.phase}, {self.call.what}), {self.meanwhile}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of the order."""

    point: Point
    killed_at: Call | None
    """As the dying process said; None when it was not killed."""
    transfers: Sequence[tuple[Address, TokenUnits]]
    """Out of the reserve, as the token's events on the chain tell."""
    left: Left
    possible: Sequence[Meanwhile]
    """What else might have happened to the chain just then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CrashTable:
    """Every call, and what became of every order."""

    wallet: Address
    calls: Sequence[Call]
    outcomes: Sequence[Outcome]

    def wrong(self) -> Sequence[str]:
        """Return the points whose order was not paid exactly once, or that left something behind."""
        return [f"{each.point}: {fault}" for each in self.outcomes for fault in faults(each, self.wallet)]

    def paid(self, times: Callable[[int], bool]) -> int:
        """Return how many orders have a number of transfers that *times* accepts."""
        return sum(times(len(each.transfers)) for each in self.outcomes)


def faults(outcome: Outcome, wallet: Address) -> Iterator[str]:
    """Yield what is not as it must be after any crash."""
    if outcome.killed_at != outcome.point.call:
        yield f"killed at {outcome.killed_at}"
    if list(outcome.transfers) != [(wallet, AMOUNT_UNITS)]:
        yield f"transfers {list(outcome.transfers)}"
    if outcome.left.status != "paid":
        yield f"order {outcome.left.status}"
    if outcome.left.committed_units or outcome.left.open:
        yield f"{outcome.left.committed_units} units still committed, open: {outcome.left.open}"


class Lane:
    """One chain, on which orders are paid one after the other; each begins on the same fresh ledger and chain."""

    def __init__(self, deployment: Deployment, storage: servers.Azurite) -> None:
        self._deployment, self._storage = deployment, storage
        self._chain = Devchain(deployment)

    @property
    def wallet(self) -> Address:
        return self._deployment.customers[0]

    def calls(self, habit: Habit | None = None) -> Sequence[Call]:
        """Return the calls of a payout that nothing disturbs."""
        with self._fresh() as job:
            said = run_process(work, job, None, habit, killed=False)
        return next(each.calls for each in said if isinstance(each, Ended))

    def outcome(self, point: Point, habit: Habit | None = None) -> Outcome:
        """Kill a process, which may have a bad *habit*, at *point*, let a sound one come after it, and look."""
        with self._fresh() as job:
            said = run_process(work, job, point.trip, habit, killed=True)
            possible = self._possible()
            self._pass(point.meanwhile)
            answered = any(isinstance(each, Answered) for each in said)
            after = run_process(come_after, job, answered, killed=False)
            return Outcome(
                point=point,
                killed_at=next((each.call for each in said if isinstance(each, Died)), None),
                transfers=[(event.recipient, event.amount_units) for event in self._chain.payouts()],
                left=next(each for each in after if isinstance(each, Left)),
                possible=possible,
            )

    def _possible(self) -> Sequence[Meanwhile]:
        """Return what may happen to our transactions on the chain: in the pool, or in a block that is not final."""
        if int(self._chain.rpc("txpool_status")["pending"], 16):
            return [Meanwhile.MINED, Meanwhile.FORGOTTEN]
        final = int(self._chain.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)
        return [Meanwhile.REORGANISED] if any(event.block_number > final for event in self._chain.payouts()) else []

    def _pass(self, meanwhile: Meanwhile) -> None:
        match meanwhile:
            case Meanwhile.MINED:
                self._chain.mine()
            case Meanwhile.FORGOTTEN:
                self._chain.rpc("anvil_dropAllTransactions")
            case Meanwhile.REORGANISED:
                head = int(self._chain.rpc("eth_blockNumber"), 16)
                self._chain.reorg(head - self._chain.payouts()[0].block_number + 1)
                assert not self._chain.payouts(), "the reorganisation left the payment where it was"
            case Meanwhile.NOTHING:
                pass

    @contextmanager
    def _fresh(self) -> Iterator[Job]:
        """Give an order on a ledger of its own; the chain is as before when the block ends."""
        before = self._chain.snapshot()
        order = {"order_id": "CRASH-1", "wallet": self.wallet, "amount": "12.5"}
        yield Job(settings=self._settings(), order_id="CRASH-1", body=json.dumps(order).encode())
        self._chain.revert(before)
        self._chain.set_automine(enabled=False)

    def _settings(self) -> dict[str, str]:
        known = self._deployment
        return {
            "BALLX_USE_KV": "0",
            "CHAIN_ID": str(known.chain_id),
            "RPC_URL": known.url,
            "OPERATOR_PK": known.operator_key,
            "TOKEN_ADDRESS": known.token,
            "AUTHORITY_ADDRESS": known.authority,
            "RESERVE_ADDRESS": known.reserve,
            "WEBHOOK_SECRET": SECRET,
            "AzureWebJobsStorage": self._storage.connection_string,
            "LEDGER_TABLE": f"t{secrets.token_hex(8)}",
        }


@contextmanager
def lane(storage: servers.Azurite) -> Iterator[Lane]:
    """Open a lane on a chain of its own until the block ends."""
    with servers.anvil(mining=False) as chain:
        yield Lane(contracts.deploy(chain.url), storage)


def changes(call: Call) -> bool:
    """Say whether *call* changes what a dead process leaves: a row, leases apart, or what the nodes have."""
    wrote = call.what.startswith("ledger: write ") and not call.what.startswith("ledger: write lease:")
    return wrote or call.what == SUBMISSION


def fill(storage: servers.Azurite) -> CrashTable:
    """Run the points, some at a time."""
    with ExitStack() as stack:
        lanes = [stack.enter_context(lane(storage)) for _ in range(LANES)]
        calls = lanes[0].calls()
        points = [Point(trip, calls[trip.at]) for trip in trips(calls, lambda trip: changes(calls[trip.at]))]
        outcomes = _spread(points, lanes)
        more = [Point(one.point.trip, one.point.call, each) for one in outcomes for each in one.possible]
        return CrashTable(wallet=lanes[0].wallet, calls=calls, outcomes=[*outcomes, *_spread(more, lanes)])


def _spread(points: Sequence[Point], lanes: Sequence[Lane]) -> Sequence[Outcome]:
    """Return the outcomes of *points* in their order; a lane that is free takes the next one."""
    free: SimpleQueue[Lane] = SimpleQueue()
    for each in lanes:
        free.put(each)

    def outcome(point: Point) -> Outcome:
        mine = free.get()
        try:
            return mine.outcome(point)
        finally:
            free.put(mine)

    with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
        return list(pool.map(outcome, points))
