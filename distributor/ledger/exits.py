"""
The ways out that a person takes, as groups: a nonce the ledger never bound, an id never seen, an order put right.

Nothing here is believed: who calls has looked at the chain. Each write is conditional on what was read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from distributor.addresses import ZERO_ADDRESS
from distributor.ledger import keys
from distributor.ledger.announcing import announce, numbered
from distributor.ledger.binding import leave_its_place, place_of, require_whole
from distributor.ledger.columns import decode, encode
from distributor.ledger.days import commit_order, count_paid, uncount
from distributor.ledger.order_index import index_again, index_attempt, index_order
from distributor.ledger.queries import find_record, must_find_record
from distributor.ledger.records import UNREMEMBERED, NextNonce, Slot
from distributor.model import Address, Attempt, Hash, HoldReason, Order, OrderKey, OrderStatus, Transaction
from distributor.order_ids import ref_id
from distributor.units import TokenUnits
from foundation.clock import Clock
from foundation.errors import Contention, require
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, Rows
from foundation.tablestore.queries import past

PROOFS_MAX = 1_000
"""A bound on the transfers of one transaction that people have called payments."""


@dataclass(frozen=True, slots=True)
class Exits:
    """Write what a person decided. Contention: something changed since it was read; look again."""

    rows: Rows
    clock: Clock

    async def step_over(self, operator: Address, nonce: int) -> None:
        """Take *nonce*, the operator's next, as spent by a transaction that nobody here signed."""
        known = await must_find_record(self.rows, NextNonce, keys.nonce(operator))
        require(known.next == nonce, f"the next nonce of {operator} is {known.next}, not {nonce}")
        group = AtomicWrite()
        group.replace(keys.nonce(operator), encode(replace(known, next=nonce + 1)), known.version)
        await commit(self.rows, group, marker_row=keys.nonce(operator))

    async def bind_nothing(self, transaction: Transaction, attempt: Attempt) -> Transaction:
        """
        Bind the operator's next nonce to no order, together with the bytes that spend it on nothing.

        Return the transaction as it is stored.
        """
        operator, nonce = transaction.operator, transaction.nonce
        known = await must_find_record(self.rows, NextNonce, keys.nonce(operator))
        require(known.next == nonce and not transaction.orders, f"nonce {nonce} of {operator} is not free")
        slot = Slot(operator, nonce)
        group = AtomicWrite()
        group.replace(keys.nonce(operator), encode(replace(known, next=nonce + 1)), known.version)
        group.insert(keys.transaction(*slot), encode(transaction))
        group.insert(keys.open_transaction(*slot), encode(slot))
        group.insert(keys.attempt(*slot, 0), encode(attempt))
        index_attempt(group, attempt)
        await commit(self.rows, group, marker_row=keys.attempt(*slot, 0))
        return await must_find_record(self.rows, Transaction, keys.transaction(*slot))

    async def bar(self, key: OrderKey) -> bool:
        """Spend an id that was never seen, so that no webhook can bring it; False when it is known."""
        now_ms, ref = self.clock(), ref_id(*key)
        order = Order(
            source=key.source,
            order_id=key.order_id,
            wallet=ZERO_ADDRESS,
            amount_units=TokenUnits(0),
            tipo="",
            reason="",
            ref_id=ref,
            fingerprint=UNREMEMBERED,
            received_ms=now_ms,
            updated_ms=now_ms,
            status=OrderStatus.CANCELLED,
        )
        group = AtomicWrite()
        group.insert(keys.order_row(key), encode(order))
        group.insert(keys.ref(ref), encode(key) | {"fingerprint": UNREMEMBERED})
        index_order(group, order)
        try:
            await commit(self.rows, group, marker_row=keys.order_row(key))
        except Contention:
            return False
        return True

    async def settle(self, order: Order, tx_hash: Hash, block_number: int, log_index: int) -> Order:
        """Call an unbound order paid by one transfer; each transfer pays one order."""
        require(order.nonce is None and order.status is not OrderStatus.PAID, f"order {order.key} is {order.status}")
        require_whole(order)
        now = self.clock()
        paid = replace(order, status=OrderStatus.PAID, hold_reason=None, hold_detail="", updated_ms=now)
        paid = numbered(replace(paid, paid_hash=tx_hash, paid_block=block_number), now)

        async def drawn() -> tuple[AtomicWrite, Order]:
            group = AtomicWrite()
            after = await count_paid(self.rows, group, paid, now)
            announce(group, [after], now)
            group.replace(keys.order_row(order.key), encode(after), order.version)
            if await self.proves(tx_hash, log_index) != order.key:  # it does where the order was reopened since
                group.insert(keys.proof(tx_hash, log_index), encode(order.key))
            leave_its_place(group, order)
            await index_again(self.rows, group, after)
            return group, after

        return await commit_order(self.rows, order, drawn)

    async def hold_otherwise(self, order: Order, reason: HoldReason, detail: str) -> None:
        """Give a held order another reason: what a person may do with it. Its shop knows already that it is held."""
        require(order.status is OrderStatus.HELD, f"order {order.key} is {order.status}, not held")
        held = replace(order, hold_reason=reason, hold_detail=detail, updated_ms=self.clock())
        place = await self.rows.get(keys.held_row(order.key))
        group = AtomicWrite()
        group.replace(keys.order_row(order.key), encode(held), order.version)
        group.put(keys.held_row(order.key), place_of(held), place.version if place else UNSTORED)
        await commit(self.rows, group, marker_row=keys.order_row(order.key))

    async def proves(self, tx_hash: Hash, log_index: int) -> OrderKey | None:
        """Return the order that a person has called paid by that transfer."""
        return await find_record(self.rows, OrderKey, keys.proof(tx_hash, log_index))

    async def is_by_hand(self, order: Order) -> bool:
        """Say whether a person has called *order* paid by a transfer of the transaction that its row names."""
        if order.paid_hash is None:
            return False
        prefix = keys.proofs_of(order.paid_hash)
        found = await self.rows.scan(prefix, past(prefix), limit=PROOFS_MAX)
        return any(decode(OrderKey, row) == order.key for row in found)

    async def reopen(self, order: Order, detail: str, *, reason: HoldReason = HoldReason.NONCE_LOST) -> Order:
        """Hold a paid order whose payment is not there, with the reason why it is not."""
        require(order.status is OrderStatus.PAID, f"order {order.key} is {order.status}, not paid")
        require_whole(order)
        held = replace(order, status=OrderStatus.HELD, hold_reason=reason, hold_detail=detail)
        held = replace(held, operator=None, nonce=None, gas_cost_wei=None, paid_block=None, paid_log=None)
        held = replace(held, updated_ms=self.clock(), paid_ms=None)
        held = numbered(held, held.updated_ms)

        async def drawn() -> tuple[AtomicWrite, Order]:
            group = AtomicWrite()
            await uncount(self.rows, group, order)
            announce(group, [held], held.updated_ms)
            group.replace(keys.order_row(order.key), encode(held), order.version)
            group.insert(keys.held_row(order.key), encode(order.key))
            return group, held

        return await commit_order(self.rows, order, drawn)
