"""``order``, ``held``, ``retry``, ``cancel``: single orders."""

from __future__ import annotations

from distributor.cli.context import DONE, CommandContext, CommandRefused
from distributor.ledger import Ledger
from distributor.model import HoldReason, Order, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.payout import guard_record
from distributor.payout.correction import shows_transfer
from distributor.settings.use_cases import HistorySettings, StatusSettings
from distributor.status import Status, rfc3339
from distributor.units import format_units


async def order(context: CommandContext) -> int:
    """Show where an order stands, as the shop sees it."""
    settings = await context.begin(StatusSettings)
    document = await Status(ledger=await context.ledger(), decimals=settings.decimals).of(context.options.order)
    if document is None:
        raise CommandRefused(f"The ledger has no order {context.options.order}.")
    context.answer(document)
    return DONE


async def held(context: CommandContext) -> int:
    """List the orders that wait for a person."""
    settings = await context.begin(StatusSettings)
    found = [each async for each in (await context.rebuild_store()).held()]
    context.answer({"held": [_line(each, settings.decimals) for each in found]})
    return DONE


async def retry(context: CommandContext) -> int:
    """
    Put a held order back into the waiting line.

    Raises:
        CommandRefused: It is not held; or its transaction succeeded, and nobody has said that no tokens moved.
    """
    await context.begin(StatusSettings)
    ledger = await context.our_ledger()
    found = await _find(ledger, context.options.order)
    if found.status is not OrderStatus.HELD or found.nonce is not None:
        raise CommandRefused(f"Order {found.key} is {found.status}; only a held order is put back into the line.")
    _refuse_newer(found)
    await _refuse_paid(context, found)
    _heed(await guard_record.retry_obstacle(ledger, await context.parts.guard(), found))
    if found.hold_reason is HoldReason.NO_TRANSFER and not context.options.no_tokens_moved:
        raise CommandRefused(
            f"Order {found.key} may have been paid: transaction {found.paid_hash} succeeded without a proof. "
            "Read its Transfer events on an explorer. If the wallet received nothing, run the command again with "
            "--no-tokens-moved."
        )
    if context.applies(f"put order {found.key}, held as {found.hold_reason}, back into the waiting line"):
        found = await ledger.admin.retry(found, context.options.by, context.options.why)
        context.say("The sweep wakes it within a minute.")
    context.answer({"order": str(found.key), "status": str(found.status)})
    return DONE


async def cancel(context: CommandContext) -> int:
    """Cancel an order permanently; never a bound one."""
    await context.begin(StatusSettings)
    ledger = await context.our_ledger()
    key = context.options.order
    found = await ledger.order(key)
    if found is None:
        return await _bar(context, ledger, key)
    if found.status not in {OrderStatus.RECEIVED, OrderStatus.HELD} or found.nonce is not None:
        raise CommandRefused(f"Order {found.key} is {found.status}; only one that waits or is held can be taken back.")
    _refuse_newer(found)
    _heed(await guard_record.cancel_obstacle(ledger, await context.parts.guard(), found))
    if context.applies(f"cancel order {found.key} permanently; its id can never be used again"):
        found = await ledger.admin.cancel(found, context.options.by, context.options.why)
    context.answer({"order": str(found.key), "status": str(found.status)})
    return DONE


async def _bar(context: CommandContext, ledger: Ledger, key: OrderKey) -> int:
    """Take back an id that was never seen: no webhook can bring it any more."""
    _heed(await guard_record.bar_obstacle(ledger, await context.parts.guard(), ref_id(key.source, key.order_id)))
    if context.applies(f"bar the id {key}, which this ledger has never seen; no webhook can bring it any more"):
        if not await ledger.exits.bar(key):
            raise CommandRefused(f"Order {key} came in at this moment; run the same command again.")
        await ledger.admin.record("cancel", str(key), context.options.by, context.options.why)
    context.answer({"order": str(key), "status": str(OrderStatus.CANCELLED)})
    return DONE


async def _refuse_paid(context: CommandContext, found: Order) -> None:
    """Ask the chain before an order gets another nonce: what it was last bound to may have paid it after all."""
    if found.paid_hash is None or context.options.no_tokens_moved:
        return
    settings = await context.parts.settings(HistorySettings)
    snapshot = await (await context.parts.chain()).snapshot([], [found.paid_hash], [])
    receipt = snapshot.receipts.get(found.paid_hash)
    if receipt is not None and shows_transfer(found, receipt, settings.payout.contracts.reserve):
        raise CommandRefused(
            f"Transaction {found.paid_hash} moved this amount from the reserve to this wallet. Was that this order: "
            f"`settle {found.key.source}/{found.key.order_id} --tx {found.paid_hash}`. Was it another one, repeat with "
            "--no-tokens-moved."
        )


async def _find(ledger: Ledger, key: OrderKey) -> Order:
    found = await ledger.order(key)
    if found is None:
        raise CommandRefused(f"The ledger has no order {key}.")
    return found


def _heed(obstacle: str) -> None:
    if obstacle:
        raise CommandRefused(obstacle)


def _refuse_newer(found: Order) -> None:
    if found.hold_reason is not None and not found.hold_reason.is_known:
        raise CommandRefused(
            f"Order {found.key} is held as {found.hold_reason}, a word of a newer version of this service. Use that "
            "version; this one cannot know what the word asks for."
        )


def _line(held_order: Order, decimals: int) -> dict[str, object]:
    return {
        "order": str(held_order.key),
        "reason": str(held_order.hold_reason),
        "amount": format_units(held_order.amount_units, decimals),
        "wallet": held_order.wallet,
        "since": rfc3339(held_order.updated_ms),
        "transaction": held_order.paid_hash,
        "detail": held_order.hold_detail,
    }
