"""Where the contract suites of the ledger run: in memory, and in real tables of the storage emulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from foundation.settings.storage import Storage
from foundation.tablestore.azure_tables import connect_tables
from foundation.tablestore.memory import MemoryRows
from tests.fakes.rows import UnsteadyRows

KINDS = ["memory", "azurite"]


@asynccontextmanager
async def store(request: pytest.FixtureRequest, name: str) -> AsyncIterator[MemoryRows | UnsteadyRows]:
    """Give an empty partition of the kind a fixture asks for; it can lose answers."""
    if request.param == "memory":
        yield MemoryRows()
        return
    account = request.getfixturevalue("azurite").connection_string
    tables = connect_tables(Storage(connection_string=account), partition="137", table=name, audit_table=f"{name}audit")
    await tables.ensure()
    yield UnsteadyRows(tables.rows)
    await tables.rows.aclose()
    await tables.aclose()
