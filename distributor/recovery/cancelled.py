"""What the audit trail remembers of a lost ledger: the orders that a person cancelled or barred."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.model import OrderKey
from foundation.tablestore.ports import AuditTrail

_DEED = "cancel"


async def cancelled_orders(audit: AuditTrail) -> Sequence[OrderKey]:
    """Return each order that was cancelled, once. Raises StoreUnavailable."""
    entries = await audit.recorded(f"{_DEED}:")
    subjects = {str(entry["subject"]) for entry in entries if entry.get("deed") == _DEED and "subject" in entry}
    return [OrderKey(source, order_id) for source, _, order_id in sorted(each.partition(":") for each in subjects)]
