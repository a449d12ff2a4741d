"""
A look: lists the instalments of each span, reads those that may have news, stores what comes of it.

A span is listed again until a pass adds nothing, three times at most; after an outage a listing of several pages
must also come out the same twice, because pages shift while they are read. A look that is cut begins its span anew;
what it has read is not read again. The cursor moves when the last span is rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from foundation.clock import Clock, UnixMs
from foundation.errors import Contention
from payflow import corrections
from payflow.conta_azul.values import moment_ms
from payflow.errors import ApiUnavailable, UnreadableAnswer
from payflow.ledger.lane import RECEIPTS_IN_A_GROUP, LaneLedger
from payflow.looking import planning, reading
from payflow.looking.changed import WITHDRAWABLE
from payflow.looking.planning import Plan, Span
from payflow.looking.reading import KnownBefore
from payflow.model import BaixaId, InstalmentId, ListedInstalment
from payflow.ports import ContaAzul
from payflow.progress import Cursor, Instalment, LookKind
from payflow.state import Company, Receipt, ReceiptState

PAGE_SIZE: Final = 500
PAGES_MAX: Final = 400
PASSES_MAX: Final = 3
READS_AT_ONCE: Final = 20
"""Rows asked for together; the API is asked one after the other."""
FAILURES_MAX: Final = 3
"""So many instalments in a row that cannot be read are no instalment's fault."""
BASELINE_GROUP: Final = 50
AGAIN_MAX: Final = 200

Enough = Callable[[], bool]
"""Says whether the lane's time is up."""


class Cut(Exception):
    """The lane's time is up; the look goes on at its span."""


@dataclass(slots=True)
class LookResult:
    """What a look did."""

    added: int = 0
    """Readings that were stored."""
    complete: bool = False
    unsettled: bool = False
    """A span still had something new in its last pass."""
    failed: set[InstalmentId] = field(default_factory=set)
    """Instalments whose detail could not be read."""
    not_adding_up: set[InstalmentId] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Listing:
    """One pass over a span: what it showed, in how many pages."""

    items: dict[InstalmentId, ListedInstalment]
    pages: int


