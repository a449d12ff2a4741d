"""
Use case: erase the personal data of a wallet, an order, or a shop (LGPD, art. 18 VI), and prove what stays.

1. Look: which orders, and whether one of them is not finished; then nothing is written, and its exit is named.
2. The journal, outside the ledger and its backups, gets the subject's hash: a restore erases again.
3. Words in the audit trail and alarms, call data and signed bytes are emptied, then each order with its reference.

It may be begun again at any point. What an id was paid for is forgotten; that it was paid is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from distributor.ledger import audit_words
from distributor.ledger.purging import Erasure, PurgeRows, Unfinished
from distributor.ledger.records import UNREMEMBERED
from distributor.model import Address, Order, OrderKey, Transaction
from foundation.clock import Clock
from foundation.purge_journal import Purged, PurgeJournal
from foundation.tablestore.ports import Rows


class PurgeKind(StrEnum):
    """What is erased."""

    WALLET = "wallet"
    ORDER = "order"
    SHOP = "shop"


@dataclass(frozen=True, kw_only=True, slots=True)
class PurgeSubject:
    """Whose data is erased: an address, ``SHOP:ID``, or the name of a shop."""

    kind: PurgeKind
    name: str

    @property
    def wallet(self) -> Address | None:
        return Address(self.name) if self.kind is PurgeKind.WALLET else None

    @property
    def key(self) -> OrderKey:
        """Its order. Of an order alone."""
        source, _, order_id = self.name.partition(":")
        return OrderKey(source, order_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What stays of an order whose data is erased: nothing can be paid under this id or reference again."""

    key: OrderKey
    ref_id: str
    fingerprint: str


