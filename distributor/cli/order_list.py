"""``orders``: find orders, or write a month of them for the accountant. ``payouts``: add up such a file."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distributor.cli.amounts import NATIVE_DECIMALS, tokens
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.ledger.opened import Unreadable
from distributor.model import Order
from distributor.order_csv import Dialect, PayoutLine, entries, heading, line
from distributor.order_ids import can_be_an_order
from distributor.order_list import OrderList
from distributor.order_query import FILTERS, OrderQuery
from distributor.settings.use_cases import StatusSettings

_SHOWN = ("received_at", "received_at_brasilia", "source", "order_id", "status", "wallet", "amount", "transaction_hash")
DIFFERENCES_SHOWN_MAX = 50
TORN_SHOWN_MAX = 20
_NOT_INDEXED = N_("Orders of an older version are still being indexed; run the command again in some minutes.")


async def orders(context: CommandContext) -> int:
    """List the orders that are asked for, a page at a time; as CSV all of a day or a month."""
    settings = await context.begin(StatusSettings)
    query = _query(context)
    listing = OrderList(ledger=await context.ledger(), decimals=settings.decimals)
    if context.options.csv:
        return await _export(context, listing, query)
    document = await listing.document(query)
    if not context.options.json:
        document = {**document, "orders": [_short(each) for each in _listed(document)]}
    if not document["complete"]:
        context.say(_(_NOT_INDEXED))
    context.answer(document)
    return DONE


async def payouts(context: CommandContext) -> int:
    """Add up a file that ``orders --csv`` wrote, and compare each line with the ledger."""
    settings = await context.begin(StatusSettings)
    ledger, paid, wrong = await context.ledger(), list[PayoutLine](), list[str]()
    counted = Counter[str]()
    for entry in entries(_text(context.options.file), settings.decimals):
        counted[entry.status] += 1
        found = await ledger.order(entry.key) if can_be_an_order(entry.key) else None
        if difference := _difference(entry, found):
            wrong.append(f"{entry.key}: {difference}")
        if entry.status == "paid":
            paid.append(entry)
    twice = _twice(paid)
    context.answer(
        {
            "orders": dict(counted),
            "paid_tokens": tokens(sum(each.amount_units for each in paid), settings.decimals),
            "gas_pol": tokens(sum(each.gas_wei or 0 for each in paid), NATIVE_DECIMALS),
            "paid_without_known_gas": sum(each.gas_wei is None for each in paid),
            "transactions": len({each.paid_hash for each in paid}),
            "listed_twice": twice,
            "different": wrong[:DIFFERENCES_SHOWN_MAX],
            "differences": len(wrong),
        }
    )
    return REFUSED if wrong or twice else DONE


def _twice(paid: Sequence[PayoutLine]) -> list[str]:
    return [str(key) for key, times in Counter(each.key for each in paid).items() if times > 1]


def _difference(entry: PayoutLine, found: Order | None) -> str:
    """Return what the ledger says otherwise of a paid line; of any other only that the order is there."""
    if found is None:
        return _("the ledger has no such order")
    if entry.amount_units != found.amount_units or found.wallet not in {"", entry.wallet}:
        return _("the ledger has another amount or wallet")
    if entry.status == "paid" and (str(found.status), found.paid_hash) != ("paid", entry.paid_hash):
        return _("the ledger has it as {status}, hash {hash}").format(status=found.status, hash=found.paid_hash)
    return ""


async def _export(context: CommandContext, listing: OrderList, query: OrderQuery) -> int:
    """
    Write the table, the oldest order first; into a file that is not there yet, or to standard output.

    A table that lacks a row that cannot be read says so, and its exit code is 1.

    Raises:
        CommandRefused: No time or only a page was named, or the index is not whole: a short table looks like any other.
    """
    options = context.options
    if query.wanted.from_ms is None:
        raise CommandRefused(_("Say of which day or month: --month yyyy-mm or --day yyyy-mm-dd."))
    if options.limit or options.cursor:
        raise CommandRefused(_("--csv writes all of the day or month: leave out --limit and --cursor."))
    if not await listing.complete():
        raise CommandRefused(_(_NOT_INDEXED))
    dialect, torn = (
        Dialect(semicolon=options.semicolon, decimal_comma=options.decimal_comma, bom=options.bom),
        list[Unreadable](),
    )
    found = [line(each, listing.decimals, dialect) async for each in listing.oldest_first(query, torn)]
    written = [heading(dialect), *found]
    if options.out is None:
        for text in written:
            context.show(text)
    else:
        _write(options.out, written)
        context.say(_("{orders} orders are in {file}.").format(orders=len(found), file=options.out))
    return _missing(context, torn)


def _missing(context: CommandContext, torn: Sequence[Unreadable]) -> int:
    """Say which rows the table lacks."""
    if not torn:
        return DONE
    names = sorted({each.key for each in torn})
    context.say(
        _("{count} rows cannot be read and are not in the table: {rows}").format(
            count=len(names), rows=", ".join(names[:TORN_SHOWN_MAX])
        )
    )
    return REFUSED


def _write(file: Path, written: Sequence[str]) -> None:
    try:
        with file.open("x", encoding="utf-8", newline="") as table:
            table.writelines(f"{text}\r\n" for text in written)
    except FileExistsError:
        raise CommandRefused(_("{file} is there already; nothing was written.").format(file=file)) from None
    except OSError as error:
        raise CommandRefused(
            _("{file} cannot be written ({error}).").format(file=file, error=type(error).__name__)
        ) from None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandRefused(
            _("{file} cannot be read ({error}).").format(file=file, error=type(error).__name__)
        ) from None


def _query(context: CommandContext) -> OrderQuery:
    given = {name: str(getattr(context.options, name) or "") for name in (*FILTERS, "limit", "cursor")}
    return OrderQuery.read(given)


def _listed(document: Any) -> Sequence[dict[str, Any]]:
    listed: Sequence[dict[str, Any]] = document["orders"]
    return listed


def _short(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what a line of a terminal has room for."""
    return {name: entry[name] for name in _SHOWN}


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--status", help=_("received, submitted, mined, paid, held or cancelled"))
    command.add_argument("--shop", help=_("the orders of one shop"))
    command.add_argument("--wallet", help=_("the orders of one wallet"))
    command.add_argument("--day", metavar="YYYY-MM-DD", help=_("orders that came on that day"))
    command.add_argument("--month", metavar="YYYY-MM", help=_("orders that came in that month"))
    command.add_argument("--zone", help=_("utc (default) or brasilia: where the day or month begins and ends"))
    command.add_argument("--id", help=_("the beginning of an order's id"))
    command.add_argument("--hash", help=_("the beginning of a transaction's hash: 0x and 4 digits or more"))
    command.add_argument("--limit", help=_("orders of one page: 50, at most 200"))
    command.add_argument("--cursor", help=_("the page that follows, as the page before named it"))
    command.add_argument("--csv", action="store_true", help=_("all orders of the day or month, as a table"))
    command.add_argument("--out", type=Path, metavar="FILE", help=_("write the table into a new file"))
    command.add_argument("--semicolon", action="store_true", help=_("separate cells by ; instead of a comma"))
    command.add_argument("--decimal-comma", action="store_true", help=_("write 1,5 instead of 1.5"))
    command.add_argument("--bom", action="store_true", help=_("begin with a byte-order mark, as Excel wants"))


def _file_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help=_("a table that orders --csv wrote"))


COMMANDS = (
    Command(
        name="orders",
        summary=N_("find orders, or write a month of them as CSV"),
        description=N_(
            "Find orders by status, shop, wallet, day, month, or the beginning of an id or a hash. With --csv, write "
            "all orders of a day or month as a table for the accountant, the oldest first."
        ),
        run=orders,
        arguments=_arguments,
    ),
    Command(
        name="payouts",
        summary=N_("add up a table of orders, and compare it with the ledger"),
        description=N_(
            "Add up what a table that orders --csv wrote says was paid: orders, tokens, gas. Each line is compared "
            "with the ledger; exit code 1 where one differs, or an order is listed twice."
        ),
        run=payouts,
        arguments=_file_argument,
    ),
)
