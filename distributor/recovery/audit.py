"""
Use case: hold the ledger against the chain, both ways.

Every paid order has its transfer, in the final transaction the ledger names, from the reserve to
its wallet and of its amount; and every transfer out of the reserve belongs to a paid order. Changes
nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from distributor.ledger.rebuild_store import Payout, RebuildStore
from distributor.model import Hash, HoldReason, Order, OrderStatus
from distributor.payout.history import History, newest_final
from distributor.ports import Chain
from distributor.recovery.completeness import Completeness
from distributor.recovery.payouts import KnownParties, UnmatchedTransfer, classify_transfers
from distributor.settings.chain import SettlementSettings
from distributor.units import TokenUnits

PAGE_BLOCKS = 10_000
"""Blocks read between two lines of progress."""

Say = Callable[[str], None]


class Mismatch(StrEnum):
    """How ledger and chain can differ."""

    NO_TRANSFER = "no_transfer"
    """The ledger calls it paid, and its transaction has no payout with its reference."""
    OTHER_WALLET = "other_wallet"
    OTHER_AMOUNT = "other_amount"
    PAID_TWICE = "paid_twice"
    """The chain paid a reference that the ledger has as paid by another transaction."""
    NOT_PAID = "not_paid"
    """The chain paid an order that the ledger has, and does not call paid."""
    NO_ORDER = "no_order"
    """The chain paid what the ledger does not know."""
    NOT_FINAL = "not_final"
    """The ledger calls it paid in a block that is not final: the node lags, or the row is wrong."""
    STRANGER = "stranger"
    """Tokens left the reserve, and not by a payout of this service."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing that the ledger and the chain do not say alike."""

    kind: Mismatch
    subject: str
    """The order, or the reference where the ledger has no order."""
    tx_hash: Hash | None
    detail: str


@dataclass(kw_only=True, slots=True)
class Findings:
    """What an audit saw; no difference means that ledger and chain agree in these blocks."""

    first_block: int
    last_block: int
    orders: int = 0
    """Paid orders and references held against the chain."""
    payouts: int = 0
    paid_units: TokenUnits = TokenUnits(0)
    moved_units: TokenUnits = TokenUnits(0)
    """Every transfer out of the reserve, made by anybody."""
    differences: list[Difference] = field(default_factory=list)
    incomplete: str = ""
    """Why these blocks are not the whole past; a look at a part of it says so too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """What the ledger says of one reference."""

    subject: str
    ref_id: Hash
    wallet: str
    amount_units: TokenUnits
    status: OrderStatus
    paid_hash: Hash | None
    """With *paid_block*: None while it is not paid."""
    paid_block: int | None
    never_paid: bool = False
    """It is not paid, and nothing but a new order of the shop will be."""

    def is_settled_beside(self, payout: Payout) -> bool:
        """Say whether nothing is left to do about a *payout* that a person has explained and is not this order's."""
        if self.paid_hash is not None:
            return payout.tx_hash != self.paid_hash
        return self.never_paid and (payout.wallet, payout.amount_units) != (self.wallet, self.amount_units)


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """Compares; needs no key."""

    rebuild_store: RebuildStore
    chain: Chain
    history: History
    policy: SettlementSettings
    known: KnownParties
    say: Say

    async def run(self, first_block: int) -> Findings:
        """
        Return how ledger and chain differ from *first_block* to the last final one.

        The chain's end is fixed before the ledger is read, so that no payout in these blocks is newer
        than what we know of its order. What the ledger has as paid behind that end must be final by
        the time it was read.

        Raises:
            ChainUnavailable: No node answers, or it knows of no final block.
        """
        findings = Findings(first_block=first_block, last_block=await newest_final(self.chain, self.policy))
        held = await self._completeness.held(findings.last_block)
        entries = {entry.ref_id: entry async for entry in self._entries()}
        newest = await newest_final(self.chain, self.policy)
        paid: dict[Hash, list[Payout]] = {}
        for first in range(first_block, findings.last_block + 1, PAGE_BLOCKS):
            for payout in await self._page(first, min(first + PAGE_BLOCKS - 1, findings.last_block), findings):
                paid.setdefault(payout.ref_id, []).append(payout)
        asked = [entry for entry in entries.values() if entry.paid_block in range(first_block, findings.last_block + 1)]
        findings.orders, findings.payouts = len(asked), sum(map(len, paid.values()))
        findings.differences += _unproved(asked, paid)
        findings.differences += _beyond(entries.values(), newest)
        findings.differences += (
            each
            for ref_id, payouts in paid.items()
            for each in _judge(entries.get(ref_id), payouts, self.known.accepted)
        )
        providers = self._completeness.providers(self.chain.nodes)
        books = await self._completeness.books(first_block, findings.last_block, held, providers=providers)
        findings.incomplete = books.trouble(providers=providers, read_units=findings.moved_units)
        return findings

    @property
    def _completeness(self) -> Completeness:
        return Completeness(history=self.history)

    async def _entries(self) -> AsyncIterator[AuditEntry]:
        """Yield what the ledger says of every reference; a restored order is listed once, as an order."""
        named: set[Hash] = set()
        async for order in self.rebuild_store.orders():
            named.add(order.ref_id)
            yield _entry(order)
        async for ref_id, ref in self.rebuild_store.restored_refs():
            if ref_id not in named:
                yield AuditEntry(
                    subject=ref_id,
                    wallet=ref.wallet,
                    amount_units=ref.amount_units,
                    ref_id=ref_id,
                    status=OrderStatus.PAID,
                    paid_hash=ref.paid_hash,
                    paid_block=ref.paid_block,
                )

    async def _page(self, first: int, last: int, findings: Findings) -> Sequence[Payout]:
        reserve_transfers = await self.history.reserve_transfers(first, last)
        findings.moved_units = TokenUnits(findings.moved_units + sum(each.amount_units for each in reserve_transfers))
        transaction_details = await self.history.transaction_details(
            [transfer.tx_hash for transfer in reserve_transfers]
        )
        found = classify_transfers(reserve_transfers, transaction_details, self.known)
        findings.differences += map(_unmatched, found.unmatched_transfers)
        findings.paid_units = TokenUnits(findings.paid_units + sum(payout.amount_units for payout in found.payouts))
        self.say(f"Blocks {first} to {last}: {len(found.payouts)} payouts, {len(found.unmatched_transfers)} strangers.")
        return found.payouts


