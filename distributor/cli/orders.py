"""``order``, ``held``, ``retry``, ``cancel``: single orders."""

from __future__ import annotations

import argparse
import re

from distributor.cli.amounts import tokens
from distributor.cli.common_arguments import order_argument
from distributor.cli.context import DONE, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _, current, detail
from distributor.ledger import Ledger, keys
from distributor.ledger.opened import Unreadable
from distributor.model import HoldReason, Order, OrderKey, OrderStatus
from distributor.order_ids import ref_id
from distributor.payout import guard_record
from distributor.payout.called_paid import shows_transfer
from distributor.payout.catalogue import CATALOGUE, ROW_UNREADABLE, WORK_NOT_RUNNING
from distributor.settings.use_cases import HistorySettings, StatusSettings
from distributor.status import Status, rfc3339

_CAUSE = re.compile(r"Order (\S+) ")
"""How the detail of a reason begins that one order causes."""


async def order(context: CommandContext) -> int:
    """Show the state of an order, as the shop sees it."""
    settings = await context.begin(StatusSettings)
    key = context.options.order
    register = await context.parts.register()
    document = await Status(ledger=await context.ledger(), register=register, decimals=settings.decimals).of(key)
    if document is None:
        raise CommandRefused(_("The ledger has no order {order}.").format(order=key))
    waiting = _whose(document.get("waiting"), key)
    if waiting and waiting["caused_by"]:
        context.say(
            _("Order {cause} causes this reason, not {order}, which is paid as soon as there is room for it.").format(
                cause=waiting["caused_by"], order=key
            )
        )
    context.answer({**document, "waiting": waiting})
    return DONE


def _whose(waiting: object, key: OrderKey) -> dict[str, object] | None:
    """Return why orders wait, and which other order causes it by its detail; None while nothing stops them."""
    if not isinstance(waiting, dict):
        return None
    named = _CAUSE.match(str(waiting["detail"]))
    reason = waiting["reason"]
    said = CATALOGUE.find(reason if reason == WORK_NOT_RUNNING else f"waiting_{reason}").texts[current()]
    cause = named[1] if named and named[1] != str(key) else None
    why = detail(str(waiting["detail"]))
    return {**waiting, "summary": said.summary, "action": said.action, "detail": why, "caused_by": cause}


async def held(context: CommandContext) -> int:
    """List the orders that wait for a person."""
    context.answer({"held": await list_held(context)})
    return DONE


async def list_held(context: CommandContext, *, most: int | None = None) -> list[dict[str, object]]:
    """Return the orders that wait for a person, at most *most*, each with what to do."""
    settings = await context.begin(StatusSettings)
    torn, found = list[Unreadable](), list[dict[str, object]]()
    async for each in (await context.rebuild_store()).held(torn):
        found.append(held_line(each, settings.decimals))
        if most is not None and len(found) >= most:
            break
    return [*found, *map(_torn, torn)]


async def retry(context: CommandContext) -> int:
    """
    Put a held order back into the backlog.

    Raises:
        CommandRefused: It is not held, or waits for approval; or its transaction succeeded, and nobody has said that no
            tokens moved.
    """
    await context.begin(StatusSettings)
    ledger = await context.our_ledger()
    found = await find_order(ledger, context.options.order)
    if found.status is not OrderStatus.HELD or found.nonce is not None:
        raise CommandRefused(
            _("Order {order} is {status}; only a held order is put back into the backlog.").format(
                order=found.key, status=found.status
            )
        )
    _refuse_newer(found)
    _refuse_unapproved(found)
    await _refuse_paid(context, found)
    heed(await guard_record.retry_obstacle(ledger, await context.parts.guard(), found))
    if found.hold_reason is HoldReason.NO_TRANSFER and not context.options.no_tokens_moved:
        raise CommandRefused(
            _(
                "Order {order} may have been paid: transaction {tx} succeeded without a proof. Read its Transfer "
                "events on an explorer. If the wallet received nothing, run the command again with --no-tokens-moved."
            ).format(order=found.key, tx=found.paid_hash)
        )
    if context.applies(
        _("put order {order}, held as {reason}, back into the backlog").format(
            order=found.key, reason=found.hold_reason
        )
    ):
        found = await ledger.admin.retry(found, context.options.by, context.options.why)
        context.say(_("The sweep wakes it within a minute."))
    context.answer({"order": str(found.key), "status": str(found.status)})
    return DONE


