"""``sign-out-all``: end every session of the console."""

from __future__ import annotations

from distributor.cli.context import DONE, CommandContext
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.settings.use_cases import StatusSettings


async def sign_out_all(context: CommandContext) -> int:
    """End every session, also one whose cookie was stolen; who has a token signs in again."""
    await context.begin(StatusSettings)
    ledger = await context.our_ledger(only_stops=True)
    epoch = (await ledger.admin.pause_state()).console_epoch or 0
    if context.applies(_("sign everybody out of the console, whoever does it too")):
        epoch = await ledger.console_sessions.end_all(context.options.by, context.options.why)
        context.say(_("Everybody is signed out. A stolen token still signs in: change it in the vault."))
    context.answer({"times_signed_out": epoch})
    return DONE


COMMANDS = (
    Command(
        name="sign-out-all",
        summary=N_("sign everybody out of the console"),
        description=N_(
            "End every session of the console, on every browser and instance, with the next page. Personal tokens stay "
            "good: one that was stolen is changed in its setting, which ends that person's sessions too."
        ),
        run=sign_out_all,
        changes=True,
    ),
)
