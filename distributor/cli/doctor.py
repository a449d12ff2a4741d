"""
``doctor``: the checklist for production, every item that a program can check.

What only a person can check is listed as such, so that nobody takes the page for the whole of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from distributor.cli.context import DONE, REFUSED, CommandContext
from distributor.cli.declared import Command
from distributor.cli.doctor_items import ITEMS, SETTINGS_ITEM, DoctorItem
from distributor.cli.language import N_, _
from distributor.settings.use_cases import HistorySettings, StatusSettings
from foundation.errors import ServiceError


async def doctor(context: CommandContext) -> int:
    """Run every check; 1 if one fails that was not accepted by name."""
    await context.begin(StatusSettings)
    accepted = set(context.options.accept)
    try:
        settings, unread = await context.parts.settings(HistorySettings), ""
    except ServiceError as error:
        settings, unread = None, str(error)
    results = [await _checked(context, item, accepted, settings, unread) for item in ITEMS]
    manual = [{"check": name, "result": "by hand", "detail": _(what)} for name, what in BY_HAND.items()]
    context.answer({"checks": results, "by_hand": manual})
    return REFUSED if any(each["result"] == "failed" for each in results) else DONE


async def _checked(
    context: CommandContext, item: DoctorItem, accepted: set[str], settings: HistorySettings | None, unread: str
) -> dict[str, Any]:
    """Check one item. Without settings the first says which are wrong, and the others only that nobody could look."""
    try:
        if settings is not None:
            wrong = await item.check(context, settings)
        else:
            wrong = unread if item.name == SETTINGS_ITEM else _("Not checked: correct the settings first.")
    except ServiceError as error:
        wrong = str(error)
    result = "ok" if not wrong else "accepted" if item.name in accepted else "failed"
    return {"check": item.name, "result": result, "what": _(item.what), "detail": wrong or None}


BY_HAND: Mapping[str, str] = {
    "end-to-end": N_("One real order of the smallest amount was paid (`send-test --file`, then `order`)."),
    "alarm-read": N_("A person got the message of `alarms test --apply`, and knows this runbook."),
    "backup": N_("Table storage has a backup, no asynchronous replication (GRS), and a rebuild was rehearsed."),
    "tests": N_("The build of this version is green: tests, lint, types."),
    "image": N_("The deployed package or image is the one the build made."),
    "scale": N_("The plan's instances and its storage account fit the expected orders."),
    "lgpd": N_("LGPD: who may read ledger and logs, and for how long they are kept, is written down."),
    "owners": N_("The guard's owner and the authority's administrator are multisigs, and no key of this service."),
}


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", default="", metavar="URL", help=_("the app's own address, to ask its /ready"))
    command.add_argument(
        "--accept",
        action="append",
        default=[],
        choices=[item.name for item in ITEMS],
        metavar="CHECK",
        help=_("a check that may fail, because you know why; as often as needed"),
    )


COMMANDS = (
    Command(
        name="doctor",
        summary=N_("run the checklist for production"),
        description=N_(
            "Run every item of the production checklist that a program can check, and list the rest. Exit code 1 if "
            "one fails that is not accepted with --accept CHECK. Nothing is written."
        ),
        run=doctor,
        arguments=_arguments,
    ),
)
