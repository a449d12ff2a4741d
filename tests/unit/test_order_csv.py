"""The accountant's table: what each cell says, what a spreadsheet cannot run, and that it is read back as written."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.errors import MalformedQuery
from distributor.ledger.order_rows import FoundOrder
from distributor.ledger.records import UNREMEMBERED
from distributor.model import Order, OrderStatus
from distributor.order_csv import COLUMNS, Dialect, entries, heading, line
from distributor.units import TokenUnits, Wei
from foundation.clock import UnixMs
from tests.factories import ALICE, NOW_MS, TOKEN, a_hash, an_order

BRAZIL = Dialect(semicolon=True, decimal_comma=True, bom=True)
PAID = an_order(
    amount_units=TokenUnits(25 * TOKEN // 2),
    status=OrderStatus.PAID,
    updated_ms=UnixMs(NOW_MS + 9_000),
    paid_hash=a_hash("payment"),
    paid_block=90,
    gas_cost_wei=Wei(3_600_000_000_000_001),
)


def table(order: Order, dialect: Dialect, shown: str = "paid") -> str:
    """Return the table of one order, as a file has it."""
    return f"{heading(dialect)}\r\n{line(FoundOrder(order=order, shown=shown), 18, dialect)}\r\n"


def test_a_line_says_when_what_and_at_which_cost() -> None:
    """Both times with their zone; a point in a number, and a comma between cells."""
    assert table(PAID, Dialect()).splitlines() == [
        "received_utc,received_brasilia,paid_utc,paid_brasilia,order,shop,status,wallet,tokens,hash,block,gas_pol",
        (
            "2027-01-15T08:00:00+00:00,2027-01-15T05:00:00-03:00,2027-01-15T08:00:09+00:00,2027-01-15T05:00:09-03:00,"
            f"ORD1,default,paid,{ALICE},12.5,{a_hash('payment')},90,0.003600000000000001"
        ),
    ]


def test_a_brazilian_spreadsheet_gets_semicolons_commas_and_a_mark() -> None:
    """Bytes that Excel opens as they are."""
    written = table(PAID, BRAZIL)

    assert written.encode().startswith(b"\xef\xbb\xbfreceived_utc;received_brasilia;")
    assert ";12,5;" in written
    assert written.endswith(";90;0,003600000000000001\r\n")


def test_what_a_rebuild_took_from_the_chain_has_no_times() -> None:
    """Those in its row are of the rebuild: an accountant would book an old payment in that month."""
    rebuilt = replace(PAID, fingerprint=UNREMEMBERED)
    (row,) = csv.DictReader(io.StringIO(table(rebuilt, Dialect())))

    assert [row[name] for name in COLUMNS[:4]] == ["", "", "", ""]
    assert (row["order"], row["hash"], row["block"]) == ("ORD1", a_hash("payment"), "90")


@pytest.mark.parametrize("text", ['"', '"received_utc', 'a,"b"c'])
def test_a_heading_that_cannot_be_read_is_refused(text: str) -> None:
    """As a line that cannot be read is, and not with a traceback."""
    with pytest.raises(MalformedQuery, match="Line"):
        list(entries(text, 18))


def test_what_is_not_paid_has_no_time_hash_or_gas() -> None:
    """Empty cells, not zeros: an unknown cost is not free."""
    (row,) = csv.DictReader(io.StringIO(table(an_order(), Dialect(), "received")))

    assert [row[name] for name in ("paid_utc", "paid_brasilia", "hash", "block", "gas_pol")] == [""] * 5


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_begins_as_a_formula(begins: str) -> None:
    """An apostrophe before it shows the text; a shop's name may begin with a hyphen."""
    (row,) = csv.DictReader(io.StringIO(table(replace(PAID, source=f"{begins}loja"), Dialect()), newline=""))

    assert row["shop"] == f"'{begins}loja"


@given(
    units=st.integers(min_value=0, max_value=2**256 - 1),
    gas=st.none() | st.integers(min_value=0, max_value=10**24),
    source=st.sampled_from(["default", "-loja", "loja-sul"]),
    dialect=st.builds(Dialect, semicolon=st.booleans(), decimal_comma=st.booleans(), bom=st.booleans()),
)
def test_a_table_is_read_back_as_it_was_written(units: int, gas: int | None, source: str, dialect: Dialect) -> None:
    """In every dialect, to the last unit."""
    order = replace(PAID, amount_units=TokenUnits(units), gas_cost_wei=None if gas is None else Wei(gas), source=source)

    (entry,) = entries(table(order, dialect), 18)

    assert (entry.key, entry.status, entry.wallet) == (order.key, "paid", order.wallet)
    assert (entry.amount_units, entry.gas_wei, entry.paid_hash) == (units, gas, order.paid_hash)
    assert entry.line == 2


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "no column received_utc"),
        ("order,shop\nA,b\n", "no column received_utc"),
        (",".join(COLUMNS) + "\nA\n", "Line 2 has not as many cells"),
        (",".join(COLUMNS) + "\n" + "," * 12 + "\n", "Line 2 has not as many cells"),
        (",".join(COLUMNS) + "\n,,,,A,default,paid,,ten,,,\n", "Line 2, tokens: 'ten'"),
        (",".join(COLUMNS) + "\n,,,,A,default,paid,,1.0000000000000000001,,,\n", "Line 2, tokens"),
        (",".join(COLUMNS) + "\n,,,,A,default,paid,,1,,,-1\n", "Line 2, gas_pol"),
        (",".join(COLUMNS) + '\n"A"b,,,,,,,,,,,\n', "cannot be read"),
    ],
)
def test_another_file_is_refused_by_line_and_column(text: str, named: str) -> None:
    """Nothing of it is guessed."""
    with pytest.raises(MalformedQuery, match=named):
        list(entries(text, 18))


def test_the_shares_of_a_batch_add_up() -> None:
    """As the table writes them: a sum over the column is what the transaction cost."""
    shares = [Wei(334), Wei(333), Wei(333)]
    rows = [next(csv.DictReader(io.StringIO(table(replace(PAID, gas_cost_wei=share), Dialect())))) for share in shares]

    assert sum(Decimal(row["gas_pol"]) for row in rows) == Decimal("0.000000000000001")
