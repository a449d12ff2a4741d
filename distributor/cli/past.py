"""Which past a command reads: from where, from which block on, who had a part in it, and what is explained."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Collection
from pathlib import Path

from distributor.cli.argument_types import accepted_transfer, address_argument, count_argument
from distributor.cli.context import CommandContext, CommandRefused
from distributor.cli.language import _
from distributor.model import Address
from distributor.payout.history import History
from distributor.recovery.export import ExportedHistory, read_export
from distributor.recovery.payouts import KnownParties
from distributor.settings.use_cases import HistorySettings
from foundation.errors import ConfigurationError


async def chosen_history(context: CommandContext) -> History:
    """Return the reserve's past: by the nodes' logs, or by the receipts of an explorer's export."""
    chain, file = await context.parts.history(), context.options.from_export
    if file is None:
        return chain
    try:
        hashes = read_export(await asyncio.to_thread(file.read_text, encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandRefused(_("{file} cannot be read: {error}").format(file=file, error=error)) from None
    context.say(_("{file}: {count} transactions, each read by its receipt.").format(file=file, count=len(hashes)))
    return ExportedHistory(chain, hashes)


async def known_parties(
    context: CommandContext, settings: HistorySettings, remembered: Collection[Address]
) -> KnownParties:
    """Return every operator there ever was: configured, known to the ledger, or named in the command."""
    operators = {
        *await context.parts.operator_keys.signers(settings.payout.signing),
        *remembered,
        *context.options.operator,
    }
    contracts = settings.payout.contracts
    former = await _former(context)
    return KnownParties(
        authority=contracts.authority,
        operators=operators,
        guards={*([contracts.guard] if contracts.guard else []), *former("guard"), *context.options.former_guard},
        former_authorities={*former("authority"), *context.options.former_authority},
        accepted=dict(context.options.accept_transfer),
    )


async def _former(context: CommandContext) -> Callable[[str], Collection[Address]]:
    """Return what the ledger's identity named before, by kind; nothing of a ledger that cannot be read."""
    store = await context.rebuild_store()
    try:
        found = {kind: [each.address for each in await store.former(kind)] for kind in ("guard", "authority")}
    except ConfigurationError:
        found = {}
    return lambda kind: found.get(kind, [])


def first_block(context: CommandContext, settings: HistorySettings) -> int:
    """Return where the past begins. Raises CommandRefused where neither the command nor FIRST_BLOCK says it."""
    chosen = context.options.from_block if context.options.from_block is not None else settings.first_block
    if chosen is None:
        raise CommandRefused(
            _("The first block of the token's history is not known. Set FIRST_BLOCK, or give --from-block.")
        )
    return int(chosen)


def history_arguments(command: argparse.ArgumentParser) -> None:
    """Add where the past is read from, who had a part in it, and which transfers are explained."""
    command.add_argument("--from-block", type=count_argument, metavar="N", help=_("instead of FIRST_BLOCK"))
    command.add_argument(
        "--operator", action="append", default=[], type=address_argument, metavar="ADDRESS", help=_("a former operator")
    )
    command.add_argument(
        "--former-authority",
        action="append",
        default=[],
        type=address_argument,
        metavar="ADDRESS",
        help=_("a former authority"),
    )
    command.add_argument(
        "--former-guard",
        action="append",
        default=[],
        type=address_argument,
        metavar="ADDRESS",
        help=_("a former guard"),
    )
    command.add_argument(
        "--accept-transfer",
        action="append",
        default=[],
        type=accepted_transfer,
        metavar="HASH[=ORDER]",
        help=_("an explained transfer: the payment of ORDER, or of no order"),
    )
    command.add_argument(
        "--from-export",
        type=Path,
        metavar="FILE",
        help=_("an explorer's CSV of the reserve's token transfers, where no node gives the logs; receipts are read"),
    )


def past_arguments(command: argparse.ArgumentParser) -> None:
    """Add what is said of the past: where it is read from, who had a part in it, and what is explained."""
    history_arguments(command)
    command.add_argument(
        "--accept-incomplete",
        default="",
        metavar="WHY",
        help=_("the history does not add up and you know why; a payment that is not found may be paid again"),
    )
