"""The switch that holds every company: whose hold it is, and that nobody's is ended by another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.clock import UnixMs
from foundation.errors import ConfigurationError, Contention
from foundation.tablestore.memory import MemoryRows
from payflow.ledger import control, identity
from payflow.ledger.control import Control


def a_ledger() -> MemoryRows:
    """Return the rows of a ledger that is there."""
    rows = MemoryRows()
    rows.put(identity.ROW, {"ledger_id": "a"})
    return rows


async def test_nothing_is_held_until_somebody_holds_it() -> None:
    """Held, and let go again; the row says by whose hand."""
    rows = a_ledger()
    was = await control.read_control(rows)
    assert was == Control()

    await control.write(rows, replace(was, held_ms=UnixMs(7), by="deploy"))
    held = await control.read_control(rows)
    await control.write(rows, replace(held, held_ms=UnixMs(0), by=""))

    assert held == Control(held_ms=UnixMs(7), by="deploy")
    assert await control.read_control(rows) == Control()


async def test_a_hold_that_a_person_takes_over_meanwhile_is_not_ended() -> None:
    """A deployment looked whose hold it is; a person took it over before the deployment ended it."""
    rows = a_ledger()
    await control.write(rows, replace(await control.read_control(rows), held_ms=UnixMs(7), by="deploy"))
    seen = await control.read_control(rows)
    await control.write(rows, replace(seen, by="ana"))

    with pytest.raises(Contention):
        await control.write(rows, replace(seen, held_ms=UnixMs(0), by=""))
    assert (await control.read_control(rows)).by == "ana"


async def test_a_column_of_a_newer_version_is_written_back() -> None:
    """This version knows two columns."""
    rows = a_ledger()
    await control.write(rows, replace(await control.read_control(rows), held_ms=UnixMs(7), by="ana"))
    rows.put(control.ROW, rows.dump()[control.ROW] | {"reason": "an incident"})

    await control.write(rows, replace(await control.read_control(rows), by="eva"))

    assert rows.dump()[control.ROW]["reason"] == "an incident"


async def test_where_there_is_no_ledger_nothing_is_held() -> None:
    """A wrong account would take the row, and the deployment would go on as if all were held."""
    with pytest.raises(ConfigurationError, match="init"):
        await control.write(MemoryRows(), Control(held_ms=UnixMs(7), by="deploy"))
