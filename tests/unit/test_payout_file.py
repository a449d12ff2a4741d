"""A file of payouts: which orders its lines are, what is refused, and that no number is guessed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from distributor.errors import MalformedOrder, MalformedQuery
from distributor.model import Order
from distributor.settings.chain import ContractSettings
from distributor.units import format_units
from distributor.webhook.declared_amounts import amount_text
from distributor.webhook.payout_file import LINES_MAX, FileRules, PayoutFile, read_file
from foundation.clock import UnixMs
from tests.factories import AUTHORITY, BALLX, RESERVE

CONTRACTS = ContractSettings(chain_id=31337, token=BALLX, authority=AUTHORITY, reserve=RESERVE, decimals=18)
ANA = "0x52908400098527886E0F7030069857D2E4169EE7"
BIA = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"


def read(*lines: str, decimal: str = "", batch: str = "june", end: str = "\n") -> PayoutFile:
    """Read a file of *lines*."""
    rules = FileRules(batch=batch, source="default", decimal=decimal)
    return read_file(end.join(lines), rules, CONTRACTS, UnixMs(1_000))


def ids(file: PayoutFile) -> Sequence[str]:
    """Return the ids of the orders, in the order of the lines."""
    return [order.order_id for order in file.orders.values()]


def content(order: Order) -> tuple[str, str, str, str]:
    """Return what a line says of an order."""
    return order.wallet.lower(), format_units(order.amount_units, CONTRACTS.decimals), order.reason, order.tipo


def test_each_line_is_an_order_of_the_shop() -> None:
    """Columns are found by their names, in any order; what no one knows is named, and nothing is read from it."""
    file = read("note;Valor;carteira;motivo;tipo", f"x;10.5;{ANA};Prize;bonus", f";2;{BIA};;")

    assert [content(order) for order in file.orders.values()] == [
        (ANA.lower(), "10.5", "Prize", "bonus"),
        (BIA.lower(), "2", "distribuicao - BALLX", "distribuicao"),
    ]
    assert list(file.orders) == [2, 3]
    assert (file.ignored, file.refused, {order.source for order in file.orders.values()}) == (["note"], [], {"default"})


def test_the_same_file_is_the_same_orders_and_a_line_more_is_one_order_more() -> None:
    """An id is made of batch, wallet, amount and the equal lines above, not of the line's number."""
    lines = ["wallet,amount", f"{ANA},10", f"{BIA},5"]
    before = ids(read(*lines))

    assert ids(read(*lines, end="\r\n")) == before
    assert ids(read("\ufeff" + lines[0], "", *lines[1:], "")) == before
    assert sorted(ids(read(lines[0], lines[2], lines[1]))) == sorted(before)
    inserted = ids(read(lines[0], f"{BIA},7", *lines[1:]))
    assert set(before) < set(inserted)
    assert len(inserted) == 3
    assert not set(ids(read(*lines, batch="july"))) & set(before)
    assert ids(read(*lines, batch="June")) == before
    assert ids(read("id,wallet,amount", f"1,{ANA},10", f"2,{BIA},5")) == before


def test_equal_lines_are_paid_each_and_named() -> None:
    """A corrected reason or spelling of the amount makes no new order."""
    file = read("wallet,amount,reason", f"{ANA},10,May", f"{ANA},10.0,June", f"{ANA.lower()},10,July")
    corrected = read("wallet,amount,reason", f"{ANA},10,Mai", f"{ANA},10,Juni", f"{ANA},10,Juli")

    assert (len(set(ids(file))), file.repeated) == (3, [3, 4])
    assert ids(corrected) == ids(file)


def test_ids_of_a_column_are_kept_and_one_named_twice_is_one_order() -> None:
    """Asking for something else under a known id is refused; an id that no order can have too."""
    file = read(
        "order_id,wallet,amount",
        f"A-1,{ANA},10",
        f"A-1,{ANA},10",
        f"A-1,{BIA},10",
        f",{BIA},10",
        f"A 2,{BIA},1",
        f"A-3,{ANA},10",
    )

    assert (ids(file), file.named_again, file.repeated) == (["A-1", "A-3"], [3], [7])
    assert [(each.line, str(each.error)) for each in file.refused] == [
        (4, "order_id A-1 is that of line 2, which asks for something else."),
        (5, "order_id must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit."),
        (6, "order_id must be 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit."),
    ]


