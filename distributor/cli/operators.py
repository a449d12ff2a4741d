"""``add-operator``: let a new key pay."""

from __future__ import annotations

from distributor.cli.desk import DONE, Desk
from distributor.cli.init import next_nonce
from distributor.settings import Use


async def add_operator(desk: Desk) -> int:
    """
    Give the operator of OPERATOR_PK or OPERATOR_KEY_ID its nonce row, with the nonce of the chain.

    Raises:
        Refused: The nodes do not agree on it, or a pool holds transactions of that key.
    """
    settings = await desk.begin(Use.INIT)
    operator = (await desk.parts.signer(settings)).address
    ledger = await desk.our_ledger()
    if books := await ledger.books(operator):
        desk.say("The ledger knows this operator already, nothing to do.")
        desk.answer({"operator": operator, "next_nonce": books.next_nonce})
        return DONE
    nonce = await next_nonce(await desk.parts.rpc(), settings.chain_id, operator)
    if desk.applies(f"let {operator} pay, its next nonce being {nonce}"):
        await ledger.add_operator(operator, nonce)
        await ledger.record("add-operator", operator, desk.options.by, desk.options.why)
    desk.answer({"operator": operator, "next_nonce": nonce})
    return DONE
