"""What a guard makes the ledger write: an order that was paid elsewhere, and the identity with its guard."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from distributor.ledger import keys
from distributor.ledger.announcing import announce, numbered
from distributor.ledger.binding import leave_its_place, require_whole
from distributor.ledger.closing import PaidBy
from distributor.ledger.columns import decode, encode
from distributor.ledger.days import commit_order, count_paid
from distributor.ledger.opened import Unreadable
from distributor.ledger.order_index import index_again
from distributor.ledger.own_addresses import former_parties, keep_former
from distributor.ledger.queries import find_record, must_find_record, named_orders
from distributor.ledger.records import GuardMark, NextNonce
from distributor.ledger.signs import OPERATORS_MAX
from distributor.model import Address, Hash, Order, OrderKey, OrderStatus
from distributor.state import Identity
from foundation.clock import Clock
from foundation.errors import InvariantBroken, require
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.queries import past, rows_at, rows_under

if TYPE_CHECKING:
    from foundation.tablestore.ports import AuditTrail, Row, Rows

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
        require_whole(order)
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
        after = await commit_order(self.rows, order, partial(self._adopted, order, numbered(after, after.updated_ms)))
        await self.audit.record(
            f"adopted:{order.key}:{paid.tx_hash}", {"was": order.status.value, "block": paid.block_number}
        )
        return after

    async def _adopted(self, order: Order, paid: Order) -> tuple[AtomicWrite, Order]:
        group = AtomicWrite()
        after = await count_paid(self.rows, group, paid, paid.updated_ms)
        announce(group, [after], after.updated_ms)
        group.replace(keys.order_row(order.key), encode(after), order.version)
        leave_its_place(group, order)
        await index_again(self.rows, group, after)
        return group, after

    async def correct(self, order: Order, paid: PaidBy) -> Order:
        """
        Let a paid order name the transaction that the guard has recorded as its payment, in the place of another one.

        Raises:
            Contention: The order changed since it was read.
        """
        require(order.status is OrderStatus.PAID, f"order {order.key} is {order.status}, not paid")
        require_whole(order)
        after = replace(order, paid_hash=paid.tx_hash, paid_block=paid.block_number, paid_log=paid.log_index)
        after = replace(after, updated_ms=self.clock())
        after = numbered(after, after.updated_ms)
        group = AtomicWrite()
        announce(group, [after], after.updated_ms)
        group.replace(keys.order_row(order.key), encode(after), order.version)
        await index_again(self.rows, group, after)
        await commit(self.rows, group, marker_row=keys.order_row(order.key))
        return after

    async def former(self) -> Sequence[Address]:
        """Return the guards that this ledger paid through before that of today."""
        return [each.address for each in await former_parties(self.rows) if each.kind == "guard"]

    async def mark(self, guard: Address) -> GuardMark:
        """Return how far the records of *guard* are known and settled."""
        return await find_record(self.rows, GuardMark, keys.guard_mark(guard)) or GuardMark()

    async def move_mark(
        self, guard: Address, mark: GuardMark, head: int, passed: Collection[Hash] | None = None
    ) -> None:
        """
        Note that everything up to *head* is known and settled, but for the orders of *passed* (None: as before).

        Raises:
            Contention: Another host moved it.
        """
        group = AtomicWrite()
        moved = replace(mark, head=str(head), passed=mark.passed if passed is None else tuple(passed) or None)
        group.put(keys.guard_mark(guard), encode(moved), mark.version)
        await commit(self.rows, group, marker_row=keys.guard_mark(guard))

    async def passed(self) -> Sequence[Unreadable | Order]:
        """Return the orders that a mark passed and that still cannot be read, or are still a newer version's."""
        found = list[Unreadable | Order]()
        async for row in rows_under(self.rows, keys.GUARD_MARKS):
            for ref_id in decode(GuardMark, row).passed or ():
                order = await self.left(ref_id)
                found += [order] if order is not None else []
        return found

    async def left(self, ref_id: Hash) -> Unreadable | Order | None:
        """Return the order of that reference where only another version can touch it; None where this one can."""
        order = await self.readable(ref_id)
        return None if isinstance(order, Order) and not order.is_frozen else order

    async def readable(self, ref_id: Hash) -> Unreadable | Order | None:
        """Return what ``order_of`` does, and the row that cannot be read where it is torn."""
        try:
            return await self.order_of(ref_id)
        except InvariantBroken as error:
            return Unreadable(key=keys.ref(ref_id), why=str(error))

    async def knows(self, ref_id: Hash) -> bool:
        """Say whether an order of this ledger has that reference, or a rebuild found it spent."""
        return await self.rows.get(keys.ref(ref_id)) is not None

    async def known(self, ref_ids: Iterable[Hash]) -> Mapping[Hash, Row]:
        """Return the rows of the references that ``knows`` would know, read in ranges where they lie together."""
        wanted = {keys.ref(ref_id): ref_id for ref_id in ref_ids}
        return {wanted[key]: row for key, row in (await rows_at(self.rows, wanted)).items()}

    async def readable_all(self, refs: Mapping[Hash, Row]) -> Mapping[Hash, Unreadable | Order | None]:
        """Return what ``readable`` does of each reference, by its row of *refs*, which never changes."""
        named = [row for row in refs.values() if _names_an_order(row)]
        orders = {row.key: order for row, order in zip(named, await named_orders(self.rows, named), strict=True)}
        return {ref_id: orders.get(row.key) for ref_id, row in refs.items()}

    async def order_of(self, ref_id: Hash) -> Order | None:
        """Return the order that has that reference; None where there is none, or only its payment is known."""
        row = await self.rows.get(keys.ref(ref_id))
        if row is None or not _names_an_order(row):
            return None
        return await must_find_record(self.rows, Order, keys.order_row(decode(OrderKey, row)))

    async def change(self, guard: Address | None, since: int | None, by: str, why: str) -> Identity:
        """
        Write through which guard this ledger pays from now on, and every nonce row again in the same group.

        A round that read identity or pause before it fails its binding group, and begins anew.

        Raises:
            Contention: A binding came in between; look again whether the payouts are paused.
        """
        return await self._rewrite("guard", lambda before: replace(before, guard=guard, guard_since=since), by, why)

    async def change_authority(self, authority: Address, by: str, why: str) -> Identity:
        """Write which Authority pays from now on, as ``change`` writes the guard; the one before stays known."""
        return await self._rewrite("authority", lambda before: replace(before, authority=authority), by, why)

    async def _rewrite(self, what: str, change: Callable[[Identity], Identity], by: str, why: str) -> Identity:
        row = await self.rows.get(keys.IDENTITY)
        if row is None:
            raise InvariantBroken("ledger row identity is missing")
        before = decode(Identity, row)
        identity = change(before)
        group = AtomicWrite()
        await keep_former(self.rows, group, before, identity, self.clock())
        group.replace(keys.IDENTITY, encode(identity), row.version)
        for nonce in await self.rows.scan(keys.NONCES, past(keys.NONCES), limit=OPERATORS_MAX):
            group.replace(nonce.key, encode(decode(NextNonce, nonce)), nonce.version)
        await commit(self.rows, group, marker_row=keys.IDENTITY)
        entry = encode(identity) | {"by": by, "why": why}
        await self.audit.record(f"{what}:{self.clock():015d}", entry)
        return identity


def _names_an_order(ref: Row) -> bool:
    """Say whether the row of a reference names an order, and is not a payment alone that a rebuild found."""
    return "order_id" in ref.values
