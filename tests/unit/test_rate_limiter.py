from __future__ import annotations

import json
import logging

import pytest

from distributor.errors import RateLimited
from distributor.rates import Rate
from distributor.webhook.client_ip import UNKNOWN_CLIENT
from distributor.webhook.rate_limiter import OUTAGE_MS, RateLimiter
from foundation import logs
from tests.fakes.clock import FrozenClock
from tests.fakes.counters import FakeCounters

ALICE, BOB = "203.0.113.7:50301", "203.0.113.8:50302"


@pytest.fixture
def counters(clock: FrozenClock) -> FakeCounters:
    """The counters behind the gate."""
    return FakeCounters(clock)


def a_gate(counters: FakeCounters, **changes: Rate | int | None) -> RateLimiter:
    """A gate that takes two unproven requests of an address, and three of a source, in a minute."""
    fields = {"per_address": Rate(2, 60), "per_source": Rate(3, 60), "trusted_proxies": 0, **changes}
    return RateLimiter(counters=counters, clock=counters.clock, **fields)  # type: ignore[arg-type]  # the fields above


async def test_an_address_that_was_refused_too_often_is_let_in_no_more(counters: FakeCounters) -> None:
    """Until its window is over; others are not its neighbours."""
    rate_limiter = a_gate(counters)
    for _ in range(2):
        await rate_limiter.penalize(await rate_limiter.check(ALICE))

    with pytest.raises(RateLimited) as refused:
        await rate_limiter.check(ALICE)

    assert (refused.value.policy, refused.value.window.remaining, refused.value.window.reset_s) == ("address", 0, 60)
    assert await rate_limiter.check(BOB) == "203.0.113.8"


async def test_an_address_is_let_in_again_in_its_next_window(counters: FakeCounters, clock: FrozenClock) -> None:
    """A limit is a pause, not a sentence."""
    rate_limiter = a_gate(counters, per_address=Rate(1, 60))
    await rate_limiter.penalize(await rate_limiter.check(ALICE))
    clock.advance(60_000)

    assert await rate_limiter.check(ALICE) == "203.0.113.7"


async def test_admission_alone_costs_an_address_nothing(counters: FakeCounters) -> None:
    """A shop whose requests are signed is never locked out by how much it sells."""
    rate_limiter = a_gate(counters)

    assert {await rate_limiter.check(ALICE) for _ in range(100)} == {"203.0.113.7"}


async def test_a_written_header_buys_no_fresh_limit(counters: FakeCounters) -> None:
    """Everything a client claims comes before what the front end saw."""
    rate_limiter = a_gate(counters)
    for claimed in ("198.51.100.1", "198.51.100.2"):
        await rate_limiter.penalize(await rate_limiter.check(f"{claimed}, {ALICE}"))

    with pytest.raises(RateLimited):
        await rate_limiter.check(f"198.51.100.3, {ALICE}")


async def test_the_address_behind_a_trusted_proxy_is_the_one_that_pays(counters: FakeCounters) -> None:
    """The proxy itself is everybody."""
    rate_limiter = a_gate(counters, per_address=Rate(1, 60), trusted_proxies=1)
    await rate_limiter.penalize(await rate_limiter.check("203.0.113.7, 192.0.2.1:443"))

    with pytest.raises(RateLimited):
        await rate_limiter.check("203.0.113.7, 192.0.2.1:443")
    assert await rate_limiter.check("203.0.113.8, 192.0.2.1:443") == "203.0.113.8"


async def test_a_source_is_refused_once_it_signed_more_than_it_may(counters: FakeCounters) -> None:
    """The third of three passes, the fourth does not; another shop still sells."""
    rate_limiter = a_gate(counters)
    windows = [await rate_limiter.consume("default") for _ in range(3)]

    with pytest.raises(RateLimited) as refused:
        await rate_limiter.consume("default")

    assert [window.remaining for window in windows if window] == [2, 1, 0]
    assert (refused.value.policy, refused.value.window.rate) == ("source", Rate(3, 60))
    assert await rate_limiter.consume("shop-b")


async def test_an_address_and_a_source_of_one_name_do_not_share_a_limit(counters: FakeCounters) -> None:
    """A shop may be called `unknown`, as everybody is whose address cannot be read."""
    rate_limiter = a_gate(counters, per_address=Rate(1, 60), per_source=Rate(1, 60))
    await rate_limiter.consume("unknown")

    assert await rate_limiter.check("garbage") == "unknown"


async def test_limits_that_are_off_count_nothing(counters: FakeCounters) -> None:
    """Nothing is asked of the store."""
    rate_limiter = a_gate(counters, per_address=None, per_source=None)

    await rate_limiter.penalize(await rate_limiter.check(ALICE))

    assert await rate_limiter.consume("default") is None
    assert counters.asked == 0


async def test_counters_that_fail_refuse_nobody(
    counters: FakeCounters, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The order is let in, one line says so, and the next orders do not wait for the store again."""
    rate_limiter = a_gate(counters)
    counters.down = True

    with caplog.at_level(logging.WARNING):
        for _ in range(10):
            await rate_limiter.penalize(await rate_limiter.check(ALICE))
            assert await rate_limiter.consume("default") is None

    assert counters.asked == 1
    assert [json.loads(record.getMessage())["event"] for record in caplog.records] == ["rate_limiter_unavailable"]
    clock.advance(OUTAGE_MS)
    counters.down = False
    assert await rate_limiter.consume("default")


async def test_a_refusal_is_logged_with_who_and_why(counters: FakeCounters, caplog: pytest.LogCaptureFixture) -> None:
    """An operator who sees a flood wants its address."""
    rate_limiter = a_gate(counters, per_address=Rate(1, 60))
    await rate_limiter.penalize(await rate_limiter.check(ALICE))

    with caplog.at_level(logging.WARNING), pytest.raises(RateLimited):
        await rate_limiter.check(ALICE)

    line = json.loads(caplog.records[-1].getMessage())
    assert (line["event"], line["policy"], line["who"], line["amount"]) == ("rate_limited", "address", "203.0.113.7", 1)


async def test_a_hushed_refusal_writes_no_line(counters: FakeCounters, caplog: pytest.LogCaptureFixture) -> None:
    """An address that floods has had its line of the minute."""
    rate_limiter = a_gate(counters, per_address=Rate(1, 60))
    await rate_limiter.penalize(await rate_limiter.check(ALICE))

    with caplog.at_level(logging.WARNING), logs.hushable():
        logs.hush(on=True)
        with pytest.raises(RateLimited):
            await rate_limiter.check(ALICE)

    assert not caplog.records


async def test_without_a_front_end_no_header_is_read_and_no_shop_is_shut_out(counters: FakeCounters) -> None:
    """The client writes X-Forwarded-For itself there: all share one name, which is asked after the signature only."""
    limiter = a_gate(counters, per_address=Rate(2, 60), trusted_proxies=None)
    for number in range(2):
        await limiter.penalize(await limiter.check(f"192.0.2.{number}:1"))
    with pytest.raises(RateLimited):
        await limiter.penalize(await limiter.check("192.0.2.9:1"))

    assert await limiter.check("192.0.2.10:1") == UNKNOWN_CLIENT
    assert await limiter.consume("shop-b")
