"""``add-operator``: let a new key pay."""

from __future__ import annotations

from typing import Any

from distributor.cli.context import DONE, CommandContext
from distributor.cli.declared import Command
from distributor.cli.init import next_nonce
from distributor.cli.language import N_, _
from distributor.ledger import Ledger
from distributor.model import Address
from distributor.settings.use_cases import InitSettings


async def add_operator(context: CommandContext) -> int:
    """
    Give each operator that pays its nonce row, with the nonce of the chain: of OPERATOR_PK, and of every lane.

    Raises:
        Refused: The nodes do not agree on it, or a pool holds transactions of that key.
    """
    settings = await context.begin(InitSettings)
    lanes = await context.parts.operator_keys.lanes(settings.signing)
    ledger = await context.our_ledger()
    added = [await _add(context, settings, ledger, signer.address) for signer in lanes.values()]
    context.answer(added[0] if len(added) == 1 else {"lanes": added})
    return DONE


async def _add(context: CommandContext, settings: InitSettings, ledger: Ledger, operator: Address) -> dict[str, Any]:
    if binding_state := await ledger.binding_state(operator):
        context.say(_("The ledger knows this operator already, nothing to do."))
        return {"operator": operator, "next_nonce": binding_state.next_nonce}
    nonce = await next_nonce(await context.parts.rpc(), settings.contracts.chain_id, operator)
    if nonce:
        said = _(
            "{operator} has sent {nonce} transactions on this chain, and this ledger does not know it. Where the "
            "ledger was put back they may have paid its orders: `rebuild` first. Only a key that never paid from it: "
            "go on."
        )
        context.say(said.format(operator=operator, nonce=nonce))
    if context.applies(_("let {operator} pay, its next nonce being {nonce}").format(operator=operator, nonce=nonce)):
        await ledger.admin.add_operator(operator, nonce)
        await ledger.admin.record("add-operator", operator, context.options.by, context.options.why)
    return {"operator": operator, "next_nonce": nonce}


COMMANDS = (
    Command(
        name="add-operator",
        summary=N_("let the configured operator pay"),
        description=N_("Let the operator of OPERATOR_PK or OPERATOR_KEY_ID pay, starting at its nonce on the chain."),
        run=add_operator,
        changes=True,
    ),
)
