"""
The rows of a company's days: one a day, so that thirty days are one request however much was ever mailed.

A day is counted in the group that stores what a mail made of its receipt, and never in the one that stores the mail's
own outcome: what is known of a mail must not wait for a chart. Two lanes that count at once contend for the row; the
loser comes back to its receipt a minute later, and the mail's row says what happened to the mail. A worker that dies
between the two groups leaves the chart one mail short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from foundation.clock import DAY_MS, UnixMs
from foundation.tablestore.atomic import AtomicWrite
from payflow.conta_azul.values import local_date
from payflow.days import Day, with_failed, with_sent
from payflow.ledger import keys
from payflow.ledger.lane import Also, LaneLedger
from payflow.state import Delivery, DeliveryState, Receipt

DAYS_SHOWN: Final = 30
_FAILED: Final = frozenset({DeliveryState.REFUSED, DeliveryState.HELD})


async def count_mail(lane: LaneLedger, receipt: Receipt, tried: Delivery, now: UnixMs) -> Also | None:
    """Return what counts a mail that was just tried; None if nothing has come of it yet. Raises StoreUnavailable."""
    if tried.state is not DeliveryState.SENT and tried.state not in _FAILED:
        return None
    name = local_date(now).isoformat()
    row = await lane.rows.get(f"{keys.DAY}{name}")
    before = lane.codec.decode(Day, row) if row else Day(day=name)
    sent = tried.state is DeliveryState.SENT
    after = with_sent(before, (tried.sent_ms - receipt.found_ms) / 1000) if sent else with_failed(before)

    def also(write: AtomicWrite) -> None:
        write.put(f"{keys.DAY}{name}", lane.codec.encode(after), before.version)

    return also


async def last_days(lane: LaneLedger, now: UnixMs) -> Sequence[Day]:
    """Return the last thirty days, today last; a day of which there is no row is empty. Raises StoreUnavailable."""
    names = [local_date(UnixMs(now - DAY_MS * back)).isoformat() for back in reversed(range(DAYS_SHOWN))]
    rows = await lane.rows.scan(f"{keys.DAY}{names[0]}", f"{keys.DAY}{names[-1]}{keys.END}", limit=DAYS_SHOWN)
    found: Mapping[str, Day] = {day.day: day for day in (lane.codec.decode(Day, row) for row in rows)}
    return [found.get(name) or Day(day=name) for name in names]
