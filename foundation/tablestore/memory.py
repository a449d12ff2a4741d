"""One partition of a table in memory, with verbs that make it answer as a real one does on a bad day."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from foundation.errors import StoreUnavailable
from foundation.tablestore.atomic import check_writes
from foundation.tablestore.ports import (
    DeleteRow,
    InsertRow,
    OutcomeUnknown,
    Row,
    RowWrite,
    Value,
    Version,
    WriteConflict,
)

Trouble = tuple[bool, Exception]


class MemoryRows:
    """
    The ``Rows`` port in memory.

    Each call gives way to other tasks once before it acts, so that races happen as they do on a
    wire; what a call does is then done at once, as one group is in a table.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._keys: list[str] = []
        self._keys_of: dict[str, Row] | None = None
        """The keys of these rows in their order, so that a scan of a large table reads what it returns."""
        self._versions = count(1)
        self._down = False
        self._troubles: list[Trouble] = []
        self._meanwhile: list[Callable[[], object]] = []
        self.commits = 0
        """Groups that arrived, with any outcome."""
        self.reads = 0
        self.on_done: Callable[[Sequence[RowWrite], Mapping[str, Row]], None] = lambda _, __: None
        """Called with each group that will be done and the rows as they are before it: may it be done?"""

    # the port ----------------------------------------------------------------------------------

    async def get(self, key: str) -> Row | None:
        await self._reach()
        row = self._rows.get(key)
        if self._meanwhile:
            self._meanwhile.pop(0)()
        return row

    async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
        await self._reach()
        keys = self._in_order()
        return [self._rows[key] for key in keys[bisect_left(keys, first) : bisect_left(keys, last)][:limit]]

    async def commit(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        check_writes(group)
        await asyncio.sleep(0)
        if self._down:
            raise OutcomeUnknown
        self.commits += 1
        done, trouble = self._troubles.pop(0) if self._troubles else (True, None)
        versions = self._apply(group) if done else {}
        if trouble:
            raise trouble
        return versions

    async def aclose(self) -> None:
        self._down = True

    # the bad day -------------------------------------------------------------------------------

    def lose_next_answer(self, *, done: bool) -> None:
        """Let the next group be done, or not, and its answer be lost either way."""
        self._troubles.append((done, OutcomeUnknown()))

    def echo_conflict_once(self) -> None:
        """Do the next group and call it a conflict, as a store does whose client sent it twice."""
        self._troubles.append((True, WriteConflict()))

    def steady(self) -> None:
        """Forget every trouble that has not come yet."""
        self._troubles.clear()

    def go_down(self) -> None:
        self._down = True

    def come_back(self) -> None:
        self._down = False

    def after_next_read(self, act: Callable[[], object]) -> None:
        """Let another worker *act* right behind the next single read; several line up."""
        self._meanwhile.append(act)

    # what a test looks at ----------------------------------------------------------------------

    def dump(self) -> dict[str, dict[str, Value]]:
        """Return every row's values by key, in key order."""
        return {key: dict(self._rows[key].values) for key in sorted(self._rows)}

    def put(self, key: str, values: Mapping[str, Value]) -> None:
        """Write a row past every rule, as a person with a table editor could."""
        self._set(Row(key=key, values=dict(values), version=self._next()))

    def do(self, group: Sequence[RowWrite]) -> None:
        """Do a group at once, as another worker would."""
        self._apply(group)

    def restore(self, copy: Mapping[str, Mapping[str, Value]]) -> None:
        """Put a copy of the table in its place; every row is a new version, as of a table that is restored."""
        for key in list(self._rows):
            self.remove(key)
        for key, values in copy.items():
            self.put(key, values)

    def remove(self, key: str) -> None:
        """Remove a row past every rule."""
        keys = self._in_order()
        del keys[bisect_left(keys, key)]
        del self._rows[key]

    # inside ------------------------------------------------------------------------------------

    async def _reach(self) -> None:
        await asyncio.sleep(0)
        self.reads += 1
        if self._down:
            raise StoreUnavailable

    def _apply(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        if not all(self._holds(write) for write in group):
            raise WriteConflict
        self.on_done(group, self._rows)
        return {write.key: version for write in group if (version := self._do(write))}

    def _holds(self, write: RowWrite) -> bool:
        found = self._rows.get(write.key)
        match write:
            case InsertRow():
                return found is None
            case DeleteRow():
                return found is not None
            case _:
                return found is not None and found.version == write.version

    def _do(self, write: RowWrite) -> Version | None:
        if isinstance(write, DeleteRow):
            self.remove(write.key)
            return None
        row = Row(key=write.key, values=dict(write.values), version=self._next())
        self._set(row)
        return row.version

    def _set(self, row: Row) -> None:
        if row.key not in self._rows:
            insort(self._in_order(), row.key)
        self._rows[row.key] = row

    def _in_order(self) -> list[str]:
        if self._keys_of is not self._rows:
            self._keys, self._keys_of = sorted(self._rows), self._rows
        return self._keys

    def _next(self) -> Version:
        return Version(f"v{next(self._versions)}")
