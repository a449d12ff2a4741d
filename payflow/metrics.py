"""
What Prometheus reads: the guide's four metrics and ours, by company, from the rows at each scrape.

Nothing is counted in this process, so every instance answers the same. A scrape reads every mail's row once: one
request for a thousand. Names and labels are promises to dashboards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from foundation.clock import UnixMs, elapsed_ms
from foundation.metrics import Exposition, MetricKind
from foundation.tablestore.queries import rows_under
from payflow.ledger import backup
from payflow.ledger.lane import LaneLedger
from payflow.progress import Entry
from payflow.standing import UNKNOWN
from payflow.state import Delivery, DeliveryState

if TYPE_CHECKING:
    from payflow.installation import Installation

SENT, FAILED = "payflow_emails_sent_total", "payflow_emails_failed_total"
DURATION, CONNECTIONS = "payflow_polling_duration_seconds", "payflow_database_connections"
WAITING, UNDECIDED = "payflow_receipts_waiting", "payflow_receipts_unknown"
TOKEN, LAG = "payflow_token_expires_seconds", "payflow_checkpoint_lag_seconds"
BACKUP_AGE = "payflow_backup_age_seconds"
_BY_COMPANY: Final = ("company",)
_FAILED: Final = frozenset({DeliveryState.REFUSED, DeliveryState.HELD})


def _kind(name: str, meaning: str, *labels: str) -> MetricKind:
    return MetricKind(
        name=name, kind="counter" if name.endswith("_total") else "gauge", meaning=meaning, labels=labels or _BY_COMPANY
    )


KINDS: Final[Mapping[str, MetricKind]] = {
    kind.name: kind
    for kind in (
        _kind(SENT, "Mails the mail server accepted"),
        _kind(FAILED, "Mails that were refused or given up, bounces too"),
        _kind(DURATION, "Seconds from begin to end of the last whole look"),
        _kind(CONNECTIONS, "1 for a storage account that answers this scrape", "account"),
        _kind(WAITING, "Receipts that wait for a person, 500 at most"),
        _kind(UNDECIDED, "Mails of which nobody knows whether they arrived"),
        _kind(TOKEN, "Seconds until the access token ends; negative when it did"),
        _kind(LAG, "Seconds since the bound of the last whole look"),
        _kind(BACKUP_AGE, "Seconds since the last good backup was begun"),
    )
}


async def exposition(base: Installation, now: UnixMs) -> Exposition:
    """Return the values of one scrape. Raises StoreUnavailable while the ledger is away."""
    shown = Exposition(KINDS)
    for entry in await base.entries.all():
        await _company(shown, entry, base.lane(entry.company), now)
    shown.add(CONNECTIONS, 1, "ledger")
    await base.second.rows.get("ready")
    shown.add(CONNECTIONS, 1, "send_log")
    return shown


async def _company(shown: Exposition, entry: Entry, ledger: LaneLedger, now: UnixMs) -> None:
    name = entry.company
    mails: Counter[DeliveryState] = Counter()
    sent = 0
    async for row in rows_under(ledger.rows, "delivery:"):
        mail = ledger.codec.decode(Delivery, row)
        mails[mail.state] += 1
        sent += mail.sent_ms > 0 or mail.state is DeliveryState.SENT  # one that came back was accepted all the same
    waiting, cursor, token = await ledger.waiting(), await ledger.read_cursor(), await ledger.read_token()
    shown.add(SENT, sent, name)
    shown.add(FAILED, sum(mails[state] for state in _FAILED), name)
    shown.add(DURATION, cursor.took_ms / 1000, name)
    shown.add(WAITING, sum(count for reason, (count, _) in waiting.items() if reason != UNKNOWN), name)
    shown.add(UNDECIDED, waiting[UNKNOWN][0] if UNKNOWN in waiting else 0, name)
    if backed_up_ms := await backup.noted(ledger.rows):
        shown.add(BACKUP_AGE, elapsed_ms(backed_up_ms, now) / 1000, name)
    if token:
        shown.add(TOKEN, (token.expires_ms - now) / 1000, name)
    if cursor.upper_ms:
        shown.add(LAG, (now - cursor.upper_ms) / 1000, name)
