"""A person who rebuilds a lost ledger, and what the chain shows them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from distributor.chain_types import Call, Counts, PoolView
from distributor.ledger.fence_rows import FenceRows
from distributor.ledger.rebuild_store import RebuildStore
from distributor.model import Address, Fees, Hash, OrderStatus
from distributor.ports import Signer, UnsignedTransaction
from distributor.recovery.export import ExportedHistory
from distributor.recovery.fence import FENCE_NONCES, Fence
from distributor.recovery.payouts import KnownParties
from distributor.recovery.rebuild import Rebuild
from distributor.recovery.rebuild_report import RebuildReport
from distributor.units import TokenUnits, Wei
from tests.factories import GWEI, LIMITS, POLICY, TOKEN, a_hash, an_address, an_order
from tests.fakes.chain import AUTHORITY, CUSTOMERS, OPERATOR, FakeChain, FakeSigner
from tests.fakes.chain_state import distribute_data
from tests.fakes.history import FakeHistory
from tests.fakes.signer import Sent
from tests.world import IDENTITY, World

SECOND = an_address("second operator")


class Desk:
    """A person who rebuilds a lost ledger; every wait is a block."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.history = FakeHistory(world.chain)
        self.export: ExportedHistory | None = None
        self.signers: Mapping[Address, Signer] = {OPERATOR: FakeSigner(OPERATOR)}
        self.operators: Collection[Address] = (OPERATOR,)
        self.guards: Collection[Address] = ()
        self.authorities: Collection[Address] | None = ()
        self.accepted: list[Hash] = []
        self.identity = IDENTITY
        self.audit, self.accept_incomplete, self.accept_guard = world.audit, "", ""
        self.policy = POLICY
        self.said: list[str] = []

    @property
    def fence(self) -> Fence:
        return Fence(
            chain=self.world.chain,
            signs=self.world.ledger.signs,
            rows=FenceRows(self.world.rows),
            signers=self.signers,
            guard=self.world.guard,
            guards=self.guards,
            authorities=self.authorities,
            chain_id=IDENTITY.chain_id,
            limits=LIMITS,
            policy=self.policy,
            clock=self.world.clock,
            sleep=self.world.a_block_passes,
            block_time_s=2.0,
            say=self.said.append,
        )

    @property
    def use_case(self) -> Rebuild:
        return Rebuild(
            rebuild_store=RebuildStore(self.world.rows, self.world.clock),
            ledger=self.world.ledger,
            chain=self.world.chain,
            history=self.export or self.history,
            fence=self.fence,
            policy=self.policy,
            identity=self.identity,
            known=KnownParties(
                authority=AUTHORITY,
                operators=self.operators,
                guards=self.guards,
                former_authorities=self.authorities or (),
                accepted=dict.fromkeys(self.accepted),
            ),
            audit=self.audit,
            accept_incomplete=self.accept_incomplete,
            accept_guard=self.accept_guard,
            say=self.said.append,
        )

    async def rebuild(self, first_block: int = 0) -> RebuildReport:
        return await self.use_case.run(first_block, by="ana", why="table deleted")

    async def resume(self) -> None:
        await self.world.ledger.admin.resume("ana", "rebuilt")


async def a_payout(world: World, order_id: str, **changes: Any) -> None:
    """Pay an order, to its end."""
    await world.receive(order_id, **changes)
    await world.distribution.drain()
    await world.settle(8)


async def lose_ledger(world: World) -> Desk:
    """Let everything but the chain be gone."""
    return Desk(World(chain=world.chain))


async def send_again(world: World, *order_ids: str) -> dict[str, OrderStatus]:
    """Let the shop send its webhooks again; return the state of each order."""
    orders = [await world.receive(order_id) for order_id in order_ids]
    return {order.order_id: order.status for order in orders}


def sign_by(chain: FakeChain, sender: Address, data: bytes, *, to: Address = AUTHORITY) -> None:
    """Let *sender* mine a call, past every ledger."""
    chain.set_gas(sender, Wei(10**22))
    nonce = chain._state.nonces.get(sender, 0)
    fees = Fees(max_fee_wei=Wei(60 * GWEI), tip_wei=Wei(40 * GWEI))
    call = Call(to=to, data=data)
    unsigned = UnsignedTransaction(chain_id=chain.chain_id, nonce=nonce, call=call, gas_limit=300_000, fees=fees)
    chain._submit(_sent(sender, unsigned))
    chain.mine()


def _sent(sender: Address, unsigned: UnsignedTransaction) -> Sent:
    return Sent(tx_hash=a_hash(f"{sender} {unsigned.nonce}"), sender=sender, unsigned=unsigned)


def hold_one_more_in_the_pool(chain: FakeChain) -> None:
    """Show one transaction more in the pool than in blocks, without end."""
    views = chain.pool_views

    async def one_more(operators: Sequence[Address]) -> Sequence[PoolView]:
        counts = {each: Counts(FENCE_NONCES, FENCE_NONCES + 1) for each in operators}
        return [replace(view, counts=counts) for view in await views(operators)]

    chain.pool_views = one_more  # type: ignore[method-assign]


# what a person must explain ----------------------------------------------------------------------


def distribution_of(order_id: str, units: int = 10 * TOKEN) -> bytes:
    """Return the call that pays an order of the plain shop."""
    order = an_order(order_id, wallet=CUSTOMERS[0])
    return distribute_data(order.wallet, TokenUnits(units), bytes.fromhex(order.ref_id[2:]), order.reason)
