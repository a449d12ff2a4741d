"""
Which look is due, and what it asks for: bounds of change and payment, spans of due dates.

The upper bound is fixed before the first request; the lower one lies behind the last complete look by the time that
passed since, and two hours more. The two hours are for what the list shows late and for pages that shift (P4a); the
time that passed is for outages, in which both may have happened for as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from foundation.clock import UnixMs
from payflow.conta_azul.routes import Search
from payflow.conta_azul.values import local_date, local_text
from payflow.progress import Cursor, LookKind

LOOK_BACK_MS: Final = 120 * 60_000
HOUR_MS: Final = 3_600_000
NEAR_DAYS: Final = 400
"""Each look asks for due dates this far from today; what is due farther away is asked for each hour."""
FIRST_DUE: Final = date(2000, 1, 1)
LAST_DUE_DAYS: Final = 3653
PAID_DAYS: Final = 7
CHECK_HOUR: Final = 2
"""The nightly check begins at two in the morning in São Paulo."""
WIDTH_DAYS: Final = 365
"""Width of a span until the probe has found what the API takes."""

_FOR_CHANGES: Final = frozenset({LookKind.CHANGES, LookKind.ALL_CHANGES})
Span = tuple[date, date]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A look: its kind, its bounds, its spans."""

    kind: LookKind
    lower_ms: UnixMs
    upper_ms: UnixMs
    spans: Sequence[Span]

    def search(self, span: Span, page: int, page_size: int) -> Search:
        """Return the request for one page of one span."""
        asked = Search(due=span, page=page, page_size=page_size)
        if self.kind in (LookKind.CHANGES, LookKind.ALL_CHANGES):
            return replace(asked, changed=(self.lower_ms, self.upper_ms))
        if self.kind is LookKind.PAID:
            today = local_date(self.upper_ms)
            return replace(asked, paid=(today - timedelta(days=PAID_DAYS), today + timedelta(days=1)))
        return asked


def due_look(cursor: Cursor, now: UnixMs, *, interval_ms: int) -> LookKind | None:
    """Return the look that is due: one in progress first, the widest before the narrower."""
    if cursor.kind:
        return cursor.kind
    if not cursor.upper_ms:
        return LookKind.BASELINE
    if _night_of(now) > _night_of(cursor.check_ms):
        return LookKind.CHECK
    if now - cursor.all_changes_ms >= HOUR_MS:
        return LookKind.ALL_CHANGES
    if now - cursor.paid_ms >= HOUR_MS:
        return LookKind.PAID
    return LookKind.CHANGES if now - cursor.upper_ms >= interval_ms else None


def begin(cursor: Cursor, kind: LookKind, now: UnixMs, *, interval_ms: int) -> Cursor:
    """
    Return the cursor with a look of *kind* in progress; one that is in progress already goes on.

    One for changes that has no span behind it begins anew, with an upper bound of now: while years are imported, what
    is booked meanwhile is listed too, and read first. With a span behind it the bound stays: that span knows no other.
    """
    if cursor.kind is kind and (cursor.span or kind not in _FOR_CHANGES):
        return cursor
    outage = cursor.outage_from_ms or (cursor.upper_ms if _is_outage(cursor, now, interval_ms) else UnixMs(0))
    base = outage or cursor.upper_ms
    return replace(
        cursor,
        kind=kind,
        span=0,
        disturbed=False,
        outage_from_ms=outage,
        look_lower_ms=UnixMs(max(0, base - (now - base) - LOOK_BACK_MS)),
        look_upper_ms=now,
    )


def plan(cursor: Cursor, width_days: int) -> Plan:
    """Return the plan of the look in progress. Raises ValueError if none is."""
    if cursor.kind is None:
        raise ValueError("no look is in progress")
    return Plan(
        kind=cursor.kind,
        lower_ms=cursor.look_lower_ms,
        upper_ms=cursor.look_upper_ms,
        spans=spans(cursor.kind, local_date(cursor.look_upper_ms), width_days),
    )


def spans(kind: LookKind, today: date, width_days: int) -> Sequence[Span]:
    """Return the spans of due dates of a look, without a gap between them, the newest first."""
    near = kind is LookKind.CHANGES
    first = today - timedelta(days=NEAR_DAYS) if near else FIRST_DUE
    last = today + timedelta(days=NEAR_DAYS if near else LAST_DUE_DAYS)
    found = list[Span]()
    while last >= first:
        start = max(first, last - timedelta(days=width_days - 1))
        found.append((start, last))
        last = start - timedelta(days=1)
    return found


def done(cursor: Cursor, now: UnixMs) -> Cursor:
    """Return the cursor after the last span of its look is rows, at *now*."""
    upper, kind = cursor.look_upper_ms, cursor.kind
    after = replace(cursor, kind=None, span=0, took_ms=max(0, now - upper))
    match kind:
        case LookKind.BASELINE:
            return replace(after, upper_ms=upper, all_changes_ms=upper, paid_ms=upper, check_ms=upper)
        case LookKind.CHECK:
            return replace(after, check_ms=upper)
        case LookKind.PAID:
            return replace(after, paid_ms=upper)
    still = cursor.outage_from_ms if cursor.disturbed else UnixMs(0)
    after = replace(after, upper_ms=upper, outage_from_ms=still)
    return replace(after, all_changes_ms=upper) if kind is LookKind.ALL_CHANGES else after


def _is_outage(cursor: Cursor, now: UnixMs, interval_ms: int) -> bool:
    return cursor.upper_ms > 0 and now - cursor.upper_ms > 3 * interval_ms


def _night_of(at: UnixMs) -> str:
    """Return the day whose nightly check has begun at *at*."""
    return local_text(UnixMs(at - CHECK_HOUR * HOUR_MS))[:10]
