"""
The rows of a backup, written into an empty store: first the mark and the switch, then the rows, never the identity.

Each row is inserted, so nothing that is there is ever overwritten. A restore that was cut is run again with the same
backup: rows that are there as the backup has them are passed over, and any other one ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from distributor.ledger import keys
from distributor.ledger.backup_rows import PASSING, Columns
from distributor.ledger.columns import encode
from distributor.ledger.queries import find_record
from distributor.ledger.records import Restored, Total
from distributor.state import PauseState
from distributor.units import TokenUnits
from foundation.backup.ports import END, kind_of
from foundation.errors import Contention, Rejected
from foundation.sentences import sentence
from foundation.tablestore.atomic import ROWS_MAX, AtomicWrite, commit
from foundation.tablestore.codec import OWNER
from foundation.tablestore.ports import Row, Rows, Value
from foundation.tablestore.queries import rows_between

GROUP_BYTES_MAX: Final = 2 * 2**20
"""Azure takes four megabytes in a group; text is counted twice as long as it may be on the wire."""


class NotEmpty(Rejected):
    """The store holds rows that are not of this restore."""


@dataclass(frozen=True, slots=True)
class RestoreStore:
    """An empty ledger that a backup is put into. Raises StoreUnavailable: run it again then."""

    rows: Rows

    async def find(self) -> Restored | None:
        """Return the mark of a restore that is under way, or that waits for its rebuild."""
        return await find_record(self.rows, Restored, keys.RESTORED)

    async def require_empty(self) -> None:
        """Raise NotEmpty if the store has a row of a ledger; the notes of a running service do not count."""
        async for row in rows_between(self.rows, "", END):
            if kind_of(row.key) not in PASSING:
                raise NotEmpty(
                    sentence(
                        "the store is not empty, it has the row {key}: a backup is put into an empty table alone; "
                        "name a new one in LEDGER_TABLE",
                        key=row.key,
                    )
                )

    async def begin(self, mark: Restored, switch: PauseState) -> None:
        """Write the mark and the closed switch, before any row; the same mark again changes nothing."""
        found = await self.find()
        if found is not None:
            if (found.backup, found.sha256) != (mark.backup, mark.sha256):
                raise NotEmpty(
                    sentence("another restore was begun here, of {backup}: run that one again", backup=found.backup)
                )
            return
        await self.require_empty()
        group = AtomicWrite()
        group.insert(keys.RESTORED, encode(mark))
        group.insert(keys.CONTROL, encode(switch))
        group.insert(keys.COMMITMENTS, encode(Total(units=TokenUnits(0))))
        await commit(self.rows, group, marker_row=keys.RESTORED)

    async def end(self) -> Restored:
        """Note that every row is back; the ledger stays nobody's."""
        found = await self.find()
        if found is None:
            raise Contention("the mark of the restore is gone")
        after = replace(found, whole=True)
        group = AtomicWrite()
        group.replace(keys.RESTORED, encode(after), found.version)
        await commit(self.rows, group, marker_row=keys.RESTORED)
        return after


@dataclass(slots=True)
class Refill:
    """Inserts rows in groups as large as the table takes."""

    rows: Rows
    keeps: bool = False
    """A row that is there and says something else stays: of the audit trail, which is newer than its backup."""
    written: int = 0
    found: int = 0
    """Rows that were there already, of a run that was cut."""
    _waiting: dict[str, Columns] = field(default_factory=dict)
    _bytes: int = 0

    async def add(self, rows: Mapping[str, Columns]) -> None:
        """Insert *rows*, all in one group."""
        size = sum(_size(values) for values in rows.values())
        if len(self._waiting) + len(rows) > ROWS_MAX or self._bytes + size > GROUP_BYTES_MAX:
            await self.flush()
        self._waiting |= rows
        self._bytes += size

    async def flush(self) -> None:
        """Write what waits."""
        rows, self._waiting, self._bytes = self._waiting, {}, 0
        if not rows:
            return
        try:
            await self._insert(rows)
        except Contention:
            await self._insert(await self._missing(rows))

    async def _insert(self, rows: Mapping[str, Columns]) -> None:
        if not rows:
            return
        group = AtomicWrite()
        for key, values in rows.items():
            group.insert(key, values)
        await commit(self.rows, group, marker_row=next(iter(rows)))
        self.written += len(rows)

    async def _missing(self, rows: Mapping[str, Columns]) -> Mapping[str, Columns]:
        """Return those of *rows* that are not there. Raises NotEmpty for one that is there and says something else."""
        missing = dict[str, Columns]()
        for key, values in rows.items():
            there = await self.rows.get(key)
            if there is None:
                missing[key] = values
            elif self.keeps or _without_owner(there.values) == _without_owner(values):
                self.found += 1
            else:
                raise _differs(there)
        return missing


def _differs(row: Row) -> NotEmpty:
    return NotEmpty(
        sentence(
            "row {key} is not as the backup has it: somebody wrote here since the restore began. Stop the app, and "
            "begin anew with an empty table",
            key=row.key,
        )
    )


def _without_owner(values: Columns) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name != OWNER}


def _size(values: Columns) -> int:
    """Return about how many bytes a row takes on the wire."""
    return 200 + sum(2 * len(value) if isinstance(value, str | bytes) else 24 for value in values.values())
