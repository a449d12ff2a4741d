"""
Use case: the ledger's backup of each day, in another storage account.

It is due once five o'clock UTC has passed since the last good one was begun; the timer asks each hour, so one that
failed is tried again in the next. A good one is noted in the row of the sweep, whose alarm tells when it is too old.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from distributor.ledger import Ledger, backup_rows
from distributor.recovery.restore import APP
from foundation import logs
from foundation.backup.keeping import Keeping
from foundation.backup.ports import Backup, BackupSource, BackupStore
from foundation.clock import DAY_MS, Clock, UnixMs, elapsed_ms
from foundation.errors import ConfigurationError
from foundation.tablestore.ports import Rows

AT_MS = 5 * 3_600_000
"""Of the UTC day: two in the morning where the shops are."""

_log = logging.getLogger(__name__)


def prefix_of(chain_id: int) -> str:
    """Return what the names of all backups of a chain begin with; those of one ledger go on with its id."""
    return f"{APP}/{chain_id}/"


def backup_is_due(last_ms: UnixMs, now: UnixMs) -> bool:
    """Say whether the hour of the backup has passed since *last_ms*; see ``elapsed_ms`` for one ahead of now."""
    return now - elapsed_ms(last_ms, now) < (now - AT_MS) // DAY_MS * DAY_MS + AT_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerBackup:
    """Raises StoreUnavailable, ConfigurationError, BackupIncomplete: the backup of before stays the last good one."""

    ledger: Ledger
    rows: Rows
    trail: Rows
    open_store: Callable[[], Awaitable[BackupStore]]
    clock: Clock

    async def run_if_due(self) -> Backup | None:
        """Back up once a day; a ledger that is nobody's is left alone: its last backups are needed."""
        monitor = await self.ledger.service.monitor_state()
        last_ms = monitor.backup_ms if monitor.backup_name and monitor.backup_ms else UnixMs(0)
        if not backup_is_due(last_ms, self.clock()) or await self.ledger.identity() is None:
            return None
        return await self.run()

    async def run(self) -> Backup:
        """Back up now. Raises ConfigurationError also while the ledger is nobody's."""
        identity = await self.ledger.identity()
        if identity is None:
            raise ConfigurationError("the ledger has no identity: its last good backups are kept, and none is made")
        source = BackupSource(
            app=APP,
            ledger=identity.ledger_id,
            prefix=f"{prefix_of(identity.chain_id)}{identity.ledger_id}/",
            schema=await self.ledger.schema_level(),
        )
        keeping = Keeping(
            store=await self.open_store(),
            source=source,
            parts=backup_rows.parts(self.rows, self.trail),
            clock=self.clock,
        )
        kept = await keeping.run()
        await self.ledger.service.note_backup(kept.begun_ms, kept.name)
        logs.info(_log, "backed_up", backup=kept.name, rows=kept.rows, bytes=kept.size)
        return kept
