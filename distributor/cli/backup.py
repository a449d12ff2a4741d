"""``backup`` and ``restore``: a copy of the ledger in another account, and an empty ledger made of one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from distributor.cli.context import DONE, CommandContext
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.ledger.restore_store import RestoreStore
from distributor.recovery.backup import LedgerBackup, prefix_of
from distributor.recovery.restore import Restore, RestoreReport
from distributor.settings.use_cases import InitSettings, StatusSettings
from distributor.status import rfc3339
from foundation.backup import manifest
from foundation.backup.ports import Backup


async def backup(context: CommandContext) -> int:
    """Copy the ledger now, or list the copies there are."""
    if context.options.list:  # also where the ledger is lost, with its table
        settings = await context.begin(InitSettings)
        store = await context.parts.backups()
        context.answer({"backups": list(await manifest.backup_names(store, prefix_of(settings.storage.chain_id)))})
        return DONE
    await context.begin(StatusSettings)
    ledger, tables = await context.our_ledger(), await context.parts.tables()
    use_case = LedgerBackup(
        ledger=ledger,
        rows=tables.rows,
        trail=tables.audit_rows,
        open_store=context.parts.backups,
        clock=context.clock,
    )
    context.answer(_kept(await use_case.run()))
    return DONE


async def restore(context: CommandContext) -> int:
    """Put a backup into an empty ledger, which is nobody's until it is rebuilt."""
    settings, name = await context.begin(InitSettings), context.options.backup
    tables = await context.parts.tables()
    applies = context.applies(_("write the rows of the backup into this table, and leave the payouts halted"))
    if applies:
        await tables.ensure()
    use_case = Restore(
        store=await context.parts.backups(),
        restore_store=RestoreStore(tables.rows),
        trail=tables.audit_rows,
        audit=tables.audit,
        expected=settings.contracts.identity,
        replay_purges=context.parts.replay_purges,
        clock=context.clock,
    )
    if applies:
        report = await use_case.run(name, by=context.options.by, why=context.options.why)
        context.say(
            _("The rows are back, and nothing is paid: now run `rebuild`, which asks the chain, then `resume`.")
        )
        if report.erased.unfinished:
            context.say(
                _(
                    "Data of {count} erased orders is back, as they are unfinished in the backup: `rebuild` erases it."
                ).format(count=len(report.erased.unfinished))
            )
    else:
        report = await use_case.look(name)
    context.answer(restore_answer(report))
    return DONE


def _kept(kept: Backup) -> Mapping[str, Any]:
    return {
        "backup": kept.name,
        "begun": rfc3339(kept.begun_ms),
        "ended": rfc3339(kept.ended_ms),
        "rows": kept.rows,
        "bytes": kept.size,
        "sha256": kept.sha256,
        "counts": kept.counts,
    }


def restore_answer(report: RestoreReport) -> Mapping[str, Any]:
    """Return what a restore put back, and what it erased again of that."""
    return {
        "backup": report.backup.name,
        "begun": rfc3339(report.backup.begun_ms),
        "ledger_id": report.identity.ledger_id,
        "rows": report.rows,
        "open_transactions": report.open,
        "unbound": report.unbound,
        "unreadable": report.unreadable,
        "erased_again": dict(sorted(report.erased.rows.items())),
        "erased_unfinished": sorted(map(str, report.erased.unfinished)),
        "erased_unreadable": sorted(set(report.erased.torn)),
    }


def _backup_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--list", action="store_true", help=_("only list the backups there are, the oldest first"))


def _restore_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--from", dest="backup", required=True, metavar="NAME", help=_("a backup, as `backup --list` names it")
    )


COMMANDS = (
    Command(
        name="backup",
        summary=N_("copy the ledger into another account"),
        description=N_(
            "Copy the ledger and its audit trail into the account of BACKUP_CONNECTION, and read the copy back. It "
            "counts as good only if it has every row the ledger had before. Copies of seven days are kept."
        ),
        run=backup,
        arguments=_backup_arguments,
    ),
    Command(
        name="restore",
        summary=N_("put a backup into an empty ledger"),
        description=N_(
            "Put a backup into an empty table. The ledger is nobody's afterwards and the payouts are halted, until "
            "`rebuild` has asked the chain what was paid since. If interrupted, run it again with the same backup."
        ),
        run=restore,
        arguments=_restore_arguments,
        changes=True,
    ),
)
