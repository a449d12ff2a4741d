"""``resubmit``, ``settle`` and ``reopen``: where ledger and chain say different things."""

from __future__ import annotations

import argparse

from distributor.cli.argument_types import tx_hash
from distributor.cli.common_arguments import order_argument
from distributor.cli.context import CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.cli.nonces import nonce_arguments
from distributor.cli.outcomes import OUTCOMES, conclude
from distributor.model import Order
from distributor.payout import guard_record
from distributor.payout.corrected import Corrected
from distributor.payout.correction import Correction
from distributor.payout.decision import Decision
from distributor.payout.guard_settling import GuardSettling
from distributor.settings.use_cases import HistorySettings


async def resubmit(context: CommandContext) -> int:
    """Broadcast the stored bytes of a nonce once more."""
    correction, options = await _correction(context), context.options
    outcome, _nothing = await correction.resubmit(options.operator, options.nonce, None)
    action = _("broadcast the stored bytes of nonce {nonce} of {operator} to every node").format(
        nonce=options.nonce, operator=options.operator
    )
    if _allows(context, outcome) and context.applies(action):
        outcome, said = await correction.resubmit(options.operator, options.nonce, _decision(context))
        if said is not None:
            context.say(
                _("The nodes said: {outcome} {detail}").format(outcome=said.outcome, detail=said.detail).rstrip()
            )
    return conclude(context, outcome, operator=options.operator, nonce=options.nonce)


async def settle(context: CommandContext) -> int:
    """Mark an order as paid by a transaction that the chain shows."""
    correction, options = await _correction(context), context.options
    order = await _order(context, correction)
    outcome = await correction.settle(order, options.tx, None, node=options.node)
    await _must_exist(context, outcome)
    await _name_recorded(context, correction, order, outcome)
    action = _("mark order {order} as paid by {tx}").format(order=order.key, tx=options.tx)
    if _allows(context, outcome) and context.applies(action):
        outcome = await correction.settle(order, options.tx, _decision(context), node=options.node)
    return conclude(context, outcome, order=str(order.key))


async def reopen(context: CommandContext) -> int:
    """Hold a paid order whose payment is not there."""
    correction, options = await _correction(context), context.options
    order = await _order(context, correction)
    outcome = await correction.reopening.reopen(order, options.tx, None)
    await _name_recorded(context, correction, order, outcome)
    action = _("hold order {order}: {tx} did not pay it").format(order=order.key, tx=options.tx)
    if _allows(context, outcome) and context.applies(action):
        outcome = await correction.reopening.reopen(order, options.tx, _decision(context))
    return conclude(context, outcome, order=str(order.key))


async def _correction(context: CommandContext) -> Correction:
    settings = await context.begin(HistorySettings)
    return Correction(
        ledger=await context.our_ledger(),
        chain=await context.parts.chain(),
        history=await context.parts.history(),
        identity=settings.payout.contracts.identity,
        policy=settings.payout.settlement,
        guard_settling=GuardSettling(
            ledger=await context.our_ledger(),
            guard=await context.parts.guard(),
            alarms=await context.parts.alarms(),
            reserve=settings.payout.contracts.reserve,
        ),
    )


async def _order(context: CommandContext, correction: Correction) -> Order:
    found = await correction.ledger.order(context.options.order)
    if found is None:
        raise CommandRefused(_("The ledger has no order {order}.").format(order=context.options.order))
    return found


async def _must_exist(context: CommandContext, outcome: Corrected) -> None:
    """Tell a hash that no node knows from one that is not final yet. Raises NoSuchTransaction, ChainUnavailable."""
    if outcome is Corrected.NOT_FINAL:
        await (await context.parts.history()).transaction_details([context.options.tx])


async def _name_recorded(context: CommandContext, correction: Correction, order: Order, outcome: Corrected) -> None:
    """Say what the guard has recorded, where that is not what the ledger names."""
    payment = await correction.reopening.recorded(order) if outcome is Corrected.MOVED else None
    if payment is not None:
        context.say(guard_record.recorded(payment))


def _allows(context: CommandContext, outcome: Corrected) -> bool:
    return OUTCOMES[context.options.command][outcome].code == 0


def _decision(context: CommandContext) -> Decision:
    return Decision(by=context.options.by, why=context.options.why)


def _settle_arguments(command: argparse.ArgumentParser) -> None:
    order_argument(command)
    command.add_argument("--tx", required=True, type=tx_hash, metavar="HASH", help=_("the transaction that paid it"))
    command.add_argument(
        "--node", default="", metavar="HOST", help=_("for a bound order: the node whose answer decides")
    )


def _reopen_arguments(command: argparse.ArgumentParser) -> None:
    order_argument(command)
    command.add_argument(
        "--tx",
        required=True,
        type=tx_hash,
        metavar="HASH",
        help=_("the transaction that consumed its nonce; else the one that it is marked as paid by"),
    )


COMMANDS = (
    Command(
        name="resubmit",
        summary=N_("broadcast stored bytes again"),
        description=N_(
            "Broadcast the stored bytes of a nonce again, for example of a payment that was closed and then left the "
            "chain. The bytes can be mined at most once."
        ),
        run=resubmit,
        arguments=nonce_arguments,
        changes=True,
    ),
    Command(
        name="settle",
        summary=N_("mark an order as paid by a transaction"),
        description=N_(
            "Mark an order as paid by a transaction that moved its amount from the reserve to its wallet and paid no "
            "other order. With --node a bound order is closed by that node's word alone, and only as paid."
        ),
        run=settle,
        arguments=_settle_arguments,
        changes=True,
    ),
    Command(
        name="reopen",
        summary=N_("hold a paid order that was not paid"),
        description=N_(
            "Hold an order that is marked as paid: --tx is the final transaction of its nonce, which did not pay it. "
            "If another transaction is marked as its payment: --tx is that one, and the guard and the nodes are asked "
            "whether it paid."
        ),
        run=reopen,
        arguments=_reopen_arguments,
        changes=True,
    ),
)
