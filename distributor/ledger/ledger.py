"""
The ledger: what is owed, what is bound, what was signed, what is final.

One table partition per chain, whatever the operator: an order stays paid across a key rotation.
Every change is one group, done wholly or not at all, and conditional on the versions read before.
Written once, over the ``Rows`` port, so that the memory store of the tests and Azure Tables run
the same rules.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace

from distributor.caps import NO_CAPS, Caps
from distributor.ledger import keys, line, queries
from distributor.ledger.admin import Admin
from distributor.ledger.binding import (
    Inserted,
    Page,
    add_attempt,
    after_binding,
    bind_orders,
    hold_order,
    insert_order,
    wallets_of,
)
from distributor.ledger.closing import Closing, check_unchanged, close_transaction
from distributor.ledger.columns import encode
from distributor.ledger.doubts import Doubts
from distributor.ledger.exits import Exits
from distributor.ledger.guard_rows import GuardRows
from distributor.ledger.opened import Opened, opened
from distributor.ledger.queries import find
from distributor.ledger.records import Schema, Slot
from distributor.ledger.service_state import ServiceState
from distributor.ledger.signs import Signs
from distributor.model import (
    Address,
    Attempt,
    HoldReason,
    OpenTransaction,
    Order,
    OrderKey,
    Transaction,
    TransactionStatus,
)
from distributor.state import BindingState, Identity, MonitorState, PauseState, Stats, Waiting, WaitingReason
from foundation.clock import Clock, utc_day
from foundation.errors import Contention, require
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.leases import Lease, Leases
from foundation.tablestore.ports import AuditTrail, Rows

CLOSE_TRIES_MAX = 5
"""A closing shares the totals with every binding and reads them anew in each try."""

_log = logging.getLogger(__name__)


class Ledger:
    """The verbs of the ledger. Contention: reread and judge again. LedgerUnavailable: unknown, later."""

    def __init__(self, rows: Rows, audit: AuditTrail, *, clock: Clock) -> None:
        self._rows, self._audit, self._clock = rows, audit, clock
        self._leases = Leases(rows, clock)
        self._service_state = ServiceState(rows, clock)
        self._admin = Admin(rows, audit, clock)
        self.signs = Signs(rows, clock)
        self.doubts = Doubts(rows, clock)
        self.guard_rows = GuardRows(rows, audit, clock)
        self.exits = Exits(rows, clock)

    # whose ledger ------------------------------------------------------------------------------

    async def identity(self) -> Identity | None:
        return await find(self._rows, Identity, keys.IDENTITY)

    async def schema_level(self) -> int:
        """Return which rules of binding this ledger asks for; 0 where none was ever raised."""
        return (await find(self._rows, Schema, keys.SCHEMA) or Schema()).level

    async def pause_state(self) -> PauseState:
        return await self._admin.pause_state()

    async def set_pause_state(self, pause_state: PauseState) -> None:
        """Pause or resume; Contention when another person did so since *pause_state* was read."""
        await self._admin.set_pause_state(pause_state)

    async def pause(self, by: str, why: str) -> PauseState:
        """Stop all binding, also that of a round in progress; safe to repeat."""
        return await self._admin.pause(by, why)

    async def halt(self, by: str, why: str) -> PauseState:
        """Stop all binding and all submitting; safe to repeat."""
        return await self._admin.halt(by, why)

    async def resume(self, by: str, why: str) -> PauseState:
        """End a pause and a halt; nothing happens where there is none."""
        return await self._admin.resume(by, why)

    async def initialise(self, identity: Identity, operator: Address, next_nonce: int) -> bool:
        """
        Make this ledger *identity*'s, with *operator*'s next nonce as the chain has it; False when it is already.

        Raises:
            ForeignLedger: It is another one's.
        """
        return await self._admin.initialise(identity, operator, next_nonce)

    async def add_operator(self, operator: Address, next_nonce: int) -> bool:
        """Let *operator* bind, from *next_nonce* on; False when it already may."""
        return await self._admin.add_operator(operator, next_nonce)

    async def record(self, deed: str, subject: str, by: str, why: str) -> None:
        """Note in the audit trail who did what to what, and why."""
        await self._admin.record(deed, subject, by, why)

    # orders ------------------------------------------------------------------------------------

    async def insert(self, order: Order) -> Inserted:
        """
        Keep *order* unless its id is known; one round trip when it is new, and no read before it.

        Raises:
            ConflictingOrder: A rebuild found its reference spent, by a payout to another wallet or of another amount.
        """
        key = keys.order(order.key)
        try:
            versions = await commit(self._rows, insert_order(order), marker_row=keys.ref(order.ref_id))
        except Contention:
            return Inserted(order=await queries.known_order(self._rows, order), new=False)
        stored = (
            replace(order, version=versions[key]) if key in versions else await queries.known_order(self._rows, order)
        )
        return Inserted(order=stored, new=True)

    async def recall(self, order: Order) -> Order | None:
        """Return what the ledger holds of *order*, and keep nothing; None when it is new. Raises as ``insert``."""
        return await queries.recall(self._rows, order)

    async def order(self, key: OrderKey) -> Order | None:
        return await find(self._rows, Order, keys.order(key))

    async def orders(self, wanted: Sequence[OrderKey]) -> Sequence[Order]:
        """Return orders that are known to be there, in that order. Raises InvariantBroken when one is not."""
        return await queries.orders(self._rows, wanted)

    async def waiting(self, *, limit: int, after: str = "") -> Page:
        """Return waiting orders behind the place *after*, at most *limit*, oldest first; none where the line ends."""
        return await line.waiting(self._rows, limit=limit, after=after)

    async def held_orders(self, *, limit: int) -> Sequence[Order]:
        """Return orders that wait for a person, from at most *limit* rows; one that cannot be read is left out."""
        return await queries.held_orders(self._rows, limit)

    async def hold(self, order: Order, reason: HoldReason, detail: str) -> None:
        """Stop a waiting order until a person decides; a bound one is held only by its closing."""
        await commit(self._rows, hold_order(order, reason, detail, self._clock()), marker_row=keys.held(order.key))
        await self._record_held(order.key, reason, detail, "unbound")

    async def retry(self, order: Order, by: str, why: str) -> Order:
        """Put a held order with no nonce back into the waiting line. Contention when it changed since it was read."""
        return await self._admin.retry(order, by, why)

    async def cancel(self, order: Order, by: str, why: str) -> Order:
        """Take back an order that waits or is held, never a bound one. Contention when it changed since it was read."""
        return await self._admin.cancel(order, by, why)

    # binding -----------------------------------------------------------------------------------

    async def binding_state(self, operator: Address) -> BindingState | None:
        """Return what *operator* binds on; None when it was never added to this ledger."""
        return await queries.binding_state(self._rows, operator, utc_day(self._clock()))

    async def with_wallets(self, binding_state: BindingState, wallets: Iterable[Address]) -> BindingState:
        """Return the books with the day's totals of *wallets* looked up."""
        return await queries.with_day_totals(self._rows, binding_state, binding_state.spent.day, wallets)

    async def bind(
        self,
        binding_state: BindingState,
        orders: Sequence[Order],
        transaction: Transaction,
        attempt: Attempt,
        caps: Caps = NO_CAPS,
    ) -> tuple[BindingState, Transaction]:
        """
        Bind *orders* to the next nonce, together with the bytes that pay them; return the next books.

        Raises:
            Contention: The nonce, an order or a total has changed since it was read.
            InvariantBroken: The parts do not agree, or a cap would be exceeded.
        """
        slot = Slot(transaction.operator, transaction.nonce)
        binding_state = await queries.with_day_totals(
            self._rows, binding_state, transaction.bound_day, wallets_of(orders)
        )
        group, after = bind_orders(binding_state, orders, transaction, attempt, caps)
        versions = await commit(self._rows, group, marker_row=keys.attempt(*slot, 0))
        return after_binding(after, orders, versions), replace(
            transaction, version=version_of(versions, keys.transaction(*slot))
        )

    # following ---------------------------------------------------------------------------------

    async def open_transactions(self) -> Sequence[OpenTransaction]:
        """Return every transaction that is not final and can be read, by operator and nonce."""
        return (await self.opened()).transactions

    async def opened(self) -> Opened:
        """Return every transaction that is not final, and the rows of them that cannot be read."""
        return await opened(self._rows)

    async def any_open(self) -> bool:
        return bool(await self._rows.scan(keys.OPEN_TRANSACTIONS, keys.past(keys.OPEN_TRANSACTIONS), limit=1))

    async def transaction(self, operator: Address, nonce: int) -> Transaction | None:
        return await find(self._rows, Transaction, keys.transaction(operator, nonce))

    async def attempts(self, operator: Address, nonce: int) -> Sequence[Attempt]:
        """Return every attempt of one nonce, oldest first."""
        return await queries.attempts(self._rows, operator, nonce)

    async def update(self, transaction: Transaction) -> Transaction:
        """Keep what became of an open transaction; Contention when another worker wrote it since."""
        require(transaction.status is not TransactionStatus.FINAL, "only a closing makes a transaction final")
        key = keys.transaction(transaction.operator, transaction.nonce)
        group = AtomicWrite()
        group.replace(key, encode(transaction), transaction.version)
        versions = await commit(self._rows, group, marker_row=key)
        return replace(transaction, version=version_of(versions, key))

    async def add_attempt(self, transaction: Transaction, attempt: Attempt) -> Transaction:
        """Keep signed bytes as the next attempt, before any node sees them; two settlers cannot both own one."""
        group, after = add_attempt(transaction, attempt)
        slot = Slot(transaction.operator, transaction.nonce)
        versions = await commit(self._rows, group, marker_row=keys.attempt(*slot, attempt.index))
        return replace(after, version=version_of(versions, keys.transaction(*slot)))

    async def close(self, transaction: Transaction, closing: Closing) -> None:
        """
        End a transaction as its final receipt says; the same closing again changes nothing.

        Raises:
            Contention: Another worker has written the transaction since it was read.
            InvariantBroken: It was closed before by another receipt, or the orders are not its own.
        """
        key = keys.transaction(transaction.operator, transaction.nonce)
        for _ in range(CLOSE_TRIES_MAX):
            inputs = await queries.closing_inputs(self._rows, transaction, closing)
            if inputs.stored.status is TransactionStatus.FINAL:
                check_unchanged(inputs.stored, closing)
                return
            if inputs.stored.version != transaction.version:
                raise Contention(f"another worker has written {key} since")
            group = close_transaction(transaction, inputs, closing, self._clock())
            try:
                await commit(self._rows, group, marker_row=key)
            except Contention:
                continue  # a binding changed the totals, or another settler was first: the next look tells
            for order, reason in closing.held.items():
                await self._record_held(order, reason, closing.detail, closing.tx_hash)
            return
        raise Contention(f"the totals kept changing while {key} was closed")

    async def stats(self, operator: Address) -> Stats:
        return await find(self._rows, Stats, keys.stats(operator)) or Stats()

    async def forget_final(self, operator: Address, stats: Stats) -> None:
        """Watch the block of the newest closing no more; Contention when another was closed since."""
        group = AtomicWrite()
        group.replace(keys.stats(operator), encode(replace(stats, final_number=None, final_hash=None)), stats.version)
        await commit(self._rows, group, marker_row=keys.stats(operator))

    # the service -------------------------------------------------------------------------------

    async def why_waiting(self) -> Waiting:
        return await self._service_state.why_waiting()

    async def set_waiting(self, reason: WaitingReason | None, detail: str) -> bool:
        """
        Keep why orders wait; True for the one caller that changed the reason, and so raises the alarm.

        Raises:
            Contention: Another worker wrote its own reason first.
        """
        return await self._service_state.set_waiting(reason, detail)

    async def monitor_state(self) -> MonitorState:
        return await self._service_state.monitor_state()

    async def save_monitor_state(self, monitor_state: MonitorState) -> None:
        """Keep what the sweep saw; Contention when another sweep wrote since *monitor_state* was read."""
        await self._service_state.save_monitor_state(monitor_state)

    async def acquire(self, name: str, holder: str, *, ttl_ms: int) -> Lease | None:
        """Return the lease *name*; None while another holder's is alive."""
        return await self._leases.acquire(name, holder, ttl_ms=ttl_ms)

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease | None:
        """Return the lease with new time; None when another holder has taken it."""
        return await self._leases.renew(lease, ttl_ms=ttl_ms)

    async def release(self, lease: Lease) -> None:
        """End a lease early, unless it was lost already."""
        await self._leases.release(lease)

    async def lease(self, name: str) -> Lease | None:
        """Return the lease as it was last written, alive or not."""
        return await self._leases.find(name)

    async def aclose(self) -> None:
        await self._rows.aclose()

    async def _record_held(self, key: OrderKey, reason: HoldReason, detail: str, cause: str) -> None:
        await self._audit.record(f"held:{key}:{cause}", {"reason": reason.value, "detail": detail})
