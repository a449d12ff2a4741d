"""Every column of every row has a class (LGPD); what is personal is sealed, and a purge empties it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from foundation.personal_data import DataClass
from foundation.tablestore import leases
from payflow.delivery import retention, sender, turns
from payflow.ledger import control, deliveries, identity, records, schema, send_log
from payflow.ledger.classes import CLASSES, emptied
from tests.fakes.payflow import COMPANY, SEALER

PACKAGE = Path(records.__file__).parents[1]
CODECS = [
    records.codec(COMPANY, SEALER),
    records.oauth_codec(SEALER),
    records.ENTRIES,
    identity._codec(SEALER),
    schema.SCHEMAS,
    control.CONTROLS,
    deliveries.EPOCHS,
    send_log.HEADS,
    sender._CODEC,
    turns.CODEC,
    retention.MARKS,
    leases._CODEC,
]
COLUMNS = {record: columns for codec in CODECS for record, columns in codec.columns.items()}


def test_every_column_has_a_class() -> None:
    """A new one without a class fails here, and one that is gone too."""
    assert {record: frozenset(columns) for record, columns in CLASSES.items()} == COLUMNS


def test_no_codec_is_forgotten() -> None:
    """Each place in PayFlow that makes a codec is among those above."""
    makers = [file for file in PACKAGE.rglob("*.py") if any(map(_makes_a_codec, ast.walk(ast.parse(file.read_text()))))]

    known = {"records", "identity", "schema", "control", "deliveries", "send_log", "sender", "turns", "retention"}
    assert {file.stem for file in makers} == known


def _makes_a_codec(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Codec"


def test_what_is_personal_or_a_credential_is_sealed() -> None:
    """And nothing else is: the change of keys goes through exactly these."""
    wanted = {DataClass.PERSONAL, DataClass.CREDENTIAL}
    sealed = {name for columns in CLASSES.values() for name, kind in columns.items() if kind in wanted}

    assert sealed == records.SEALED | {"index_key"}


@pytest.mark.parametrize("record", ["Receipt", "Delivery", "PayerMapping", "Company", "Instalment"])
def test_a_purge_empties_what_is_personal(record: str) -> None:
    """And the blind indexes that lead to it; never an id, or the receipt would be mailed anew."""
    assert {CLASSES[record][name] for name in emptied(record)} <= {
        DataClass.PERSONAL,
        DataClass.FREE_TEXT,
        DataClass.LOOKUP,
    }
    assert emptied(record)
