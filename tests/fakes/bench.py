"""A ledger on the bench: the verbs with which a test brings it to where the test begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributor.caps import NO_CAPS, Caps
from distributor.ledger import Closing, Ledger
from distributor.ledger.binding import Binding
from distributor.model import Address, Attempt, HoldReason, Order, OrderKey, Transaction
from distributor.state import BindingState
from distributor.units import TokenUnits, Wei
from foundation.tablestore.codec import OWNER
from foundation.tablestore.memory import MemoryRows
from tests.factories import ALICE, IDENTITY, NOW_MS, OPERATOR, a_hash, a_transaction, an_attempt, an_order
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit, UnsteadyRows


@dataclass
class Bench:
    """A ledger, and what surrounds it."""

    ledger: Ledger
    rows: MemoryRows | UnsteadyRows
    audit: ListAudit
    clock: FrozenClock

    async def received(self, *order_ids: str, **changes: Any) -> list[Order]:
        """Insert orders and return them as stored."""
        inserted = [await self.ledger.insert(an_order(order_id, **changes)) for order_id in order_ids]
        return [each.order for each in inserted]

    async def binding_state(self) -> BindingState:
        """Return the operator's books, which stand, with what alice got today."""
        binding_state = await self.ledger.binding_state(OPERATOR)
        assert binding_state is not None
        return await self.ledger.with_wallets(binding_state, [ALICE])

    async def bound(self, *order_ids: str) -> Transaction:
        """Insert orders and bind them to the next nonce together."""
        orders = await self.received(*order_ids)
        binding_state = await self.binding_state()
        _, transaction = await bind(self.ledger, binding_state, orders, *binding(binding_state.next_nonce, orders))
        return transaction

    async def order(self, order_id: str) -> Order:
        """Return an order that is there."""
        found = await self.ledger.order(OrderKey("default", order_id))
        assert found is not None
        return found

    async def keys(self, first: str = "!", last: str = "~") -> list[str]:
        """Return the keys of all rows, or of a range."""
        return [row.key for row in await self.rows.scan(first, last, limit=1000)]

    async def values(self) -> dict[str, dict[str, Any]]:
        """Return every row without the token of the group that wrote it."""
        found = await self.rows.scan("!", "~", limit=1000)
        return {row.key: {name: value for name, value in row.values.items() if name != OWNER} for row in found}


async def founded() -> Bench:
    """Return a ledger in memory that was initialised, with nothing in it yet."""
    rows, audit, clock = MemoryRows(), ListAudit(), FrozenClock(NOW_MS)
    ledger = Ledger(rows, audit, clock=clock)
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    return Bench(ledger, rows, audit, clock)


async def bind(
    ledger: Ledger,
    binding_state: BindingState,
    orders: Sequence[Order],
    transaction: Transaction,
    attempt: Attempt,
    *,
    caps: Caps = NO_CAPS,
) -> tuple[BindingState, Transaction]:
    """Bind one transaction, as the ledger binds several."""
    after, (stored,) = await ledger.bind(binding_state, [Binding(orders, transaction, attempt)], caps)
    return after, stored


def binding(nonce: int, orders: Sequence[Order], operator: Address = OPERATOR) -> tuple[Transaction, Attempt]:
    """Return the transaction and the first attempt that bind *orders* to *nonce*."""
    transaction = a_transaction(
        nonce,
        operator=operator,
        orders=tuple(order.key for order in orders),
        committed_units=TokenUnits(sum(order.amount_units for order in orders)),
    )
    return transaction, an_attempt(nonce=nonce, operator=operator)


def a_closing(*paid: str, held: Sequence[str] = (), **changes: Any) -> Closing:
    """Return a closing by attempt 0 that pays some orders and holds others as reverted."""
    closing = Closing(
        tx_hash=a_hash("final"),
        block_number=90,
        paid=[OrderKey("default", order_id) for order_id in paid],
        held={OrderKey("default", order_id): HoldReason.REVERTED for order_id in held},
        detail="execution reverted" if held else "",
        gas_used=63_000,
        gas_cost_wei=Wei(63_000 * 10**9),
    )
    return replace(closing, **changes)
