"""``resolve`` and ``cancel-nonce``: a nonce that a person must decide about."""

from __future__ import annotations

from distributor.cli.context import DONE, REFUSED, CommandContext
from distributor.payout.cancellation import Cancellation, Cancelled
from distributor.payout.resolution import Resolution, Resolved
from distributor.settings.use_cases import HistorySettings

_ENDED = (Resolved.PAID, Resolved.HELD, Resolved.STEPPED_OVER, Resolved.CLOSED_BEFORE)


async def resolve(context: CommandContext) -> int:
    """Close a nonce that was consumed by an unknown transaction, as the chain shows it."""
    settings = await context.begin(HistorySettings)
    options = context.options
    resolution = Resolution(
        ledger=await context.our_ledger(),
        chain=await context.parts.chain(),
        history=await context.parts.history(),
        store=await context.rebuild_store(),
        identity=settings.payout.contracts.identity,
        policy=settings.payout.settlement,
    )
    applies = context.applies(f"end nonce {options.nonce} of {options.operator} as {options.tx} shows it")
    outcome = await resolution.resolve(
        options.operator, options.nonce, options.tx, by=options.by, why=options.why, apply=applies
    )
    context.answer({"operator": options.operator, "nonce": options.nonce, "outcome": str(outcome)})
    return DONE if outcome in _ENDED else REFUSED


async def cancel_nonce(context: CommandContext) -> int:
    """Spend a nonce on nothing, whose payment the contract would refuse."""
    settings = await context.begin(HistorySettings)
    options = context.options
    cancellation = Cancellation(
        ledger=await context.our_ledger(),
        chain=await context.parts.chain(),
        signers=await context.parts.signers(settings.payout.signing),
        clock=context.clock,
        limits=settings.payout.fees,
        chain_id=settings.payout.contracts.chain_id,
    )
    applies = context.applies(f"cancel nonce {options.nonce} of {options.operator}")
    outcome = await cancellation.cancel(options.operator, options.nonce, by=options.by, why=options.why, apply=applies)
    context.answer({"operator": options.operator, "nonce": options.nonce, "outcome": str(outcome)})
    return DONE if outcome in (Cancelled.SUBMITTED, Cancelled.CANCELLING) else REFUSED
