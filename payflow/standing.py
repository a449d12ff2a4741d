"""
What stands and has rows of its own: receipts that wait for a person, and a sender that has stopped.

Told by the timer each minute from those rows, so that no alarm depends on the worker that met the trouble.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from foundation.alarms.model import Fact
from foundation.clock import UnixMs
from payflow.delivery.sender import SenderDesk
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.model import CompanyId

UNKNOWN: Final = "unknown"


async def facts(entries: Entries, lane: Callable[[CompanyId], LaneLedger], desk: SenderDesk) -> list[Fact]:
    """Return what stands. Raises StoreUnavailable."""
    account = await desk.account()
    found = [Fact(code="sender_stopped", subject="", detail=account.why, since_ms=UnixMs(account.stopped_ms))]
    found = found if account.stopped_ms else []
    for entry in await entries.all():
        found += _waiting(entry.company, await lane(entry.company).waiting())
    return found


def _waiting(company: CompanyId, by_reason: Mapping[str, tuple[int, UnixMs]]) -> Iterator[Fact]:
    if UNKNOWN in by_reason:
        count, since_ms = by_reason[UNKNOWN]
        yield Fact(code="receipt_unknown", subject=company, detail=f"{count} unknown", since_ms=since_ms)
    held = {reason: found for reason, found in by_reason.items() if reason != UNKNOWN}
    if held:
        detail = ", ".join(f"{count} {reason}" for reason, (count, _) in sorted(held.items()))
        since_ms = min(since_ms for _, since_ms in held.values())
        yield Fact(code="receipts_held", subject=company, detail=detail, since_ms=since_ms)