def _entry(order: Order) -> AuditEntry:
    paid = order.status is OrderStatus.PAID
    return AuditEntry(
        subject=str(order.key),
        wallet=order.wallet,
        amount_units=order.amount_units,
        ref_id=order.ref_id,
        status=order.status,
        paid_hash=order.paid_hash if paid else None,
        paid_block=order.paid_block if paid else None,
        never_paid=order.status is OrderStatus.CANCELLED or order.hold_reason is HoldReason.REFERENCE_USED,
    )


def _judge(entry: AuditEntry | None, payouts: Sequence[Payout], accepted: Collection[Hash]) -> Iterator[Difference]:
    """Yield what is wrong with the payouts of one reference, of which there must be one besides those *accepted*."""
    for payout in payouts:
        if entry is None:
            yield _of(payout, Mismatch.NO_ORDER, str(payout.key or payout.ref_id))
        elif payout.tx_hash in accepted and entry.is_settled_beside(payout):
            continue
        elif entry.paid_hash is None:
            if entry.status is not OrderStatus.BOUND:  # bound and not closed yet: settlement will
                yield _of(payout, Mismatch.NOT_PAID, entry.subject, f"the ledger has it as {entry.status}")
        elif payout.tx_hash != entry.paid_hash:
            yield _of(payout, Mismatch.PAID_TWICE, entry.subject, f"the ledger has {entry.paid_hash}")
        else:
            yield from _compared(entry, payout)


def _compared(entry: AuditEntry, payout: Payout) -> Iterator[Difference]:
    if payout.wallet != entry.wallet and entry.wallet:  # empty: its data was erased
        yield _of(payout, Mismatch.OTHER_WALLET, entry.subject, f"the ledger has {entry.wallet}")
    if payout.amount_units != entry.amount_units:
        yield _of(payout, Mismatch.OTHER_AMOUNT, entry.subject, f"the ledger has {entry.amount_units} units")


def _of(payout: Payout, kind: Mismatch, subject: str, detail: str = "") -> Difference:
    moved = f"{payout.amount_units} units to {payout.wallet}"
    return Difference(
        kind=kind, subject=subject, tx_hash=payout.tx_hash, detail=f"{moved}; {detail}" if detail else moved
    )


def _unproved(entries: Iterable[AuditEntry], paid: Mapping[Hash, Sequence[Payout]]) -> Iterator[Difference]:
    """Yield the orders whose transaction holds no payout with their reference."""
    for entry in entries:
        if not any(payout.tx_hash == entry.paid_hash for payout in paid.get(entry.ref_id, ())):
            detail = f"{entry.amount_units} units to {entry.wallet} are not there"
            yield Difference(kind=Mismatch.NO_TRANSFER, subject=entry.subject, tx_hash=entry.paid_hash, detail=detail)


def _beyond(entries: Iterable[AuditEntry], newest: int) -> Iterator[Difference]:
    for entry in entries:
        if entry.paid_block is not None and entry.paid_block > newest:
            detail = f"block {entry.paid_block}; the node's last final block is {newest}"
            yield Difference(kind=Mismatch.NOT_FINAL, subject=entry.subject, tx_hash=entry.paid_hash, detail=detail)


def _unmatched(unmatched: UnmatchedTransfer) -> Difference:
    moved = unmatched.transfer
    detail = f"{moved.amount_units} units to {moved.wallet} by {unmatched.sender}: {unmatched.why}"
    return Difference(
        kind=Mismatch.STRANGER, subject=f"block {moved.block.number}", tx_hash=moved.tx_hash, detail=detail
    )
