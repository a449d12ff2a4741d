"""Rows that lose answers, whatever store is behind them, and an audit trail that a test can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from foundation.tablestore.codec import OWNER
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import OutcomeUnknown, Row, Rows, RowWrite, Value, Version, WriteConflict

Trouble = tuple[bool, Exception]


class UnsteadyRows:
    """Any ``Rows`` behind a line that loses answers, so that the real table has bad days on order too."""

    def __init__(self, inner: Rows) -> None:
        self._inner = inner
        self._troubles: list[Trouble] = []

    async def get(self, key: str) -> Row | None:
        return await self._inner.get(key)

    async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
        return await self._inner.scan(first, last, limit=limit)

    async def commit(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        done, trouble = self._troubles.pop(0) if self._troubles else (True, None)
        versions = await self._inner.commit(group) if done else {}
        if trouble:
            raise trouble
        return versions

    async def aclose(self) -> None:
        await self._inner.aclose()

    def lose_next_answer(self, *, done: bool) -> None:
        """Let the next group be done, or not, and its answer be lost either way."""
        self._troubles.append((done, OutcomeUnknown()))

    def echo_conflict_once(self) -> None:
        """Do the next group and call it a conflict, as a store does whose client sent it twice."""
        self._troubles.append((True, WriteConflict()))


class ListAudit:
    """The ``AuditTrail`` port in memory; ``rows`` is the same trail as a purge and a backup see it."""

    def __init__(self) -> None:
        self.rows = MemoryRows()

    @property
    def entries(self) -> dict[str, Mapping[str, Value]]:
        """The entries by key, without the token of a group that wrote one again."""
        found = self.rows.dump().items()
        return {key: {name: value for name, value in values.items() if name != OWNER} for key, values in found}

    def forget(self) -> None:
        """Lose every entry, as an account does that is gone."""
        self.rows.restore({})

    async def record(self, key: str, values: Mapping[str, Value]) -> None:
        if key not in self.rows.dump():
            self.rows.put(key, values)

    async def recorded(self, prefix: str) -> Sequence[Mapping[str, Value]]:
        return [values for key, values in self.entries.items() if key.startswith(prefix)]