@dataclass(kw_only=True, slots=True)
class PurgeReport:
    """What a purge did, or would do."""

    rows: Counter[str] = field(default_factory=Counter)
    """Of each kind."""
    unfinished: dict[OrderKey, Unfinished] = field(default_factory=dict)
    """Orders whose data is still needed."""
    torn: list[str] = field(default_factory=list)
    """Rows that cannot be read: what they hold is not erased."""
    proofs: list[Proof] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Purging:
    """Raises StoreUnavailable, Contention: begin it again. Without *apply* it only counts."""

    rows: Rows
    audit: Rows
    """The audit trail's rows."""
    journal: PurgeJournal
    clock: Clock
    _rows: PurgeRows = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", PurgeRows(self.rows, self.clock))

    async def run(self, subject: PurgeSubject, *, by: str, apply: bool) -> PurgeReport:
        """Erase what is stored of *subject*; nothing at all where one of its orders is not finished."""
        orders = await self._orders(subject)
        carriers = await self._rows.transactions([order.key for order in orders])
        report = PurgeReport(unfinished=await self._unfinished(orders, carriers), torn=self._rows.torn)
        if report.unfinished:
            return report
        if apply:
            for kind, name in _entries(subject, orders):
                await self.journal.write(kind, name, by=by, at_ms=self.clock())
        await self._erase(report, orders, carriers, subject.wallet, apply=apply)
        return report

    async def replay(self, *, apply: bool) -> PurgeReport:
        """
        Erase again what the journal says, of what a backup or the chain brought back.

        What is not finished in it stays and is reported; the journal is replayed once more when it is.
        """
        entries, report = await self.journal.entries(), PurgeReport(torn=self._rows.torn)
        orders = [order async for order in self._rows.orders() if order.purged_ms is None]
        named = [order for order in orders if any(_covers(entry, order) for entry in entries)]
        carriers = await self._rows.transactions([order.key for order in named])
        report.unfinished = await self._unfinished(named, carriers)
        finished = [order for order in named if order.key not in report.unfinished]
        mine = [each for each in carriers if report.unfinished.keys().isdisjoint(each.orders)]
        await self._erase(report, finished, mine, None, apply=apply)
        for wallet in await self._erased_wallets(entries, orders):
            if not any(order.wallet == wallet and order.key in report.unfinished for order in named):
                await self._erase(report, [], [], wallet, apply=apply)
        return report

    # looking -----------------------------------------------------------------------------------

    async def _orders(self, subject: PurgeSubject) -> Sequence[Order]:
        match subject.kind:
            case PurgeKind.WALLET:
                return await self._rows.of_wallet(Address(subject.name))
            case PurgeKind.SHOP:
                found = await self._rows.of_shop(subject.name)
            case _:
                found = await self._rows.order(subject.key)
        return [*await self._rows.left_behind(found), *found]  # those first: by the others they are found again

    async def _unfinished(self, orders: Sequence[Order], carriers: Sequence[Transaction]) -> dict[OrderKey, Unfinished]:
        found = {order.key: await self._rows.unfinished(order, carriers) for order in orders}
        return {key: why for key, why in found.items() if why is not None}

    async def _erased_wallets(self, entries: Sequence[Purged], orders: Sequence[Order]) -> Sequence[Address]:
        wallets = {order.wallet for order in orders} | await self._rows.ref_wallets()
        erased = [entry.among(PurgeKind.WALLET, wallets) for entry in entries if entry.kind == PurgeKind.WALLET]
        return sorted(Address(wallet) for found in erased for wallet in found)

    # erasing -----------------------------------------------------------------------------------

    async def _erase(
        self,
        report: PurgeReport,
        orders: Sequence[Order],
        carriers: Sequence[Transaction],
        wallet: Address | None,
        *,
        apply: bool,
    ) -> None:
        looks = (self._words(orders, carriers), self._bytes(carriers), self._emptied(orders), self._left(wallet))
        for look in looks:  # the orders late: by their wallets a purge that was cut finds them again
            async for erasure in look:
                if apply:
                    await erasure.do()
                report.rows += erasure.counts
        report.proofs += [Proof(key=each.key, ref_id=each.ref_id, fingerprint=each.fingerprint) for each in orders]

    async def _words(self, orders: Sequence[Order], carriers: Sequence[Transaction]) -> AsyncIterator[Erasure]:
        entries = [audit_words.entries_about(self.audit, order.key) for order in orders]
        entries += [audit_words.about_nonce(self.audit, each.operator, each.nonce) for each in carriers]
        for about in entries:
            async for row in about:
                if (words := audit_words.without_words(self.audit, row)) is not None:
                    yield words
        for order in orders:
            async for erasure in self._rows.of_alarms(order):
                yield erasure

    async def _bytes(self, carriers: Sequence[Transaction]) -> AsyncIterator[Erasure]:
        for carrier in carriers:
            async for erasure in self._rows.of_transaction(carrier):
                yield erasure

    async def _emptied(self, orders: Sequence[Order]) -> AsyncIterator[Erasure]:
        for order in orders:
            if (erasure := await self._rows.of_order(order)) is not None:
                yield erasure

    async def _left(self, wallet: Address | None) -> AsyncIterator[Erasure]:
        if wallet is None:
            return
        async for erasure in self._rows.of_refs(wallet):
            yield erasure
        async for erasure in self._rows.of_keys(wallet):
            yield erasure


def _entries(subject: PurgeSubject, orders: Sequence[Order]) -> Sequence[tuple[PurgeKind, str]]:
    """Return what the journal keeps of a purge: the subject, and each order that it is not found by."""
    if subject.kind is PurgeKind.WALLET:
        return [(subject.kind, subject.name)]
    named = [
        (PurgeKind.ORDER, str(each.key))
        for each in orders
        if subject.kind is PurgeKind.ORDER or each.source != subject.name
    ]
    return named if subject.kind is PurgeKind.ORDER else [(subject.kind, subject.name), *named]


def _covers(entry: Purged, order: Order) -> bool:
    """Say whether *entry* was the purge of *order*; what a person orders after a purge is not covered by it."""
    if entry.is_of(PurgeKind.ORDER, str(order.key)):
        return True
    subject = order.wallet if entry.kind == PurgeKind.WALLET else order.source
    before = order.received_ms <= entry.at_ms or order.fingerprint == UNREMEMBERED
    return before and entry.kind != PurgeKind.ORDER and entry.is_of(entry.kind, subject)
