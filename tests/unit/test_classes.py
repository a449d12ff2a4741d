"""Every column of every row of the ledger has a class (LGPD), and every kind of row is known to a purge."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import distributor
import foundation
from distributor.ledger import announcing, call_records, columns, keys
from distributor.ledger.classes import AUDIT, CLASSES, KEYS, ROWS, emptied, outdated
from foundation.alarms import model
from foundation.personal_data import Classes, DataClass, classed, empty, of_classes
from foundation.tablestore import leases
from tests.factories import an_order
from tests.fakes.bench import a_closing, founded

CODECS = [columns._CODEC, call_records.CODEC, announcing._CODEC, model.CODEC, leases._CODEC]
COLUMNS = {record: names for codec in CODECS for record, names in codec.columns.items()}
WITHOUT_CODEC = {"Reference": {"fingerprint"}, "Held": {"waits_for"}, "Stop": {"at_ms"}}
"""Columns that are written beside those of a record."""


def test_every_column_has_a_class() -> None:
    """A new one without a class fails here, and one that is gone too."""
    assert {record: frozenset(names) for record, names in CLASSES.items()} == COLUMNS | WITHOUT_CODEC


def test_no_codec_is_forgotten() -> None:
    """Each place that makes a codec of this app's rows is among those above."""
    packages = [Path(package.__file__ or "").parent for package in (distributor, foundation)]
    files = [file for package in packages for file in package.rglob("*.py")]
    makers = {file.stem for file in files if any(map(_makes_a_codec, ast.walk(ast.parse(file.read_text()))))}

    assert makers == {"columns", "call_records", "announcing", "model", "leases"}


def _makes_a_codec(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Codec"


def test_every_kind_of_row_is_known() -> None:
    """Each beginning of a key that the ledger names is in the table, and each record of the table has classes."""
    named = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}

    assert {each for each in named if not any(row.startswith(each) for row in ROWS)} == set()
    assert {record for records in ROWS.values() for record in records} <= CLASSES.keys()
    assert ROWS.keys() >= KEYS


async def test_no_row_holds_a_column_without_a_class() -> None:
    """An order is paid, one is held and one is cancelled: each row that is there then is as the table says."""
    bench = await founded()
    transaction = await bench.bound("A1", "A2")
    await bench.ledger.close(transaction, a_closing("A1", held=["A2"]))
    await bench.received("A3")
    await bench.ledger.admin.cancel(await bench.order("A3"), "ana", "asked")

    for key, values in (await bench.values()).items():
        kind = max((each for each in ROWS if key.startswith(each)), key=len)
        known: Classes = {name: of for record in ROWS[kind] for name, of in CLASSES[record].items()}
        assert values.keys() <= known.keys(), key


def test_a_purge_empties_wallet_and_words_and_leaves_the_id() -> None:
    """What stays is what keeps the id from being paid again."""
    assert emptied("Order") == {"wallet", "reason", "tipo", "hold_detail"}
    assert emptied("PaidRef") == {"wallet"}
    assert emptied("Transaction") == {"data"}
    assert emptied("Attempt") == {"raw"}
    assert outdated(CLASSES["Order"]) == {"reason", "tipo", "hold_detail"}
    assert outdated(AUDIT) == {"why", "detail", "paused_why", "halted_why"}


def test_empty_names_only_what_is_not_empty() -> None:
    """The empty value is that of the field's own type."""
    order = an_order("A1", reason="")

    assert empty(order, frozenset({"wallet", "reason"})) == {"wallet": ""}


def test_a_class_that_nobody_knows_is_refused() -> None:
    """A table with a misspelt class does not load."""
    assert of_classes(classed(personal="a b", id="c"), frozenset({DataClass.PERSONAL})) == {"a", "b"}
    with pytest.raises(ValueError, match="personnal"):
        classed(personnal="a")
