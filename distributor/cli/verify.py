"""``verify``: whether the rows of the ledger agree with one another."""

from __future__ import annotations

from collections.abc import Mapping

from distributor.cli.context import DONE, REFUSED, CommandContext
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.recovery.consistency import Consistency, Disorder
from distributor.settings.use_cases import StatusSettings

MEANING: Mapping[Disorder, str] = {
    Disorder.UNREADABLE: N_("This version cannot read the row. A newer version wrote it, or somebody edited it."),
    Disorder.ORDER_MISSING: N_("The row names an order that is not in the ledger."),
    Disorder.ORDER_ELSEWHERE: N_("The row names an order that is in another state; it is ignored."),
    Disorder.NOT_LISTED: N_("The row that lists it is missing, so that nothing finds it: it would wait forever."),
    Disorder.BOUND_TO_NOTHING: N_("The order is bound, and no open transaction carries it."),
    Disorder.TRANSACTION_MISSING: N_("The row names a transaction that is missing or final."),
    Disorder.REFERENCE_MISSING: N_("The reference of the order is not marked as taken."),
    Disorder.ATTEMPT_MISSING: N_("A signed version of the transaction is missing."),
    Disorder.NONCE_BEHIND: N_("The operator's next nonce is not above this transaction."),
    Disorder.TOTAL_WRONG: N_("The tokens bound are not the sum of the open transactions."),
}


async def verify(context: CommandContext) -> int:
    """Read every row; 1 if two of them disagree."""
    await context.begin(StatusSettings)
    found = await Consistency((await context.parts.tables()).rows).disagreements()
    shown = [
        {"row": each.key, "what": str(each.disorder), "detail": each.detail, "meaning": _(MEANING[each.disorder])}
        for each in found
    ]
    if found:
        context.say(_("`pause`, then compare these rows with a backup; the runbook's page row_unreadable says how."))
    context.answer({"disagreements": shown})
    return REFUSED if found else DONE


COMMANDS = (
    Command(
        name="verify",
        summary=N_("check that the rows of the ledger agree with one another"),
        description=N_(
            "Read every row of the ledger and look for pointers without their rows, rows without their pointers, "
            "orders that are bound to nothing and totals that are wrong. Nothing is written, and no node is asked; "
            "audit-chain compares the ledger with the chain."
        ),
        run=verify,
    ),
)
