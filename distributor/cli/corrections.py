"""``resubmit``, ``settle`` and ``reopen``: where ledger and chain say different things."""

from __future__ import annotations

from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.model import Order
from distributor.payout.correction import Corrected, Correction, Deed
from distributor.settings.use_cases import HistorySettings

_DONE = (Corrected.SUBMITTED, Corrected.PAID, Corrected.HELD)
_NEXT = {
    Corrected.USED: "Its nonce is in a block. Look there; `resolve` or `reopen` what it did not pay.",
    Corrected.NO_TRANSFER: "Look up what paid the wallet, and name that transaction; nothing did: `retry` or `cancel`.",
    Corrected.ANOTHER_ORDER: "Each transfer pays one order. `show` the order that it paid.",
    Corrected.ANOTHER_NONCE: "Name the transaction of the order's own operator and nonce.",
    Corrected.IS_PAID: "There is nothing to do.",
    Corrected.NOT_PAID: "Only a paid order is reopened; a held one is for `retry` or `cancel`.",
    Corrected.RESUBMIT: "Its nonce is not used: `resubmit` its stored bytes, and it is paid after all.",
    Corrected.NOT_FINAL: "Wait until its block is final and deep enough on every node; then run the command again.",
    Corrected.NODES_DISAGREE: "Take the node that is wrong out of RPC_URL, then run the same command again.",
    Corrected.NOT_BOUND: "This ledger has no transaction with that nonce: `resolve` it, or `cancel-nonce`.",
    Corrected.NEWER: "Use the newer version of the service.",
}


async def resubmit(context: CommandContext) -> int:
    """Hand the stored bytes of a nonce to the nodes once more."""
    correction, options = await _correction(context), context.options
    applies = context.applies(f"hand the stored bytes of nonce {options.nonce} of {options.operator} to every node")
    outcome, said = await correction.resubmit(options.operator, options.nonce, _deed(context, applies=applies))
    if said is not None:
        context.say(f"The nodes said: {said.outcome} {said.detail}".rstrip())
    return _answer(context, outcome, operator=options.operator, nonce=options.nonce)


async def settle(context: CommandContext) -> int:
    """Call an order paid by a transaction that the chain shows."""
    correction, options = await _correction(context), context.options
    order = await _order(context, correction)
    applies = context.applies(f"call order {order.key} paid by {options.tx}")
    outcome = await correction.settle(order, options.tx, _deed(context, applies=applies), node=options.node)
    return _answer(context, outcome, order=str(order.key))


async def reopen(context: CommandContext) -> int:
    """Hold a paid order whose payment is not there."""
    correction, options = await _correction(context), context.options
    order = await _order(context, correction)
    applies = context.applies(f"hold order {order.key}: {options.tx} used its nonce and did not pay it")
    return _answer(
        context, await correction.reopen(order, options.tx, _deed(context, applies=applies)), order=str(order.key)
    )


async def _correction(context: CommandContext) -> Correction:
    settings = await context.begin(HistorySettings)
    return Correction(
        ledger=await context.our_ledger(),
        chain=await context.parts.chain(),
        history=await context.parts.history(),
        identity=settings.payout.contracts.identity,
        policy=settings.payout.settlement,
    )


async def _order(context: CommandContext, correction: Correction) -> Order:
    found = await correction.ledger.order(context.options.order)
    if found is None:
        raise CommandRefused(f"The ledger has no order {context.options.order}.")
    return found


def _deed(context: CommandContext, *, applies: bool) -> Deed | None:
    return Deed(by=context.options.by, why=context.options.why) if applies else None


def _answer(context: CommandContext, outcome: Corrected, **subject: object) -> int:
    if outcome in _NEXT:
        context.say(_NEXT[outcome])
    context.answer({**subject, "outcome": str(outcome)})
    return DONE if outcome in _DONE else REFUSED
