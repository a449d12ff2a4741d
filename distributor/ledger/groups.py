"""
Rows that change together, and how we learn whether they did.

A group is done wholly or not at all; it is the ledger's only lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from distributor.errors import Contention, InvariantBroken, LedgerUnavailable
from distributor.ledger.rows import OWNER
from distributor.model import UNSTORED, Version
from distributor.ports import Conflict, Delete, Insert, OutcomeUnknown, Replace, Row, Rows, Value, Write

ROWS_MAX = 100
"""Azure Tables refuses a larger group."""
TRIES_MAX = 3
"""How often one group is sent before the ledger counts as unavailable."""
_VALUE_BYTES_MAX = 64 * 1024
"""Of one column; text counts as UTF-16."""
_INT64 = range(-(2**63), 2**63)


class Group:
    """The writes of one group, each marked with the group's own token."""

    def __init__(self) -> None:
        self.owner = uuid4().hex
        self._writes: dict[str, Write] = {}

    @property
    def writes(self) -> Sequence[Write]:
        return tuple(self._writes.values())

    def insert(self, key: str, values: Mapping[str, Value]) -> None:
        self._add(Insert(key=key, values=self._marked(values)))

    def replace(self, key: str, values: Mapping[str, Value], version: Version) -> None:
        """Write the whole row; two replacements of one row are merged, the later column wins."""
        require(version != UNSTORED, f"ledger row {key} is replaced without having been read")
        earlier = self._writes.get(key)
        if isinstance(earlier, Replace) and earlier.version == version:
            self._writes[key] = replace(earlier, values={**earlier.values, **values})
        else:
            self._add(Replace(key=key, values=self._marked(values), version=version))

    def put(self, key: str, values: Mapping[str, Value], version: Version) -> None:
        """Replace the row that was read with *version*; insert it when there was none."""
        if version == UNSTORED:
            self.insert(key, values)
        else:
            self.replace(key, values, version)

    def delete(self, key: str) -> None:
        """Remove a row that must be there; index rows never change, so any version is the right one."""
        self._add(Delete(key=key))

    def _marked(self, values: Mapping[str, Value]) -> Mapping[str, Value]:
        return {**values, OWNER: self.owner}

    def _add(self, write: Write) -> None:
        require(write.key not in self._writes, f"ledger row {write.key} is written twice in one group")
        self._writes[write.key] = write


async def commit(rows: Rows, group: Group, *, witness: str) -> Mapping[str, Version]:
    """
    Do *group*; return the version it gave each row, of those it still owns.

    A store's bad answer is no proof that nothing was done:

    1. We send the group. The store does it, and its answer is lost on the way.
    2. The client library, or we, send it again: now its conditions fail, and the answer is a
       conflict with our own success. Taken at its word, a bound nonce would be bound once more.
    3. So after every conflict and every lost answer the *witness* row is read back. It bears the
       group's token: the group was done, and was ours.
    4. No token after a conflict: another worker was first, and nothing of ours was done.
    5. No token after a lost answer: not done, or not yet. The same group goes out again. It bears
       the same conditions and the same token, so should both arrive one of them fails, and step 3
       tells whose success that was.

    Args:
        rows: Where the group is done.
        group: What is done.
        witness: A row of the group that no later group changes, or one whose change by another
            worker makes our view of it stale anyway.

    Raises:
        Contention: Another worker changed one of the rows first.
        LedgerUnavailable: No answer. The group may yet be done; what it says about itself is in the rows.
    """
    check(group.writes)
    for _ in range(TRIES_MAX):
        try:
            return await rows.commit(group.writes)
        except (Conflict, OutcomeUnknown) as trouble:
            if _owns(group, await rows.get(witness)):
                return await _owned(rows, group)
            if isinstance(trouble, Conflict):
                raise Contention(f"another worker changed the rows of {witness} first") from trouble
    raise LedgerUnavailable(f"no answer from the ledger in {TRIES_MAX} tries of {witness}")


def version_of(versions: Mapping[str, Version], key: str) -> Version:
    """
    Return the version our group gave a row.

    Raises:
        Contention: The group was done, its answer was lost, and another worker has changed the row since.
    """
    if key not in versions:
        raise Contention(f"another worker has moved {key} on")
    return versions[key]


def check(writes: Sequence[Write]) -> None:
    """
    Refuse what no table takes, before it is sent.

    Raises:
        InvariantBroken: No row, more than 100, a row twice, or a value that fits no column.
    """
    require(0 < len(writes) <= ROWS_MAX, f"a group of {len(writes)} rows")
    require(len({write.key for write in writes}) == len(writes), "a group writes one row twice")
    for write in writes:
        if not isinstance(write, Delete):
            for name, value in write.values.items():
                require(_fits(value), f"ledger row {write.key}: column {name} is too large")


def require(condition: bool, otherwise: str) -> None:
    """Raise InvariantBroken with the sentence *otherwise* unless *condition* holds."""
    if not condition:
        raise InvariantBroken(otherwise)


def _fits(value: Value) -> bool:
    if isinstance(value, int):
        return value in _INT64
    stored = value.encode("utf-16-le") if isinstance(value, str) else value
    return len(stored) <= _VALUE_BYTES_MAX


def _owns(group: Group, row: Row | None) -> bool:
    return row is not None and row.values.get(OWNER) == group.owner


async def _owned(rows: Rows, group: Group) -> Mapping[str, Version]:
    keys = [write.key for write in group.writes if not isinstance(write, Delete)]
    found = await asyncio.gather(*(rows.get(key) for key in keys))
    return {row.key: row.version for row in found if row is not None and _owns(group, row)}
