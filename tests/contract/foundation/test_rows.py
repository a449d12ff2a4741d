"""What every store of rows promises; the one in memory and the real table keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from foundation.errors import InvariantBroken
from foundation.tablestore.ports import DeleteRow, InsertRow, ReplaceRow, Row, Rows, RowWrite, Value, WriteConflict
from tests.fakes import stores

EVERY_KIND: dict[str, Value] = {
    "text": "São Paulo ₿ 💰",
    "empty": "",
    "number": 2**63 - 1,
    "negative": -(2**63),
    "small": 7,
    "flag": True,
    "off": False,
    "blob": bytes(range(256)) * 256,
}


@pytest.fixture(params=stores.KINDS)
async def rows(request: pytest.FixtureRequest, table_name: str) -> AsyncIterator[Rows]:
    """An empty partition."""
    async with stores.store(request, table_name) as store:
        yield store


async def put(rows: Rows, key: str, **values: Value) -> Row:
    """Insert a row and return it as read back."""
    await rows.commit([InsertRow(key=key, values=values)])
    row = await rows.get(key)
    assert row is not None
    return row


async def test_a_row_comes_back_as_it_was_written(rows: Rows) -> None:
    """Every kind of value keeps its kind, at its largest."""
    row = await put(rows, "tx:0xAb:00000000000000000007", **EVERY_KIND)

    assert dict(row.values) == EVERY_KIND
    assert {name: type(value) for name, value in row.values.items()} == {
        name: type(value) for name, value in EVERY_KIND.items()
    }


async def test_what_was_never_written_is_none(rows: Rows) -> None:
    """Absence is an answer, not an error."""
    assert await rows.get("order:default:NONE") is None


async def test_a_commit_returns_the_version_a_read_returns(rows: Rows) -> None:
    """So that a writer can write again without reading."""
    versions = await rows.commit([InsertRow(key="a", values={"n": 1}), InsertRow(key="b", values={"n": 2})])

    a, b = await rows.get("a"), await rows.get("b")
    assert a is not None
    assert b is not None
    assert versions == {"a": a.version, "b": b.version}


async def test_a_row_is_inserted_once(rows: Rows) -> None:
    """The second insertion is a conflict and changes nothing."""
    await put(rows, "a", n=1)

    with pytest.raises(WriteConflict):
        await rows.commit([InsertRow(key="a", values={"n": 2})])
    kept = await rows.get("a")
    assert kept is not None
    assert kept.values == {"n": 1}


async def test_a_replacement_writes_the_whole_row(rows: Rows) -> None:
    """A column that is left out is gone: that is how None is written."""
    row = await put(rows, "a", n=1, gone="x")

    versions = await rows.commit([ReplaceRow(key="a", values={"n": 2}, version=row.version)])

    assert await rows.get("a") == Row(key="a", values={"n": 2}, version=versions["a"])


async def test_a_stale_replacement_is_a_conflict(rows: Rows) -> None:
    """Each write makes a new version, even one with the same values."""
    row = await put(rows, "a", n=1)
    await rows.commit([ReplaceRow(key="a", values={"n": 1}, version=row.version)])

    with pytest.raises(WriteConflict):
        await rows.commit([ReplaceRow(key="a", values={"n": 3}, version=row.version)])


async def test_what_is_gone_is_neither_replaced_nor_removed(rows: Rows) -> None:
    """Both are conflicts."""
    row = await put(rows, "a", n=1)

    assert await rows.commit([DeleteRow(key="a")]) == {}
    assert await rows.get("a") is None
    with pytest.raises(WriteConflict):
        await rows.commit([ReplaceRow(key="a", values={"n": 2}, version=row.version)])
    with pytest.raises(WriteConflict):
        await rows.commit([DeleteRow(key="a")])


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_a_group_with_one_bad_row_does_nothing(rows: Rows, position: int) -> None:
    """Whichever row it is: all or nothing."""
    old = await put(rows, "old", n=1)
    await rows.commit([ReplaceRow(key="old", values={"n": 2}, version=old.version), InsertRow(key="gone", values={})])
    group: list[RowWrite] = [InsertRow(key="new", values={"n": 1}), DeleteRow(key="gone")]
    group.insert(position, ReplaceRow(key="old", values={"n": 9}, version=old.version))

    with pytest.raises(WriteConflict):
        await rows.commit(group)
    kept = await rows.get("old")
    assert kept is not None
    assert kept.values == {"n": 2}
    assert await rows.get("new") is None
    assert await rows.get("gone") is not None


async def test_a_group_does_inserts_replacements_and_removals_together(rows: Rows) -> None:
    """One group may hold all three, up to a hundred rows."""
    old = await put(rows, "old", n=1)
    await put(rows, "gone")
    fresh = [InsertRow(key=f"new:{index:03d}", values={"n": index}) for index in range(98)]

    versions = await rows.commit(
        [ReplaceRow(key="old", values={"n": 2}, version=old.version), DeleteRow(key="gone"), *fresh]
    )

    assert len(versions) == 99
    assert len(await rows.scan("new:", "new;", limit=1000)) == 98


@pytest.mark.parametrize(
    "group",
    [
        [],
        [InsertRow(key=f"{index:03d}", values={}) for index in range(101)],
        [InsertRow(key="a", values={}), DeleteRow(key="a")],
        [InsertRow(key="a", values={"n": 2**63})],
        [InsertRow(key="a", values={"raw": bytes(2**16 + 1)})],
        [InsertRow(key="a", values={"text": "é" * 2**15 + "x"})],
    ],
    ids=["empty", "101 rows", "one row twice", "number too large", "bytes too long", "text too long"],
)
async def test_what_no_table_takes_is_refused_before_it_is_sent(rows: Rows, group: list[RowWrite]) -> None:
    """It is our bug, never a lost answer."""
    with pytest.raises(InvariantBroken):
        await rows.commit(group)


async def test_a_scan_is_sorted_bounded_and_half_open(rows: Rows) -> None:
    """Keys sort as text; the first is in, the last is out."""
    for key in ["b:2", "a", "b:10", "b:1", "c", "B:1", "b:1 x", "b:1-x"]:
        await put(rows, key)

    async def keys(first: str, last: str, limit: int = 100) -> list[str]:
        return [row.key for row in await rows.scan(first, last, limit=limit)]

    assert await keys("b:", "b;") == ["b:1", "b:1 x", "b:1-x", "b:10", "b:2"]
    assert await keys("b:1", "b:2") == ["b:1", "b:1 x", "b:1-x", "b:10"]
    assert await keys("b:1 ", "b;", limit=2) == ["b:1 x", "b:1-x"]
    assert await keys("d", "e") == []


async def test_a_scan_goes_on_over_the_pages_of_the_service(rows: Rows) -> None:
    """More rows than the service returns at once come back whole, with values and versions."""
    for start in range(0, 1200, 100):
        await rows.commit([InsertRow(key=f"k{index:04d}", values={"n": index}) for index in range(start, start + 100)])

    found = await rows.scan("k", "l", limit=1150)

    assert [row.values["n"] for row in found] == list(range(1150))
    assert found[1149] == await rows.get("k1149")


async def test_of_racing_insertions_one_wins(rows: Rows) -> None:
    """Fifty at once: one row, forty-nine conflicts."""
    racing = (rows.commit([InsertRow(key="a", values={"n": index})]) for index in range(50))
    outcomes = await asyncio.gather(*racing, return_exceptions=True)

    assert sum(isinstance(outcome, WriteConflict) for outcome in outcomes) == 49
    (winner,) = [index for index, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)]
    kept = await rows.get("a")
    assert kept is not None
    assert kept.values == {"n": winner}


async def test_a_counter_under_conditional_writes_loses_no_count(rows: Rows) -> None:
    """Eight workers count to forty together: compare-and-set is a lock."""
    await put(rows, "counter", n=0)

    async def count() -> None:
        counted = 0
        while counted < 5:
            row = await rows.get("counter")
            assert row is not None
            number = row.values["n"]
            assert isinstance(number, int)
            try:
                await rows.commit([ReplaceRow(key="counter", values={"n": number + 1}, version=row.version)])
                counted += 1
            except WriteConflict:
                continue

    await asyncio.gather(*(count() for _ in range(8)))

    total = await rows.get("counter")
    assert total is not None
    assert total.values == {"n": 40}


@pytest.mark.parametrize("key", ["held:recreated?:b", "a/b", "a\\b", "a#b", "a\nb", "a\x7fb", "", "k" * 513])
async def test_a_key_that_no_table_has_is_refused(rows: Rows, key: str) -> None:
    """Before it is sent, by the one in memory too: a rule that is tried there alone would be kept by nobody."""
    with pytest.raises(InvariantBroken, match="no table has a row called"):
        await rows.commit([InsertRow(key=key, values={})])
