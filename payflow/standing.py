"""
Active alarms that have rows of their own: what waits for a person, a stopped sender, what is overdue.

The timer reports them each minute from those rows, so that no alarm depends on the worker that met the trouble.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation import logs
from foundation.alarms.model import Fact
from foundation.clock import AHEAD_MS_MAX, UnixMs
from foundation.errors import InvariantBroken, StoreUnavailable
from foundation.tablestore.ports import Rows
from payflow.connect.tokens import RENEW_MS
from payflow.delivery.sender import SenderDesk
from payflow.ledger import backup
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.model import CompanyId
from payflow.ports import Alarms
from payflow.progress import Entry
from payflow.state import CompanyStatus

UNKNOWN: Final = "unknown"
LOOK_LATE_MS: Final = 3_600_000
"""A look that reads ten thousand changed instalments takes most of an hour."""
DUE_LATE_MS: Final = 3_600_000
TOKEN_LATE_MS: Final = 10 * 60_000
"""Behind the time from which it is to be renewed, half an hour before its end: with short intervals it still lives."""
BACKUP_LATE_MS: Final = 26 * 3_600_000
"""A daily backup, and two hours for it."""
_REST: Final = frozenset({CompanyStatus.CONFIRM, CompanyStatus.DISCONNECTED})
"""Of these nothing is expected."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Now:
    """The time of the sweep, and how long a company may rest between two looks."""

    ms: UnixMs
    interval_ms: int

    def passed(self, since_ms: int, wait_ms: int) -> bool:
        """Say whether *wait_ms* have passed; a time of 0 never was."""
        return 0 < since_ms < self.ms - wait_ms

    def not_ahead(self, at_ms: UnixMs) -> UnixMs:
        """Return a stored time; 0 for one so far ahead of now that a wrong clock wrote it: nothing may wait for it."""
        return UnixMs(0) if at_ms > self.ms + AHEAD_MS_MAX else at_ms


async def note_send_log(second: Rows, alarms: Alarms) -> None:
    """Note that the second account does not answer, also while nothing is to be sent. Raises StoreUnavailable."""
    try:
        await second.get("ready")
    except StoreUnavailable as away:
        await alarms.note("send_log_unreachable", "", str(away))


async def facts(entries: Entries, lane: Callable[[CompanyId], LaneLedger], desk: SenderDesk, now: Now) -> list[Fact]:
    """
    Return the active alarms. Raises StoreUnavailable.

    A company with a row that cannot be read is passed over and logged.
    """
    account = await desk.account()
    found = [Fact(code="sender_stopped", subject="", detail=account.why, since_ms=UnixMs(account.stopped_ms))]
    found = found if account.stopped_ms else []
    for entry in await entries.all():
        try:
            found += await _of_company(entry, lane(entry.company), now)
        except InvariantBroken as error:
            logs.error(_log, "row_unreadable", company=entry.company, detail=str(error))
    return found


async def _of_company(entry: Entry, ledger: LaneLedger, now: Now) -> Sequence[Fact]:
    return [*await _ages(entry, ledger, now), *_waiting(entry.company, await ledger.waiting())]


async def _ages(entry: Entry, ledger: LaneLedger, now: Now) -> Sequence[Fact]:
    """Ages are measured by what was stored last, so that an alarm is active even if no worker runs."""
    company = await ledger.read_company()
    if company is None or entry.status in _REST:
        return []
    if entry.status is CompanyStatus.ELSEWHERE:
        return [_fact("served_elsewhere", entry, company.status_ms)]
    token, due_ms = await ledger.read_token(), await ledger.next_due()
    backed_up_ms = now.not_ahead(await backup.noted(ledger.rows)) or company.connected_ms
    looked_ms = now.not_ahead(entry.looked_ms) or company.connected_ms
    old = {
        "company_not_looked_at": (looked_ms, max(3 * now.interval_ms, LOOK_LATE_MS)),
        "receipts_overdue": (due_ms or 0, DUE_LATE_MS),
        "token_not_renewed": (token.expires_ms - RENEW_MS if token else 0, 2 * now.interval_ms + TOKEN_LATE_MS),
        "backup_old": (backed_up_ms, BACKUP_LATE_MS),
    }
    active = entry.status is CompanyStatus.ACTIVE
    return [
        _fact(code, entry, since_ms)
        for code, (since_ms, wait_ms) in old.items()
        if now.passed(since_ms, wait_ms) and (active or code == "backup_old")
    ]


def _fact(code: str, entry: Entry, since_ms: int) -> Fact:
    return Fact(code=code, subject=entry.company, detail="", since_ms=UnixMs(since_ms))


def _waiting(company: CompanyId, by_reason: Mapping[str, tuple[int, UnixMs]]) -> Iterator[Fact]:
    if UNKNOWN in by_reason:
        count, since_ms = by_reason[UNKNOWN]
        yield Fact(code="receipt_unknown", subject=company, detail=f"{count} unknown", since_ms=since_ms)
    held = {reason: found for reason, found in by_reason.items() if reason != UNKNOWN}
    if held:
        detail = ", ".join(f"{count} {reason}" for reason, (count, _) in sorted(held.items()))
        since_ms = min(since_ms for _, since_ms in held.values())
        yield Fact(code="receipts_held", subject=company, detail=detail, since_ms=since_ms)
