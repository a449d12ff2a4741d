"""``pause``, ``halt`` and ``resume``: the people's switch."""

from __future__ import annotations

import argparse

from distributor.cli.context import DONE, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.ledger import Ledger
from distributor.payout.resumption import Resumption
from distributor.settings.use_cases import StatusSettings
from distributor.state import PauseState


async def pause(context: CommandContext) -> int:
    """Stop all binding; what is in flight goes on to its end."""
    ledger, pause_state = await _begun(context)
    if pause_state.paused:
        context.say(_("Paused already, by {by}: {why}").format(by=pause_state.paused_by, why=pause_state.paused_why))
    if context.applies(_("stop all binding; transactions in flight continue to their end")):
        pause_state = await ledger.admin.pause(context.options.by, context.options.why)
    context.answer(_shown(pause_state))
    return DONE


async def halt(context: CommandContext) -> int:
    """Stop all binding and all broadcasting; what the nodes have already may still be mined."""
    ledger, pause_state = await _begun(context)
    if pause_state.halted:
        context.say(_("Halted already, by {by}: {why}").format(by=pause_state.halted_by, why=pause_state.halted_why))
    if context.applies(_("stop all binding and all broadcasting; transactions that nodes have may still be mined")):
        pause_state = await ledger.admin.halt(context.options.by, context.options.why)
    context.answer(_shown(pause_state))
    return DONE


async def _begun(context: CommandContext) -> tuple[Ledger, PauseState]:
    await context.begin(StatusSettings)
    ledger = await context.our_ledger(only_stops=True)
    return ledger, await ledger.admin.pause_state()


async def resume(context: CommandContext) -> int:
    """
    Let binding and broadcasting go on.

    Raises:
        CommandRefused: The chain is ahead of the ledger, or a key can pay without the guard.
        NotYet: Somebody turned the switch while the chain was asked; it stays as they left it.
    """
    await context.begin(StatusSettings)
    ledger = await context.our_ledger()
    pause_state = await ledger.admin.pause_state()
    if not pause_state.paused:
        context.say(_("Not paused."))
    resumption = Resumption(ledger=ledger, chain=await context.parts.chain(), guard=await context.parts.guard())
    if obstacles := await resumption.obstacles():
        raise CommandRefused(" ".join(obstacles))
    if context.applies(_("let orders be bound and paid again")):
        if await resumption.renew_mark():
            context.say(_("A payment that was final left the chain: the guard's records are read anew from the first."))
        if context.options.past_known and await ledger.past.trust():
            await ledger.admin.record("past-known", "payouts", context.options.by, context.options.why)
        pause_state = await ledger.admin.resume(context.options.by, context.options.why, pause_state)
        context.say(
            _("The sweep wakes the waiting orders within a minute; what was signed before a halt is broadcast then.")
        )
    context.answer(_shown(pause_state))
    return DONE


def _shown(pause_state: PauseState) -> dict[str, object]:
    halted = {"by": pause_state.halted_by, "why": pause_state.halted_why} if pause_state.halted else None
    return {"paused": pause_state.paused, "by": pause_state.paused_by, "why": pause_state.paused_why, "halted": halted}


def _resume_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--past-known",
        action="store_true",
        help=_("after rebuild --accept-incomplete: no shop can send an order of before again; new ones are paid"),
    )


COMMANDS = (
    Command(
        name="pause",
        summary=N_("stop all binding"),
        description=N_("Stop all binding, including a round in progress. Transactions in flight continue."),
        run=pause,
        changes=True,
    ),
    Command(
        name="halt",
        summary=N_("stop all binding and broadcasting"),
        description=N_(
            "Stop all binding and all broadcasting, except by an operator's command. Transactions that nodes already "
            "have may still be mined; only the authority or the reserve can stop those."
        ),
        run=halt,
        changes=True,
    ),
    Command(
        name="resume",
        summary=N_("end a pause or a halt"),
        description=N_(
            "End a pause and a halt. The sweep wakes the waiting orders; signed transactions are broadcast."
        ),
        run=resume,
        arguments=_resume_arguments,
        changes=True,
    ),
)
