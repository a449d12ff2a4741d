"""
Use case: each day, what is old of each company is emptied, after its backup of the day.

It is due as the backup is: once two in the morning has passed in São Paulo. A company at rest has its turn as well: its
payers' data grows old too. One company's trouble keeps no other one from its turn; what a run has no time for, the next
hour's does.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from foundation import logs
from foundation.clock import Clock
from foundation.errors import ConfigurationError, InvariantBroken, Transient
from payflow.backups import backup_is_due
from payflow.delivery.retention import CompanyRetention
from payflow.installation import Installation
from payflow.ledger import keys
from payflow.model import CompanyId

RUN_MS_MAX: Final = 300_000
"""After this a run begins no further company: the host ends a function after 20 minutes, and the backups were first."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retentions:
    """Raises StoreUnavailable if the companies cannot be listed."""

    base: Installation
    clock: Clock
    days: int
    """How long what is personal is kept after the end of its receipt; 0: it is never emptied."""

    async def run_due(self) -> int:
        """Do the slice of each company whose slice of the day is due; return how many rows were emptied."""
        if not self.days:
            return 0
        emptied, ends_ms = 0, self.clock() + RUN_MS_MAX
        for entry in await self.base.entries.all():
            if self.clock() >= ends_ms:
                logs.info(_log, "retention_goes_on_later", company=entry.company)
                break
            try:
                emptied += await self._run(entry.company)
            except (Transient, ConfigurationError, InvariantBroken) as error:
                logs.warning(_log, "not_emptied", company=entry.company, cause=type(error).__name__, detail=str(error))
        return emptied

    async def _run(self, company: CompanyId) -> int:
        audits = (self.base.ledger.audit_rows, self.base.second.audit_rows)
        lane = self.base.lane(company)
        retention = CompanyRetention(ledger=lane, audits=audits, clock=self.clock, days=self.days)
        if not backup_is_due(await retention.last_ms(), self.clock()) or await lane.rows.get(keys.RESTORING):
            return 0
        done = await retention.run()
        logs.info(_log, "emptied", company=company, **done)
        return done.total()