class Look:
    """One look of one company."""

    def __init__(self, ledger: LaneLedger, api: ContaAzul, company: Company, clock: Clock, enough: Enough) -> None:
        self._ledger, self._api, self._company = ledger, api, company
        self._clock, self._enough = clock, enough
        self._failures = 0
        self.result = LookResult()

    async def run(self, cursor: Cursor) -> Cursor:
        """
        Go on with the look in progress of *cursor* to its end, or until time is up; return the cursor as stored.

        Raises what the API raises; the cursor then stays at its span.
        """
        plan = planning.plan(cursor, self._company.span_days)
        try:
            await self._read_again(plan)
            while cursor.span < len(plan.spans):
                disturbed = await self._span(plan, plan.spans[cursor.span], settle=cursor.outage_from_ms > 0)
                cursor = await self._ledger.write_cursor(
                    replace(cursor, span=cursor.span + 1, disturbed=cursor.disturbed or disturbed)
                )
        except Cut:
            return cursor
        self.result.complete = True
        return await self._ledger.write_cursor(planning.done(cursor, self._clock()))

    async def _span(self, plan: Plan, span: Span, *, settle: bool) -> bool:
        """List *span* until nothing is added; say whether it was disturbed meanwhile."""
        before: Listing | None = None
        for _ in range(PASSES_MAX):
            listing = await self._list(plan, span)
            added = await self._work(plan, listing)
            calm = listing.pages <= 1 or (before is not None and before.items == listing.items)
            if not added and (calm or not settle):
                return not calm
            before = listing
        self.result.unsettled = self.result.unsettled or bool(added)
        return True

    async def _list(self, plan: Plan, span: Span) -> Listing:
        """List every page of a span: until an empty one, or a short one when there are as many as were promised."""
        found = dict[InstalmentId, ListedInstalment]()
        for number in range(1, PAGES_MAX + 1):
            self._stop_if_enough()
            page = await self._api.search(plan.search(span, number, PAGE_SIZE))
            found |= {item.id: item for item in page.items}
            if not page.items or (len(page.items) < PAGE_SIZE and len(found) >= page.total):
                return Listing(found, number)
        self.result.unsettled = True
        return Listing(found, PAGES_MAX)

    async def _work(self, plan: Plan, listing: Listing) -> int:
        """Work what *listing* shows; return how many readings that added."""
        items = [*listing.items.values()]
        rows = await self._rows(items)
        if plan.kind is LookKind.BASELINE:
            return await self._add_baseline([item for item in items if item.paid > 0 and rows[item.id] is None])
        news = [item for item in items if reading.must_be_read(item, rows[item.id]) and self._may(plan, rows[item.id])]
        news.sort(
            key=lambda item: item.changed, reverse=True
        )  # the newest payments are mailed first, also in a backlog
        return sum([await self._read(item, rows[item.id]) for item in news])

    def _may(self, plan: Plan, row: Instalment | None) -> bool:
        """What does not add up again and again is not asked for at each look, but each hour."""
        return row is None or row.reads < reading.READS_MAX or plan.kind is not LookKind.CHANGES

    async def _read_again(self, plan: Plan) -> None:
        """Read instalments that are not worked, also where no list shows them any more."""
        if plan.kind is LookKind.BASELINE:
            return
        for row in await self._ledger.to_read_again(limit=AGAIN_MAX):
            if self._may(plan, row):
                await self._read(reading.as_listed(row), row)

    async def _rows(self, items: Sequence[ListedInstalment]) -> dict[InstalmentId, Instalment | None]:
        found = dict[InstalmentId, Instalment | None]()
        for at in range(0, len(items), READS_AT_ONCE):
            ids = [item.id for item in items[at : at + READS_AT_ONCE]]
            found |= dict(zip(ids, await asyncio.gather(*map(self._ledger.instalment, ids)), strict=True))
        return found

    async def _add_baseline(self, items: Sequence[ListedInstalment]) -> int:
        for at in range(0, len(items), BASELINE_GROUP):
            self._stop_if_enough()
            part = items[at : at + BASELINE_GROUP]
            await self._ledger.add_baseline([_of_baseline(item, self._company.baseline_ms) for item in part])
        return len(items)

    async def _read(self, item: ListedInstalment, row: Instalment | None) -> int:
        """Read one instalment and store what comes of it; return 1 if that was anything."""
        self._stop_if_enough()
        known = await self._ledger.siblings(item.id)
        asked = KnownBefore(
            company=self._company.id, baseline_ms=self._company.baseline_ms, listed=item, row=row, known=known
        )
        try:
            read = await self._reading(asked)
        except ApiUnavailable:
            read = self._failed(asked)
        try:
            await self._store(asked, read)
        except Contention:  # another lane, or a sender, was first: the next pass reads it again
            return 1
        if not read.instalment.worked:
            self.result.not_adding_up.add(item.id)
        news = bool(read.found or read.changed) or row is None or row.paid != item.paid
        self.result.added += news
        return int(news)

    async def _reading(self, asked: KnownBefore) -> reading.Reading:
        detail = await self._api.instalment(asked.listed.id)
        undone = {baixa for baixa in reading.missing(detail, asked.known) if await self._is_gone(baixa)}
        waits = [one.baixa for one in asked.known if one.baixa in undone and one.state in WITHDRAWABLE]
        mailed = {baixa: state for baixa in waits if (state := await self._ledger.mailed(baixa))}
        partly = {one.baixa for one in asked.known if one.baixa not in undone and await self._is_partly_mailed(one)}
        self._failures = 0
        return reading.read_detail(asked, detail, undone, self._clock(), mailed=mailed, partly=partly)

    async def _is_partly_mailed(self, receipt: Receipt) -> bool:
        """Say whether a receipt is held although a mail of what it is went out; one without a document has none."""
        if receipt.state is not ReceiptState.HELD or not receipt.document_sha256:
            return False
        return corrections.has_gone_out(receipt, await self._ledger.deliveries(receipt.baixa))

    async def _is_gone(self, baixa: BaixaId) -> bool:
        return await self._api.baixa(baixa) is None

    def _failed(self, asked: KnownBefore) -> reading.Reading:
        """An instalment that cannot be read becomes a row: the cursor never passes what is not one."""
        self._failures += 1
        if self._failures >= FAILURES_MAX:
            raise ApiUnavailable("Conta Azul cannot read any instalment.") from None
        self.result.failed.add(asked.listed.id)
        return reading.unread(asked)

    async def _store(self, asked: KnownBefore, read: reading.Reading) -> None:
        """Store a reading; what does not fit one group is stored first, with the instalment still to be read."""
        before, found, changed = asked.row, [*read.found], [*read.changed]
        while len(found) + len(changed) > RECEIPTS_IN_A_GROUP:
            part, found = found[:RECEIPTS_IN_A_GROUP], found[RECEIPTS_IN_A_GROUP:]
            room = RECEIPTS_IN_A_GROUP - len(part)
            some, changed = changed[:room], changed[room:]
            await self._ledger.add(before, replace(read.instalment, worked=False), part, some)
            before = await self._ledger.instalment(read.instalment.id)
        await self._ledger.add(before, read.instalment, found, changed)

    def _stop_if_enough(self) -> None:
        if self._enough():
            raise Cut


def _of_baseline(item: ListedInstalment, bound_ms: UnixMs) -> Instalment:
    """
    Return the row of an instalment that was paid when the baseline was listed.

    One that was changed after the bound may have been paid in between: its payments are read, and their own stamps
    tell the old from the new (R4-6).
    """
    return Instalment(
        id=item.id,
        changed=item.changed,
        paid=item.paid,
        worked=_is_older(item.changed, bound_ms),
        customer=item.customer.id,
        customer_name=item.customer.name,
        in_baseline=True,
    )


def _is_older(changed: str, bound_ms: UnixMs) -> bool:
    try:
        at = moment_ms(changed or None)
    except UnreadableAnswer:
        return False
    return at is not None and at < bound_ms - reading.SKEW_MS
