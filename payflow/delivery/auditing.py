"""Who decided what, in both accounts: ids and codes only. A restore reads it (see ``since``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from foundation.clock import UnixMs
from foundation.errors import StoreUnavailable
from foundation.tablestore.ports import AuditTrail, Value
from payflow.ledger import keys
from payflow.model import CompanyId

WHY: Final = "why"
"""The column with what a person said of a decision, sealed."""


async def record_decision(
    audits: Sequence[AuditTrail],
    company: CompanyId,
    *,
    by: str,
    now: UnixMs,
    what: str,
    subject: str,
    more: Mapping[str, str] | None = None,
) -> bool:
    """
    Record a decision in each of *audits*; say whether the last one, the second account's, has it.

    An audit is best effort, and a restore needs that one: without it the decision is not known there. The others have
    it by its subject too, so that a page finds what was decided about one payment without reading every decision.
    """
    values: dict[str, Value] = {"at_ms": now, "by": by, "what": what, "subject": subject, **(more or {})}
    key = keys.decision(company, now, subject)
    for audit in audits:
        await audit.record(key, values)
    for audit in audits[:-1]:
        await audit.record(f"{keys.audit_prefix(company, subject)}{now:015d}", values)
    try:
        return bool(await audits[-1].recorded(key))
    except StoreUnavailable:
        return False
