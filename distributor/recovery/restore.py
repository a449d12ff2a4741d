"""
Use case: put a backup into an empty store, and leave it to ``rebuild`` to say what was paid.

1. Read the backup to its end: digest, schema, whose ledger it was. Nothing is written before.
2. Write the mark ``restored`` and the switch, halted. There is no identity, so the ledger is nobody's and no version
   of this service binds from it.
3. Write the rows, without those of what was in motion (see ``ledger.backup_rows``); then the audit trail's.
4. Erase again what was erased since, by the journal that no backup holds.
5. Note that it is whole. ``rebuild`` goes on from there, and it alone writes the identity.

1. Without that order: yesterday's copy says that A waits. A was bound and paid an hour later.
2. The copy is put back with its identity. The first round binds A to another nonce and pays it a second time.

Cut anywhere it is run again with the same backup. What other rows are met ends it: begin anew in an empty table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from distributor.errors import ForeignLedger
from distributor.ledger.backup_rows import LEDGER, PutBack, Survey
from distributor.ledger.records import Restored
from distributor.ledger.restore_store import Refill, RestoreStore
from distributor.payout.lane import SCHEMA_LEVEL
from distributor.payout.preflight import identity_mismatch
from distributor.recovery.purging import PurgeReport
from distributor.state import Identity, PauseState
from foundation.backup import manifest
from foundation.backup.ports import Backup, BackupStore, NoBackup
from foundation.backup.reading import backup_lines
from foundation.clock import Clock
from foundation.errors import NoTable
from foundation.sentences import sentence
from foundation.tablestore.ports import AuditTrail, Rows, Value

APP = "distributor"


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreReport:
    """What a restore put back, or would put back."""

    backup: Backup
    identity: Identity
    open: int
    """Transactions that were not final: the chain is asked for them."""
    unreadable: list[str]
    rows: int = 0
    unbound: int = 0
    """Orders of those transactions."""
    erased: PurgeReport = field(default_factory=PurgeReport)
    """What was erased again by the journal, and what could not be, as it is not finished in the backup."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Restore:
    """Puts a backup back. Raises StoreUnavailable: run it again."""

    store: BackupStore
    restore_store: RestoreStore
    trail: Rows
    """The audit trail's rows; what it has of its own stays."""
    audit: AuditTrail
    expected: Identity
    """As the settings say; without an id where they do not know it."""
    replay_purges: Callable[[], Awaitable[PurgeReport]]
    clock: Clock

    async def look(self, name: str) -> RestoreReport:
        """Read a backup to its end, and say what it holds; nothing is written. Raises as ``run`` does."""
        backup, survey = await self._read(name)
        identity = self._ours(backup, survey)
        with suppress(NoTable):  # a table that is not there is empty; a dry run makes none
            if await self.restore_store.find() is None:
                await self.restore_store.require_empty()
        return RestoreReport(
            backup=backup, identity=identity, open=len(survey.open), unreadable=survey.unreadable, rows=backup.rows
        )

    async def run(self, name: str, *, by: str, why: str) -> RestoreReport:
        """
        Put the backup back.

        Raises:
            NoBackup: There is none of that name, or it is damaged, of another app, or of a newer version.
            ForeignLedger: It is of another ledger than the settings mean.
            NotEmpty: The store holds other rows.
        """
        backup, survey = await self._read(name)
        identity = self._ours(backup, survey)
        mark = Restored(
            backup=name,
            sha256=backup.sha256,
            begun_ms=backup.begun_ms,
            at_ms=self.clock(),
            by=by,
            whole=False,
            identity=identity,
        )
        await self.restore_store.begin(mark, _halted(by, why, survey.console_epoch + 1))
        put_back = PutBack(survey)
        written = await self._put_back(backup, put_back)
        erased = await self.replay_purges()
        await self.restore_store.end()
        entry: dict[str, Value] = {"deed": "restore", "subject": name, "by": by, "why": why, "at_ms": self.clock()}
        await self.audit.record(f"restore:{mark.begun_ms:015d}:{mark.at_ms:015d}", entry)
        return RestoreReport(
            backup=backup,
            identity=identity,
            open=len(survey.open),
            unreadable=survey.unreadable,
            rows=written,
            unbound=put_back.unbound,
            erased=erased,
        )

    async def _read(self, name: str) -> tuple[Backup, Survey]:
        backup, survey = await manifest.load_manifest(self.store, name, app=APP), Survey()
        async for line in backup_lines(self.store, backup):
            survey.see(line)
        return backup, survey

    def _ours(self, backup: Backup, survey: Survey) -> Identity:
        """Return whose ledger the backup is of. Raises NoBackup, ForeignLedger."""
        level = max(survey.level, backup.source.schema)
        if level > SCHEMA_LEVEL:
            raise NoBackup(
                sentence(
                    "the backup asks for the rules of level {level}, this version knows {known}: restore it with "
                    "version {version}",
                    level=level,
                    known=SCHEMA_LEVEL,
                    version=backup.version,
                )
            )
        if survey.identity is None:
            raise NoBackup(sentence("the backup has no identity: it is of a ledger that was nobody's"))
        if difference := identity_mismatch(survey.identity, self.expected):
            raise ForeignLedger(
                f"the backup is of another ledger than the settings mean; nothing was written. {difference}"
            )
        return survey.identity

    async def _put_back(self, backup: Backup, put_back: PutBack) -> int:
        ledger, trail = Refill(self.restore_store.rows), Refill(self.trail, keeps=True)
        async for line in backup_lines(self.store, backup):
            if line.part == LEDGER:
                await ledger.add(dict(put_back.rows(line)))
            else:
                await trail.add({line.key: line.values})
        await ledger.flush()
        await trail.flush()
        return ledger.written + ledger.found


def _halted(by: str, why: str, epoch: int) -> PauseState:
    """Return the switch closed for both; everybody is signed out of the console."""
    words = f"restored: {why}"
    return PauseState(
        paused=True,
        paused_by=by,
        paused_why=words,
        halted=True,
        halted_by=by,
        halted_why=words,
        console_epoch=epoch,
    )
