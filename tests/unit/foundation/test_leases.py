"""A lease is believed only as long as a lease can last."""

from __future__ import annotations

import pytest

from foundation.clock import UnixMs
from foundation.errors import InvariantBroken
from foundation.tablestore.leases import TERM_MS_MAX, Leases, lease_key
from foundation.tablestore.memory import MemoryRows
from tests.fakes.clock import FrozenClock

NAME, HOUR_MS = "settlement", 3_600_000


def a_lease(rows: MemoryRows, clock: FrozenClock, ends_in_ms: int) -> Leases:
    """Return the leases of a table in which another holder's ends in so many milliseconds."""
    rows.put(lease_key(NAME), {"name": NAME, "holder": "other", "until_ms": clock() + ends_in_ms})
    return Leases(rows, clock)


@pytest.mark.parametrize("ends_in_ms", [HOUR_MS, TERM_MS_MAX + 1])
async def test_a_lease_longer_than_its_longest_term_is_void(ends_in_ms: int) -> None:
    """
    One host's clock runs an hour ahead.

    1. It takes the lease for 30 s of its own time, and dies.
    2. For everybody else the row ends in an hour. Believed, it would stop all work that long.
    3. Nobody asks for so long a term: the row proves a wrong clock, and the next holder takes it.
    """
    clock = FrozenClock()
    leases = a_lease(MemoryRows(), clock, ends_in_ms)

    mine = await leases.acquire(NAME, "me", ttl_ms=30_000)

    assert mine is not None
    assert (mine.holder, mine.until_ms) == ("me", clock() + 30_000)


async def test_the_longest_term_is_believed() -> None:
    """Another holder's lease is respected to its end."""
    clock = FrozenClock()
    leases = a_lease(MemoryRows(), clock, TERM_MS_MAX)

    assert await leases.acquire(NAME, "me", ttl_ms=30_000) is None


@pytest.mark.parametrize("ttl_ms", [0, TERM_MS_MAX + 1])
async def test_no_lease_is_asked_for_longer_than_it_is_believed(ttl_ms: int) -> None:
    """Nor for no time."""
    leases = Leases(MemoryRows(), FrozenClock())

    with pytest.raises(InvariantBroken, match="lease settlement is asked for"):
        await leases.acquire(NAME, "me", ttl_ms=ttl_ms)


async def test_what_was_released_is_not_alive() -> None:
    """Its end is in the past."""
    clock = FrozenClock()
    leases = Leases(MemoryRows(), clock)
    lease = await leases.acquire(NAME, "me", ttl_ms=30_000)
    assert lease is not None

    await leases.release(lease)

    found = await leases.find(NAME)
    assert found is not None
    assert (found.until_ms, found.is_alive(clock())) == (UnixMs(0), False)
