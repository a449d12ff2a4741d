"""
The ledger: what is owed, what is bound, what was signed, what is final.

One table partition per chain, whatever the operator: an order stays paid across a key rotation.
Every change is one group, done wholly or not at all, and conditional on the versions read before.
Written once, over the ``Rows`` port, so that the memory store of the tests and Azure Tables run
the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from distributor.caps import NO_CAPS, Caps
from distributor.ledger import backlog, following, keys, order_search, queries
from distributor.ledger.admin import Admin
from distributor.ledger.approving import Approving
from distributor.ledger.binding import (
    Binding,
    Inserted,
    WaitingPage,
    add_attempt,
    after_binding,
    bind_orders,
    hold_order,
    insert_order,
    judged,
    wallets_of,
)
from distributor.ledger.call_backs import CallBacks
from distributor.ledger.closing import Closing
from distributor.ledger.columns import encode
from distributor.ledger.console_sessions import ConsoleSessions
from distributor.ledger.days import CountedDays, counted_days
from distributor.ledger.doubts import Doubts
from distributor.ledger.exits import Exits
from distributor.ledger.guard_rows import GuardRows
from distributor.ledger.opened import Opened, opened
from distributor.ledger.order_search import FoundOrders, OrderFilter
from distributor.ledger.own_addresses import OwnAddresses
from distributor.ledger.past import Past
from distributor.ledger.queries import find_record
from distributor.ledger.records import Schema, Slot
from distributor.ledger.service_state import ServiceState
from distributor.ledger.shop_orders import ShopOrders
from distributor.ledger.shops import Shops
from distributor.ledger.signs import Signs
from distributor.ledger.used_forms import UsedForms
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
from distributor.state import BindingState, Identity, Stats
from foundation.clock import Clock, utc_day
from foundation.errors import Contention, require
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.leases import Leases
from foundation.tablestore.ports import AuditTrail, Rows
from foundation.tablestore.queries import past


class Ledger:
    """
    What a payment does to the ledger; ``admin``, ``leases`` and ``service`` are for the rest.

    Contention: read again and decide again. StoreUnavailable: the outcome is unknown, try later.
    """

    def __init__(self, rows: Rows, audit: AuditTrail, *, clock: Clock) -> None:
        self._rows, self._audit, self._clock = rows, audit, clock
        self.leases = Leases(rows, clock)
        self.service = ServiceState(rows, clock)
        self.admin = Admin(rows, audit, clock)
        self.console_sessions = ConsoleSessions(self.admin)
        self.approving = Approving(rows, audit, clock)
        self.signs = Signs(rows, clock)
        self.doubts = Doubts(rows, clock)
        self.guard_rows = GuardRows(rows, audit, clock)
        self.exits = Exits(rows, clock)
        self.used_forms = UsedForms(audit, clock)
        self.shops = Shops(rows, audit, clock)
        self.shop_orders = ShopOrders(rows, clock)
        self.own_addresses = OwnAddresses(rows, clock)
        self.past = Past(rows, clock)
        self.call_backs = CallBacks(rows, clock)

    # whose ledger ------------------------------------------------------------------------------

    async def identity(self) -> Identity | None:
        return await find_record(self._rows, Identity, keys.IDENTITY)

    async def schema_level(self) -> int:
        """Return which rules of binding this ledger asks for; 0 where none was ever raised."""
        return (await find_record(self._rows, Schema, keys.SCHEMA) or Schema()).level

    # orders ------------------------------------------------------------------------------------

    async def insert(self, order: Order, caps: Caps = NO_CAPS) -> Inserted:
        """
        Keep *order* unless its id is known; one round trip when it is new, and no read before it.

        One above the limit of *caps* for what is paid without approval is held at once.

        Raises:
            ConflictingOrder: A rebuild found its reference spent, by a payout to another wallet or of another amount.
        """
        key, order = keys.order_row(order.key), self.judged(order, caps)
        try:
            versions = await commit(self._rows, insert_order(order), marker_row=keys.ref(order.ref_id))
        except Contention:
            return Inserted(order=await queries.known_order(self._rows, order), new=False)
        stored = (
            replace(order, version=versions[key]) if key in versions else await queries.known_order(self._rows, order)
        )
        if stored.hold_reason is HoldReason.NEEDS_APPROVAL:
            await self._record_held(stored.key, HoldReason.NEEDS_APPROVAL, stored.hold_detail, "intake")
        return Inserted(order=stored, new=True)

    def judged(self, order: Order, caps: Caps) -> Order:
        """Return a new *order* as it comes in: held where it is above the limit of *caps* and nobody approved it."""
        return judged(order, caps, self._clock())

    async def recall(self, order: Order) -> Order | None:
        """Return what the ledger holds of *order*, and keep nothing; None when it is new. Raises as ``insert``."""
        return await queries.recall(self._rows, order)

    async def order(self, key: OrderKey) -> Order | None:
        return await find_record(self._rows, Order, keys.order_row(key))

    async def orders(self, wanted: Sequence[OrderKey]) -> Sequence[Order]:
        """Return orders that are known to be there, in that order. Raises InvariantBroken when one is not."""
        return await queries.orders_by_key(self._rows, wanted)

    async def found(self, wanted: OrderFilter, *, limit: int, after: str = "") -> FoundOrders:
        """Return a page of the orders that *wanted* names; what it reads does not grow with the orders there are."""
        return await order_search.search_orders(self._rows, wanted, limit=limit, after=after)

    async def count(self, wanted: OrderFilter, *, after: str) -> int | None:
        """Return how many orders more there are behind *after*, counted up to 1,000; None where that takes reading."""
        return await order_search.count_orders(self._rows, wanted, after)

    async def index_orders(self, place: str, *, limit: int) -> tuple[str, int]:
        """Index stored orders behind the row *place*; return the last row, empty at the end, and how many lacked it."""
        return await order_search.index_from(self._rows, place, limit)

    async def waiting(self, *, limit: int, after: str = "") -> WaitingPage:
        """Return waiting orders behind the place *after*, at most *limit*, oldest first; none where it ends."""
        return await backlog.waiting(self._rows, limit=limit, after=after)

    async def held_orders(self, *, limit: int) -> WaitingPage:
        """Return orders that wait for a person, from at most *limit* rows; one that cannot be read is named."""
        return await queries.held_orders(self._rows, limit)

    async def hold(self, order: Order, reason: HoldReason, detail: str) -> None:
        """Stop a waiting order until a person decides; a bound one is held only by its closing."""
        await commit(self._rows, hold_order(order, reason, detail, self._clock()), marker_row=keys.held_row(order.key))
        await self._record_held(order.key, reason, detail, "unbound")

    # binding -----------------------------------------------------------------------------------

    async def binding_state(self, operator: Address) -> BindingState | None:
        """Return what *operator* binds on; None when it was never added to this ledger."""
        return await queries.binding_state(self._rows, operator, utc_day(self._clock()))

    async def with_wallets(self, binding_state: BindingState, wallets: Iterable[Address]) -> BindingState:
        """Return the books with the day's totals of *wallets* looked up."""
        return await queries.with_day_totals(self._rows, binding_state, binding_state.spent.day, wallets)

    async def bind(
        self, binding_state: BindingState, bindings: Sequence[Binding], caps: Caps = NO_CAPS
    ) -> tuple[BindingState, Sequence[Transaction]]:
        """
        Bind orders to the next nonces in one group, together with the bytes that pay them; return the next books.

        Raises:
            Contention: The nonce, an order or a total has changed since it was read; nothing is bound.
            InvariantBroken: The parts do not agree, a cap would be exceeded, or an order lacks an approval.
        """
        first = bindings[0].transaction
        wallets = wallets_of(order for binding in bindings for order in binding.orders)
        binding_state = await queries.with_day_totals(self._rows, binding_state, first.bound_day, wallets)
        group, after = bind_orders(binding_state, bindings, caps)
        versions = await commit(self._rows, group, marker_row=keys.attempt(first.operator, first.nonce, 0))
        return after_binding(after, bindings, versions)

    # following ---------------------------------------------------------------------------------

    async def open_transactions(self) -> Sequence[OpenTransaction]:
        """Return every transaction that is not final and can be read, by operator and nonce."""
        return (await self.opened()).transactions

    async def opened(self) -> Opened:
        """Return every transaction that is not final, and the rows of them that cannot be read."""
        return await opened(self._rows)

    async def any_open(self) -> bool:
        return bool(await self._rows.scan(keys.OPEN_TRANSACTIONS, past(keys.OPEN_TRANSACTIONS), limit=1))

    async def transaction(self, operator: Address, nonce: int) -> Transaction | None:
        return await find_record(self._rows, Transaction, keys.transaction(operator, nonce))

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

    async def update_all(self, transactions: Sequence[Transaction]) -> Sequence[bool]:
        """
        Keep what became of open transactions, in one group; return which were kept, True or False for each.

        Where another worker wrote one of them since, the others are kept one by one.
        """
        return await following.update_all(self._rows, transactions)

    async def add_attempt(self, transaction: Transaction, attempt: Attempt) -> Transaction:
        """Keep signed bytes as the next attempt, before any node sees them; two settlers cannot both own one."""
        group, after = add_attempt(transaction, attempt)
        slot = Slot(transaction.operator, transaction.nonce)
        versions = await commit(self._rows, group, marker_row=keys.attempt(*slot, attempt.index))
        return replace(after, version=version_of(versions, keys.transaction(*slot)))

    async def close(self, transaction: Transaction, closing: Closing) -> None:
        """End a transaction as its final receipt says, see ``close_all``."""
        await self.close_all([(transaction, closing)])

    async def close_all(self, ends: Sequence[tuple[Transaction, Closing]]) -> None:
        """
        End transactions of one operator in one group, as their final receipts say; the same again changes nothing.

        Raises:
            Contention: Another worker has written one of them since it was read; none is ended.
            InvariantBroken: One was closed before by another receipt, or the orders are not its own.
        """
        for ending in await following.close_all(self._rows, ends, self._clock):
            for order, reason in ending.closing.held.items():
                await self._record_held(order, reason, ending.closing.detail_of(order), ending.closing.tx_hash)

    async def stats(self, operator: Address) -> Stats:
        return await find_record(self._rows, Stats, keys.stats(operator)) or Stats()

    async def days(self, first: str, last: str) -> CountedDays:
        """Return what was paid on the UTC days from *first* to *last*; two reads."""
        return await counted_days(self._rows, first, last)

    async def forget_final(self, operator: Address, stats: Stats) -> None:
        """Watch the block of the newest closing no more; Contention when another was closed since."""
        group = AtomicWrite()
        group.replace(keys.stats(operator), encode(replace(stats, final_number=None, final_hash=None)), stats.version)
        await commit(self._rows, group, marker_row=keys.stats(operator))

    async def aclose(self) -> None:
        await self._rows.aclose()

    async def _record_held(self, key: OrderKey, reason: HoldReason, detail: str, cause: str) -> None:
        await self._audit.record(f"held:{key}:{cause}", {"reason": reason.value, "detail": detail})
