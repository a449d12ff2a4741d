"""The payout machine on a Polygon node: real use cases, ledger rules, adapter and key; node and wire may misbehave."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from devstack.bor.proxy import BorProxy, bor_proxy
from devstack.contracts import OPERATOR_KEY, Devchain
from distributor.adapters.alarms import OnceAnHour
from distributor.chain.guard_chain import GuardContract
from distributor.chain.polygon import Polygon, nodes_of
from distributor.errors import ChainUnavailable
from distributor.ledger import Ledger
from distributor.model import Order, OrderStatus, Transaction
from distributor.payout.adoption import Adoption
from distributor.payout.distribution import Distribution
from distributor.payout.guard_settling import GuardSettling
from distributor.payout.guard_way import GuardWay
from distributor.payout.preflight import DistributionConfig
from distributor.payout.recheck import Recheck
from distributor.payout.settlement import Settlement
from distributor.payout.steps import StepExecutor
from distributor.payout.sweep import BalanceMonitor
from distributor.payout.would_pay import WouldPay
from distributor.settings.chain import SettlementSettings
from distributor.settings.shops import ThresholdSettings
from distributor.signing.signer import LocalSigner
from distributor.state import Identity
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Rows
from tests.distributions import a_distribution
from tests.factories import GWEI, LIMITS, POLICY, TOKEN, an_order
from tests.fakes.alarms import ListAlarms
from tests.fakes.clock import FrozenClock
from tests.fakes.heads import EveryNodeAnswers
from tests.fakes.rows import ListAudit

BLOCK_S = 2
BLOCKS_PER_MINUTE = 60 // BLOCK_S
PATIENCE_BLOCKS = 120
"""Four minutes of the injected clock: more than any order needs once the faults are over."""
NODE_TIMEOUT_S = 1.0
DEEPEST_REORG_BLOCKS = 5


class PolygonWorld:
    """
    One chain, one ledger, one process; a block only when the world lets one pass.

    Each order is of another amount, so that each transfer on the chain belongs to one order and no other.
    """

    def __init__(
        self,
        devchain: Devchain,
        proxies: Sequence[BorProxy],
        rows: Rows,
        *,
        policy: SettlementSettings = POLICY,
        key: str = OPERATOR_KEY,
    ) -> None:
        known = devchain.deployment
        self.devchain, self.proxies, self.clock = devchain, proxies, FrozenClock()
        self.raised, self.orders = ListAlarms(), list[Order]()
        self.base_fee_wei = Wei(1 * GWEI)
        self.silences = 0
        """Turns of settlement that ended because no node answered."""
        self.signer = LocalSigner(key)
        self.identity = Identity(
            ledger_id="ledger-1",
            chain_id=known.chain_id,
            token=known.token,
            authority=known.authority,
            reserve=known.reserve,
            guard=known.guard,
            guard_since=known.block_number if known.guard else None,
        )
        self.ledger = Ledger(rows, ListAudit(), clock=self.clock)
        self._policy = policy
        self._start()

    @property
    def proxy(self) -> BorProxy:
        """The only proxy, or the first."""
        return self.proxies[0]

    # what happens ------------------------------------------------------------------------------

    async def restart(self) -> None:
        """Start the process anew, with nothing in memory and no connection."""
        await self.aclose()
        self._start()

    async def receive(self, count: int = 1) -> list[Order]:
        """Put *count* orders in the backlog, as intake does; the n-th of all is of n tokens."""
        received = []
        for _ in range(count):
            number = len(self.orders) + 1
            order = replace(
                an_order(f"ORD{number}"),
                wallet=self.devchain.deployment.customers[number % 3],
                amount_units=TokenUnits(number * TOKEN),
                received_ms=UnixMs(self.clock() + number),
            )
            received.append((await self.ledger.insert(order)).order)
            self.orders.append(order)
        return received

    async def bind(self, count: int = 1) -> list[Order]:
        """Receive *count* orders and let them be bound and submitted."""
        orders = await self.receive(count)
        await self.distribution.drain()
        return orders

    def set_base_fee(self, gwei: float) -> None:
        """Let every block from now on have this base fee."""
        self.base_fee_wei = Wei(int(gwei * GWEI))
        self.devchain.set_next_base_fee(self.base_fee_wei)

    async def a_block_passes(self, seconds: float = BLOCK_S) -> None:
        """Let time pass and a block be made; whatever the block holds, no order has two transfers."""
        self.clock.advance(int(seconds * 1000))
        await self.proxy.mine()
        self.devchain.set_next_base_fee(self.base_fee_wei)
        self.nobody_was_paid_twice()

    async def step(self, blocks: int = 1) -> None:
        """Let the service work, a block at a time; when no node answers the turn is over, as in its own loop."""
        for _ in range(blocks):
            await self.distribution.drain()
            try:
                await self.settlement.turn()
            except ChainUnavailable:
                self.silences += 1
            await self.a_block_passes()

    async def run(self) -> int:
        """Let the service work until nothing waits and nothing is open; return the blocks it took."""
        for blocks in range(PATIENCE_BLOCKS):
            if not (await self.ledger.waiting(limit=1)).orders and not await self.ledger.any_open():
                return blocks
            await self.step()
        raise AssertionError(f"not done after {PATIENCE_BLOCKS} blocks: {await self.statuses()}")

    async def aclose(self) -> None:
        await self.chain.aclose()
        await self.guard.aclose()

    # what is seen ------------------------------------------------------------------------------

    async def order(self, order: Order) -> Order:
        found = await self.ledger.order(order.key)
        assert found is not None, f"{order.key} is gone"
        return found

    async def statuses(self) -> Counter[OrderStatus]:
        """Return how many orders stand where."""
        return Counter([(await self.order(order)).status for order in self.orders])

    async def transaction(self, order: Order) -> Transaction:
        """Return the transaction that carries *order*."""
        bound = await self.order(order)
        assert bound.operator is not None
        assert bound.nonce is not None
        found = await self.ledger.transaction(bound.operator, bound.nonce)
        assert found is not None
        return found

    def transfers_of(self, order: Order) -> list[str]:
        """Return the hashes of all transactions on the chain that moved the tokens of *order*."""
        wanted = (order.wallet, order.amount_units)
        return [each.tx_hash for each in self.devchain.payouts() if (each.recipient, each.amount_units) == wanted]

    def nobody_was_paid_twice(self) -> None:
        known = {(order.wallet, order.amount_units) for order in self.orders}
        counted = Counter((each.recipient, each.amount_units) for each in self.devchain.payouts())
        twice = {order: times for order, times in counted.items() if order in known and times > 1}
        assert not twice, f"paid more than once: {twice}"

    async def everybody_was_paid_once(self, orders: Sequence[Order] | None = None) -> None:
        """Each order is paid, by the one transfer on the chain that is its own; nothing is committed any more."""
        for order in self.orders if orders is None else orders:
            paid = await self.order(order)
            assert paid.status is OrderStatus.PAID, f"{order.key} is {paid.status}: {paid.hold_detail}"
            assert self.transfers_of(order) == [paid.paid_hash]
        binding_state = await self.ledger.binding_state(self.signer.address)
        assert binding_state is not None
        assert binding_state.committed_units == 0

    # inside ------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.chain = self._polygon()
        self.guard = self._guard()
        self._alarms = OnceAnHour(self.raised, self.clock)
        self.distribution = self._distribution()
        self.settlement = self._settlement(self._policy)
        self.balance_monitor = self._balance_monitor()

    def _polygon(self) -> Polygon:
        return Polygon(
            [proxy.url for proxy in self.proxies],
            chain_id=self.identity.chain_id,
            token=self.identity.token,
            authority=self.identity.authority,
            reserve=self.identity.reserve,
            timeout_s=NODE_TIMEOUT_S,
            clock=self.clock,
        )

    def _distribution(self) -> Distribution:
        return a_distribution(
            self.ledger,
            self._alarms,
            self.clock,
            {"": self.signer},
            holder="process-1",
            chain=self.chain,
            config=DistributionConfig(identity=self.identity, limits=LIMITS, max_in_flight=16),
            guard_way=self._guard_way(),
        )

    def _guard(self) -> GuardContract:
        urls = [proxy.url for proxy in self.proxies]
        nodes = nodes_of(urls, chain_id=self.identity.chain_id, timeout_s=NODE_TIMEOUT_S, clock=self.clock)
        return GuardContract(nodes, guard=self.identity.guard, authority=self.identity.authority)

    def _guard_way(self) -> GuardWay | None:
        if self.identity.guard is None:
            return None
        adoption = Adoption(ledger=self.ledger, guard=self.guard, alarms=self._alarms, policy=self._policy)
        return GuardWay(guard=self.guard, address=self.identity.guard, ledger=self.ledger, adoption=adoption)

    def _settlement(self, policy: SettlementSettings) -> Settlement:
        steps = StepExecutor(
            ledger=self.ledger,
            chain=self.chain,
            signers={self.signer.address: self.signer},
            alarms=self._alarms,
            clock=self.clock,
            identity=self.identity,
            policy=policy,
            guard_settling=GuardSettling(
                ledger=self.ledger,
                guard=self.guard,
                alarms=self._alarms,
                reserve=self.identity.reserve,
            ),
        )
        return Settlement(
            ledger=self.ledger,
            chain=self.chain,
            steps=steps,
            distribution=self.distribution,
            clock=self.clock,
            sleep=self.a_block_passes,
            limits=LIMITS,
            block_time_s=BLOCK_S,
            holder="process-1",
        )

    def _balance_monitor(self) -> BalanceMonitor:
        return BalanceMonitor(
            ledger=self.ledger,
            chain=self.chain,
            alarms=self._alarms,
            clock=self.clock,
            operator=self.signer.address,
            obstacle=WouldPay(self.distribution.lane).obstacle,
            heads=EveryNodeAnswers(self.chain),
            recheck=Recheck(
                ledger=self.ledger,
                chain=self.chain,
                alarms=self._alarms,
                identity=self.identity,
                policy=self._policy,
            ),
            thresholds=ThresholdSettings(low_gas_payouts=0),
            limits=LIMITS,
        )


@asynccontextmanager
async def polygon_world(
    devchain: Devchain, rows: Rows | None = None, *, nodes: int = 1, policy: SettlementSettings = POLICY
) -> AsyncIterator[PolygonWorld]:
    """Open a world on *devchain* behind so many proxies; its ledger is initialised with the chain's nonce."""
    devchain.set_automine(enabled=False)
    async with AsyncExitStack() as stack:
        url = devchain.deployment.url
        proxies = [await stack.enter_async_context(bor_proxy(url, seed=seed)) for seed in range(nodes)]
        world = PolygonWorld(devchain, proxies, rows or MemoryRows(), policy=policy)
        stack.push_async_callback(world.aclose)
        operator = world.signer.address
        assert await world.ledger.admin.initialise(world.identity, operator, devchain.nonce_of(operator))
        devchain.mine(DEEPEST_REORG_BLOCKS)  # no reorganisation of a test's own reaches the contracts
        world.set_base_fee(1)
        await world.a_block_passes()
        yield world
