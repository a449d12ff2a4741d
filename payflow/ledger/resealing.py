"""
A change of MASTER_KEY: every sealed column is sealed anew, and an old key goes only when nothing needs it.

1. `keys new`; the old key moves to OLD_MASTER_KEYS, the new one is MASTER_KEY; every instance gets both.
2. `keys rotate` seals each row anew on the version it was read with. Cut, it is begun again.
3. `keys retire` says whether a row or a backup still needs a key. Only then it leaves OLD_MASTER_KEYS.

What is opened is checked: a column that does not open stops the rotation with its row's key, and nothing is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Row, Rows, Value
from payflow.ledger.backup import all_rows
from payflow.ledger.records import SEALED
from payflow.sealing import Sealer

COLUMNS: Final = SEALED | {"index_key"}
"""Every sealed column there is; the last is the ledger's identity."""
TRIES_MAX: Final = 5
_SEALED: Final = re.compile(r"[0-9a-f]{8}:gAAAA")
"""A key's id and a Fernet token, version 0x80; other rows have columns of the same name (a lease its ``name``)."""


@dataclass(frozen=True, slots=True)
class SealedPartition:
    """A partition, and the company that is named inside what it seals; empty in those that are no company's."""

    rows: Rows
    company: str


@dataclass(frozen=True, slots=True)
class Rotated:
    """How many rows were sealed anew, and how many were sealed with MASTER_KEY already."""

    anew: int
    already: int


async def rotate(parts: Iterable[SealedPartition], sealer: Sealer) -> Rotated:
    """
    Seal every row with MASTER_KEY.

    Raises ConfigurationError for a row whose key is not among ours, StoreUnavailable, and Contention for a row that
    is written without a pause: begin it again then.
    """
    anew = already = 0
    for part in parts:
        async for row in all_rows(part.rows):
            used = keys_of([row.values])
            if used - {sealer.current}:
                await _seal_anew(part, row, sealer)
                anew += 1
            elif used:
                already += 1
    return Rotated(anew=anew, already=already)


async def users(parts: Iterable[SealedPartition]) -> Counter[str]:
    """Return how many rows need each key, by the key's id. Raises StoreUnavailable."""
    found: Counter[str] = Counter()
    for part in parts:
        async for row in all_rows(part.rows):
            found.update(keys_of([row.values]))
    return found


def keys_of(rows: Iterable[Mapping[str, Value]]) -> set[str]:
    """Return the ids of the keys that *rows*, of a partition or of a backup, need."""
    return {_needs(values[name]) for values in rows for name in _sealed(values)}


async def _seal_anew(part: SealedPartition, row: Row, sealer: Sealer) -> None:
    for _ in range(TRIES_MAX):
        changed = dict(row.values)
        for name in _sealed(row.values):
            changed[name] = sealer.seal(part.company, name, sealer.open(part.company, name, str(row.values[name])))
        write = AtomicWrite()
        write.replace(row.key, changed, row.version)
        try:
            await commit(part.rows, write, marker_row=row.key)
        except Contention:
            found = await part.rows.get(row.key)
            if found is None:
                return
            row = found
        else:
            return
    raise Contention(f"row {row.key} is written without a pause")


def _sealed(values: Mapping[str, Value]) -> Sequence[str]:
    """Return the columns that hold something sealed; one of another shape was never sealed."""
    return [name for name in sorted(COLUMNS & values.keys()) if _needs(values[name])]


def _needs(value: Value) -> str:
    return Sealer.needs(value) if isinstance(value, str) and _SEALED.match(value) else ""
