"""``replay-poison``: wake the work behind a poison queue, then empty it."""

from __future__ import annotations

from typing import Any

from distributor.cli.context import DONE, CommandContext
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.queue_names import DISTRIBUTIONS, POISON, SETTLEMENTS, WAKE
from distributor.settings.use_cases import StatusSettings


async def replay_poison(context: CommandContext) -> int:
    """
    Put one wake-up on each queue that has poisoned messages, then clear those.

    The wake-up goes first: killed between the two, the same command can be run again, and a wake-up too
    many does nothing. The messages themselves are not put back: they say nothing but "there is work".
    """
    await context.begin(StatusSettings)
    queues, shown = await context.parts.queues(), list[dict[str, Any]]()
    for name in (DISTRIBUTIONS, SETTLEMENTS):
        count, cleared = await queues.count(name + POISON), False
        if count and context.applies(
            _("wake {queue} once and clear {count} messages of {poison}").format(
                queue=name, count=count, poison=name + POISON
            )
        ):
            await queues.put(name, WAKE)
            await queues.clear(name + POISON)
            await (await context.ledger()).admin.record(
                "replay-poison", name, context.options.by, context.options.why, count=count
            )
            cleared = True
        shown.append({"queue": name + POISON, "messages": count, "cleared": cleared})
    context.answer({"queues": shown})
    return DONE


COMMANDS = (
    Command(
        name="replay-poison",
        summary=N_("wake the work of a poison queue and empty it"),
        description=N_(
            "For each poison queue with messages: put one wake-up on its queue, then clear it. No order is touched: "
            "a message only says that there is work."
        ),
        run=replay_poison,
        changes=True,
    ),
)
