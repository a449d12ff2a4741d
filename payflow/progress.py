"""How far looking has come: a company's cursor, its instalments as they were read, and when its lane is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from foundation.clock import UnixMs
from foundation.tablestore.ports import UNSTORED, Version
from payflow.model import Centavos, CompanyId, CustomerId, InstalmentId
from payflow.state import CompanyStatus


@dataclass(frozen=True, kw_only=True, slots=True)
class Instalment:
    """An instalment as it was when its payments were last read."""

    id: InstalmentId
    changed: str
    """``data_alteracao`` of the list, as a text."""
    paid: Centavos
    """``pago`` of the list."""
    worked: bool
    """The payments that were read add up to ``paid``; if not, it is read again."""
    customer: CustomerId
    customer_name: str
    """Personal: encrypted in the row."""
    in_baseline: bool
    reads: int = 0
    """How often in a row the payments did not add up."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


class LookKind(StrEnum):
    """Why instalments are listed."""

    BASELINE = "baseline"
    """Once, when a company connects: what was paid before."""
    CHANGES = "changes"
    """Each polling interval: due within 400 days of today."""
    ALL_CHANGES = "all_changes"
    """Each hour: the same, whatever the due date."""
    PAID = "paid"
    """Each hour: paid in the last seven days."""
    CHECK = "check"
    """Each night: every instalment's ``pago`` against its row."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """How far looking has come; a look in progress is resumed at its span."""

    upper_ms: UnixMs = UnixMs(0)
    """Upper bound of the last complete look for changes."""
    kind: LookKind | None = None
    """The look in progress; None between two looks."""
    look_lower_ms: UnixMs = UnixMs(0)
    look_upper_ms: UnixMs = UnixMs(0)
    span: int = 0
    """Which of its spans is next."""
    disturbed: bool = False
    """The last look for changes had more passes than one that adds nothing, or was cut: look back further."""
    outage_from_ms: UnixMs = UnixMs(0)
    """The upper bound before an outage; 0 once a look after it was undisturbed."""
    all_changes_ms: UnixMs = UnixMs(0)
    paid_ms: UnixMs = UnixMs(0)
    check_ms: UnixMs = UnixMs(0)
    """When the last look of each kind was complete."""
    took_ms: int = 0
    """From the begin to the end of the last complete look; 0 in rows of versions that did not store it."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A company as the timer sees it, in the partition of all companies."""

    company: CompanyId
    next_due_ms: UnixMs
    """When its lane must run next: may be early, never late."""
    looked_ms: UnixMs = UnixMs(0)
    """When the last look was complete."""
    status: CompanyStatus
    version: Version = field(default=UNSTORED, compare=False, repr=False)


def due_entries(entries: Sequence[Entry], now: UnixMs) -> Sequence[Entry]:
    """Return the companies whose lane must run, the longest due first."""
    return sorted((entry for entry in entries if entry.next_due_ms <= now), key=lambda entry: entry.next_due_ms)
