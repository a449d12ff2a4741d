"""
Use case: empty words whose time is over: reasons, call data and signed bytes of finished orders, audit details.

The sweep does a slice with each watch, so no timer of its own can be forgotten or overlap. Once a day a pass begins. It
goes over the orders that became old since the pass before, then over the audit trail, then over the wallets' totals of
old days. It may be cut anywhere: the next slice goes over the same again.

1. A pass looks at an old order that is held, and leaves it: its words are needed.
2. If that time were passed for good, its words would stay after it is paid. So the next pass begins at the oldest left.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from distributor.ledger import audit_words, keys
from distributor.ledger.classes import CLASSES, outdated
from distributor.ledger.columns import encode
from distributor.ledger.opened import opened
from distributor.ledger.purging import Erasure, PurgeRows
from distributor.ledger.queries import find_record, named_orders
from distributor.ledger.records import Retention
from distributor.model import Order, OrderStatus, Transaction, TransactionStatus
from foundation import logs
from foundation.clock import DAY_MS, Clock, UnixMs, elapsed_ms, utc_day
from foundation.errors import Contention, InvariantBroken
from foundation.personal_data import empty
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Row, Rows
from foundation.tablestore.queries import behind

ROWS_AT_ONCE: Final = 200
"""Rows that one slice reads of an index, of the audit trail, or of the days' totals."""
_ENDED: Final = frozenset({OrderStatus.PAID, OrderStatus.CANCELLED})
_DAYS: Final = "spent:"
_LAST: Final = "~"
_TIME_DIGITS: Final = 15

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionPass:
    """Raises StoreUnavailable: the next slice goes on from the same place."""

    rows: Rows
    audit: Rows
    clock: Clock
    days: int
    """How long words are kept; 0: they are never erased."""

    async def run(self) -> None:
        """Do a slice of the pass that runs, or begin one where none ran for a day."""
        if not self.days or await self.rows.get(keys.IDENTITY) is None:  # a table that is nobody's stays as it is
            return
        found = await find_record(self.rows, Retention, keys.RETENTION) or Retention()
        state = found if found.until_ms is not None else self._begun(found)
        if state is None or state.until_ms is None:
            return
        after, erasures = await self._slice(state, state.until_ms)
        try:
            for each in erasures:
                await each.do()
        except Contention:
            logs.info(_log, "retention_contended")
            return  # the next slice is this one again
        group = AtomicWrite()
        group.put(keys.RETENTION, encode(after), found.version)
        try:
            await commit(self.rows, group, marker_row=keys.RETENTION)
        except Contention:
            logs.info(_log, "retention_elsewhere")
        logs.info(_log, "retention", emptied=len(erasures), place=after.place)

    def _begun(self, found: Retention) -> Retention | None:
        """Return a pass that begins now; None while the last one ended less than a day ago."""
        now = self.clock()
        if elapsed_ms(found.ended_ms, now) < DAY_MS:
            return None
        until_ms = UnixMs(max(0, now - self.days * DAY_MS))
        return replace(found, until_ms=until_ms, place="", left_ms=None)

    async def _slice(self, state: Retention, until_ms: UnixMs) -> tuple[Retention, Sequence[Erasure]]:
        kind = state.place.partition(" ")[0]
        if kind == "audit":
            return await self._of_audit(state, until_ms)
        if kind == "days":
            return await self._of_days(state, until_ms)
        return await self._of_orders(state, until_ms)

    # orders ------------------------------------------------------------------------------------

    async def _of_orders(self, state: Retention, until_ms: UnixMs) -> tuple[Retention, Sequence[Erasure]]:
        """Empty the words of orders that came before, the newest first, back to where the last pass began."""
        first = behind(state.place) if state.place else f"{keys.TIMES}{keys.newest_first(until_ms)}"
        last = f"{keys.TIMES}{keys.newest_first(max(state.done_ms, 1) - 1)}"
        found = await self.rows.scan(first, last, limit=ROWS_AT_ONCE) if first < last else []
        orders = [each for each in await named_orders(self.rows, found) if isinstance(each, Order)]
        left = [order.received_ms for order in orders if order.status not in _ENDED or order.is_frozen]
        oldest = min([*left, *([state.left_ms] if state.left_ms is not None else [])], default=None)
        erasures = [each for order in orders async for each in self._of_order(order, until_ms)]
        if len(found) == ROWS_AT_ONCE:
            return replace(state, place=found[-1].key, left_ms=oldest), erasures
        done_ms = until_ms if oldest is None else oldest
        return replace(state, place="audit ", left_ms=None, done_ms=UnixMs(done_ms)), erasures

    async def _of_order(self, order: Order, until_ms: UnixMs) -> AsyncIterator[Erasure]:
        if order.status not in _ENDED or order.is_frozen:
            return
        async for erasure in self._of_bytes(order, until_ms):
            yield erasure
        async for row in audit_words.entries_about(self.audit, order.key):
            if (words := audit_words.without_words(self.audit, row)) is not None:
                yield words
        if changes := empty(order, outdated(CLASSES["Order"])):
            group, key = AtomicWrite(), keys.order_row(order.key)
            group.replace(key, encode(replace(order, **changes)), order.version)
            yield Erasure.of(self.rows, group, key, "order")

    async def _of_bytes(self, order: Order, until_ms: UnixMs) -> AsyncIterator[Erasure]:
        """Yield what empties the call data and bytes that paid an order, once their transaction is old as well."""
        if order.operator is None or order.nonce is None:
            return
        try:
            carrier = await find_record(self.rows, Transaction, keys.transaction(order.operator, order.nonce))
            if carrier is not None and carrier.status is TransactionStatus.FINAL and carrier.bound_ms < until_ms:
                async for erasure in PurgeRows(self.rows, self.clock).of_transaction(carrier):
                    yield erasure
        except InvariantBroken as error:  # torn, or a newer version's: it harms itself alone
            logs.error(_log, "row_unreadable", order=str(order.key), why=str(error))

    # the audit trail, and the totals of days -----------------------------------------------------

    async def _of_audit(self, state: Retention, until_ms: UnixMs) -> tuple[Retention, Sequence[Erasure]]:
        first = behind(place) if (place := state.place.partition(" ")[2]) else "!"
        found = await self.audit.scan(first, _LAST, limit=ROWS_AT_ONCE)
        old = [audit_words.without_words(self.audit, row) for row in found if _is_older(row, until_ms)]
        following = f"audit {found[-1].key}" if len(found) == ROWS_AT_ONCE else "days "
        return replace(state, place=following), [each for each in old if each is not None]

    async def _of_days(self, state: Retention, until_ms: UnixMs) -> tuple[Retention, Sequence[Erasure]]:
        """Delete the wallets' totals of old days, but for those that an open transaction may still give back to."""
        first = behind(place) if (place := state.place.partition(" ")[2]) else _DAYS
        bound = [each.transaction.bound_day for each in (await opened(self.rows)).transactions]
        found = await self.rows.scan(first, f"{_DAYS}{min([utc_day(until_ms), *bound])}", limit=ROWS_AT_ONCE)
        gone = [_deleted(self.rows, row) for row in found if "wallet" in row.values]
        if len(found) == ROWS_AT_ONCE:
            return replace(state, place=f"days {found[-1].key}"), gone
        return replace(state, place="", until_ms=None, ended_ms=self.clock()), gone


def _deleted(rows: Rows, row: Row) -> Erasure:
    group = AtomicWrite()
    group.delete(row.key)
    return Erasure.of(rows, group, row.key, "spent")


def _is_older(row: Row, until_ms: UnixMs) -> bool:
    """Say whether an entry is from before then, by its column or the time its key ends with; else it is left."""
    at_ms, last = row.values.get("at_ms"), row.key.rpartition(":")[2]
    if not isinstance(at_ms, int) and len(last) == _TIME_DIGITS and last.isdecimal():
        at_ms = int(last)
    return isinstance(at_ms, int) and at_ms < until_ms
