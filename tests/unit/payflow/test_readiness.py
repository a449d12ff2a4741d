"""What ``/ready`` of PayFlow asks; its frame has tests of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from foundation.alarms.catalogue import Catalogue
from foundation.alarms.register import Register
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.tablestore.memory import MemoryRows
from payflow.alarms import CATALOGUE
from payflow.ledger.entries import Entries
from payflow.readiness import readiness_of
from tests.fakes.clock import FrozenClock


async def checks(**opened: Any) -> dict[str, bool]:
    """Return what is checked, with some parts opened otherwise."""
    rows, clock = MemoryRows(), FrozenClock()
    catalogue: Catalogue = CATALOGUE

    async def entries() -> Entries:
        return Entries(rows)

    async def second() -> Any:
        return SimpleNamespace(rows=rows)

    async def register() -> Register:
        return Register(rows=rows, clock=clock, catalogue=catalogue)

    async def nothing() -> list[str]:
        return []

    parts = {"entries": entries, "second": second, "register": register} | opened
    frame = readiness_of(wrong_settings=nothing, clock=clock, **parts)
    return dict((await frame.report()).checks)


async def test_all_is_well() -> None:
    """Settings, both accounts, and no alarm that stops the work."""
    assert await checks() == {"settings": True, "ledger": True, "send_log": True, "alarms": True}


@pytest.mark.parametrize(("part", "check"), [("entries", "ledger"), ("second", "send_log"), ("register", "alarms")])
@pytest.mark.parametrize("error", [ConfigurationError("SMTP_HOST is not set"), StoreUnavailable("the table is away")])
async def test_what_cannot_be_opened_is_a_failed_check(part: str, check: str, error: Exception) -> None:
    """And the others are answered."""

    async def broken() -> Any:
        raise error

    found = await checks(**{part: broken})

    assert [name for name, good in found.items() if not good] == [check]
