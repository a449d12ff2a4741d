"""
The ledger as its own history, and what the chain gives back to it after a loss.

A payout found on the chain becomes the order and the spent reference it once was. Each is one
atomic write, conditional on the rows as they are, so an interrupted rebuild can safely be started again, and a
webhook that comes in between meets either nothing or the whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from distributor.ledger import keys
from distributor.ledger.announcing import announce, numbered
from distributor.ledger.binding import leave_its_place
from distributor.ledger.columns import decode, encode
from distributor.ledger.opened import Unreadable
from distributor.ledger.order_index import index_again
from distributor.ledger.own_addresses import former_parties
from distributor.ledger.past import Past
from distributor.ledger.queries import find_record, must_find_record
from distributor.ledger.records import UNREMEMBERED, FormerParty, NextNonce, PaidRef, Progress, Restored, Total
from distributor.model import Address, Hash, Order, OrderKey, OrderStatus
from distributor.state import Identity
from distributor.units import TokenUnits
from foundation.clock import Clock
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, Rows
from foundation.tablestore.queries import rows_under

RESTORE_TRIES_MAX = 5
"""Only an operator or a webhook changes an order while it is restored, and neither does so five times."""


class RestoreResult(StrEnum):
    """What became of a payout found on the chain."""

    NEW = "new"
    """The ledger knew nothing of it; now it does."""
    MARKED = "marked"
    """The ledger had the order unpaid; now it is paid."""
    KNOWN = "known"
    """The ledger has it as it is on the chain."""
    PAID_TWICE = "paid_twice"
    """The ledger has the order paid by another transaction, and this one paid it again."""
    DIFFERS = "differs"
    """The ledger has the order with another wallet or amount."""
    FROZEN = "frozen"
    """The ledger has the order with a status, or a hold reason, of a newer version."""
    BOUND = "bound"
    """The ledger has the order bound to a nonce that is not settled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Payout:
    """One order as the chain proves it was paid."""

    ref_id: Hash
    key: OrderKey | None
    """The order's name where the reference shows it; None where it is a hash."""
    wallet: Address
    amount_units: TokenUnits
    reason: str
    operator: Address | None
    nonce: int | None
    """None, as the operator, where the guard's record is the proof: it may be an import by its owner."""
    tx_hash: Hash
    block_number: int


