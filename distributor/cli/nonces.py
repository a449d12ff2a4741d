"""``resolve`` and ``cancel-nonce``: a nonce that a person must decide about."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from enum import StrEnum

from distributor.cli.argument_types import address_argument, count_argument, tx_hash
from distributor.cli.context import CommandContext
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.cli.outcomes import OUTCOMES, conclude
from distributor.payout.cancellation import Cancellation, Cancelled
from distributor.payout.resolution import Resolution, Resolved
from distributor.settings.use_cases import HistorySettings


async def resolve(context: CommandContext) -> int:
    """Close a nonce that was consumed by an unknown transaction, as the chain shows it."""
    settings = await context.begin(HistorySettings)
    options = context.options
    resolution = Resolution(
        ledger=await context.our_ledger(),
        chain=await context.parts.chain(),
        history=await context.parts.history(),
        store=await context.rebuild_store(),
        identity=settings.payout.contracts.identity,
        policy=settings.payout.settlement,
    )

    async def run(apply: bool) -> Resolved:
        return await resolution.resolve(
            options.operator, options.nonce, options.tx, by=options.by, why=options.why, apply=apply
        )

    action = _("close nonce {nonce} of {operator} as {tx} shows it").format(
        nonce=options.nonce, operator=options.operator, tx=options.tx
    )
    return await _decide(context, run, action)


async def cancel_nonce(context: CommandContext) -> int:
    """Spend a nonce on nothing, whose payment the contract would refuse."""
    settings = await context.begin(HistorySettings)
    options = context.options
    cancellation = Cancellation(
        ledger=await context.our_ledger(),
        chain=await context.parts.chain(),
        guard=await context.parts.guard(),
        signers=await context.parts.operator_keys.signers(settings.payout.signing),
        clock=context.clock,
        limits=settings.payout.fees,
        chain_id=settings.payout.contracts.chain_id,
    )

    async def run(apply: bool) -> Cancelled:
        return await cancellation.cancel(options.operator, options.nonce, by=options.by, why=options.why, apply=apply)

    return await _decide(
        context, run, _("cancel nonce {nonce} of {operator}").format(nonce=options.nonce, operator=options.operator)
    )


async def _decide(context: CommandContext, run: Callable[[bool], Awaitable[StrEnum]], action: str) -> int:
    """Look first; only what the look allows is offered, and done with --apply, after a second look of its own."""
    options = context.options
    outcome = await run(False)
    if OUTCOMES[options.command][outcome].code == 0 and context.applies(action):
        outcome = await run(True)
    return conclude(context, outcome, operator=options.operator, nonce=options.nonce)


def nonce_arguments(command: argparse.ArgumentParser) -> None:
    """Add the operator and the nonce."""
    command.add_argument("--operator", required=True, type=address_argument, metavar="ADDRESS", help=_("whose nonce"))
    command.add_argument("--nonce", required=True, type=count_argument, metavar="N", help=_("which one"))


def _resolve_arguments(command: argparse.ArgumentParser) -> None:
    nonce_arguments(command)
    command.add_argument(
        "--tx", required=True, type=tx_hash, metavar="HASH", help=_("the transaction that consumed the nonce")
    )


COMMANDS = (
    Command(
        name="cancel-nonce",
        summary=N_("cancel a stuck nonce"),
        description=N_(
            "Consume a nonce without paying, if the contract would refuse its payment, so that later nonces "
            "can proceed."
        ),
        run=cancel_nonce,
        arguments=nonce_arguments,
        changes=True,
    ),
    Command(
        name="resolve",
        summary=N_("close a nonce that an unknown transaction consumed"),
        description=N_(
            "Close a nonce that was consumed by an unknown transaction: the order is paid if it paid it, else held."
        ),
        run=resolve,
        arguments=_resolve_arguments,
        changes=True,
    ),
)
