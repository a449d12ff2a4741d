"""The whole payout machine in memory: real use cases and ledger rules over the fakes of the ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from distributor.caps import NO_CAPS, Caps
from distributor.chain_types import Transfer
from distributor.ledger import Ledger
from distributor.model import Address, Hash, Order, OrderKey, OrderStatus
from distributor.payout.adoption import Adoption
from distributor.payout.distribution import Distribution
from distributor.payout.guard_settling import GuardSettling
from distributor.payout.guard_way import GuardWay
from distributor.payout.preflight import DistributionConfig
from distributor.payout.recheck import Recheck
from distributor.payout.settlement import Settlement
from distributor.payout.steps import StepExecutor
from distributor.settings.chain import FeeSettings, SettlementSettings
from distributor.state import Identity
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from tests import distributions, factories
from tests.fakes.alarms import ListAlarms
from tests.fakes.chain import AUTHORITY, CUSTOMERS, OPERATOR, RESERVE, TOKEN, FakeChain, FakeSigner
from tests.fakes.chain_state import GUARD
from tests.fakes.clock import FrozenClock
from tests.fakes.guard import FakeGuard
from tests.fakes.rows import ListAudit

IDENTITY = Identity(ledger_id="ledger-1", chain_id=31337, token=TOKEN, authority=AUTHORITY, reserve=RESERVE)
BLOCK_MS = 2_000


class World:
    """One chain, one ledger, and one process that works on them; ``another_process`` gives a second."""

    def __init__(
        self, *, chain: FakeChain | None = None, limits: FeeSettings = factories.LIMITS, guarded: bool = False
    ) -> None:
        self.chain = chain or FakeChain()
        self.guard = FakeGuard(self.chain)
        self.rows = MemoryRows()
        self.audit = ListAudit()
        self.alarms = ListAlarms()
        self.clock = FrozenClock()
        self.limits = limits
        self.policy: SettlementSettings = factories.POLICY
        self.identity = replace(IDENTITY, guard=GUARD, guard_since=0) if guarded else IDENTITY
        if guarded:
            self.guard.install(OPERATOR)
        self.max_in_flight = 16
        self.orders_per_transaction = 1
        self.caps = NO_CAPS
        self.received = 0
        self.holders = 0
        self.signer = FakeSigner(OPERATOR)
        self.others = dict[str, FakeSigner]()
        """Operators that pay at the same time, by the name of their lane."""
        self.ledger = self.a_ledger()
        self.start()

    def start(self) -> None:
        """Start the process anew, with nothing in memory."""
        self.holders += 1
        self.distribution = self.a_distribution(f"process-{self.holders}")
        self.settlement = self.a_settlement(self.distribution)

    def cap(self, **caps: int) -> None:
        """Start the process anew with caps, in whole tokens."""
        self.caps = Caps(**{name: tokens(amount) for name, amount in caps.items()})
        self.start()

    def a_ledger(self) -> Ledger:
        return Ledger(self.rows, self.audit, clock=self.clock)

    def a_distribution(self, holder: str) -> Distribution:
        return distributions.a_distribution(
            self.ledger,
            self.alarms,
            self.clock,
            {"": self.signer, **self.others},
            holder=holder,
            chain=self.chain,
            config=DistributionConfig(
                identity=self.identity,
                limits=self.limits,
                max_in_flight=self.max_in_flight,
                orders_per_transaction=self.orders_per_transaction,
                caps=self.caps,
            ),
            guard_way=self.a_guard_way() if self.identity.guard else None,
        )

    def a_guard_way(self) -> GuardWay:
        return GuardWay(guard=self.guard, address=GUARD, ledger=self.ledger, adoption=self.an_adoption())

    def an_adoption(self) -> Adoption:
        return Adoption(ledger=self.ledger, guard=self.guard, alarms=self.alarms, policy=self.policy)

    def a_guard_settling(self) -> GuardSettling:
        return GuardSettling(ledger=self.ledger, guard=self.guard, alarms=self.alarms, reserve=self.identity.reserve)

    def a_settlement(self, distribution: Distribution) -> Settlement:
        steps = StepExecutor(
            ledger=self.ledger,
            chain=self.chain,
            signers={OPERATOR: self.signer, **{each.address: each for each in self.others.values()}},
            alarms=self.alarms,
            clock=self.clock,
            identity=self.identity,
            policy=self.policy,
            guard_settling=self.a_guard_settling(),
        )
        return Settlement(
            ledger=self.ledger,
            chain=self.chain,
            steps=steps,
            distribution=distribution,
            clock=self.clock,
            sleep=self.a_block_passes,
            limits=self.limits,
            block_time_s=BLOCK_MS / 1000,
            holder=distribution.holder,
        )

    def a_recheck(self) -> Recheck:
        return Recheck(
            ledger=self.ledger, chain=self.chain, alarms=self.alarms, identity=self.identity, policy=self.policy
        )

    async def open_lane(self, name: str, operator: Address) -> None:
        """Start the process anew with one more operator, which has its role and coin and is in the ledger."""
        self.others[name] = FakeSigner(operator)
        if self.identity.guard:
            self.chain.rules.hot_keys.add(operator)
        else:
            self.chain.grant_role(operator)
        self.chain.set_gas(operator, Wei(10**20))
        await self.ledger.admin.add_operator(operator, 0)
        self.start()

    async def initialised(self) -> World:
        """Write whose ledger this is; the chain's nonce is the first to bind."""
        await self.ledger.admin.initialise(self.identity, OPERATOR, 0)
        return self

    async def a_block_passes(self, seconds: float = BLOCK_MS / 1000) -> None:
        """Let the chain make a block while *seconds* pass."""
        self.clock.advance(int(seconds * 1000))
        self.chain.mine()

    async def receive(self, order_id: str = "", **changes: Any) -> Order:
        """Put an order of 10 tokens in the backlog, as intake does."""
        self.received += 1
        now_ms = UnixMs(self.clock() + self.received)
        order = factories.an_order(order_id or f"ORD{self.received}", wallet=CUSTOMERS[0], received_ms=now_ms)
        return (await self.ledger.insert(replace(order, **changes), self.caps)).order

    async def order(self, order: Order) -> Order:
        """Return *order* as the ledger has it now."""
        found = await self.ledger.order(order.key)
        assert found is not None, f"{order.key} is gone"
        return found

    async def status(self, order: Order) -> OrderStatus:
        return (await self.order(order)).status

    async def settle(self, turns: int = 1) -> None:
        """Let *turns* turns of settlement pass, one block apart."""
        for _ in range(turns):
            await self.settlement.turn()
            await self.a_block_passes()

    def transfers(self) -> Sequence[Transfer]:
        """Return every transfer on the chain as it is now."""
        return [transfer for receipt in self.chain.receipts for transfer in receipt.transfers]

    async def last_hash(self, order: Order) -> Hash:
        """Return the hash of the newest attempt that pays *order*."""
        found = await self.order(order)
        assert found.operator is not None
        assert found.nonce is not None
        return (await self.ledger.attempts(found.operator, found.nonce))[-1].tx_hash

    async def statuses(self) -> dict[OrderKey, OrderStatus]:
        """Return the state of every order."""
        rows = await self.rows.scan("order:", "order;", limit=100_000)
        return {
            OrderKey(str(row.values["source"]), str(row.values["order_id"])): OrderStatus(str(row.values["status"]))
            for row in rows
        }


async def a_world(**options: Any) -> World:
    """Return a world whose ledger is initialised."""
    return await World(**options).initialised()


def tokens(amount: int) -> TokenUnits:
    """Return *amount* tokens in units."""
    return TokenUnits(amount * factories.TOKEN)
