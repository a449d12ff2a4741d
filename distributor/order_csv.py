"""
Orders as a table for an accountant, and such a table read back.

A cell that a spreadsheet would take for a formula begins with an apostrophe, which shows it as text: an order id or a
shop's name was chosen by somebody else.

Source: https://owasp.org/www-community/attacks/CSV_Injection (which first characters, and the apostrophe before them)
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from distributor.errors import MalformedQuery
from distributor.ledger.order_rows import FoundOrder
from distributor.ledger.records import UNREMEMBERED
from distributor.model import OrderKey, OrderStatus
from distributor.order_list import NATIVE_DECIMALS, in_zone
from distributor.order_query import BRASILIA, UTC
from distributor.units import TokenUnits, TooManyDecimals, Wei, format_units, token_units

COLUMNS = (
    "received_utc",
    "received_brasilia",
    "paid_utc",
    "paid_brasilia",
    "order",
    "shop",
    "status",
    "wallet",
    "tokens",
    "hash",
    "block",
    "gas_pol",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BOM = "\ufeff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How the table is written; a Brazilian spreadsheet wants all three."""

    semicolon: bool = False
    decimal_comma: bool = False
    bom: bool = False
    """A byte-order mark in front, without which some spreadsheets read UTF-8 as something else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PayoutLine:
    """One line of a table that was written here."""

    line: int
    key: OrderKey
    status: str
    wallet: str
    amount_units: TokenUnits
    paid_hash: str
    gas_wei: Wei | None


def heading(dialect: Dialect) -> str:
    """Return the first line of the table, without its end as every line here."""
    return (_BOM if dialect.bom else "") + _line(COLUMNS, dialect)


def line(found: FoundOrder, decimals: int, dialect: Dialect) -> str:
    """
    Return one order as a line; ``paid`` times and gas are empty where it is not paid, or they are not known.

    An order that a rebuild took from the chain, or an id that was barred, has no times: its row has those of the act.
    """
    order, gas = found.order, found.order.gas_cost_wei
    received = order.fingerprint != UNREMEMBERED
    paid = received and order.status is OrderStatus.PAID
    tokens = format_units(order.amount_units, decimals)
    pol = "" if gas is None else format_units(gas, NATIVE_DECIMALS)
    return _line(
        (
            in_zone(order.received_ms, UTC) if received else "",
            in_zone(order.received_ms, BRASILIA) if received else "",
            in_zone(order.updated_ms, UTC) if paid else "",
            in_zone(order.updated_ms, BRASILIA) if paid else "",
            order.order_id,
            order.source,
            found.shown,
            order.wallet,
            _number(tokens, dialect),
            order.paid_hash or "",
            "" if order.paid_block is None else str(order.paid_block),
            _number(pol, dialect),
        ),
        dialect,
    )


def entries(text: str, decimals: int) -> Iterator[PayoutLine]:
    """
    Yield the lines of a table that ``heading`` and ``line`` wrote, whatever its dialect.

    Raises:
        MalformedQuery: It is no such table; the message names the line and the column.
    """
    first, _, _ = text.removeprefix(_BOM).partition("\n")
    delimiter = ";" if ";" in first else ","
    rows = csv.DictReader(io.StringIO(text.removeprefix(_BOM)), delimiter=delimiter, strict=True)
    try:
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise MalformedQuery(f"The file has no column {missing[0]}: export it with `orders --csv`.")
        for row in rows:
            yield _entry(rows.line_num, row, decimals)
    except csv.Error as error:
        raise MalformedQuery(f"Line {rows.line_num} cannot be read: {error}.") from None


def _entry(number: int, row: Mapping[str, str | None], decimals: int) -> PayoutLine:
    cells = {name: (row[name] or "").removeprefix("'") for name in COLUMNS}
    if None in row or any(row[name] is None for name in COLUMNS):
        raise MalformedQuery(f"Line {number} has not as many cells as the heading.")
    gas = cells["gas_pol"]
    return PayoutLine(
        line=number,
        key=OrderKey(cells["shop"], cells["order"]),
        status=cells["status"],
        wallet=cells["wallet"],
        amount_units=TokenUnits(_units(number, "tokens", cells["tokens"], decimals)),
        paid_hash=cells["hash"],
        gas_wei=Wei(_units(number, "gas_pol", gas, NATIVE_DECIMALS)) if gas else None,
    )


def _units(number: int, column: str, text: str, decimals: int) -> int:
    try:
        return token_units(Decimal(text.replace(",", ".")), decimals)
    except (InvalidOperation, TooManyDecimals, ValueError):
        raise MalformedQuery(f"Line {number}, {column}: {text!r} is no number as it was exported.") from None


def _number(text: str, dialect: Dialect) -> str:
    return text.replace(".", ",") if dialect.decimal_comma else text


def _line(cells: Sequence[str], dialect: Dialect) -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=";" if dialect.semicolon else ",").writerow(map(_defused, cells))
    return written.getvalue().removesuffix("\r\n")


def _defused(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
