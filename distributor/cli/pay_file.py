"""``pay-file``: store a table of payouts as orders of one shop; ``pay-file status``: where those orders are."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distributor import approvals
from distributor.cli.amounts import tokens
from distributor.cli.argument_types import words
from distributor.cli.common_arguments import apply_argument, by_and_why
from distributor.cli.context import DONE, REFUSED, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _, spoken
from distributor.cli.payout_cost import payout_cost
from distributor.cli.sign import secret_of
from distributor.cli.together import ask_for_each
from distributor.errors import ConflictingOrder
from distributor.ledger import Ledger
from distributor.ledger.binding import sum_of
from distributor.model import DEFAULT_SOURCE, Order
from distributor.settings.use_cases import IntakeSettings
from distributor.units import TokenUnits
from distributor.webhook.order_keeper import OrderKeeper
from distributor.webhook.payout_file import FileRules, PayoutFile, RefusedLine, read_file
from distributor.webhook.waking import Waker
from foundation.errors import Rejected, ServiceError

BYTES_MAX = 10 * 2**20
LINES_SHOWN_MAX = 50
"""Lines that are named of each kind; the count beside them says how many there are."""


@dataclass(kw_only=True)
class _Looked:
    """What storing the orders of a file would do."""

    new: list[Order] = field(default_factory=list)
    known: list[Order] = field(default_factory=list)
    """As the ledger holds them."""
    refused: list[RefusedLine] = field(default_factory=list)

    @property
    def units(self) -> TokenUnits:
        return sum_of(self.new)

    def asked_by(self, by: str, batch: str) -> Sequence[Order]:
        """Return the new orders as *by* uploads them: each says who asked, in which file, and what that comes to."""
        whole = TokenUnits(self.units + sum_of(self.known))
        return [replace(each, asked_by=by, batch=batch.lower(), file_units=whole) for each in self.new]


async def pay_file(context: CommandContext) -> int:
    """
    Show what a file would pay, and store its orders with ``--apply``; the audit trail has it before the first order.

    Raises:
        MalformedQuery: The file is no table of payouts.
        CommandRefused: It cannot be read, or lines are refused and ``--without-refused`` was not given.
    """
    file, only_status = _asked(context)
    settings = await context.begin(IntakeSettings)
    text = await asyncio.to_thread(_text, file)
    read = read_file(text, _rules(context), settings.contracts, context.clock())
    ledger = await context.our_ledger()
    if only_status:
        return await _status(context, ledger, read, settings.contracts.decimals)
    secret = secret_of(
        settings.webhook, context.options.shop
    )  # without one an order waits until a person says whose it is
    keeper = OrderKeeper(
        ledger=ledger,
        fingerprints=await context.parts.fingerprints(),
        alarms=await context.parts.alarms(),
        caps=settings.caps.caps,
        own_addresses=ledger.own_addresses.all,
    )
    looked = await _look(keeper, read)
    looked.new = list(looked.asked_by(context.options.by, context.options.batch))
    money = await payout_cost(context, ledger, looked.new)
    held = sum(approvals.needs(order, keeper.caps) for order in looked.new)
    document = _document(read, looked, settings.contracts.decimals)
    context.answer({**document, "need_approval": held, "money": money})
    if looked.refused and not context.options.without_refused:
        raise CommandRefused(
            _("Nothing is stored while lines are refused: correct them, or leave them out with --without-refused.")
        )
    if looked.new and context.applies(
        _("store {count} orders of shop {shop}; they will be paid").format(
            count=len(looked.new), shop=context.options.shop
        )
    ):
        digest = hashlib.sha256(text.encode()).hexdigest()
        await ledger.admin.record(
            "pay-file",
            context.options.batch,
            context.options.by,
            context.why(),
            orders=len(looked.new),
            amount_units=str(looked.units),
            file_sha256=digest,
        )
        return await _store(context, keeper, looked.new, secret)
    return DONE


async def _look(keeper: OrderKeeper, read: PayoutFile) -> _Looked:
    looked = _Looked(refused=list(read.refused))
    answers = await ask_for_each(keeper.look, read.orders.values())
    for (line, order), answer in zip(read.orders.items(), answers, strict=True):
        if isinstance(answer, Rejected):
            looked.refused.append(RefusedLine(line=line, error=answer))
        elif answer is None:
            looked.new.append(order)
        else:
            looked.known.append(answer)
    return looked


async def _store(context: CommandContext, keeper: OrderKeeper, orders: Sequence[Order], secret: str) -> int:
    """Store the orders, then wake the payouts; cut anywhere, the same command stores what is missing."""
    stored, refused = list[Order](), list[str]()

    async def keep(order: Order) -> None:
        stored.append((await keeper.keep(order, secret)).order)

    try:
        answers = await ask_for_each(keep, orders)
    except ServiceError:
        context.say(
            _("{stored} of {count} orders are stored; run the same command again: none is paid twice.").format(
                stored=len(stored), count=len(orders)
            )
        )
        raise
    finally:
        await Waker(context.parts.queues).wake()
    for order, answer in zip(orders, answers, strict=True):
        if isinstance(answer, Rejected):  # another order took its id since we looked, or a cap was lowered
            refused.append(f"{order.key}: {spoken(answer)}")
    for line in refused[:LINES_SHOWN_MAX]:
        context.say(line)
    held = sum(approvals.awaits(order) for order in stored)
    context.say(_("{stored} orders are stored and will be paid.").format(stored=len(stored) - held))
    if held:
        context.say(
            _("{held} orders are stored and held: another person runs `approve --batch {batch}`.").format(
                held=held, batch=context.options.batch
            )
        )
    return REFUSED if refused else DONE


async def _status(context: CommandContext, ledger: Ledger, read: PayoutFile, decimals: int) -> int:
    """Add up where the orders of the file are; 1 while not all are paid, or a line is refused."""
    by_status: dict[str, list[Order]] = {}
    statuses = await ask_for_each(lambda order: line_state(ledger, order), read.orders.values())
    for order, status in zip(read.orders.values(), statuses, strict=True):
        by_status.setdefault(str(status), []).append(order)
    context.answer(
        {
            "batch": context.options.batch,
            "orders": {status: len(orders) for status, orders in by_status.items()},
            "tokens": {status: tokens(sum_of(orders), decimals) for status, orders in by_status.items()},
            "total": tokens(sum_of(read.orders.values()), decimals),
            "not_paid": [
                str(order.key) for status, orders in by_status.items() if status != "paid" for order in orders
            ][:LINES_SHOWN_MAX],
            **_refused(read.refused),
        }
    )
    return DONE if set(by_status) <= {"paid"} and not read.refused else REFUSED


async def line_state(ledger: Ledger, order: Order) -> str:
    """Return where the order of a line is; one that a rebuild found paid on the chain is paid, also without a row."""
    try:
        found = await ledger.recall(order)
    except ConflictingOrder:
        return "stored with other content"
    if found is None:
        return "not stored"
    found = await ledger.shop_orders.home(found)
    if approvals.awaits(found) and found.fingerprint == order.fingerprint:
        return "held for approval"
    return str(found.status) if found.fingerprint == order.fingerprint else "stored with other content"


def _document(read: PayoutFile, looked: _Looked, decimals: int) -> dict[str, Any]:
    statuses = Counter(str(order.status) for order in looked.known)
    return {
        "new": len(looked.new),
        "total": tokens(looked.units, decimals),
        "stored_before": dict(statuses),
        "equal_lines": list(read.repeated[:LINES_SHOWN_MAX]),
        "equal_lines_count": len(read.repeated),
        "same_id_again": list(read.named_again[:LINES_SHOWN_MAX]),
        "columns_not_read": list(read.ignored),
        **_refused(looked.refused),
    }


def _refused(lines: Sequence[RefusedLine]) -> dict[str, Any]:
    shown = sorted(lines, key=lambda each: each.line)[:LINES_SHOWN_MAX]
    return {"refused": len(lines), "refused_lines": [{"line": each.line, "why": spoken(each.error)} for each in shown]}


def _asked(context: CommandContext) -> tuple[Path, bool]:
    """Return the file, and whether only its status is asked."""
    match context.options.file:
        case [file]:
            return Path(file), False
        case ["status", file]:
            return Path(file), True
        case _:
            raise CommandRefused(_("Name one file: `pay-file FILE`, or `pay-file status FILE`."))


def _rules(context: CommandContext) -> FileRules:
    options = context.options
    return FileRules(batch=options.batch, source=options.shop, decimal=options.decimal or "")


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > BYTES_MAX:
            raise CommandRefused(_("{file} is larger than 10 MiB: pay it in parts.").format(file=file))
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandRefused(
            _("{file} cannot be read as UTF-8 ({error}).").format(file=file, error=type(error).__name__)
        ) from None


def _arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", nargs="+", metavar="[status] FILE", help=_("a table with columns wallet and amount"))
    command.add_argument(
        "--batch", required=True, type=words, metavar="NAME", help=_("the name of this payout; the same file keeps it")
    )
    command.add_argument(
        "--shop", type=words, default=DEFAULT_SOURCE, help=_("whose orders they are; the plain shop's if not given")
    )
    command.add_argument("--decimal", choices=[".", ","], help=_("the decimal sign of the file"))
    command.add_argument(
        "--without-refused", action="store_true", help=_("store the other lines where some are refused")
    )
    apply_argument(command)
    by_and_why(command, _("for the audit trail; needed with --apply"))


COMMANDS = (
    Command(
        name="pay-file",
        summary=N_("pay a table of wallets and amounts, once"),
        description=N_(
            "Show what a CSV file with the columns wallet and amount would pay: refused, equal and known lines, total, "
            "gas, what is left. With --apply its lines are stored as orders. The same file with the same --batch pays "
            "nothing twice. `pay-file status FILE` adds up where its orders are."
        ),
        run=pay_file,
        arguments=_arguments,
    ),
)
