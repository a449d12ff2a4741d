"""What a guard makes the ledger write: an order that was paid elsewhere, and the identity with its guard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from distributor.ledger import keys
from distributor.ledger.closing import PaidBy
from distributor.ledger.columns import decode, encode
from distributor.ledger.records import NextNonce
from distributor.ledger.signs import OPERATORS_MAX
from distributor.model import Address, Order, OrderStatus
from distributor.state import Identity
from foundation.clock import Clock
from foundation.errors import InvariantBroken, require
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.queries import past

if TYPE_CHECKING:
    from foundation.tablestore.ports import AuditTrail, Rows

_ADOPTABLE = {OrderStatus.RECEIVED, OrderStatus.HELD, OrderStatus.CANCELLED}


@dataclass(frozen=True, slots=True)
class GuardRows:
    """The ledger's rules hold here as everywhere: one group, conditional on what was read."""

    rows: Rows
    audit: AuditTrail
    clock: Clock

    async def adopt(self, order: Order, paid: PaidBy) -> Order:
        """
        Make an order that is bound to no nonce `paid` by a transaction of somebody else.

        It moves no nonce and gives back no unit. Safe while payouts are paused.

        Raises:
            Contention: The order changed since it was read.
        """
        state = (order.status in _ADOPTABLE, order.nonce)
        require(state == (True, None), f"order {order.key} cannot be adopted, it is {order.status}")
        after = replace(
            order,
            status=OrderStatus.PAID,
            hold_reason=None,
            hold_detail="",
            paid_hash=paid.tx_hash,
            paid_block=paid.block_number,
            paid_log=paid.log_index,
            updated_ms=self.clock(),
        )
        group = AtomicWrite()
        group.replace(keys.order_row(order.key), encode(after), order.version)
        if order.status is OrderStatus.RECEIVED:
            group.delete(keys.open_order(order))
        elif order.status is OrderStatus.HELD:
            group.delete(keys.held_row(order.key))
        await commit(self.rows, group, marker_row=keys.order_row(order.key))
        await self.audit.record(
            f"adopted:{order.key}:{paid.tx_hash}", {"was": order.status.value, "block": paid.block_number}
        )
        return after

    async def change(self, guard: Address | None, since: int | None, by: str, why: str) -> Identity:
        """
        Write through which guard this ledger pays from now on, and every nonce row again in the same group.

        A round that read identity or pause before it fails its binding group, and begins anew.

        Raises:
            Contention: A binding came in between; look again whether the payouts are paused.
        """
        row = await self.rows.get(keys.IDENTITY)
        if row is None:
            raise InvariantBroken("ledger row identity is missing")
        identity = replace(decode(Identity, row), guard=guard, guard_since=since)
        group = AtomicWrite()
        group.replace(keys.IDENTITY, encode(identity), row.version)
        for nonce in await self.rows.scan(keys.NONCES, past(keys.NONCES), limit=OPERATORS_MAX):
            group.replace(nonce.key, encode(decode(NextNonce, nonce)), nonce.version)
        await commit(self.rows, group, marker_row=keys.IDENTITY)
        entry = encode(identity) | {"by": by, "why": why}
        await self.audit.record(f"guard:{self.clock():015d}", entry)
        return identity
