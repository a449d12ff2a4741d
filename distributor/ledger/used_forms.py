"""Forms about many orders at once act once: their use is noted in the audit trail, with who and why."""

from __future__ import annotations

from dataclasses import dataclass

from foundation.clock import Clock
from foundation.tablestore.ports import AuditTrail, Value


@dataclass(frozen=True, slots=True)
class UsedForms:
    """What was sent before is not done again, also not to what was refused then."""

    audit: AuditTrail
    clock: Clock

    async def use(self, form: str, by: str, why: str, **about: Value) -> bool:
        """
        Note that *form* is used, and what it was *about*; False where that is noted already.

        Two that come at once may both find nothing: then the version of each order's row lets one of them act.
        Raises StoreUnavailable.
        """
        key = f"form:{form}"
        if await self.audit.recorded(key):
            return False
        entry: dict[str, Value] = {"by": by, "why": why, "at_ms": self.clock()}
        await self.audit.record(key, entry | about)
        return True
