"""Reading many rows: in order, page by page, without a bound that raises."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from foundation.errors import InvariantBroken
from foundation.tablestore.codec import Codec, Record, number
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.queries import behind, find, find_many, must_find, past, rows_under


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


async def test_many_values_keep_the_order_they_were_asked_in(rows: MemoryRows) -> None:
    """Those that are missing leave their place empty."""
    assert await find_many(rows, CODEC, Count, ["b:5", "b:9", "b:1"]) == [Count(5), None, Count(1)]


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
