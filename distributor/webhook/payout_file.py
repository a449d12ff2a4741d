"""
A file of payouts: a table of wallets and amounts, each line an order that the operator's own shop sends.

A line without an id of its own gets one from the batch's name, its wallet, its amount, and how many lines above it
have both alike: never from its number. So the same file again is the same orders, a line put in between is one order
more, and a corrected reason pays nobody twice.

Numbers are read in the format that the person names, and nothing is guessed: ``1.000`` is a thousand in Brazil.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from distributor.errors import MalformedOrder, MalformedQuery, UnpayableOrder
from distributor.model import Address, Order
from distributor.order_ids import ORDER_ID
from distributor.settings.chain import ContractSettings
from distributor.units import TokenUnits
from distributor.webhook.declared_amounts import amount_text
from distributor.webhook.orders import exact_units, one_line, payable_order, tipo_of, wallet_of
from foundation.clock import UnixMs
from foundation.errors import Rejected
from foundation.sentences import sentence

LINES_MAX = 20_000
"""Of one file; each is an order, looked up before anything is written."""
BATCH_CHARACTERS = 40
_DIGEST_DIGITS = 16
_BOM = "\ufeff"
_BATCH = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{BATCH_CHARACTERS - 1}}}")
_NAMES: Mapping[str, str] = {
    "wallet": "wallet",
    "wallet_address": "wallet",
    "carteira": "wallet",
    "amount": "amount",
    "tokens": "amount",
    "valor": "amount",
    "quantidade": "amount",
    "order_id": "order_id",
    "pedido": "order_id",
    "reason": "reason",
    "motivo": "reason",
    "tipo": "tipo",
}
"""What a column may be called, in any case, and what it holds. Not ``id``: it often is the line's number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRules:
    """How a file is read."""

    batch: str
    """Its name; upper and lower case are the same batch."""
    source: str
    """The shop whose orders the lines are."""
    decimal: str = ""
    """The decimal sign, ``.`` or ``,``; empty: a point, and what could be a thousand is refused."""

    def __post_init__(self) -> None:
        if not _BATCH.fullmatch(self.batch):
            raise MalformedQuery(
                sentence(
                    "The batch's name has 1 to {most} of the characters A-Z a-z 0-9 . _ - and begins with a letter or "
                    "digit.",
                    most=BATCH_CHARACTERS,
                )
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedLine:
    """A line that is no order, and why."""

    line: int
    error: Rejected


@dataclass(frozen=True, kw_only=True, slots=True)
class PayoutFile:
    """What a file asks for."""

    orders: Mapping[int, Order]
    """Under the number of its line; each id once."""
    refused: Sequence[RefusedLine]
    repeated: Sequence[int]
    """Lines whose wallet and amount an earlier line has too, and which are paid besides."""
    named_again: Sequence[int]
    """Lines that say the same as an earlier one under the same id: they are that order."""
    ignored: Sequence[str]
    """Columns that nothing is read from."""


def read_file(text: str, rules: FileRules, payment_rules: ContractSettings, now: UnixMs) -> PayoutFile:
    """
    Return the orders of a table with a heading; cells are separated by the sign the heading has, ``;`` or a comma.

    Raises:
        MalformedQuery: It is no such table, or has more than ``LINES_MAX`` lines; no line of it was read.
    """
    heading, *lines = list(_cells(text, rules.decimal))
    columns = _columns(heading[1])
    if len(lines) > LINES_MAX:
        raise MalformedQuery(
            sentence("The file has {lines} lines, more than {most}: pay it in parts.", lines=len(lines), most=LINES_MAX)
        )
    reading = _Reading(rules=rules, payment_rules=payment_rules, now=now)
    for number, cells in lines:
        if len(cells) != len(heading[1]):
            wrong = sentence(
                "It has {cells} cells, and the heading {wanted}.", cells=len(cells), wanted=len(heading[1])
            )
            reading.refuse(number, MalformedOrder(wrong))
            continue
        reading.take(number, {name: cells[at].strip() for name, at in columns.items()})
    ignored = [name.strip() for at, name in enumerate(heading[1]) if at not in columns.values()]
    return reading.file(ignored)


@dataclass(kw_only=True, slots=True)
class _Reading:
    """One file while it is read."""

    rules: FileRules
    payment_rules: ContractSettings
    now: UnixMs
    orders: dict[int, Order] = field(default_factory=dict)
    refused: list[RefusedLine] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    named_again: list[int] = field(default_factory=list)
    alike: Counter[tuple[Address, TokenUnits]] = field(default_factory=Counter)
    lines: dict[str, int] = field(default_factory=dict)
    """The line of each id."""

    def refuse(self, line: int, error: Rejected) -> None:
        self.refused.append(RefusedLine(line=line, error=error))

    def take(self, line: int, cells: Mapping[str, str]) -> None:
        """Read one line; one that is no order is refused by itself."""
        try:
            order = self._order(cells)
        except (MalformedOrder, UnpayableOrder) as error:
            self.refuse(line, error)
            return
        earlier = self.lines.setdefault(order.order_id, line)
        if earlier != line:
            self._again(line, order, earlier)
            return
        self.orders[line] = order
        alike = (order.wallet, order.amount_units)
        if self.alike[alike]:
            self.repeated.append(line)
        self.alike[alike] += 1

    def _again(self, line: int, order: Order, earlier: int) -> None:
        if self.orders[earlier].fingerprint == order.fingerprint:
            self.named_again.append(line)
        else:
            wrong = sentence(
                "order_id {order} is that of line {earlier}, which asks for something else.",
                order=order.order_id,
                earlier=earlier,
            )
            self.refuse(line, MalformedOrder(wrong, code="bad_order_id"))

    def _order(self, cells: Mapping[str, str]) -> Order:
        wallet = wallet_of("wallet", cells["wallet"])
        amount = exact_units("amount", amount_text(cells["amount"], self.rules.decimal), self.payment_rules.decimals)
        return payable_order(
            source=self.rules.source,
            order_id=self._id(cells.get("order_id"), wallet, amount),
            wallet=wallet,
            amount_units=amount,
            tipo=tipo_of(cells),
            reason=one_line(cells.get("reason", "")),
            payment_rules=self.payment_rules,
            now=self.now,
        )

    def _id(self, given: str | None, wallet: Address, amount: TokenUnits) -> str:
        if given is None:
            digest = hashlib.sha256(f"{wallet}:{amount}".encode()).hexdigest()[:_DIGEST_DIGITS]
            return f"{self.rules.batch.lower()}-{digest}-{self.alike[wallet, amount] + 1}"
        if not ORDER_ID.fullmatch(given):
            raise MalformedOrder(
                sentence(
                    "order_id must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit."
                ),
                code="bad_order_id",
            )
        return given

    def file(self, ignored: Sequence[str]) -> PayoutFile:
        return PayoutFile(
            orders=self.orders,
            refused=self.refused,
            repeated=self.repeated,
            named_again=self.named_again,
            ignored=ignored,
        )


def _cells(text: str, decimal: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield each line that is not empty, with its number in the file."""
    text = text.removeprefix(_BOM)
    first, _, _ = text.partition("\n")
    if decimal == "," and ";" not in first:
        raise MalformedQuery(
            sentence(
                "The cells are separated by commas, and so are decimals: 1000,50 could be two cells. "
                "Separate the cells by ;."
            )
        )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if ";" in first else ",", strict=True)
    found = False
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found = True
                yield reader.line_num, cells
    except csv.Error as error:
        raise MalformedQuery(
            sentence("Line {line} of the file is no line of a table ({error}).", line=reader.line_num, error=error)
        ) from None
    if not found:
        raise MalformedQuery(sentence("The file is empty: its first line must name the columns."))


def _columns(heading: Sequence[str]) -> Mapping[str, int]:
    """Return the column of each thing. Raises MalformedQuery where one is missing, or named twice."""
    places: dict[str, int] = {}
    for at, name in enumerate(heading):
        meaning = _NAMES.get(name.strip().lower())
        if meaning is None:
            continue
        if meaning in places:
            raise MalformedQuery(
                sentence(
                    "Two columns name the {meaning}: {first}, {second}.",
                    meaning=meaning,
                    first=heading[places[meaning]].strip(),
                    second=name.strip(),
                )
            )
        places[meaning] = at
    for wanted in ("wallet", "amount"):
        if wanted not in places:
            known = ", ".join(name for name, meaning in _NAMES.items() if meaning == wanted)
            raise MalformedQuery(
                sentence(
                    "No column names the {wanted}: the first line must have one of {known}.", wanted=wanted, known=known
                )
            )
    return places
