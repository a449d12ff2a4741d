"""A partition that takes no writes: what would be written is kept aside, so that a dry run is the act itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from foundation.tablestore.atomic import check_writes
from foundation.tablestore.ports import DeleteRow, Row, Rows, RowWrite, Value, Version

_DRY = Version("dry")


@dataclass(frozen=True, slots=True)
class DryRows:
    """
    ``Rows`` that reads a real partition and writes nothing.

    What is read after a write is what was there before it: an act that reads its own writes has no dry run here.
    """

    rows: Rows
    written: list[RowWrite] = field(default_factory=list)
    """Every write that was asked for, in order."""

    async def get(self, key: str) -> Row | None:
        return await self.rows.get(key)

    async def scan(self, first: str, last: str, *, limit: int) -> Sequence[Row]:
        return await self.rows.scan(first, last, limit=limit)

    async def commit(self, group: Sequence[RowWrite]) -> Mapping[str, Version]:
        check_writes(group)
        self.written.extend(group)
        return {write.key: _DRY for write in group if not isinstance(write, DeleteRow)}

    async def aclose(self) -> None:
        """Leave the partition open: it is another's."""


class DryAudit:
    """``AuditTrail`` that takes every entry and keeps none."""

    async def record(self, key: str, values: Mapping[str, Value]) -> None:
        """Take an entry."""

    async def recorded(self, prefix: str) -> Sequence[Mapping[str, Value]]:
        """Return one entry, so that a caller who asks whether their entry was taken gets a yes."""
        return ({"key": prefix},)
