"""Groups of rows: what they refuse, and how they learn what was done."""

from collections.abc import Sequence

import pytest

from foundation.errors import Contention, InvariantBroken, StoreUnavailable
from foundation.tablestore.atomic import TRIES_MAX, AtomicWrite, check_writes, commit, together_or_each, version_of
from foundation.tablestore.codec import OWNER
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import UNSTORED, DeleteRow, InsertRow, ReplaceRow, Version

V1, V2 = Version("v1"), Version("v2")


def test_every_written_row_bears_the_token_of_its_group() -> None:
    """So that any of them can witness for it."""
    group = AtomicWrite()
    group.insert("a", {"n": 1})
    group.replace("b", {"n": 2}, V1)
    group.delete("c")

    assert group.writes == (
        InsertRow(key="a", values={"n": 1, OWNER: group.owner}),
        ReplaceRow(key="b", values={"n": 2, OWNER: group.owner}, version=V1),
        DeleteRow(key="c"),
    )


def test_no_two_groups_have_one_token() -> None:
    """Else one would take the other's work for its own."""
    assert len({AtomicWrite().owner for _ in range(1000)}) == 1000


def test_two_replacements_of_one_row_are_merged() -> None:
    """A table takes each row once."""
    group = AtomicWrite()
    group.replace("a", {"n": 1, "m": 1}, V1)
    group.replace("a", {"n": 2}, V1)

    assert group.writes == (ReplaceRow(key="a", values={"n": 2, "m": 1, OWNER: group.owner}, version=V1),)


def test_putting_inserts_what_was_never_read_and_replaces_what_was() -> None:
    """The version says which."""
    group = AtomicWrite()
    group.put("new", {}, UNSTORED)
    group.put("old", {}, V1)

    assert [type(write) for write in group.writes] == [InsertRow, ReplaceRow]


def test_a_row_is_written_once_in_a_group() -> None:
    """Anything but two like replacements is a bug."""
    group = AtomicWrite()
    group.replace("a", {}, V1)

    with pytest.raises(InvariantBroken, match="a is written twice"):
        group.replace("a", {}, V2)
    with pytest.raises(InvariantBroken, match="a is written twice"):
        group.delete("a")


def test_a_row_is_never_replaced_unread() -> None:
    """Without a version the write would be unconditional."""
    with pytest.raises(InvariantBroken, match="without having been read"):
        AtomicWrite().replace("a", {}, UNSTORED)


@pytest.mark.parametrize("count", [0, 101])
def test_a_group_has_one_to_a_hundred_rows(count: int) -> None:
    """A table refuses more."""
    with pytest.raises(InvariantBroken, match=f"a group of {count} rows"):
        check_writes([DeleteRow(key=str(index)) for index in range(count)])


async def test_memory_forgets_the_troubles_that_have_not_come_yet() -> None:
    """What was ordered for the groups to come is taken back."""
    rows, group = MemoryRows(), AtomicWrite()
    rows.lose_next_answer(done=False)
    rows.echo_conflict_once()
    rows.steady()
    group.insert("a", {})

    await commit(rows, group, marker_row="a")

    assert rows.commits == 1


async def test_a_conflict_without_our_token_is_contention() -> None:
    """Another worker was first."""
    rows, group = MemoryRows(), AtomicWrite()
    rows.put("a", {OWNER: "another"})
    group.insert("a", {})

    with pytest.raises(Contention, match="rows of a"):
        await commit(rows, group, marker_row="a")


async def test_a_group_that_arrives_late_is_known_as_our_own() -> None:
    """The first sending is slow, the second meets its success."""
    rows, group = MemoryRows(), AtomicWrite()
    group.insert("a", {"n": 1})

    rows.lose_next_answer(done=False)
    rows.after_next_read(lambda: rows.do(group.writes))

    versions = await commit(rows, group, marker_row="a")

    row = await rows.get("a")
    assert row is not None
    assert versions == {"a": row.version}
    assert rows.commits == 2


async def test_silence_is_not_failure() -> None:
    """The same group goes out a bounded number of times; then the ledger is unavailable."""
    rows, group = MemoryRows(), AtomicWrite()
    group.insert("a", {})
    for _ in range(TRIES_MAX):
        rows.lose_next_answer(done=False)

    with pytest.raises(StoreUnavailable):
        await commit(rows, group, marker_row="a")
    assert rows.commits == TRIES_MAX


async def test_a_store_that_cannot_be_read_back_is_unavailable() -> None:
    """What was done is unknown, and nothing is claimed."""
    rows, group = MemoryRows(), AtomicWrite()
    group.insert("a", {})
    rows.go_down()

    with pytest.raises(StoreUnavailable):
        await commit(rows, group, marker_row="a")
    rows.come_back()
    assert await commit(rows, group, marker_row="a")


async def test_a_row_moved_on_has_no_version_of_ours() -> None:
    """Its next writer is another; ours must look again."""
    rows, group = MemoryRows(), AtomicWrite()
    group.insert("a", {})
    group.insert("b", {})
    rows.lose_next_answer(done=True)
    rows.after_next_read(lambda: rows.put("b", {OWNER: "another"}))

    versions: dict[str, Version] = dict(await commit(rows, group, marker_row="a"))

    assert version_of(versions, "a") != UNSTORED
    with pytest.raises(Contention, match="moved b on"):
        version_of(versions, "b")


async def test_one_item_that_is_refused_keeps_none_of_the_others_back() -> None:
    """All are tried at once; after a refusal each by itself, in their order, the refused ones with their error."""
    tried = list[Sequence[int]]()

    async def double(numbers: Sequence[int]) -> Sequence[int]:
        tried.append(numbers)
        if 2 in numbers:
            raise Contention("2 is taken")
        return [2 * number for number in numbers]

    results = await together_or_each(double, [1, 2, 3], (Contention,), lambda number, error: [-number, len(str(error))])

    assert results == [2, -2, len("2 is taken"), 6]
    assert tried == [[1, 2, 3], [1], [2], [3]]


async def test_an_error_of_another_kind_is_raised_at_once() -> None:
    """Nothing is tried again that was not refused."""
    tried = list[Sequence[int]]()

    async def broken(numbers: Sequence[int]) -> Sequence[int]:
        tried.append(numbers)
        raise StoreUnavailable

    with pytest.raises(StoreUnavailable):
        await together_or_each(broken, [1, 2], (Contention,), lambda _, __: [])
    assert tried == [[1, 2]]
