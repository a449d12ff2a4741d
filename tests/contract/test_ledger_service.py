"""What the ledger promises of the service itself: reasons to wait, the watch, leases."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from distributor.state import MonitorState, Waiting, WaitingReason
from distributor.units import TokenUnits, Wei
from foundation.errors import Contention
from tests.factories import NOW_MS
from tests.fakes.bench import Bench

# The service -------------------------------------------------------------------------------------


async def test_a_reason_to_wait_raises_one_alarm(bench: Bench) -> None:
    """True when it changes, false while it stays; it dates from when it began."""
    assert await bench.ledger.service.why_waiting() == Waiting()
    assert not await bench.ledger.service.set_waiting(None, "")
    assert await bench.ledger.service.set_waiting(WaitingReason.GAS_SHORT, "0.1 POL")
    bench.clock.advance(60_000)
    assert not await bench.ledger.service.set_waiting(WaitingReason.GAS_SHORT, "0.1 POL")
    assert not await bench.ledger.service.set_waiting(WaitingReason.GAS_SHORT, "0.05 POL")

    expected = Waiting(reason=WaitingReason.GAS_SHORT, detail="0.05 POL", since_ms=NOW_MS)
    assert await bench.ledger.service.why_waiting() == expected
    assert await bench.ledger.service.set_waiting(None, "")
    assert (await bench.ledger.service.why_waiting()).reason is None


async def test_of_two_that_see_a_new_reason_one_raises_the_alarm(bench: Bench) -> None:
    """The other gets Contention, or finds the reason standing when it was that late."""
    racing = (bench.ledger.service.set_waiting(WaitingReason.PAUSED, detail) for detail in ("a", "b"))
    outcomes = await asyncio.gather(*racing, return_exceptions=True)

    (other,) = [outcome for outcome in outcomes if outcome is not True]
    assert other is False or isinstance(other, Contention)


async def test_the_watch_is_kept_by_the_sweep_that_read_it(bench: Bench) -> None:
    """What was seen comes back whole; a sweep with an older view loses."""
    before = await bench.ledger.service.monitor_state()
    assert before == MonitorState()
    seen = replace(
        before, head_number=9, reserve_units=TokenUnits(2**255), gas_wei=Wei(10**19), alarms=("gas", "node a")
    )
    await bench.ledger.service.save_monitor_state(seen)

    assert await bench.ledger.service.monitor_state() == seen
    with pytest.raises(Contention):
        await bench.ledger.service.save_monitor_state(before)
    await bench.ledger.service.save_monitor_state(replace(await bench.ledger.service.monitor_state(), alarms=()))
    assert (await bench.ledger.service.monitor_state()).alarms == ()


async def test_a_lease_is_one_holders_until_it_ends(bench: Bench) -> None:
    """Alive: others get none, its holder gets it again. Ended: it is free."""
    mine = await bench.ledger.leases.acquire("settlement", "me", ttl_ms=30_000)
    assert mine is not None
    assert await bench.ledger.leases.acquire("settlement", "you", ttl_ms=30_000) is None
    assert await bench.ledger.leases.acquire("settlement", "me", ttl_ms=30_000) is not None
    assert await bench.ledger.leases.acquire("distribution", "you", ttl_ms=30_000) is not None

    bench.clock.advance(30_000)
    yours = await bench.ledger.leases.acquire("settlement", "you", ttl_ms=30_000)
    assert yours is not None
    assert (yours.holder, yours.until_ms) == ("you", NOW_MS + 60_000)
    assert await bench.ledger.leases.find("settlement") == yours


async def test_a_lost_lease_is_neither_renewed_nor_released(bench: Bench) -> None:
    """Its new holder keeps it."""
    lost = await bench.ledger.leases.acquire("settlement", "me", ttl_ms=1)
    assert lost is not None
    bench.clock.advance(1)
    yours = await bench.ledger.leases.acquire("settlement", "you", ttl_ms=30_000)

    assert await bench.ledger.leases.renew(lost, ttl_ms=30_000) is None
    await bench.ledger.leases.release(lost)
    assert await bench.ledger.leases.find("settlement") == yours


async def test_a_lease_is_renewed_and_released_by_its_holder(bench: Bench) -> None:
    """Renewed it lasts longer; released it is free at once."""
    lease = await bench.ledger.leases.acquire("settlement", "me", ttl_ms=10)
    assert lease is not None
    bench.clock.advance(5)
    lease = await bench.ledger.leases.renew(lease, ttl_ms=10)
    assert lease is not None
    assert lease.until_ms == NOW_MS + 15

    await bench.ledger.leases.release(lease)
    assert await bench.ledger.leases.acquire("settlement", "you", ttl_ms=10) is not None


async def test_a_lease_is_released_by_whoever_knows_an_older_version_of_it(bench: Bench) -> None:
    """A round renewed it meanwhile; were it refused, every other process would wait until it ends."""
    lease = await bench.ledger.leases.acquire("settlement", "me", ttl_ms=10)
    assert lease is not None
    await bench.ledger.leases.renew(lease, ttl_ms=10)

    await bench.ledger.leases.release(lease)

    assert await bench.ledger.leases.acquire("settlement", "you", ttl_ms=10) is not None


async def test_of_racing_hosts_one_gets_the_lease(bench: Bench) -> None:
    """Free, and after it has ended."""
    for _ in range(2):
        racing = (bench.ledger.leases.acquire("settlement", f"host {index}", ttl_ms=10) for index in range(10))
        outcomes = await asyncio.gather(*racing)

        assert sum(outcome is not None for outcome in outcomes) == 1
        bench.clock.advance(10)


async def test_a_lease_that_was_never_taken_is_none(bench: Bench) -> None:
    """There is nobody to wait for."""
    assert await bench.ledger.leases.find("settlement") is None
