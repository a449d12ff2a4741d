"""``approve``: let orders be paid that are above APPROVAL_TOKENS, by another person than the one who asked for them."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence

from distributor import approvals
from distributor.cli.amounts import tokens
from distributor.cli.argument_types import order_key, words
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _, detail
from distributor.cli.orders import find_order, heed
from distributor.cli.together import ask_for_each
from distributor.ledger import Ledger
from distributor.model import DEFAULT_SOURCE, Order, OrderKey
from distributor.payout import guard_record
from distributor.settings.use_cases import StatusSettings
from foundation.errors import Contention

_DIGEST_DIGITS = 12
ORDERS_SHOWN_MAX = 50
"""Orders of a batch that are named; the count beside them says how many there are."""


async def approve(context: CommandContext) -> int:
    """
    Approve one order, or every order of one file that waits for it.

    Raises:
        CommandRefused: Nothing waits for approval under that name, or the person who approves asked for it.
    """
    options = context.options
    if (options.order is None) == (options.batch is None):
        raise CommandRefused(_("Name one order, or one file: `approve ORDER`, or `approve --batch NAME`."))
    settings = await context.begin(StatusSettings)
    ledger = await context.our_ledger()
    if options.batch is not None:
        return await _batch(context, ledger, settings.decimals)
    return await _one(context, ledger, options.order, settings.decimals)


async def _one(context: CommandContext, ledger: Ledger, key: OrderKey, decimals: int) -> int:
    found = await find_order(ledger, key)
    if not approvals.awaits(found):
        raise CommandRefused(
            _("Order {order} is {status} and does not wait for approval.").format(order=found.key, status=found.status)
        )
    _refuse_who_asked(context, [found])
    heed(await guard_record.retry_obstacle(ledger, await context.parts.guard(), found))
    amount = tokens(found.amount_units, decimals)
    if context.applies(
        _("approve order {order}: {amount} tokens to {wallet}; it will be paid").format(
            order=found.key, amount=amount.grouped, wallet=found.wallet
        )
    ):
        found = await ledger.approving.approve(found, context.options.by, context.why())
        context.say(_("The sweep wakes it within a minute."))
    context.answer(
        {
            "order": str(found.key),
            "status": str(found.status),
            "amount": amount,
            "wallet": found.wallet,
            "uploaded_by": found.asked_by,
            "file": found.batch,
            "detail": detail(found.hold_detail),
        }
    )
    return DONE


async def _batch(context: CommandContext, ledger: Ledger, decimals: int) -> int:
    """Approve the orders of a file one by one; what a guard has paid of them meanwhile is found where it is bound."""
    options = context.options
    found = await _waiting(context, options.shop, options.batch)
    if not found:
        raise CommandRefused(
            _("No order of the file {batch} of shop {shop} waits for approval.").format(
                batch=options.batch, shop=options.shop
            )
        )
    _refuse_who_asked(context, found)
    total = tokens(sum(order.amount_units for order in found), decimals)
    document = {
        "file": options.batch,
        "uploaded_by": sorted({order.asked_by for order in found if order.asked_by}),
        "waiting": len(found),
        "tokens": total,
        "count": _count(found),
        "orders": [str(order.key) for order in found[:ORDERS_SHOWN_MAX]],
    }
    action = _("approve {count} orders of the file {batch}, {total} tokens together; they will be paid")
    if not context.applies(action.format(count=len(found), batch=options.batch, total=total.grouped)):
        context.say(_("Confirm their number with it: --count {count}.").format(count=_count(found)))
        context.answer(document)
        return DONE
    if options.count != _count(found):
        raise CommandRefused(
            _("{waiting} orders wait for approval now: look at them, then confirm with --count {count}.").format(
                waiting=len(found), count=_count(found)
            )
        )
    return await _approve_all(context, ledger, found, document)


def _count(orders: Sequence[Order]) -> str:
    """
    Return how many *orders* there are, with a digest of which: what is confirmed is what was looked at.

    1. A person looks at one order of 2 tokens. Who uploaded it cancels it, and uploads one of a million under the name.
    2. It is one order still. Confirmed by their number alone, the million would be approved by nobody's look.
    """
    lines = sorted(f"{order.key} {order.fingerprint} {order.amount_units}" for order in orders)
    return f"{len(lines)}-{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:_DIGEST_DIGITS]}"


async def _approve_all(
    context: CommandContext, ledger: Ledger, found: Sequence[Order], document: dict[str, object]
) -> int:
    """Approve each; one that somebody changed meanwhile is left as it is, and named."""
    why = context.why()

    async def one(order: Order) -> bool:
        try:
            await ledger.approving.approve(order, context.options.by, why)
        except Contention:
            return False
        return True

    done = await ask_for_each(one, found)
    left = [str(order.key) for order, approved in zip(found, done, strict=True) if approved is not True]
    context.answer({**document, "approved": len(found) - len(left), "changed_meanwhile": left[:ORDERS_SHOWN_MAX]})
    context.say(_("The sweep wakes them within a minute."))
    return REFUSED if left else DONE


async def _waiting(context: CommandContext, shop: str, batch: str) -> Sequence[Order]:
    """Return the orders of a file that wait for approval; the held ones are read, whatever number there is of them."""
    store = await context.rebuild_store()
    name = batch.lower()
    return [
        each async for each in store.held([]) if approvals.awaits(each) and (each.source, each.batch) == (shop, name)
    ]


def _refuse_who_asked(context: CommandContext, orders: Sequence[Order]) -> None:
    by = context.options.by
    own = sum(approvals.asked(order, by) for order in orders)
    if own:
        raise CommandRefused(
            _("{by} uploaded {count} of {all} orders: another person approves them.").format(
                by=by, count=own, all=len(orders)
            )
        )


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("order", nargs="?", type=order_key, metavar="ORDER", help=_("SHOP:ID, SHOP/ID, or ID alone"))
    command.add_argument("--batch", type=words, metavar="NAME", help=_("every order of the file paid under this name"))
    command.add_argument(
        "--shop", type=words, default=DEFAULT_SOURCE, help=_("whose file it is; the plain shop's if not given")
    )
    command.add_argument("--count", type=words, metavar="N", help=_("the number that the dry run named"))


COMMANDS = (
    Command(
        name="approve",
        summary=N_("let an order be paid that is above APPROVAL_TOKENS"),
        description=N_(
            "Let an order, or every order of a file, be paid that is held because it is above APPROVAL_TOKENS. Another "
            "person than the one who uploaded it approves. An approval counts for seven days."
        ),
        run=approve,
        arguments=_arguments,
        changes=True,
    ),
)
