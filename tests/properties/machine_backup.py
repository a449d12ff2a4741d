"""A ledger put back from a backup that was made while it worked: each range of keys is as it was at another step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from distributor.ledger import backup_rows, keys
from distributor.ledger.backup_rows import PutBack, Survey
from distributor.ledger.columns import encode
from distributor.ledger.records import Restored, Total
from distributor.state import PauseState
from distributor.units import TokenUnits
from foundation.backup.lines import BackupLine
from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Value

Table = Mapping[str, Mapping[str, Value]]
_SPREAD = 8
"""How many steps a reading takes at most."""


def restored(copies: Sequence[Table], back: int) -> Table | None:
    """
    Return the table that `restore` makes of a copy that was begun some steps *back*; None where that was nobody's.

    The ranges are read in the order of the real reading, the later ones at the same step or later.
    """
    start, spread = len(copies) - 1 - back % len(copies), back // len(copies) % _SPREAD
    _, part = backup_rows.parts(MemoryRows(), MemoryRows())
    steps = [start + at * spread // len(part.ranges) for at in range(len(part.ranges) - 1)]
    steps.append(
        steps[-1]
    )  # the totals with the orders: read later they count more than was bound, and caps hold more back
    lines = [
        BackupLine(backup_rows.LEDGER, key, values)
        for step, (first, last) in zip(steps, part.ranges, strict=True)
        for key, values in copies[min(step, len(copies) - 1)].items()
        if first <= key < last
    ]
    survey = Survey()
    for line in lines:
        survey.see(line)
    if survey.identity is None:
        return None
    put_back = PutBack(survey)
    rows = dict(row for line in lines for row in put_back.rows(line))
    mark = Restored(
        backup="b",
        sha256="",
        begun_ms=UnixMs(0),
        at_ms=UnixMs(0),
        by="a person",
        whole=True,
        identity=survey.identity,
    )
    switch = PauseState(paused=True, paused_by="a person", paused_why="restored", halted=True, halted_by="a person")
    total = Total(units=TokenUnits(0))
    return {**rows, keys.RESTORED: encode(mark), keys.CONTROL: encode(switch), keys.COMMITMENTS: encode(total)}
