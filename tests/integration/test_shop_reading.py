"""A shop asks for its own orders, through the real host over real storage."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator, Mapping

import pytest

from devstack.servers import Azurite
from tests.integration.hosted import Hosted
from tests.integration.shop_front import SECRET, an_order, front, sell, signed

SOUTH = "front-door-secret-of-the-south-0123"


@pytest.fixture(scope="module")
def host(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """The app with a second shop."""
    settings = {"WEBHOOK_SECRET__LOJA_SUL": SOUTH}
    with front(azurite, "tshopreading", tmp_path_factory.mktemp("reading"), settings) as running:
        yield running


def question(order_id: str, secret: str = SECRET, sent: int = 0) -> Mapping[str, str]:
    """Sign the question for an order, as docs/openapi.yaml says."""
    sent = sent or int(time.time())
    digest = hmac.digest(secret.encode(), f"{sent}.GET /shop/orders/{order_id}".encode(), "sha256")
    return {"X-WP-Signature": f"t={sent},v1={digest.hex()}"}


def test_a_shop_sees_its_own_order_and_no_other(host: Hosted) -> None:
    """Signed by its own secret; another shop's answer is the one for an id that nobody has."""
    assert sell(host, "OWN-1").status == 202
    mine = host.ask("/shop/orders/OWN-1", headers=question("OWN-1"))
    foreign = host.ask("/shop/orders/OWN-1", headers=question("OWN-1", SOUTH))
    unknown = host.ask("/shop/orders/OWN-9", headers=question("OWN-9", SOUTH))

    assert (mine.status, mine.json["order_id"], mine.json["status"]) == (200, "OWN-1", "received")
    assert (foreign.status, foreign.headers["X-Error-Code"]) == (404, "order_not_found")
    assert {**foreign.json, "request_id": ""} == {**unknown.json, "request_id": ""}


def test_nobody_else_is_told_anything(host: Hosted) -> None:
    """Unsigned, an old time, another order's signature, an order's own signature, another method."""
    assert sell(host, "OWN-2").status == 202
    asked = [
        {},
        question("OWN-2", sent=int(time.time()) - 900),
        question("OWN-1"),
        signed(an_order("OWN-2")),
        signed(b"GET /shop/orders/OWN-2"),
    ]

    assert {host.ask("/shop/orders/OWN-2", headers=headers).status for headers in asked} == {401}
    posted = host.ask("/shop/orders/OWN-2", b"{}", headers=question("OWN-2"))
    assert (posted.status, posted.headers["Allow"]) == (405, "GET, HEAD")


def test_a_question_is_no_order(host: Hosted) -> None:
    """Its bytes and its signature, posted to the webhook: no JSON."""
    body = b"GET /shop/orders/OWN-1"

    posted = host.ask("/webhook", body, headers={**question("OWN-1"), "Content-Type": "application/json"})

    assert (posted.status, posted.headers["X-Error-Code"]) == (400, "not_json")
