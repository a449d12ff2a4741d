"""
Which level of rows this ledger has: one row beside the identity. No row is level 0.

New columns are optional for good, so nearly no change raises the level. It is raised where rows must be written anew,
or where a version that does not know them must not work with them: code below the ledger's level looks for nothing
and sends nothing. Code above it works: a deployment comes first, ``migrate`` after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from foundation.errors import ConfigurationError, Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.codec import Codec, Record, number
from foundation.tablestore.ports import UNSTORED, Rows

ROW: Final = "schema"
LEVEL: Final = 1
"""What this version writes and knows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schema:
    """The row."""

    level: int


SCHEMAS: Final = Codec([Record(Schema, (number("level"),))])


async def level_of(rows: Rows) -> int:
    """Return the ledger's level."""
    row = await rows.get(ROW)
    return SCHEMAS.decode(Schema, row).level if row else 0


async def require_known(rows: Rows) -> None:
    """Raise ConfigurationError if a newer version raised the level above what this one knows."""
    if (found := await level_of(rows)) > LEVEL:
        raise ConfigurationError(
            f"the ledger's schema is level {found} and this version knows {LEVEL}: deploy the newer version again, or "
            f"run its `migrate --to {LEVEL} --apply`"
        )


async def write_level(rows: Rows, level: int, *, found: int | None = None) -> None:
    """Store the level. Raises Contention if somebody else does at the same time, or has since it was *found*."""
    row, write = await rows.get(ROW), AtomicWrite()
    if found is not None and found != (SCHEMAS.decode(Schema, row).level if row else 0):
        raise Contention("somebody else migrates: the level is another one now, run it again")
    write.put(ROW, SCHEMAS.encode(Schema(level=level)), row.version if row else UNSTORED)
    await commit(rows, write, marker_row=ROW)
