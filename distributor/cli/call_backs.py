"""``callbacks``: what the shops were told, send it again, test an address."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime

from distributor.call_back_wiring import posting_of, receivers_of
from distributor.call_backs.by_hand import ByHand
from distributor.call_backs.message import event_id, event_type
from distributor.call_backs.posting import Receiver
from distributor.call_backs.schedule import Meaning
from distributor.cli.argument_types import shop_argument
from distributor.cli.common_arguments import apply_argument, by_and_why
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _, detail
from distributor.ledger.call_records import CallBack, CallState
from distributor.model import Order, OrderKey
from distributor.settings.use_cases import StatusSettings
from distributor.status import rfc3339
from foundation.clock import UnixMs


async def call_backs(context: CommandContext) -> int:
    """Do what was asked about call-backs."""
    await context.begin(StatusSettings)
    return await {"list": _list, "resend": _resend, "test": _test}[context.options.action](context)


async def _list(context: CommandContext) -> int:
    """Show how each shop's address answers; of one shop, what it was told last; of one order, all of it."""
    by_hand = await _by_hand(context)
    if context.options.shop is None:
        receivers = (await receivers_of(context.parts))()
        context.answer({"shops": await by_hand.shops(receivers)})
        return DONE
    if context.options.order is None:
        found = await by_hand.newest(context.options.shop)
    else:
        found = await by_hand.of_order(await _order(context))
    context.answer({"callbacks": [line_of(each) for each in found]})
    return DONE


async def _resend(context: CommandContext) -> int:
    """Have one order's newest event sent again, or all events since a moment."""
    await context.our_ledger(only_stops=True)
    if (context.options.order is None) == (context.options.since is None):
        raise CommandRefused(_("Which call-backs? Give --order ID or --since TIME."))
    return await (_resend_since if context.options.order is None else _resend_order)(context)


async def _resend_order(context: CommandContext) -> int:
    order, sent = await _order(context), None
    if context.applies(
        _("tell {source} again what became of order {order}").format(source=order.source, order=order.key)
    ):
        sent = await (await _by_hand(context)).resend(order)
        await _record(context, str(order.key))
        context.say(_("It is sent within a minute; `callbacks list` has the answer."))
    context.answer({"order": str(order.key), "id": sent})
    return DONE


async def _resend_since(context: CommandContext) -> int:
    shop, by_hand = _shop(context), await _by_hand(context)
    count = await by_hand.since(shop, context.options.since, apply=False)
    if context.applies(_("tell {source} again {count} events").format(source=shop, count=count)):
        count = await by_hand.since(shop, context.options.since, apply=True)
        await _record(context, shop)
        context.say(_("They are sent within minutes; `callbacks list` has the answers."))
    context.answer({"shop": shop, "events": count})
    return DONE


async def _test(context: CommandContext) -> int:
    """Post a test to a shop's address; 1 where it does not take it."""
    receiver = await _receiver(context)
    if not context.applies(
        _("post a test to the address of {source}; a good answer ends a stop").format(source=receiver.source)
    ):
        context.answer({"shop": receiver.source, "answer": None})
        return DONE
    reply = await (await _by_hand(context)).test(receiver, await posting_of(context.parts, clock=context.clock))
    await _record(context, receiver.source)
    context.say(_("{source} answered: {answer}").format(source=receiver.source, answer=detail(reply.words)))
    context.answer({"shop": receiver.source, "answer": detail(reply.words)})
    return DONE if reply.meaning is Meaning.TOLD else REFUSED


async def _receiver(context: CommandContext) -> Receiver:
    """Return where the shop is told. Raises CommandRefused where it has no address, or no secret that signs."""
    shop = _shop(context)
    receiver = (await receivers_of(context.parts))().get(shop)
    if receiver is None:
        raise CommandRefused(_("{source} has no address: set CALLBACK_URL.").format(source=shop))
    if not receiver.secrets:
        raise CommandRefused(_("{source} has no secret that a call-back could be signed with.").format(source=shop))
    return receiver


async def _order(context: CommandContext) -> Order:
    key = OrderKey(_shop(context), context.options.order)
    order = await (await context.ledger()).order(key)
    if order is None:
        raise CommandRefused(_("The ledger has no order {order}.").format(order=key))
    return order


def _shop(context: CommandContext) -> str:
    shop: str | None = context.options.shop
    if shop is None:
        raise CommandRefused(_("Which shop? Give its name, like default."))
    return shop


async def _by_hand(context: CommandContext) -> ByHand:
    return ByHand(ledger=await context.ledger(), clock=context.clock)


async def _record(context: CommandContext, subject: str) -> None:
    deed = f"callbacks-{context.options.action}"
    await (await context.ledger()).admin.record(deed, subject, context.options.by, context.options.why or "")


def line_of(call_back: CallBack) -> Mapping[str, object]:
    """Return what is shown of a call-back."""
    tried_ms, due = call_back.tried_ms, call_back.state is CallState.DUE
    return {
        "order": str(call_back.key),
        "event": event_type(call_back.status),
        "at": rfc3339(call_back.at_ms),
        "state": str(call_back.state),
        "attempts": call_back.attempts,
        "answer": detail(call_back.answer) or None,
        "tried_at": rfc3339(tried_ms) if tried_ms is not None else None,
        "next_at": rfc3339(call_back.next_ms) if due else None,
        "id": event_id(call_back.key, call_back.sequence),
    }


def moment(text: str) -> UnixMs:
    """Return a date, or a date and time, as milliseconds; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            _("{text} is not a date or time like 2026-11-29T08:00").format(text=text)
        ) from None
    return UnixMs(int(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1_000))


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "action", choices=["list", "resend", "test"], nargs="?", default="list", help=_("what to do; list if not given")
    )
    command.add_argument("shop", nargs="?", type=shop_argument, metavar="SOURCE", help=_("the shop's name"))
    command.add_argument("--order", metavar="ID", help=_("the order's id in that shop"))
    command.add_argument("--since", type=moment, metavar="TIME", help=_("resend: every event since then"))
    apply_argument(command)
    by_and_why(command, _("for the audit trail"))


COMMANDS = (
    Command(
        name="callbacks",
        summary=N_("show what the shops were told, tell them again, or test an address"),
        description=N_(
            "list [SOURCE [--order ID]]: how each shop's address answers; what a shop was told last, or of one order.\n"
            "resend SOURCE --order ID, or --since TIME: tell it again, within minutes, with the ids it had before.\n"
            "test SOURCE: post a test now; a good answer ends a stop, and the newest state of each order is sent."
        ),
        run=call_backs,
        arguments=_arguments,
    ),
)
