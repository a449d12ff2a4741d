"""``pause``, ``halt`` and ``resume``: the people's switch."""

from __future__ import annotations

from distributor.cli.desk import DONE, Desk
from distributor.settings import Use
from distributor.standing import Control


async def pause(desk: Desk) -> int:
    """Stop all binding; what is in flight goes on to its end."""
    await desk.begin(Use.STATUS)
    ledger = await desk.our_ledger()
    control = await ledger.control()
    if control.paused:
        desk.say("Paused already; the first words stand.")
    if desk.applies("stop all binding; what is in flight goes on to its end"):
        control = await ledger.pause(desk.options.by, desk.options.why)
    desk.answer(_shown(control))
    return DONE


async def halt(desk: Desk) -> int:
    """Stop all binding and all submitting; what the nodes have already may still be mined."""
    await desk.begin(Use.STATUS)
    ledger = await desk.our_ledger()
    control = await ledger.control()
    if control.halted:
        desk.say("Halted already; the first words stand.")
    if desk.applies("stop all binding and all submitting; what the nodes have already may still be mined"):
        control = await ledger.halt(desk.options.by, desk.options.why)
    desk.answer(_shown(control))
    return DONE


async def resume(desk: Desk) -> int:
    """Let binding and submitting go on."""
    await desk.begin(Use.STATUS)
    ledger = await desk.our_ledger()
    control = await ledger.control()
    if not control.paused:
        desk.say("Not paused.")
    if desk.applies("let orders be bound and paid again"):
        control = await ledger.resume(desk.options.by, desk.options.why)
        desk.say("The sweep wakes the waiting orders within a minute; what was signed before a halt is submitted.")
    desk.answer(_shown(control))
    return DONE


def _shown(control: Control) -> dict[str, object]:
    halted = {"by": control.halted_by, "why": control.halted_why} if control.halted else None
    return {"paused": control.paused, "by": control.paused_by, "why": control.paused_why, "halted": halted}
