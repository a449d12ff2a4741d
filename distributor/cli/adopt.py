"""``adopt``: another Authority, without forgetting what was paid through the one before."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from distributor.cli.argument_types import address_argument
from distributor.cli.chain import past_obstacles
from distributor.cli.common_arguments import apply_argument, by_and_why
from distributor.cli.context import DONE, REFUSED, CommandContext
from distributor.cli.declared import Command
from distributor.cli.language import N_, _, detail
from distributor.cli.past import past_arguments
from distributor.payout.authority_change import AuthorityChange
from distributor.settings.use_cases import HistorySettings


async def adopt(context: CommandContext) -> int:
    """Let the ledger pay through another Authority; refused, with every reason, while something prevents it."""
    settings = await context.begin(HistorySettings)
    ledger, authority = await context.our_ledger(), context.options.authority
    change = AuthorityChange(
        ledger=ledger,
        chain=await context.parts.chain(),
        guard=await context.parts.guard(),
        identity=settings.payout.contracts.identity,
        operator=(await context.parts.operator_keys.signer(settings.payout.signing)).address,
        gas_limit=settings.payout.fees.gas_limit,
    )
    obstacles: Sequence[str] = [*await change.obstacles(authority), *await past_obstacles(context, settings)]
    if not obstacles and context.applies(_("let this ledger pay through {authority}").format(authority=authority)):
        obstacles = await change.adopt(authority, context.options.by, context.why())
        if not obstacles:
            said = _("Done. Set AUTHORITY_ADDRESS={authority} everywhere, then `resume`.")
            context.say(said.format(authority=authority))
    context.answer({"authority": authority, "in_the_way": list(map(detail, obstacles))})
    return REFUSED if obstacles else DONE


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--authority", required=True, type=address_argument, metavar="ADDRESS", help=_("the new authority")
    )
    past_arguments(command)
    apply_argument(command)
    by_and_why(command, _("for the audit trail; needed to adopt"))


COMMANDS = (
    Command(
        name="adopt",
        summary=N_("pay through another authority, and forget nothing"),
        description=N_(
            "Let this ledger pay through another Authority. Paused, nothing open, audited, no key of ours with a role "
            "at the old one. The old one stays known to rebuild and audit-chain."
        ),
        run=adopt,
        arguments=_arguments,
    ),
)
