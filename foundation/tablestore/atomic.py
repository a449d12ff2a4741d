"""
Rows that change together, and how we learn whether they did.

A group is done wholly or not at all; it is the only lock of a table.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar
from uuid import uuid4

from foundation.errors import Contention, InvariantBroken, StoreUnavailable, require
from foundation.tablestore.codec import OWNER
from foundation.tablestore.ports import (
    UNSTORED,
    DeleteRow,
    InsertRow,
    OutcomeUnknown,
    ReplaceRow,
    Row,
    Rows,
    RowWrite,
    Value,
    Version,
    WriteConflict,
)

ROWS_MAX = 100
"""Azure Tables refuses a larger group."""
TRIES_MAX = 3
"""How often one group is sent before the ledger counts as unavailable."""
_VALUE_BYTES_MAX = 64 * 1024
"""Of one column; text counts as UTF-16."""
_TEXT_SURE = _VALUE_BYTES_MAX // 4
"""Characters that fit whichever they are: one takes four bytes at most."""
_KEY = re.compile(r"[^/\\#?\x00-\x1f\x7f-\x9f]{1,512}")
# Source: https://learn.microsoft.com/en-us/rest/api/storageservices/understanding-the-table-service-data-model
_INT64 = range(-(2**63), 2**63)


_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Refusal = TypeVar("_Refusal", bound=Exception)


class AtomicWrite:
    """The writes of one group, each marked with the group's own token."""

    def __init__(self) -> None:
        self.owner = uuid4().hex
        self._writes: dict[str, RowWrite] = {}

    @property
    def writes(self) -> Sequence[RowWrite]:
        return tuple(self._writes.values())

    def insert(self, key: str, values: Mapping[str, Value]) -> None:
        self._add(InsertRow(key=key, values=self._marked(values)))

    def replace(self, key: str, values: Mapping[str, Value], version: Version) -> None:
        """
        Write the whole row, and with it the columns of *version* that this code does not know.

        Two replacements of one row are merged; the later column wins.
        """
        require(version != UNSTORED, f"ledger row {key} is replaced without having been read")
        earlier = self._writes.get(key)
        if isinstance(earlier, ReplaceRow) and earlier.version == version:
            self._writes[key] = replace(earlier, values={**earlier.values, **values})
        else:
            self._add(ReplaceRow(key=key, values=self._marked({**version.kept, **values}), version=version))

    def put(self, key: str, values: Mapping[str, Value], version: Version) -> None:
        """Replace the row that was read with *version*; insert it when there was none."""
        if version == UNSTORED:
            self.insert(key, values)
        else:
            self.replace(key, values, version)

    def delete(self, key: str) -> None:
        """Remove a row that must be there; index rows never change, so any version is the right one."""
        self._add(DeleteRow(key=key))

    def _marked(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        return {**values, OWNER: self.owner}

    def _add(self, write: RowWrite) -> None:
        require(write.key not in self._writes, f"ledger row {write.key} is written twice in one group")
        self._writes[write.key] = write


def in_groups(items: Iterable[_Item], fits: Callable[[Sequence[_Item]], bool]) -> Iterator[Sequence[_Item]]:
    """Part *items* into as few runs as *fits* allows; their order stays, and one alone is always a run."""
    group: list[_Item] = []
    for item in items:
        if group and not fits([*group, item]):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


async def together_or_each(
    act: Callable[[Sequence[_Item]], Awaitable[Sequence[_Result]]],
    items: Sequence[_Item],
    refusals: tuple[type[_Refusal], ...],
    refused: Callable[[_Item, _Refusal], Sequence[_Result]],
) -> Sequence[_Result]:
    """
    Do *act* for all *items* at once; where that raises one of *refusals*, for each by itself.

    One item that is refused alone stops none of the others: *refused* says what its result is.
    """
    try:
        return await act(items)
    except refusals as error:
        if len(items) == 1:
            return refused(items[0], error)
    return [result for each in items for result in await together_or_each(act, [each], refusals, refused)]


async def commit(rows: Rows, group: AtomicWrite, *, marker_row: str) -> Mapping[str, Version]:
    """
    Do *group*; return the version it gave each row, of those it still owns.

    A store's bad answer is no proof that nothing was done:

    1. We send the group. The store does it, and its answer is lost on the way.
    2. The client library, or we, send it again: now its conditions fail, and the answer is a
       conflict with our own success. Taken at its word, a bound nonce would be bound once more.
    3. So after every conflict and every lost answer the *marker row* is read back. It bears the
       group's token: the group was done, and was ours.
    4. No token after a conflict: another worker was first, and none of the writes was done.
    5. No token after a lost answer: not done, or not yet. The same group goes out again. It bears
       the same conditions and the same token, so should both arrive one of them fails, and step 3
       tells whose success that was.

    Args:
        rows: Where the group is done.
        group: What is done.
        marker_row: A row of the group that no later group changes, or one whose change by another
            worker makes our view of it stale anyway.

    Raises:
        Contention: Another worker changed one of the rows first.
        StoreUnavailable: No answer. The group may yet be done; what it says about itself is in the rows.
    """
    check_writes(group.writes)
    for _ in range(TRIES_MAX):
        try:
            return _with_kept(group, await rows.commit(group.writes))
        except (WriteConflict, OutcomeUnknown) as trouble:
            if _owns(group, await rows.get(marker_row)):
                return await _owned(rows, group)
            if isinstance(trouble, WriteConflict):
                raise Contention(f"another worker changed the rows of {marker_row} first") from trouble
    raise StoreUnavailable(f"no answer from the ledger in {TRIES_MAX} tries of {marker_row}")


def version_of(versions: Mapping[str, Version], key: str) -> Version:
    """
    Return the version our group gave a row.

    Raises:
        Contention: The group was done, its answer was lost, and another worker has changed the row since.
    """
    if key not in versions:
        raise Contention(f"another worker has moved {key} on")
    return versions[key]


def check_writes(writes: Sequence[RowWrite]) -> None:
    """
    Refuse what no table takes, before it is sent.

    Raises:
        InvariantBroken: No row, more than 100, a row twice, a key that no table has, or a value that fits no column.
    """
    require(0 < len(writes) <= ROWS_MAX, f"a group of {len(writes)} rows")
    require(len({write.key for write in writes}) == len(writes), "a group writes one row twice")
    # No sentence is made of what is right: this runs for each column of each webhook.
    for write in writes:
        if _KEY.fullmatch(write.key) is None:
            raise InvariantBroken(f"no table has a row called {write.key!r}")
        if not isinstance(write, DeleteRow):
            for name, value in write.values.items():
                if not _fits(value):
                    raise InvariantBroken(f"ledger row {write.key}: column {name} is too large")


def _fits(value: Value) -> bool:
    if isinstance(value, str):
        return len(value) <= _TEXT_SURE or len(value.encode("utf-16-le")) <= _VALUE_BYTES_MAX
    return value in _INT64 if isinstance(value, int) else len(value) <= _VALUE_BYTES_MAX


def _owns(group: AtomicWrite, row: Row | None) -> bool:
    return row is not None and row.values.get(OWNER) == group.owner


async def _owned(rows: Rows, group: AtomicWrite) -> Mapping[str, Version]:
    keys = [write.key for write in group.writes if not isinstance(write, DeleteRow)]
    found = await asyncio.gather(*(rows.get(key) for key in keys))
    return _with_kept(group, {row.key: row.version for row in found if row is not None and _owns(group, row)})


def _with_kept(group: AtomicWrite, versions: Mapping[str, Version]) -> Mapping[str, Version]:
    """Return *versions* with the unknown columns each replacement wrote back, for the next one to write back too."""
    kept = {write.key: write.version.kept for write in group.writes if isinstance(write, ReplaceRow)}
    return {key: replace(version, kept=kept.get(key, {})) for key, version in versions.items()}