def test_a_line_that_is_no_order_is_refused_by_itself() -> None:
    """The lines beside it are read."""
    file = read("wallet,amount", f"{ANA},1,2", "0x12,1", f"{CONTRACTS.reserve},1", f"{ANA},0", f"{ANA},-1", f"{BIA},3")

    assert (len(file.orders), [each.line for each in file.refused]) == (1, [2, 3, 4, 5, 6])
    assert str(file.refused[0].error) == "It has 3 cells, and the heading 2."
    assert str(file.refused[1].error).startswith("wallet is not an address")


def test_a_kind_is_no_longer_than_an_orders() -> None:
    """A table's column holds no text of any length: it would end the command in the middle of storing."""
    file = read("wallet,amount,tipo", f"{ANA},1,{'x' * 64}", f"{BIA},1,{'x' * 65}")

    assert list(file.orders) == [2]
    assert [(each.line, str(each.error)) for each in file.refused] == [(3, "tipo has more than 64 characters.")]


@pytest.mark.parametrize(
    ("cell", "decimal", "read_as"),
    [
        ("10", "", "10"),
        ("10.5", "", "10.5"),
        ("1000.000", "", "1000.000"),
        ("1.000", ".", "1.000"),
        ("1,000", ".", "1000"),
        ("1,234,567.5", ".", "1234567.5"),
        ("10.5", ".", "10.5"),
        ("1.000", ",", "1000"),
        ("1.234.567,5", ",", "1234567.5"),
        ("10,5", ",", "10.5"),
        ("10", ",", "10"),
    ],
)
def test_an_amount_is_read_as_the_person_says(cell: str, decimal: str, read_as: str) -> None:
    """A point between thousands is one only where a comma is the decimal sign."""
    assert amount_text(cell, decimal) == read_as


@pytest.mark.parametrize(
    ("cell", "decimal", "why"),
    [
        ("1.000", "", "could be a thousand"),
        ("1.234.567", "", "could be a thousand"),
        ("10,5", "", "has a comma"),
        ("1,00", ".", 'has "," where no thousand ends'),
        ("1,0000", ".", 'has "," where no thousand ends'),
        ("10.5", ",", 'has "." where no thousand ends'),
        ("0.500", ",", 'has "." where no thousand ends'),
        ("0,500", ".", 'has "," where no thousand ends'),
        ("1.00,5", ",", 'has "." where no thousand ends'),
        ("1,5,0", ",", "must be digits"),
        ("1E+03", "", "must be digits"),
        ("1 000", ".", "must be digits"),
        ("R$ 10", ",", "must be digits"),
        ("", "", "must be digits"),
        (".5", "", "must be digits"),
    ],
)
def test_what_can_be_read_in_two_ways_or_in_none_is_refused(cell: str, decimal: str, why: str) -> None:
    """Never rounded, never guessed."""
    with pytest.raises(MalformedOrder, match="amount") as refused:
        amount_text(cell, decimal)
    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "The file is empty"),
        ("\n \n", "The file is empty"),
        ("wallet\n0x", "No column names the amount"),
        ("amount\n1", "No column names the wallet"),
        ("wallet,amount,valor\n", "Two columns name the amount: amount, valor"),
        ('wallet,amount\n"0x,1', "Line 2 of the file is no line of a table"),
        ("wallet,amount\n" + "0x,1\n" * (LINES_MAX + 1), "more than 20000"),
    ],
)
def test_what_is_no_table_is_refused_whole(text: str, why: str) -> None:
    """Before any line is read."""
    with pytest.raises(MalformedQuery, match=why):
        read(text)


@pytest.mark.parametrize("batch", ["", "-june", "june 2026", "j" * 41, "júni"])
def test_a_batch_has_a_name_that_an_order_can_bear(batch: str) -> None:
    """It begins each id of the file."""
    with pytest.raises(MalformedQuery, match="batch's name"):
        read("wallet,amount", f"{ANA},1", batch=batch)


def test_commas_do_not_separate_cells_where_they_are_decimals() -> None:
    """One cell too few in a line would shift what is left of 1000,50: a thousand is paid, for the reason 50."""
    with pytest.raises(MalformedQuery, match="1000,50 could be two cells"):
        read("wallet,amount,reason", f"{ANA},1000,50", decimal=",")
