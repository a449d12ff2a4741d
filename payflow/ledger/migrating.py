"""
The steps between two levels of the schema, each repeatable: what was cut is begun again and does only what is left.

Up: the deployed version first, then its steps from the lowest, then the level. Down: the level first, so that an older
version may start, after the steps from the highest were taken back. A lane may work meanwhile: a row is written on the
version that it was read with.

==== ======================================================================== ======================================
step up                                                                       down
==== ======================================================================== ======================================
1    each receipt, mail and instalment gets the index rows that lead to it    nothing: level 0 has the same index rows
==== ======================================================================== ======================================
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.errors import Contention, Rejected
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Row, Rows, Value
from payflow.ledger import keys, schema
from payflow.ledger.backup import all_rows
from payflow.ledger.lane import LaneLedger
from payflow.progress import Instalment
from payflow.state import Delivery, Receipt

TRIES_MAX: Final = 5
Work = Callable[[LaneLedger, bool], Awaitable[int]]
"""Does a company's part of a step, or with False only counts the rows; returns how many were to be written."""


@dataclass(frozen=True, slots=True)
class Step:
    """What brings a ledger to a level, and from it to the one below."""

    level: int
    what: str
    up: Work
    down: Work


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """One step of a migration, and how many rows it wrote, or would write."""

    step: Step
    rows: int


async def migrate(rows: Rows, lanes: Sequence[LaneLedger], *, to: int, apply: bool) -> Sequence[MigrationStep]:
    """
    Bring the ledger to a level; return what was done, or without *apply* what would be.

    Every step up to *to* is gone through, also one that was done before: a company may have been restored since.

    Args:
        rows: The partition of the ledger's own rows.
        lanes: Every company.
        to: The level.
        apply: False writes nothing.

    Raises:
        Rejected: There is no such level.
        ConfigurationError: The ledger is of a newer version.
        Contention: A row is written without a pause, or somebody else migrates: run it again.
    """
    if not 0 <= to <= schema.LEVEL:
        raise Rejected(f"this version knows the levels 0 to {schema.LEVEL}")
    await schema.require_known(rows)
    found = await schema.level_of(rows)
    downs = [each for each in reversed(STEPS) if to < each.level <= found]
    done = [MigrationStep(step, await _all(step.down, lanes, apply=apply)) for step in downs]
    ups = [each for each in STEPS if each.level <= to]
    done += [MigrationStep(step, await _all(step.up, lanes, apply=apply)) for step in ups]
    if apply and found != to:
        await schema.write_level(rows, to, found=found)
    return done


async def _all(work: Work, lanes: Sequence[LaneLedger], *, apply: bool) -> int:
    return sum([await work(lane, apply) for lane in lanes])


def indexes(ledger: LaneLedger, row: Row) -> Mapping[str, Mapping[str, Value]]:
    """Return the index rows that a row must have, by their keys."""
    return dict(_indexes(ledger, row))


def _indexes(ledger: LaneLedger, row: Row) -> Iterator[tuple[str, Mapping[str, Value]]]:
    match row.key.partition(":")[0]:
        case "receipt":
            receipt = ledger.codec.decode(Receipt, row)
            name = ledger.name(receipt.baixa)
            yield keys.sibling(receipt.instalment, name), {}
            if key := keys.index(receipt, name):
                yield key, {}
        case "delivery":
            mail = ledger.codec.decode(Delivery, row)
            if mail.message_id:
                yield keys.message(mail.message_id), {"baixa": mail.baixa}
        case "instalment":
            if not ledger.codec.decode(Instalment, row).worked:
                yield f"{keys.AGAIN}{row.key.partition(':')[2]}", {}


async def _index(ledger: LaneLedger, apply: bool) -> int:
    return sum([await _indexed(ledger, row, apply=apply) async for row in all_rows(ledger.rows)])


async def _indexed(ledger: LaneLedger, row: Row, *, apply: bool) -> bool:
    """Give one row the index rows that it lacks, on its version; say whether it lacked any."""
    for _ in range(TRIES_MAX):
        missing = [each for each in indexes(ledger, row).items() if await ledger.rows.get(each[0]) is None]
        if not missing or not apply:
            return bool(missing)
        write = AtomicWrite()
        write.replace(row.key, row.values, row.version)
        for key, values in missing:
            write.insert(key, values)
        try:
            await commit(ledger.rows, write, marker_row=row.key)
        except Contention:
            fresh = await ledger.rows.get(row.key)
            if fresh is None:
                return False
            row = fresh
        else:
            return True
    raise Contention(f"row {row.key} is written without a pause")


async def _nothing(_: LaneLedger, apply: bool) -> int:  # noqa: ARG001 -- see Work
    """Leave what an older version reads as it is."""
    return 0


STEPS: Final = (Step(1, "index rows", up=_index, down=_nothing),)
