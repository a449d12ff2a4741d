"""
A past that a rebuild did not find whole, and that a person took all the same.

1. A node shows a part of the reserve's past. `rebuild --accept-incomplete` takes it for the whole one.
2. A shop sends an order again that was paid in the part nobody showed. For this ledger it is new.
3. It would be paid twice. So while the past is doubted each order waits for a person, by itself.

The guard that the ledger paid through then refuses such an order by itself. One that is adopted later was filled
from this very ledger, and would pay it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.queries import find_record
from distributor.ledger.records import DoubtedPast, Schema
from distributor.model import Address
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

    async def unknown_to(self, guard: Address | None) -> DoubtedPast | None:
        """Return why the past is not known whole, unless *guard* paid in it: that one refuses what was paid."""
        doubted = await self.doubted()
        return None if doubted is not None and guard is not None and doubted.guard == guard else doubted

    async def write(self, group: AtomicWrite, why: str, *, guard: Address | None = None) -> None:
        """
        Let *group*, the last of a rebuild, also say that the past is doubted; an empty *why*: that it is whole.

        *guard* is the one that the ledger itself said it paid through; None where that was lost with it.
        """
        doubted = await self.doubted()
        if not why:
            if doubted is not None:
                group.delete(keys.DOUBTED_PAST)
            return
        noted = DoubtedPast(why=why, at_ms=self.clock(), guard=guard)
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
