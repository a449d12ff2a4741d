"""Rate limits, through the real host: what a stranger and a shop see on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.servers import Azurite
from tests.integration.hosted import Hosted
from tests.integration.shop_front import front, guess, sell

FEW = {"RATE_LIMIT_PER_ADDRESS": "3/hour", "RATE_LIMIT_PER_SOURCE": "5/hour"}
PEER = "192.0.2.1:40001"
"""What Azure's front end appends: the address of its client. The host behind it appends nothing."""


@pytest.fixture
def host(azurite: Azurite, table_name: str, tmp_path: Path) -> Iterator[Hosted]:
    """Three guesses and five orders an hour."""
    with front(azurite, table_name, tmp_path, FEW) as running:
        yield running


def test_a_spoofed_address_buys_no_more_guesses(host: Hosted) -> None:
    """Each guess says it comes from somewhere else; what the front end appended is last, and counts."""
    guesses = [guess(host, X_Forwarded_For=f"198.51.100.{n}, {PEER}") for n in range(5)]

    assert [reply.status for reply in guesses] == [401, 401, 401, 429, 429]
    assert [reply.headers["X-Error-Code"] for reply in guesses[2:4]] == ["bad_signature", "rate_limited"]
    limited = guesses[-1]
    assert limited.headers["content-type"] == "application/problem+json"
    assert limited.headers["RateLimit-Policy"] == '"address";q=3;w=3600'
    assert limited.headers["RateLimit"] == f'"address";r=0;t={limited.headers["Retry-After"]}'
    assert limited.json["request_id"] == limited.headers["X-Request-Id"]


def test_a_shop_sells_until_its_own_rate_is_spent(host: Hosted) -> None:
    """No order is charged to the address, each answer says how many more may come, and the one too many is not kept."""
    sales = [sell(host, f"10{n}") for n in range(6)]

    assert [reply.status for reply in sales] == [202] * 5 + [429]
    assert [reply.headers["RateLimit"].split(";")[1] for reply in sales] == ["r=4", "r=3", "r=2", "r=1", "r=0", "r=0"]
    assert sales[-1].headers["RateLimit-Policy"] == '"source";q=5;w=3600'
    assert guess(host).status == 401
    shown = [host.ask(f"/orders/10{n}", headers={"x-functions-key": "the-key"}).status for n in (4, 5)]
    assert shown == [200, 404]


def test_clients_behind_a_trusted_proxy_are_told_apart(azurite: Azurite, table_name: str, tmp_path: Path) -> None:
    """The proxy appends its client, the front end the proxy: the last but one pays."""
    with front(azurite, table_name, tmp_path, {"RATE_LIMIT_PER_ADDRESS": "1/hour", "TRUSTED_PROXIES": "1"}) as host:
        told = [
            guess(host, X_Forwarded_For=f"{chain}, {PEER}").status
            for chain in ("203.0.113.7", "8.8.8.8, 203.0.113.7", "203.0.113.8", "[2001:db8::1]", "[2001:db8::2]")
        ]

    assert told == [401, 429, 401, 401, 429]


def test_a_redis_that_is_down_stops_no_order(azurite: Azurite, table_name: str, tmp_path: Path) -> None:
    """The order is taken, its answer tells of no rate, and the log says that nothing is counted."""
    settings = {**FEW, "RATE_LIMIT_STORAGE": "redis://:a-key@127.0.0.1:1/0"}
    with front(azurite, table_name, tmp_path, settings) as host:
        sales = [sell(host, f"10{n}") for n in range(7)]
        log = host.log

    assert [reply.status for reply in sales] == [202] * 7
    assert "RateLimit" not in sales[0].headers
    assert log.count("rate_limiter_unavailable") == 1
    assert "a-key" not in log
