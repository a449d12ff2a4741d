"""One ledger, one chain, two hosts: what the machine plays with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from distributor.caps import NO_CAPS, Caps
from distributor.ledger import Inserted, Ledger
from distributor.ledger.columns import decode
from distributor.model import DEFAULT_SOURCE, Address, Hash, Order, OrderKey
from distributor.order_ids import ref_id
from distributor.units import TokenUnits
from foundation.clock import UnixMs
from foundation.errors import ServiceError
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import DeleteRow, Row, RowWrite, Value
from tests import factories
from tests.factories import an_order
from tests.fakes.alarms import ListAlarms
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.chain import CUSTOMERS, OPERATOR, FakeChain
from tests.fakes.clock import FrozenClock
from tests.fakes.guard import FakeGuard
from tests.fakes.rows import ListAudit
from tests.properties.machine_approvals import uploaded
from tests.properties.machine_host import Host
from tests.properties.machine_loop import Job, Killed, ReadyLoop
from tests.properties.machine_ports import Post
from tests.properties.machine_rules import (
    BLOCK_MS,
    FINALITY_DEPTH,
    GUARDED,
    HOSTS,
    LEAST_TIP_WEI,
    NODES,
    OPERATORS,
    ORDERS,
    PLAIN,
    RESERVE_UNITS,
    RIVAL,
    Rulebook,
)
from tests.properties.machine_shops import Shops
from tests.properties.machine_tally import TALLY


@dataclass(kw_only=True)
class Found:
    """What rebuilds wrote, where the rows that say the same of an order bound here are gone."""

    times: int = 0
    paid: set[str] = field(default_factory=set)
    """Transactions that orders were found paid by."""
    explained: set[Hash] = field(default_factory=set)
    """Transactions that paid an order which came again with other content, and that a person accepts."""
    first_nonces: dict[str, int] = field(default_factory=dict)
    """The nonce each operator goes on with; what was bound below it may be forgotten."""
    signed: set[str] = field(default_factory=set)
    """Transactions that were in the ledger before it was lost; a process of then may still submit them."""


ORDERS_MAX = 1_000
"""More than a history has, whatever names its shops have."""


class World:
    """The shared things, and the two hosts that work on them."""

    def __init__(
        self,
        rulebook: Rulebook,
        caps: Caps = NO_CAPS,
        *,
        guarded: bool = False,
        shops: Shops | None = None,
        limit: TokenUnits | None = None,
        lanes: bool = False,
    ) -> None:
        self.shops, self.limited = shops, limit is not None
        caps = replace(caps, approval_units=limit)
        self.rulebook, self.caps, self.guarded = rulebook, caps, guarded
        self.identity = GUARDED if guarded else PLAIN
        self.loop = ReadyLoop()  # type: ignore[abstract]  # it answers what tasks and futures ask, and no more
        self.clock = FrozenClock()
        self.rows, self.audit, self.alarms = MemoryRows(), ListAudit(), ListAlarms()
        self.post = Post(rows=self.rows)
        self.chain = FakeChain(operators=OPERATORS, nodes=NODES, finality_depth=FINALITY_DEPTH)
        self.chain.rules.least_tip_wei = LEAST_TIP_WEI
        self.chain.set_reserve(RESERVE_UNITS)
        self.guard = FakeGuard(self.chain)
        if guarded:
            self.guard.install(*OPERATORS, RIVAL)
        self.paid_elsewhere = set[Hash]()
        """Payments by another ledger through the same guard."""
        self.strays: dict[tuple[Address, int], Hash] = {}
        """Nonces that the key of an operator spent elsewhere, on nothing."""
        self.skew_ms = [0] * HOSTS
        """How far the clock of each host runs ahead."""
        self.liars: set[str] = set()
        self.purges = MemoryBlobs()
        """The journal of erasures, which is no part of the ledger and never lost."""
        self.erased: dict[str, Mapping[str, Value]] = {}
        """Each order whose data was erased, as it was before."""
        self.lost = ""
        """What befell the ledger: ``emptied``, ``went back``, or nothing."""
        self.found = Found()
        self.operators: Sequence[Address] = OPERATORS if lanes else OPERATORS[:1]
        """Those in the settings, the one that binds last; where lanes are configured, those bind."""
        self.lanes: Sequence[Address] = OPERATORS if lanes else ()
        """The operators that bind at the same time, from the next start of a host on; empty: one binds."""
        self.reserve_units = RESERVE_UNITS
        self.to_settle = self.to_distribute = False
        self.paused_for_good = self.halted_for_good = False
        self.asked: dict[OrderKey, int] = {}
        """How often the shop sent each order."""
        self.sent: dict[OrderKey, Order] = {}
        """What was in the ledger when it was lost: the shop sends that again, and nothing else under its id."""
        self.new: dict[OrderKey, int] = {}
        """How often it was told that an order is new."""
        self.ledger = Ledger(self.rows, self.audit, clock=self.clock)
        """The shared ledger, past every gate: for what is no part of the history."""
        self._found()
        self.started = 0
        self.hosts = [self.a_host(at) for at in range(HOSTS)]

    def _found(self) -> None:
        """Write whose ledger it is, its operators and its shops."""
        self.loop.finish(self.ledger.admin.initialise(self.identity, OPERATOR, 0))
        for operator in self.lanes[1:]:
            self.loop.finish(self.ledger.admin.add_operator(operator, 0))
        if self.shops is not None:
            first = self.shops.first
            self.loop.finish(self.ledger.shops.add(first.secret, first.home, by="init", how="first"))
            self.loop.finish(self.ledger.shops.begin())

    def a_host(self, at: int) -> Host:
        """Return a fresh process, with the settings as they are now."""
        self.started += 1
        return Host(self, at, f"host-{self.started}")

    @property
    def jobs(self) -> list[tuple[Host, Job]]:
        """What runs on either host, the oldest first."""
        return [(host, job) for host in self.hosts for job in host.turns.jobs]

    def an_order(self, number: int, tokens: int, *, second: bool = False) -> Order:
        """Return an order as the shop signs it; other *tokens* make it another content under the same id."""
        order_id, source, signed_with = ORDERS[number], DEFAULT_SOURCE, None
        if self.shops is not None:
            shop = self.shops.open() if second else self.shops.first
            source, signed_with = shop.name, shop.secret
        if (known := self.sent.get(OrderKey(source, order_id))) is not None:
            tokens = known.amount_units // factories.TOKEN
        return an_order(
            order_id,
            source=source,
            signed_with=signed_with,
            ref_id=ref_id(source, order_id),
            wallet=CUSTOMERS[number % 2],
            amount_units=TokenUnits(tokens * factories.TOKEN),
            fingerprint=f"{order_id} {tokens}",
            received_ms=UnixMs(self.clock() + number),
            updated_ms=self.clock(),
            **(uploaded(number) if self.limited else {}),
        )

    def note_asked(self, order: Order) -> None:
        """Note that the shop sends *order*: under each of its names it is known from then on."""
        names = {order.source}
        if self.shops is not None:
            names |= {name for name, home in self.shops.home_of.items() if home == self.shops.home_of[order.source]}
        for name in names:
            key = OrderKey(name, order.order_id)
            self.asked[key] = self.asked.get(key, 0) + 1

    def owed(self, source: str, order_id: str, ref: str) -> str:
        """Return what is owed once, whichever names the shop has had."""
        return ref if self.shops is None else f"{self.shops.home_of[source]}:{order_id}"

    def stored(self) -> Sequence[Order]:
        """Return the orders as a person sees them in the ledger."""
        rows = self.loop.finish(self.rows.scan("order:", "order;", limit=ORDERS_MAX))
        return [decode(Order, row) for row in rows]

    def whole(self, rows: Mapping[str, Mapping[str, Value]]) -> Mapping[str, Mapping[str, Value]]:
        """Return *rows* with what was erased: what was promised to which shop is judged by it for all time."""
        erased = {key: self.erased[key] for key, row in rows.items() if "purged_ms" in row}
        return {**rows, **{key: {**rows[key], "wallet": before["wallet"]} for key, before in erased.items()}}

    def answered(self, order: Order, inserted: Inserted) -> None:
        """Note what was said to the shop."""
        self.new[order.key] = self.new.get(order.key, 0) + inserted.new

    def paying_blocks(self, up_to: int) -> Sequence[int]:
        """Return the blocks up to a number in which someone was paid."""
        receipts = self.chain.receipts
        return [each.block.number for each in receipts if each.transfers and each.block.number <= up_to]

    def failed_blocks(self, above: int) -> Sequence[int]:
        """Return the blocks above a number in which a payment failed."""
        receipts = self.chain.receipts
        return [each.block.number for each in receipts if not each.transfers and each.block.number > above]

    def pay_elsewhere(self, order: Order) -> None:
        """Let another ledger pay *order*, in a block of its own."""
        self.clock.advance(BLOCK_MS)
        self.paid_elsewhere.add(self.chain.spend_nonce(RIVAL, self.guard.pay(order)))

    def lose(self, how: str, rows: Mapping[str, Mapping[str, Value]]) -> None:
        """Put *rows* in the place of the table."""
        self.lost = how
        self.sent |= {order.key: order for order in self.stored() if order.amount_units}
        before = self.rows.dump()
        self.found.signed |= {str(row["tx_hash"]) for key, row in before.items() if key.startswith("attempt:")}
        self.rows.restore(rows)

    def rebuilt(self, rows: Mapping[str, Row], group: Sequence[RowWrite]) -> None:
        """Take the ledger for whole again: *group*, the last one of a rebuild, is about to be done to *rows*."""
        self.lost = ""
        for _, job in self.jobs:
            job.torn = True
        self.found.times += 1
        TALLY["ledger rebuilt"] += 1
        paid = {row.values["paid_hash"] for key, row in rows.items() if key.startswith("order:") and _is_paid(row)}
        closed = {row.values.get("mined_hash") for key, row in rows.items() if key.startswith("tx:")}
        self.found.paid |= {str(tx_hash) for tx_hash in paid - closed}
        nonces = (each for each in group if each.key.startswith("nonce:") and not isinstance(each, DeleteRow))
        for write in nonces:
            self.found.first_nonces[write.key.removeprefix("nonce:")] = int(write.values["next"])
        # The shop may be told once more that an order is new, which was lost before it was paid; or that it is known.
        self.asked, self.new = dict.fromkeys(self.asked, 2), {}

    def stray(self, operator: Address) -> None:
        """Let somebody with the key of *operator* spend its next nonce on nothing, in a block of its own."""
        self.clock.advance(BLOCK_MS)
        nonce = self.chain._state.nonces.get(operator, 0)
        self.strays[operator, nonce] = self.chain.spend_nonce(operator)

    def kill(self, at: int) -> None:
        """Kill a host; a fresh one, with empty memory, takes its place."""
        self.hosts[at].turns.kill()
        self.hosts[at] = self.a_host(at)

    def deploy(self) -> None:
        """Start every host anew with the settings as they are, undisturbed from now on."""
        for at, host in enumerate(self.hosts):
            host.turns.kill()
            self.hosts[at] = self.a_host(at)
            self.hosts[at].turns.go_free()

    def let_pay(self, operator: Address, *, may: bool) -> None:
        """Let *operator* pay at the contract that it calls, or no more."""
        rules = self.chain.rules
        payers = rules.hot_keys if self.guarded else rules.operators
        payers.add(operator) if may else payers.discard(operator)

    def rotated(self) -> None:
        """Configure the next operator, to bind from the next start of a host on; the first one retires."""
        self.operators = OPERATORS

    def paused(self, *, halts: bool) -> None:
        """Nothing is bound from now on; nor, halted, submitted, but what has passed its look at the switch already."""
        self.paused_for_good = True
        if halts and not self.halted_for_good:
            passed = {"after get control", "before submit"}
            self.halted_for_good = True
            self.post.stragglers = {job for _, job in self.jobs if any(gate.what in passed for gate in job.gates)}

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
        self.skew_ms = [0] * HOSTS
        self.chain.calm()
        self.chain.rules.silent.clear()

    def ended(self) -> Sequence[BaseException]:
        """Drop what has ended; return what no handler takes for trouble that passes."""
        found = [(job, job.error()) for _, job in self.jobs]
        for host in self.hosts:
            host.turns.jobs = [job for job in host.turns.jobs if not job.over]
        passing = Killed, ServiceError  # a row that is missing in a lost ledger: it says so and stops
        return [error for job, error in found if error and not isinstance(error, passing if job.torn else Killed)]


def _is_paid(row: Row) -> bool:
    return row.values["status"] == "paid"
