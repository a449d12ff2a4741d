"""The service's own addresses by its ledger: no customer has one of them."""

from __future__ import annotations

import pytest

from distributor.ledger import Ledger, keys
from distributor.ledger.own_addresses import KEPT_MS, OwnAddresses, former_parties
from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from tests.factories import IDENTITY, OPERATOR, an_address
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit

FIRST, SECOND, LATER = an_address("first guard"), an_address("second guard"), an_address("a second operator")


@pytest.fixture
async def rows(clock: FrozenClock) -> MemoryRows:
    """A ledger that paid through one guard, and pays through another."""
    rows = MemoryRows()
    ledger = Ledger(rows, ListAudit(), clock=clock)
    await ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    await ledger.guard_rows.change(FIRST, 1, "ana", "a guard")
    await ledger.guard_rows.change(SECOND, 2, "ana", "a better one")
    return rows


async def test_operators_and_what_was_paid_through_before_are_own(rows: MemoryRows, clock: FrozenClock) -> None:
    """Read once a minute, or when the clock was put back."""
    own = OwnAddresses(rows, clock)
    assert await own.all() == {OPERATOR, FIRST}
    await Ledger(rows, ListAudit(), clock=clock).admin.add_operator(LATER, 0)
    clock.advance(KEPT_MS - 1)
    reads = rows.reads
    assert LATER not in await own.all()
    assert rows.reads == reads
    clock.advance(1)
    assert LATER in await own.all()
    clock.now_ms -= KEPT_MS
    assert LATER in await own.all()
    assert rows.reads > reads + 2


async def test_a_row_of_a_newer_version_still_names_its_address(rows: MemoryRows, clock: FrozenClock) -> None:
    """By its key; who needs what is in it goes without."""
    strange = an_address("a newer version's")
    rows.put(f"{keys.FORMER}router:{strange}", {"kind": 7})

    assert strange in await OwnAddresses(rows, clock).all()
    assert [(each.kind, each.address, each.at_ms) for each in await former_parties(rows)] == [
        ("guard", FIRST, UnixMs(clock()))
    ]


async def test_a_guard_that_was_used_twice_is_kept_once(rows: MemoryRows, clock: FrozenClock) -> None:
    """Back to the first one, and away from it again: its row of before stays as it was."""
    ledger = Ledger(rows, ListAudit(), clock=clock)
    clock.advance(KEPT_MS)
    await ledger.guard_rows.change(FIRST, 3, "ana", "back")
    await ledger.guard_rows.change(SECOND, 4, "ana", "and again")

    former = {each.address: each.at_ms for each in await former_parties(rows)}
    assert former == {FIRST: UnixMs(clock() - KEPT_MS), SECOND: clock()}
