"""
Orders that came under a name that is not their shop's: answered, brought to their own source, or left to wait.

Every change is one group, conditional on the orders as they were read; an order is never at two places to be paid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from distributor.addresses import ZERO_ADDRESS
from distributor.errors import ConflictingOrder
from distributor.ledger import keys
from distributor.ledger.binding import Inserted, insert_order, lay_in_place
from distributor.ledger.columns import encode
from distributor.ledger.order_index import index_again
from distributor.ledger.queries import find_record, must_find_record, recall
from distributor.ledger.shop_owners import Owners, registered
from distributor.model import Order, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from foundation.clock import Clock
from foundation.errors import Contention, require
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, Rows


class Moved(StrEnum):
    """What became of an order that lay under another source than its secret's."""

    MOVED = "moved"
    """It waits under its own source now."""
    DUPLICATE = "duplicate"
    """Its source has that id already; it was cancelled here."""
    DIFFERS = "differs"
    """Its source has that id with other content: nothing was written, a person is to look and `give_up` cancels it."""
    EXCHANGED = "exchanged"
    """It and the order in its place have changed places."""
    BLOCKED = "blocked"
    """In its place lies an order that belongs elsewhere, or whose secret nobody knows."""


@dataclass(frozen=True, slots=True)
class ShopOrders:
    """The ledger's rules for orders whose name and secret say different things."""

    rows: Rows
    clock: Clock

    async def answer(self, stored: Order, again: Order) -> Inserted | None:
        """
        Return what the ledger has of *again*, which met *stored* under its id; None where that is another shop's.

        One read where both were signed with one secret, or nothing is registered yet: then the name decides. An
        order of before has no fingerprint; there the content decides while the secret that came now is unknown,
        since an answer moves no money. A known shop's order that another's lies in the way of is stored at home.

        Raises:
            ConflictingOrder: A rebuild found its reference at home spent, by a payout of other content.
        """
        if stored.signed_with == again.signed_with:
            return Inserted(order=await self.home(stored), new=False)
        owners = (await registered(self.rows)).owners
        mine = owners.sources.get(again.signed_with or "")
        if not owners.any or mine == owners.of(stored) is not None:
            return Inserted(order=await self.home(stored), new=False)
        if mine is None:
            same = stored.signed_with is None and stored.fingerprint == again.fingerprint
            return Inserted(order=stored, new=False) if same else None
        if _is_barred(stored):
            return None  # a person spent that id under this name, whosever it is: a person is asked
        there = _at(again, mine)
        known = await recall(self.rows, there)
        if known is not None and owners.of(known) == mine:
            return Inserted(order=await self.home(known), new=False)
        return await self._stored(there, known) if known is None or _is_anothers_past(known, mine, owners) else None

    async def home(self, order: Order) -> Order:
        """Return *order*, or the one it became under the source it was moved to, and from there on."""
        been = {order.source}
        while order.moved_to is not None and order.moved_to not in been:
            been.add(order.moved_to)
            order = await must_find_record(self.rows, Order, keys.order_row(OrderKey(order.moved_to, order.order_id)))
        return order

    async def find(self, key: OrderKey) -> Order | None:
        """Return the order that came as *key*, where it is now."""
        found = await find_record(self.rows, Order, keys.order_row(key))
        return await self.home(found) if found is not None else None

    async def own(self, source: str, order_id: str, signed_with: str) -> Order | None:
        """
        Return the order of that id that belongs to the shop that signs as *source* with the secret *signed_with*.

        None if there is none, or if it is another shop's. The register says which shop owns a secret, not the
        name of its setting; the name decides only while nothing is registered. At most two orders are read, and where
        each moved.

        Args:
            source: The name of the setting that holds the secret.
            order_id: The id in the shop.
            signed_with: The fingerprint of the secret.
        """
        owners = (await registered(self.rows)).owners
        mine = owners.sources.get(signed_with) if owners.any else source
        for name in dict.fromkeys(each for each in (mine, source) if each is not None):
            order = await self.find(OrderKey(name, order_id))
            if order is not None and _belongs(order, signed_with, mine, owners):
                return order
        return None

    async def move(self, order: Order, owners: Owners) -> Moved:
        """
        Bring a waiting *order* to the source its secret belongs to: in one group it waits there and is cancelled here.

        Raises:
            Contention: One of the orders changed since it was read; look again.
        """
        source = owners.of(order)
        moves = order.status is OrderStatus.RECEIVED and source is not None and source != order.source
        require(moves, f"order {order.key} is not to be moved")
        there = _at(order, source or "")
        try:
            known = await recall(self.rows, there)
        except ConflictingOrder:
            return Moved.DIFFERS
        if known is None or _is_anothers_past(known, there.source, owners) or known.moved_to == order.source:
            return await self._moved(order, there, known)
        if owners.of(known) == source:
            if known.fingerprint != order.fingerprint:
                return Moved.DIFFERS
            await self.give_up(order, there.source)
            return Moved.DUPLICATE
        if owners.of(known) == order.source and known.status is OrderStatus.RECEIVED:
            return await self._exchanged(order, known)
        return Moved.BLOCKED

    async def _moved(self, order: Order, there: Order, place: Order | None) -> Moved:
        group = await self._lay(replace(there, updated_ms=self.clock()), place)
        self._cancel(group, order, there.source)
        await commit(self.rows, group, marker_row=keys.order_row(order.key))
        return Moved.MOVED

    async def give_up(self, order: Order, source: str) -> None:
        """Cancel a waiting *order* whose id *source*, its own, has already. Raises Contention: it changed."""
        group = AtomicWrite()
        self._cancel(group, order, source)
        await commit(self.rows, group, marker_row=keys.order_row(order.key))

    def _cancel(self, group: AtomicWrite, order: Order, source: str) -> None:
        gone = replace(order, status=OrderStatus.CANCELLED, moved_to=source, updated_ms=self.clock())
        group.replace(keys.order_row(order.key), encode(gone), order.version)
        group.delete(keys.open_order(order))

    async def _exchanged(self, order: Order, other: Order) -> Moved:
        """Give each the other's place: its source, its reference and its place in the backlog."""
        group = AtomicWrite()
        for place, content in ((order, other), (other, order)):
            after = replace(
                content,
                source=place.source,
                ref_id=place.ref_id,
                received_ms=place.received_ms,
                updated_ms=self.clock(),
                sequence=_later(place, content),
            )
            group.replace(keys.order_row(place.key), encode(after), place.version)
            await index_again(self.rows, group, after)
        await commit(self.rows, group, marker_row=keys.order_row(order.key))
        return Moved.EXCHANGED

    async def _lay(self, order: Order, place: Order | None) -> AtomicWrite:
        """Return the group that keeps *order*, new or in the row that one left behind; its reference is there then."""
        if place is None:
            return insert_order(order)
        group, order = AtomicWrite(), replace(order, sequence=_later(place, order))
        group.replace(keys.order_row(order.key), encode(order), place.version)
        lay_in_place(group, order)
        await index_again(self.rows, group, order)
        return group

    async def _stored(self, order: Order, place: Order | None) -> Inserted | None:
        """Store *order* where nothing is, or what another order left behind; None where that changed meanwhile."""
        try:
            versions = await commit(self.rows, await self._lay(order, place), marker_row=keys.order_row(order.key))
        except Contention:
            return None
        return Inserted(order=replace(order, version=versions.get(keys.order_row(order.key), UNSTORED)), new=True)


def _at(order: Order, source: str) -> Order:
    """Return *order* as it is under *source*: with the reference that id has there, and never stored."""
    return replace(order, source=source, ref_id=ref_id(source, order.order_id), version=UNSTORED)


def _belongs(order: Order, signed_with: str, mine: str | None, owners: Owners) -> bool:
    """Say whether *order* is its who signs with that secret, which the register calls *mine*."""
    if not owners.any:
        return order.source == mine
    return order.signed_with == signed_with or (mine is not None and owners.of(order) == mine)


def _later(place: Order, content: Order) -> int | None:
    """Return the higher of two events' numbers: what a shop was told under this id has no higher one than the next."""
    return max(place.sequence or 0, content.sequence or 0) or None


def _is_barred(order: Order) -> bool:
    return order.status is OrderStatus.CANCELLED and order.wallet == ZERO_ADDRESS


def _is_anothers_past(known: Order, source: str, owners: Owners) -> bool:
    """Say whether *known*, under *source*, is only what another shop's order left when it was moved to its own."""
    return known.moved_to is not None and owners.of(known) not in {None, source}
