"""
What people decided since a backup, by the audit trail of the second account; pure.

A skip and *no mail* are put back: without them a restore would mail what a person said no to. The other decisions end
nothing, or need what the audit does not hold (addresses); they are listed, and a person decides once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.clock import UnixMs
from foundation.tablestore.ports import Value
from payflow.model import BaixaId, CustomerId, InstalmentId

SKEW_MS: Final = 600_000
"""
How far the clock of a machine that recorded a decision may be behind that of the backup.

What the backup has already is put back without effect.
"""
SKIP: Final = "skip"
CORRECTION: Final = "correction"
NO_CORRECTION: Final = "no-correction"
PURGE_PERSON: Final = "purge-person"
STATUS: Final = "status "
"""Before the status a company was given: a restore leaves it paused in any case."""
NO_MAIL: Final = {"no-mail": True, "mail": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One decision. ``instalment`` is empty in entries of versions that did not store it."""

    at_ms: UnixMs
    by: str
    what: str
    subject: str
    instalment: InstalmentId


@dataclass(frozen=True, kw_only=True, slots=True)
class Since:
    """What was decided: payments whose receipts were skipped last, customers, and all that is not put back."""

    skipped: Mapping[BaixaId, Said]
    payers: Mapping[CustomerId, Said]
    others: Sequence[Said]
    purged: Sequence[CustomerId] = ()
    """Customers whose data was erased: it is erased in what the backup brings back too."""


def read_since(entries: Sequence[Mapping[str, Value]], began_ms: UnixMs) -> Since:
    """Return what *entries* of a company's audit say since a backup was begun; the last word on a subject counts."""
    since = [_said(entry) for entry in entries if int(entry["at_ms"]) >= began_ms - SKEW_MS]
    payments: dict[str, Said] = {}
    payers: dict[CustomerId, Said] = {}
    for said in sorted(since, key=lambda one: one.at_ms):
        if said.what == PURGE_PERSON or said.what.startswith(STATUS):
            continue
        if said.what in NO_MAIL:
            payers[CustomerId(said.subject)] = said
        else:
            payments[said.subject] = said
    skipped = {BaixaId(subject): said for subject, said in payments.items() if said.what == SKIP}
    return Since(
        skipped=skipped,
        payers=payers,
        others=[said for said in payments.values() if said.what != SKIP],
        purged=sorted({CustomerId(said.subject) for said in since if said.what == PURGE_PERSON}),
    )


def _said(entry: Mapping[str, Value]) -> Said:
    return Said(
        at_ms=UnixMs(int(entry["at_ms"])),
        by=str(entry["by"]),
        what=str(entry["what"]),
        subject=str(entry["subject"]),
        instalment=InstalmentId(str(entry.get("instalment", ""))),
    )