async def cancel(context: CommandContext) -> int:
    """Cancel an order permanently; never a bound one."""
    await context.begin(StatusSettings)
    ledger = await context.our_ledger()
    key = context.options.order
    found = await ledger.shop_orders.find(key)
    if found is None:
        return await _bar(context, ledger, key)
    if found.status not in {OrderStatus.RECEIVED, OrderStatus.HELD} or found.nonce is not None:
        raise CommandRefused(
            _("Order {order} is {status}; only one that waits or is held can be cancelled.").format(
                order=found.key, status=found.status
            )
        )
    _refuse_newer(found)
    heed(await guard_record.cancel_obstacle(ledger, await context.parts.guard(), found))
    if context.applies(_("cancel order {order} permanently; its id can never be used again").format(order=found.key)):
        found = await ledger.admin.cancel(found, context.options.by, context.options.why)
    context.answer({"order": str(found.key), "status": str(found.status)})
    return DONE


async def _bar(context: CommandContext, ledger: Ledger, key: OrderKey) -> int:
    """Take back an id that was never seen: no webhook can bring it any more."""
    heed(await guard_record.bar_obstacle(ledger, await context.parts.guard(), ref_id(key.source, key.order_id)))
    if context.applies(
        _("bar the id {order}, which this ledger has never seen; no webhook can bring it any more").format(order=key)
    ):
        if not await ledger.exits.bar(key):
            raise CommandRefused(
                _("Order {order} came in at this moment; run the same command again.").format(order=key)
            )
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
            _(
                "Transaction {tx} moved this amount from the reserve to this wallet. If it paid this order: "
                "`settle {order} --tx {tx}`. If it paid another one, run the command again with --no-tokens-moved."
            ).format(tx=found.paid_hash, order=found.key)
        )


async def find_order(ledger: Ledger, key: OrderKey) -> Order:
    """Return the order that came as *key*. Raises CommandRefused where there is none."""
    found = await ledger.shop_orders.find(key)
    if found is None:
        raise CommandRefused(_("The ledger has no order {order}.").format(order=key))
    return found


def heed(obstacle: str) -> None:
    """Raise CommandRefused with what speaks against a command, if anything does."""
    if obstacle:
        raise CommandRefused(obstacle)


def _refuse_newer(found: Order) -> None:
    if found.hold_reason is not None and not found.hold_reason.is_known:
        raise CommandRefused(
            _(
                "Order {order} is held as {reason}, a word of a newer version of this service. Use that version; this "
                "one cannot know what the word asks for."
            ).format(order=found.key, reason=found.hold_reason)
        )


def _refuse_unapproved(found: Order) -> None:
    if found.hold_reason is HoldReason.NEEDS_APPROVAL:
        raise CommandRefused(
            _("Order {order} waits for approval: another person than the one who asked runs `approve {order}`.").format(
                order=found.key
            )
        )


def held_line(held_order: Order, decimals: int) -> dict[str, object]:
    """Return a held order as the list shows it."""
    return {
        "order": str(held_order.key),
        "reason": str(held_order.hold_reason),
        "amount": tokens(held_order.amount_units, decimals),
        "wallet": held_order.wallet,
        "since": rfc3339(held_order.updated_ms),
        "transaction": held_order.paid_hash,
        "detail": detail(held_order.hold_detail),
        "action": CATALOGUE.find(f"held_{held_order.hold_reason}").texts[current()].action,
    }


def _torn(row: Unreadable) -> dict[str, object]:
    said = CATALOGUE.find(ROW_UNREADABLE).texts[current()]
    unknown = dict.fromkeys(("amount", "wallet", "since", "transaction"))
    name = row.key.removeprefix(keys.HELD)
    return {"order": name, "reason": ROW_UNREADABLE, **unknown, "detail": detail(row.why), "action": said.action}


def _retry_arguments(command: argparse.ArgumentParser) -> None:
    order_argument(command)
    command.add_argument(
        "--no-tokens-moved",
        action="store_true",
        help=_("you read the events of its transaction: the wallet received nothing"),
    )


COMMANDS = (
    Command(
        name="order",
        summary=N_("show one order"),
        description=N_("Show the status of an order: SHOP:ID, SHOP/ID, or ID for the shop of WEBHOOK_SECRET."),
        run=order,
        arguments=order_argument,
    ),
    Command(
        name="held",
        summary=N_("list the held orders"),
        description=N_("List the orders that wait for an operator, each with its reason and what to do."),
        run=held,
    ),
    Command(
        name="retry",
        summary=N_("put a held order back into the backlog"),
        description=N_(
            "Put a held order back into the backlog. First check on the chain that no tokens reached the customer."
        ),
        run=retry,
        arguments=_retry_arguments,
        changes=True,
    ),
    Command(
        name="cancel",
        summary=N_("cancel an order permanently"),
        description=N_("Cancel an order that is waiting or held. Its id can never be used again."),
        run=cancel,
        arguments=order_argument,
        changes=True,
    ),
)
