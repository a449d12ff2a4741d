"""How values become columns, whatever the type: names written out, unknown columns kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import pytest

from foundation.errors import InvariantBroken
from foundation.tablestore import codec
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.codec import OWNER, UINT256_MAX, Codec, Record
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import UNSTORED, Row, Value, Version


class Colour(StrEnum):
    """A word that is stored."""

    RED = "red"


class Point(NamedTuple):
    """A type without a version."""

    x: int
    y: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A part of another type."""

    units: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """One field of each kind."""

    title: str
    weight: int
    good: bool
    raw: bytes
    colour: Colour
    tags: tuple[str, ...]
    size: Size
    note: str | None = None
    retries: int = 0
    version: Version = field(default=UNSTORED, compare=False)


COLUMNS = (
    codec.text("name", "title"),
    codec.number("weight"),
    codec.flag("good"),
    codec.binary("raw"),
    codec.word("colour", Colour),
    codec.lines("tags"),
    codec.text("note", missing=None),
    codec.number("retries", missing=0),
)
THING = Record(Thing, COLUMNS, parts={"size": Record(Size, (codec.amount("units"),))})
CODEC = Codec([THING, Record(Point, (codec.number("x"), codec.number("y")))])
THE_THING = Thing(
    title="a", weight=-1, good=True, raw=b"\0", colour=Colour.RED, tags=("x", "y"), size=Size(units=UINT256_MAX)
)
WRITTEN: dict[str, Value] = {
    "name": "a",
    "weight": -1,
    "good": True,
    "raw": b"\0",
    "colour": "red",
    "tags": "x\ny",
    "retries": 0,
    "units": str(UINT256_MAX),
}


def a_row(values: dict[str, Value]) -> Row:
    """Return a stored row with these values."""
    return Row(key="thing:1", values=values, version=Version("v1"))


def test_a_value_is_written_under_the_names_of_its_columns() -> None:
    """A field may have another name than its column; money is text; None has no column."""
    assert CODEC.encode(THE_THING) == WRITTEN
    assert CODEC.encode(Point(1, 2)) == {"x": 1, "y": 2}


def test_a_value_is_read_back_with_its_version() -> None:
    """Where the type has one."""
    again = CODEC.decode(Thing, a_row(WRITTEN))

    assert again == THE_THING
    assert again.version == Version("v1")
    assert CODEC.decode(Point, a_row({"x": 1, "y": 2})) == Point(1, 2)


def test_a_column_of_a_later_version_may_be_missing() -> None:
    """An older row is read with the value an absent new column means."""
    older = {name: value for name, value in WRITTEN.items() if name != "retries"}

    assert CODEC.decode(Thing, a_row(older)).retries == 0


def test_no_tags_are_no_line() -> None:
    """An empty text is an empty tuple."""
    assert CODEC.decode(Thing, a_row(WRITTEN | {"tags": ""})).tags == ()


@pytest.mark.parametrize(
    ("column", "value"),
    [("name", 1), ("weight", True), ("good", 1), ("colour", "blue"), ("units", "-1"), ("units", "\u0663"), ("raw", "")],
)
def test_an_impossible_value_is_named(column: str, value: Value) -> None:
    """With its row; nothing is guessed."""
    with pytest.raises(InvariantBroken, match=f"thing:1: column {column} "):
        CODEC.decode(Thing, a_row(WRITTEN | {column: value}))


@pytest.mark.parametrize("columns", [COLUMNS[1:], (*COLUMNS, codec.text("more"))])
def test_a_record_that_forgets_or_invents_a_field_is_refused_at_once(columns: tuple[codec.Column, ...]) -> None:
    """Not at the first row."""
    with pytest.raises(InvariantBroken, match="columns and fields differ"):
        Codec([Record(Thing, columns, parts=THING.parts)])


async def test_an_unknown_column_is_written_back() -> None:
    """
    Two versions of the code work on one row.

    1. The newer one writes a column, ``limit``.
    2. The older one reads the row, changes it twice, and knows nothing of the column.
    3. The column is still there: a row is never poorer because an older version touched it.
    """
    rows = MemoryRows()
    rows.put("thing:1", WRITTEN | {"limit": 7, OWNER: "newer"})

    row = await rows.get("thing:1")
    assert row is not None
    version = CODEC.decode(Thing, row).version
    for _ in range(2):
        write = AtomicWrite()
        write.replace("thing:1", CODEC.encode(THE_THING), version)
        version = version_of(await commit(rows, write, marker_row="thing:1"), "thing:1")

    stored = rows.dump()["thing:1"]
    assert {name: value for name, value in stored.items() if name != OWNER} == WRITTEN | {"limit": 7}


async def test_an_unknown_column_survives_a_lost_answer() -> None:
    """The version that is read back carries it as well."""
    rows = MemoryRows()
    rows.put("thing:1", WRITTEN | {"limit": 7})
    row = await rows.get("thing:1")
    assert row is not None
    write = AtomicWrite()
    write.replace("thing:1", CODEC.encode(THE_THING), CODEC.decode(Thing, row).version)
    rows.lose_next_answer(done=True)

    versions = await commit(rows, write, marker_row="thing:1")

    assert versions["thing:1"].kept == {"limit": 7}
