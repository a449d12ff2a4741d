"""
A past that a rebuild did not find whole, and that a person took all the same.

1. A node shows a part of the reserve's past. `rebuild --accept-incomplete` takes it for the whole one.
2. A shop sends an order again that was paid in the part nobody showed. For this ledger it is new.
3. It would be paid twice. So while the past is doubted each order waits for a person, by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.queries import find_record
from distributor.ledger.records import DoubtedPast, Schema
from foundation.clock import Clock
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, Rows

LEVEL: Final = 3
"""The rules of binding that a doubted past asks for: code that knows fewer would pay its orders, and binds nothing."""


@dataclass(frozen=True, slots=True)
class Past:
    """Whether everything that was paid is known. Raises StoreUnavailable."""

    rows: Rows
    clock: Clock

    async def doubted(self) -> DoubtedPast | None:
        """Return why the past is not known whole; None where nothing says so."""
        return await find_record(self.rows, DoubtedPast, keys.DOUBTED_PAST)

    async def write(self, group: AtomicWrite, why: str) -> None:
        """Let *group*, the last of a rebuild, also say that the past is doubted; an empty *why*: that it is whole."""
        doubted = await self.doubted()
        if not why:
            if doubted is not None:
                group.delete(keys.DOUBTED_PAST)
            return
        noted = DoubtedPast(why=why, at_ms=self.clock())
        group.put(keys.DOUBTED_PAST, encode(noted), doubted.version if doubted else UNSTORED)
        row = await self.rows.get(keys.SCHEMA)
        level = max(LEVEL, decode(Schema, row).level if row else 0)
        group.put(keys.SCHEMA, encode(Schema(level=level)), row.version if row else UNSTORED)

    async def trust(self) -> bool:
        """Say that no order of before can come again; False where nothing was doubted. Raises Contention."""
        if await self.doubted() is None:
            return False
        group = AtomicWrite()
        group.delete(keys.DOUBTED_PAST)
        await commit(self.rows, group, marker_row=keys.DOUBTED_PAST)
        return True
