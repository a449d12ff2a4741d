"""Reading many rows: in order, page by page, without a bound that raises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from foundation.errors import InvariantBroken
from foundation.tablestore.codec import Codec, Record, number
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Row
from foundation.tablestore.queries import behind, find, must_find, past, rows_at, rows_under


class Count(NamedTuple):
    """Something that is stored."""

    n: int


CODEC = Codec([Record(Count, (number("n"),))])


@pytest.fixture
def rows() -> MemoryRows:
    """Seven rows of one prefix, with neighbours on both sides."""
    store = MemoryRows()
    for key, n in [("a", 0), *((f"b:{n}", n) for n in range(7)), ("b;", 9), ("c", 9)]:
        store.put(key, {"n": n})
    return store


async def test_one_value_is_found_or_not(rows: MemoryRows) -> None:
    """Absence is an answer, unless the row is never removed."""
    assert await find(rows, CODEC, Count, "b:3") == Count(3)
    assert await find(rows, CODEC, Count, "b:9") is None
    assert await must_find(rows, CODEC, Count, "b:3") == Count(3)
    with pytest.raises(InvariantBroken, match="ledger row b:9 is missing"):
        await must_find(rows, CODEC, Count, "b:9")


class Counting(MemoryRows):
    """Keeps what it was asked: one letter a request, ``g`` for a row and ``s`` for a range."""

    asked = ""

    async def get(self, key: str) -> Row | None:
        """Count a read of one row."""
        self.asked += "g"
        return await super().get(key)

    async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
        """Count a read of a range."""
        self.asked += "s"
        return await super().scan(first, last, limit=limit)


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ([], ""),
        (["b:1", "b:9", "b:1"], "gg"),
        (["b:5", "b:1", "b:9", "b:3"], "s"),
        (["b:3", "b:6", "b:1", "b:2"], "s"),
        (["a", "b:0", "b:1", "b:5", "b;", "c"], "s"),
        (["a0", "a1", "a2", "a", "b:6", "b:7", "c"], "s"),
        (["a0", "a1", "a2", "b:6", "b:8"], "s"),
        (["a0", "a", "a1", "b:6", "d", "b:7"], "s"),
        (["a0", "a1", "a", "c"], "sg"),
        (["a0", "a1", "a", "c", "d"], "sg"),
    ],
)
async def test_rows_that_lie_together_are_read_in_one_range(wanted: list[str], asked: str) -> None:
    """What lies further on than twice as many rows is read by itself; a row that is not there is no row."""
    store = Counting()
    for key in ("a", *(f"b:{n}" for n in range(7)), "b;", "c"):
        store.put(key, {"n": 0})
    found = await rows_at(store, wanted)

    assert found == {row.key: row for row in await store.scan("", "~", limit=100) if row.key in wanted}
    assert store.asked[:-1] == asked


@pytest.mark.parametrize("page_rows", [1, 3, 7, 8])
async def test_all_rows_of_a_prefix_come_whatever_the_page(
    rows: MemoryRows, page_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once each, in key order, without their neighbours."""
    monkeypatch.setattr("foundation.tablestore.queries.PAGE_ROWS", page_rows)
    found = [row.values["n"] async for row in rows_under(rows, "b:")]

    assert found == list(range(7))


def test_ranges_end_before_the_next_prefix() -> None:
    """And begin behind the last key."""
    assert ["b:1", behind("b:1"), "b:10", past("b:")] == sorted(["b:1", behind("b:1"), "b:10", past("b:")])
