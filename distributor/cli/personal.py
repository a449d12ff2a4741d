"""``export`` and ``purge``: what is stored about a person, and its erasure (LGPD, art. 18)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from distributor.cli.argument_types import address_argument, order_key, shop_argument
from distributor.cli.common_arguments import by_argument
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.headings import HEADINGS
from distributor.cli.language import N_, _
from distributor.ledger.purging import Unfinished
from distributor.recovery.personal_export import PersonalExport
from distributor.recovery.purging import PurgeKind, PurgeReport, PurgeSubject
from distributor.settings.use_cases import StatusSettings
from distributor.status import rfc3339

EXITS: Final[Mapping[Unfinished, str]] = {
    Unfinished.WAITS: N_("It waits to be paid: let it be paid, or `cancel` it."),
    Unfinished.BOUND: N_("It is being paid: wait until settlement has closed it."),
    Unfinished.HELD: N_("It waits for a person: `settle`, `retry` or `cancel` it."),
    Unfinished.OPEN: N_("A transaction that carried it is open: wait until settlement has closed it."),
    Unfinished.ONE_WORD: N_("Its payment rests on one node's word: wait until a second one shows it."),
    Unfinished.YOUNG: N_("It was bound less than a day ago: erase it tomorrow."),
    Unfinished.NEWER: N_("A newer version of the service wrote it: use that version."),
}
"""What to do first with an order whose data is still needed."""


async def export(context: CommandContext) -> int:
    """Write everything that is stored about a wallet into a new file, or show it."""
    await context.begin(StatusSettings)
    ledger, tables, wallet = await context.our_ledger(), await context.parts.tables(), context.options.wallet
    exporting = PersonalExport(rows=tables.rows, audit=tables.audit_rows, clock=context.clock)
    found: Mapping[str, Any] = {"wallet": wallet, "at": rfc3339(context.clock()), **await exporting.of_wallet(wallet)}
    text = json.dumps(_named(found) if context.options.headings else found, ensure_ascii=False, indent=2)
    # The trail does not say whose data it is: it would keep what is erased later.
    await ledger.admin.record("export", "wallet", context.options.by, "")
    if context.options.out is None:
        context.show(text)
        return DONE
    _write_new(context.options.out, text)
    context.answer({"file": str(context.options.out), "orders": len(found["orders"])})
    return DONE


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text + "\n")
    except OSError as error:
        raise CommandRefused(
            _("The file {file} cannot be written: {error}").format(file=file, error=error.strerror)
        ) from None


def _named(value: object) -> object:
    """Return *value* with the headings of the language in use instead of the columns' names."""
    if isinstance(value, Mapping):
        return {_heading(str(name)): _named(each) for name, each in value.items()}
    return [_named(each) for each in value] if isinstance(value, list) else value


def _heading(column: str) -> str:
    return _(HEADINGS[column]) if column in HEADINGS else column


async def purge(context: CommandContext) -> int:
    """
    Erase what is stored about a wallet, an order or a shop, or what a restore brought back.

    Raises:
        CommandRefused: Orders are still being indexed: some of a wallet would not be found.
    """
    await context.begin(StatusSettings)
    ledger, subject = await context.our_ledger(), _subject(context.options)
    if not (await ledger.service.monitor_state()).orders_indexed:
        raise CommandRefused(
            _("Orders of an older version are still being indexed; run the command again in some minutes.")
        )
    purging = await context.parts.purging()
    dry = await _run(context, purging, subject, apply=False)
    refused = subject is not None and bool(dry.unfinished)
    applies = not refused and context.applies(_("erase the rows that are counted here; it cannot be undone"))
    if applies:
        dry = await _run(context, purging, subject, apply=True)
        name = "journal" if subject is None else str(subject.kind)
        await ledger.admin.record("purge", name, context.options.by, context.options.why, rows=sum(dry.rows.values()))
        context.say(_("Backups of before still hold it until their term ends; each restore erases it again."))
        context.say(
            _("The public chain keeps wallet, amount, reference and reason of each payment: nobody can erase it.")
        )
    context.answer(_report(dry))
    return REFUSED if dry.unfinished or dry.torn else DONE


async def _run(context: CommandContext, purging: Any, subject: PurgeSubject | None, *, apply: bool) -> PurgeReport:
    if subject is None:
        replayed: PurgeReport = await purging.replay(apply=apply)
        return replayed
    done: PurgeReport = await purging.run(subject, by=context.options.by, apply=apply)
    return done


def _subject(options: argparse.Namespace) -> PurgeSubject | None:
    """Return whose data is erased; None for what the journal says."""
    named: Sequence[tuple[PurgeKind, object]] = (
        (PurgeKind.WALLET, options.wallet),
        (PurgeKind.ORDER, options.order),
        (PurgeKind.SHOP, options.shop),
    )
    return next((PurgeSubject(kind=kind, name=str(name)) for kind, name in named if name is not None), None)


def _report(report: PurgeReport) -> dict[str, Any]:
    return {
        "rows": dict(sorted(report.rows.items())),
        "unfinished": [
            {"order": str(key), "why": str(why), "do": _(EXITS[why])} for key, why in report.unfinished.items()
        ],
        "unreadable": sorted(set(report.torn)),
        "stays": [
            {"order": str(each.key), "reference": each.ref_id, "hash": each.fingerprint} for each in report.proofs
        ],
    }


def _export_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--wallet", required=True, type=address_argument, metavar="ADDRESS", help=_("the person's wallet")
    )
    command.add_argument("--out", type=Path, metavar="FILE", help=_("write it into a new file"))
    command.add_argument(
        "--headings", action="store_true", help=_("headings in the language of --language instead of column names")
    )
    by_argument(command)


def _purge_arguments(command: argparse.ArgumentParser) -> None:
    whose = command.add_mutually_exclusive_group(required=True)
    whose.add_argument(
        "--wallet", type=address_argument, metavar="ADDRESS", help=_("all that is stored about a wallet")
    )
    whose.add_argument("--order", type=order_key, metavar="ORDER", help=_("one order"))
    whose.add_argument("--shop", type=shop_argument, metavar="SOURCE", help=_("all orders of a shop"))
    whose.add_argument("--replay", action="store_true", help=_("after a restore or a rebuild: what was erased before"))


COMMANDS = (
    Command(
        name="export",
        summary=N_("write what is stored about a person's wallet"),
        description=N_(
            "Write everything that is stored about a wallet as JSON, for the person who asks for it. Give the file to "
            "nobody else."
        ),
        run=export,
        arguments=_export_arguments,
    ),
    Command(
        name="purge",
        summary=N_("erase the data of a wallet, an order or a shop"),
        description=N_(
            "Erase what is stored about a wallet, an order or a shop. The ids, references and hashes stay, so that "
            "nothing is paid a second time. An order that is not finished is refused, and its exit is named. Write no "
            "name into --why."
        ),
        run=purge,
        arguments=_purge_arguments,
        changes=True,
    ),
)
