"""``guard show``, ``guard adopt`` and ``guard import``: the contract that refuses a second payment."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distributor.chain.guard import import_data
from distributor.cli.argument_types import address_argument as address_type
from distributor.cli.chain import past_obstacles
from distributor.cli.common_arguments import apply_argument, by_and_why
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _, detail
from distributor.cli.past import past_arguments
from distributor.model import Address
from distributor.payout.guard_change import GuardChange, Record
from distributor.settings.use_cases import HistorySettings

RECORDS_PER_TRANSACTION = 200
"""As many as the guard's ``record`` takes."""


async def guard(context: CommandContext) -> int:
    """Do what was asked of the guard."""
    settings = await context.begin(HistorySettings)
    await context.our_ledger()
    action = {"show": _show, "adopt": _adopt, "import": _import}[context.options.action]
    return await action(context, settings)


async def _show(context: CommandContext, settings: HistorySettings) -> int:
    """Show the state of the guard, and what prevents paying through it."""
    ledger, chain = await context.ledger(), await context.parts.chain()
    identity = await ledger.identity()
    address = context.options.address or settings.payout.contracts.guard or (identity.guard if identity else None)
    if address is None:
        context.answer({"guard": None, "ledger_pays_through": None})
        return DONE
    head = (await chain.snapshot([], [], [])).head
    operators = await (await context.rebuild_store()).operators()
    facts = await (await context.parts.guard()).facts(address, operators, [], block=head.number)
    context.answer(
        {
            "guard": address,
            "ledger_pays_through": identity.guard if identity else None,
            "since_block": identity.guard_since if identity else None,
            "settings_name": settings.payout.contracts.guard,
            "block": head.number,
            "token": facts.token if facts else None,
            "authority": facts.authority if facts else None,
            "owner": facts.owner if facts else None,
            "paused": facts.paused if facts else None,
            "hot_keys": list(facts.hot_keys) if facts else [],
            "has_role": facts.has_role if facts else None,
            "can_pay_without_it": list(facts.bypassing) if facts else [],
            "payments": facts.count if facts else None,
            "last_payment_block": facts.last_block if facts else None,
        }
    )
    return DONE


async def _adopt(context: CommandContext, settings: HistorySettings) -> int:
    """Let the ledger pay through the guard; refused, with every reason, while something prevents it."""
    address = _address(context, settings)
    change = await _change(context, settings)
    obstacles = [*await change.obstacles(address), *await past_obstacles(context, settings)]
    if not obstacles and context.applies(_("let this ledger pay through guard {guard}").format(guard=address)):
        obstacles = list(await change.adopt(address, context.options.by, context.why()))
        if not obstacles:
            context.say(_("Done. Set GUARD_ADDRESS={guard} everywhere, then `resume`.").format(guard=address))
    context.answer({"guard": address, "in_the_way": list(map(detail, obstacles))})
    return REFUSED if obstacles else DONE


async def _import(context: CommandContext, settings: HistorySettings) -> int:
    """
    List what the guard does not know yet, as transactions for its owner; nothing is signed here.

    What was paid and this ledger does not have would be missing from the list, and the guard would pay it again.
    """
    address = _address(context, settings)
    obstacles = await past_obstacles(context, settings)
    missing = await (await _change(context, settings)).missing(address)
    batches = [missing[at : at + RECORDS_PER_TRANSACTION] for at in range(0, len(missing), RECORDS_PER_TRANSACTION)]
    if batches and context.options.out:
        await asyncio.to_thread(_write, context.options.out, settings.payout.contracts.chain_id, address, batches)
        context.say(
            _("{file}: {count} transactions for the guard's owner to sign.").format(
                file=context.options.out, count=len(batches)
            )
        )
    context.answer(
        {
            "guard": address,
            "in_the_way": list(map(detail, obstacles)),
            "missing": len(missing),
            "transactions": [{"to": address, "data": f"0x{import_data(batch).hex()}"} for batch in batches],
        }
    )
    return REFUSED if missing or obstacles else DONE


def _write(file: Path, chain_id: int, address: Address, batches: Sequence[Sequence[Record]]) -> None:
    """Write the file that a Safe's transaction builder reads."""
    transactions = [{"to": address, "value": "0", "data": f"0x{import_data(batch).hex()}"} for batch in batches]
    document: dict[str, Any] = {
        "version": "1.0",
        "chainId": str(chain_id),
        "meta": {"name": "Import into PayoutGuard"},
        "transactions": transactions,
    }
    file.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _address(context: CommandContext, settings: HistorySettings) -> Address:
    address: Address | None = context.options.address or settings.payout.contracts.guard
    if address is None:
        raise CommandRefused(_("Which guard? Give its address, or set GUARD_ADDRESS."))
    return address


async def _change(context: CommandContext, settings: HistorySettings) -> GuardChange:
    return GuardChange(
        ledger=await context.ledger(),
        rebuild_store=await context.rebuild_store(),
        chain=await context.parts.chain(),
        guard=await context.parts.guard(),
        policy=settings.payout.settlement,
        identity=settings.payout.contracts.identity,
        operators=sorted(await context.parts.operator_keys.signers(settings.payout.signing)),
        sleep=asyncio.sleep,
        block_time_s=settings.payout.lane.block_time_s,
        say=context.say,
    )


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", choices=["show", "adopt", "import"], help=_("see it; pay through it; fill it"))
    command.add_argument("address", nargs="?", type=address_type, metavar="ADDRESS", help=_("instead of GUARD_ADDRESS"))
    apply_argument(command)
    by_and_why(command, _("for the audit trail; needed to adopt"))
    past_arguments(command)
    command.add_argument("--out", type=Path, metavar="FILE", help=_("import: the owner's transactions, for a Safe"))


COMMANDS = (
    Command(
        name="guard",
        summary=N_("show, fill and adopt the guard contract"),
        description=N_(
            "show: what the guard is like, and who could pay without it.\n"
            "import: what was paid and is not recorded in it, as transactions for its owner; run it again until "
            "nothing is missing.\n"
            "adopt: let this ledger pay through it. Refused, with every reason, while something prevents it."
        ),
        run=guard,
        arguments=_arguments,
    ),
)
