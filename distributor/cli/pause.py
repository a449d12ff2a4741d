"""``pause``, ``halt`` and ``resume``: the people's switch."""

from __future__ import annotations

from distributor.cli.context import DONE, CommandContext, CommandRefused
from distributor.payout.resumption import Resumption
from distributor.settings.use_cases import StatusSettings
from distributor.state import PauseState


async def pause(context: CommandContext) -> int:
    """Stop all binding; what is in flight goes on to its end."""
    await context.begin(StatusSettings)
    ledger = await context.our_ledger(only_stops=True)
    pause_state = await ledger.admin.pause_state()
    if pause_state.paused:
        context.say("Paused already; the first words stand.")
    if context.applies("stop all binding; what is in flight goes on to its end"):
        pause_state = await ledger.admin.pause(context.options.by, context.options.why)
    context.answer(_shown(pause_state))
    return DONE


async def halt(context: CommandContext) -> int:
    """Stop all binding and all submitting; what the nodes have already may still be mined."""
    await context.begin(StatusSettings)
    ledger = await context.our_ledger(only_stops=True)
    pause_state = await ledger.admin.pause_state()
    if pause_state.halted:
        context.say("Halted already; the first words stand.")
    if context.applies("stop all binding and all submitting; what the nodes have already may still be mined"):
        pause_state = await ledger.admin.halt(context.options.by, context.options.why)
    context.answer(_shown(pause_state))
    return DONE


async def resume(context: CommandContext) -> int:
    """
    Let binding and submitting go on.

    Raises:
        CommandRefused: The chain is ahead of the ledger, or a key can pay without the guard.
    """
    await context.begin(StatusSettings)
    ledger = await context.our_ledger()
    pause_state = await ledger.admin.pause_state()
    if not pause_state.paused:
        context.say("Not paused.")
    resumption = Resumption(ledger=ledger, chain=await context.parts.chain(), guard=await context.parts.guard())
    if obstacles := await resumption.obstacles():
        raise CommandRefused(" ".join(obstacles))
    if context.applies("let orders be bound and paid again"):
        pause_state = await ledger.admin.resume(context.options.by, context.options.why)
        context.say("The sweep wakes the waiting orders within a minute; what was signed before a halt is submitted.")
    context.answer(_shown(pause_state))
    return DONE


def _shown(pause_state: PauseState) -> dict[str, object]:
    halted = {"by": pause_state.halted_by, "why": pause_state.halted_why} if pause_state.halted else None
    return {"paused": pause_state.paused, "by": pause_state.paused_by, "why": pause_state.paused_why, "halted": halted}
