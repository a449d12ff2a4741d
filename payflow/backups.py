"""
Use case: each company's backup of the day, in the second account, and one that is put back from there.

It is due once two in the morning has passed in São Paulo since the last good one was begun; the timer asks each hour,
so one that failed is tried again in the next, and a change of the clocks there moves nothing. One company's trouble
keeps no other one from its backup.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from foundation import logs
from foundation.backup import manifest
from foundation.backup.keeping import Keeping
from foundation.backup.ports import Backup as Kept
from foundation.backup.ports import BackupIncomplete, BackupPart, BackupSource, BackupStore, NoBackup
from foundation.backup.reading import backup_lines
from foundation.clock import Clock, UnixMs, elapsed_ms
from foundation.errors import ConfigurationError, InvariantBroken, Rejected, Transient
from foundation.tablestore.ports import Rows, Value
from payflow.conta_azul.values import SAO_PAULO
from payflow.installation import Installation
from payflow.ledger import backup, identity, keys, schema
from payflow.ledger.backup import CompanyBackup
from payflow.model import CompanyId
from payflow.state import CompanyStatus

APP: Final = "payflow"
AT_H: Final = 2
"""Of the day in São Paulo."""
GROWING: Final = frozenset({"receipt", "delivery", "instalment", keys.COMPANY})
_COMPANY: Final = "company"
_IDENTITY: Final = "identity"
_REST: Final = frozenset({CompanyStatus.CONFIRM, CompanyStatus.DISCONNECTED})

_log = logging.getLogger(__name__)


def backup_is_due(last_ms: UnixMs, now: UnixMs) -> bool:
    """Say whether two in the morning has passed in São Paulo since *last_ms*; a time far ahead is long ago."""
    there = datetime.fromtimestamp(now / 1000, SAO_PAULO)
    mark = there.replace(hour=AT_H, minute=0, second=0, microsecond=0)
    if mark > there:
        mark = (mark - timedelta(days=1)).replace(hour=AT_H)
    return now - elapsed_ms(last_ms, now) < mark.timestamp() * 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Backups:
    """Raises StoreUnavailable, ConfigurationError; the backup of before stays the last good one."""

    base: Installation
    store: BackupStore
    clock: Clock

    async def run_due(self) -> Sequence[Kept]:
        """Back up each company whose backup of the day is due; return those that were made."""
        made = list[Kept]()
        for entry in await self.base.entries.all():
            if entry.status in _REST:
                continue
            try:
                if await self._is_due(entry.company):
                    made.append(await self.run(entry.company))
            except (Transient, Rejected, BackupIncomplete, ConfigurationError, InvariantBroken) as error:
                logs.warning(
                    _log, "not_backed_up", company=entry.company, cause=type(error).__name__, detail=str(error)
                )
        return made

    async def run(self, company: CompanyId) -> Kept:
        """Back up one company now. Raises Rejected while a restore of it is under way, as ``backup.take``."""
        rows = self.base.lane(company).rows
        await self._refuse_restoring(rows)
        source = BackupSource(
            app=APP,
            ledger=self.base.identity.ledger_id,
            prefix=self.prefix(company),
            schema=await schema.level_of(self.base.ledger.rows),
        )
        own = BackupPart(
            name=_IDENTITY,
            rows=self.base.ledger.rows,
            growing=frozenset({identity.ROW}),
            ranges=((identity.ROW, f"{identity.ROW} "),),
        )
        parts = [own, BackupPart(name=_COMPANY, rows=rows, growing=GROWING)]
        kept = await Keeping(store=self.store, source=source, parts=parts, clock=self.clock).run()
        try:
            await self._refuse_restoring(rows)
        except Rejected:
            await self.store.delete(manifest.manifest_name(kept.name))
            raise
        await backup.note(rows, kept.begun_ms)
        logs.info(_log, "backed_up", backup=kept.name, rows=kept.rows, bytes=kept.size)
        return kept

    def prefix(self, company: CompanyId) -> str:
        """Return what the names of a company's backups begin with."""
        return f"{APP}/{self.base.identity.ledger_id}/{keys.partition(company)}/"

    async def _is_due(self, company: CompanyId) -> bool:
        return backup_is_due(await backup.noted(self.base.lane(company).rows), self.clock())

    async def _refuse_restoring(self, rows: Rows) -> None:
        if await rows.get(keys.RESTORING):
            raise Rejected("a restore of this company is under way, or was cut: end it first")


async def load_backup(store: BackupStore, name: str) -> CompanyBackup:
    """
    Return a company's backup as ``restoring`` puts it back; its rows are in memory then.

    Raises NoBackup if there is none of that name, or it is damaged, of another app, or of a newer version.
    """
    kept = await manifest.load_manifest(store, name, app=APP)
    if kept.source.schema > schema.LEVEL:
        raise NoBackup(f"backup {name} has the schema {kept.source.schema}, this version knows {schema.LEVEL}")
    rows = dict[str, dict[str, Value]]()
    own = dict[str, Value]()
    async for line in backup_lines(store, kept):
        if line.part == _COMPANY:
            rows[line.key] = dict(line.values)
        else:
            own = dict(line.values)
    company = kept.source.prefix.rstrip("/").rpartition("/")[2]
    return CompanyBackup(
        ledger_id=kept.source.ledger,
        company=CompanyId(company),
        began_ms=kept.begun_ms,
        rows={key: values for key, values in rows.items() if not key.startswith(backup.LEFT_OUT)},
        identity=own,
    )