@dataclass(frozen=True, slots=True)
class RebuildStore:
    """Reads the whole ledger, and writes what a rebuild finds. Raises StoreUnavailable."""

    rows: Rows
    clock: Clock

    # reading -----------------------------------------------------------------------------------

    async def operators(self) -> tuple[Address, ...]:
        """Return every operator this ledger ever had."""
        return tuple([Address(row.key.removeprefix(keys.NONCES)) async for row in rows_under(self.rows, keys.NONCES)])

    async def former(self, kind: str) -> Sequence[FormerParty]:
        """Return what the identity named before as its *kind*: ``guard``, ``authority``, ``reserve`` or ``token``."""
        return [each for each in await former_parties(self.rows) if each.kind == kind]

    async def orders(self) -> AsyncIterator[Order]:
        """Yield every order there is."""
        async for row in rows_under(self.rows, keys.ORDERS):
            yield decode(Order, row)

    async def held(self, torn: list[Unreadable]) -> AsyncIterator[Order]:
        """Yield the orders that wait for a person; what cannot be read is added to *torn*, and hides no other one."""
        async for row in rows_under(self.rows, keys.HELD):
            try:
                order = await find_record(self.rows, Order, keys.order_row(decode(OrderKey, row)))
            except InvariantBroken as error:
                torn.append(Unreadable(key=row.key, why=str(error)))
                continue
            if order is not None and order.status is OrderStatus.HELD:
                yield order

    async def restored_refs(self) -> AsyncIterator[tuple[Hash, PaidRef]]:
        """Yield the references a rebuild found, also those whose orders have no name."""
        async for row in rows_under(self.rows, keys.REFS):
            if PaidRef.is_in(row):
                yield Hash(row.key.removeprefix(keys.REFS)), decode(PaidRef, row)

    async def paid(self) -> AsyncIterator[tuple[Hash, Hash | None]]:
        """Yield the reference of each payment that is known, perhaps twice, and the transaction that made it."""
        async for order in self.orders():
            if order.status is OrderStatus.PAID:
                yield order.ref_id, order.paid_hash
        async for ref_id, ref in self.restored_refs():
            yield ref_id, ref.paid_hash

    async def knows(self, ref_id: Hash) -> bool:
        """Say whether an order of this ledger has that reference, or a rebuild found it spent."""
        return await self.rows.get(keys.ref(ref_id)) is not None

    async def restored(self) -> Restored | None:
        """Return the mark of a ledger that was put back from a backup; None once a rebuild has ended."""
        return await find_record(self.rows, Restored, keys.RESTORED)

    # restoring ---------------------------------------------------------------------------------

    async def progress(self, first_block: int) -> Progress:
        """Return how far an interrupted rebuild from *first_block* came; another beginning starts anew."""
        found = await find_record(self.rows, Progress, keys.REBUILD)
        if found is not None and found.first_block == first_block:
            return found
        version = found.version if found else UNSTORED
        return Progress(first_block=first_block, next_block=first_block, version=version)

    async def advance(self, progress: Progress, next_block: int, *, seen: str | None = None) -> Progress:
        """Remember that everything before *next_block* is in the ledger, and what was *seen* there."""
        after = replace(progress, next_block=next_block, seen=seen)
        group = AtomicWrite()
        group.put(keys.REBUILD, encode(after), progress.version)
        versions = await commit(self.rows, group, marker_row=keys.REBUILD)
        return replace(after, version=versions[keys.REBUILD])

    async def restore(self, payout: Payout) -> RestoreResult:
        """
        Put *payout* into the ledger, unless it is there.

        Raises:
            Contention: The order kept changing.
        """
        for _ in range(RESTORE_TRIES_MAX):
            order, ref = await self._standing(payout)
            verdict = _result_of(payout, order, ref)
            if verdict not in (RestoreResult.NEW, RestoreResult.MARKED):
                return verdict
            group = await self._unknown(payout) if order is None else await self._unpaid(payout, order)
            marker_row = keys.ref(payout.ref_id) if order is None else keys.order_row(order.key)
            try:
                await commit(self.rows, group, marker_row=marker_row)
            except Contention:
                continue  # a webhook brought the order meanwhile: the next look finds it
            return verdict
        raise Contention(f"order {payout.key or payout.ref_id} kept changing while it was restored")

    async def look(self, payout: Payout) -> RestoreResult:
        """Return what ``restore`` would do, and do nothing."""
        return _result_of(payout, *await self._standing(payout))

    async def order_of(self, payout: Payout) -> Order | None:
        """Return the order that has the reference of *payout*; None where there is none, or it has no name."""
        return (await self._standing(payout))[0]

    async def finish(
        self, identity: Identity, nonces: Mapping[Address, int], progress: Progress, *, doubt: str = ""
    ) -> None:
        """
        Make the ledger *identity*'s again, with the *nonces* the chain has; the pause stays on.

        With a *doubt* each order that is not known waits for a person from then on: see ``past``.

        It is the last group of a rebuild: while it is not done nothing is bound, because the ledger is
        nobody's or paused.
        """
        group = AtomicWrite()
        before = await self.rows.get(keys.IDENTITY)
        group.put(keys.IDENTITY, encode(identity), before.version if before else UNSTORED)
        for operator, nonce in nonces.items():
            stored = await find_record(self.rows, NextNonce, keys.nonce(operator)) or NextNonce(next=nonce)
            after = replace(stored, next=max(stored.next, nonce))
            group.put(keys.nonce(operator), encode(after), stored.version)
        if await find_record(self.rows, Total, keys.COMMITMENTS) is None:
            group.insert(keys.COMMITMENTS, encode(Total(units=TokenUnits(0))))
        if progress.version != UNSTORED:
            group.delete(keys.REBUILD)
        restored = await self.restored()
        if restored is not None:
            group.delete(keys.RESTORED)
        known = restored.identity if restored else decode(Identity, before) if before else None
        guard = known.guard if known else None
        await Past(self.rows, self.clock).write(group, doubt, guard=guard)
        await commit(self.rows, group, marker_row=keys.IDENTITY)

    async def _standing(self, payout: Payout) -> tuple[Order | None, PaidRef | None]:
        """Return the order that has the payout's reference, and the reference where a rebuild wrote it."""
        row = await self.rows.get(keys.ref(payout.ref_id))
        restored = decode(PaidRef, row) if row is not None and PaidRef.is_in(row) else None
        named = row is not None and "order_id" in row.values
        key = decode(OrderKey, row) if row is not None and named else None
        return (await must_find_record(self.rows, Order, keys.order_row(key)) if key else None), restored

    async def _unknown(self, payout: Payout) -> AtomicWrite:
        """Return the group for an order nobody remembers: its reference, and itself where it has a name."""
        spent = PaidRef(
            wallet=payout.wallet,
            amount_units=payout.amount_units,
            paid_hash=payout.tx_hash,
            paid_block=payout.block_number,
        )
        group = AtomicWrite()
        if payout.key is None:
            group.insert(keys.ref(payout.ref_id), encode(spent))
            return group
        group.insert(keys.ref(payout.ref_id), encode(spent) | encode(payout.key))
        paid = self._paid(payout, payout.key)
        group.insert(keys.order_row(payout.key), encode(paid))
        await index_again(self.rows, group, paid)
        return group

    def _paid(self, payout: Payout, key: OrderKey) -> Order:
        """Return the order as far as the chain knows it: neither its kind nor when it came."""
        now_ms = self.clock()
        return Order(
            source=key.source,
            order_id=key.order_id,
            wallet=payout.wallet,
            amount_units=payout.amount_units,
            tipo="",
            reason=payout.reason,
            ref_id=payout.ref_id,
            fingerprint=UNREMEMBERED,
            received_ms=now_ms,
            updated_ms=now_ms,
            status=OrderStatus.PAID,
            operator=payout.operator,
            nonce=payout.nonce,
            paid_hash=payout.tx_hash,
            paid_block=payout.block_number,
        )

    async def _unpaid(self, payout: Payout, order: Order) -> AtomicWrite:
        """Return the write for an unpaid order: sent again since the loss, or older than the payout."""
        paid = replace(order, status=OrderStatus.PAID, hold_reason=None, hold_detail="", updated_ms=self.clock())
        paid = replace(paid, operator=payout.operator, nonce=payout.nonce)
        paid = replace(paid, paid_hash=payout.tx_hash, paid_block=payout.block_number)
        paid = numbered(paid, paid.updated_ms)
        group = AtomicWrite()
        announce(group, [paid], paid.updated_ms)
        group.replace(keys.order_row(order.key), encode(paid), order.version)
        leave_its_place(group, order)
        await index_again(self.rows, group, paid)
        return group


def _result_of(payout: Payout, order: Order | None, ref: PaidRef | None) -> RestoreResult:
    """Return what is to be done about *payout*: NEW and MARKED are still to be written."""
    paid_hash = order.paid_hash if order and order.status is OrderStatus.PAID else ref and ref.paid_hash
    if paid_hash:
        return RestoreResult.KNOWN if paid_hash == payout.tx_hash else RestoreResult.PAID_TWICE
    if order is None:
        return RestoreResult.NEW
    if (order.wallet, order.amount_units) != (payout.wallet, payout.amount_units):
        return RestoreResult.DIFFERS
    if order.is_frozen:
        return RestoreResult.FROZEN
    return RestoreResult.MARKED if order.nonce is None else RestoreResult.BOUND
