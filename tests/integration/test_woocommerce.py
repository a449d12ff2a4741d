"""A stock WooCommerce on the whole stack: the real host, real storage, a real chain; each order paid once."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from devstack import stack
from devstack.contracts import Devchain
from devstack.runs import Run
from devstack.servers import Child
from devstack.stack import FunctionsHost, Services
from distributor.addresses import keccak256, parse_address
from tests.integration.hosted import Hosted, Reply

pytestmark = pytest.mark.usefixtures("azurite")  # skips at a desk without Node, as every other server does

PAID_WITHIN_S = 120
KEY = {"x-functions-key": stack.FUNCTION_KEY}
WALLET = parse_address("0x" + keccak256(b"a customer of WooCommerce").hex()[-40:])
ROUTE = "/webhook/woocommerce"
SHOP = {"WOO_TOKENS_PER_UNIT": "1.5", "WOO_CURRENCY": "BRL", "WOO_PAID_STATUSES": "completed,shipped"}


class Shop:
    """A WooCommerce: it shows an order as it is now, and signs nothing but the body."""

    def __init__(self, host: FunctionsHost, run: Run, services: Services) -> None:
        self.secret = services.settings["WEBHOOK_SECRET"].encode()
        self.services = services
        self._host = Hosted(url=host.url, server=Child(name="host", process=host.process, log=run.log("host")))

    def ask(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        return self._host.ask(path, body, headers=headers)

    def deliver(self, *, secret: bytes = b"", **changes: Any) -> Reply:
        """Deliver the order, changed, with the headers WooCommerce sends."""
        meta = [{"id": 13106, "key": "_ballx_wallet", "value": changes.pop("wallet", WALLET)}]
        order = {"id": 727, "status": "completed", "currency": "BRL", "total": "29.35", "number": "727"}
        body = json.dumps({**order, "meta_data": meta, **changes}).encode()
        signature = base64.b64encode(hmac.digest(secret or self.secret, body, "sha256")).decode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "WooCommerce/10.3.5 Hookshot (WordPress/6.8)",
            "X-WC-Webhook-Source": "https://loja.example/",
            "X-WC-Webhook-Topic": "order.updated",
            "X-WC-Webhook-Signature": signature,
            "X-WC-Webhook-ID": "7",
            "X-WC-Webhook-Delivery-ID": "0",
        }
        return self.ask(ROUTE, body, headers)

    def ping(self) -> Reply:
        """Ping as WooCommerce does when a webhook is saved."""
        return self.ask(ROUTE, b"webhook_id=7", {"Content-Type": "application/x-www-form-urlencoded"})

    def status(self, order_id: str) -> Any:
        return self.ask(f"/orders/{order_id}", headers=KEY).json.get("status")

    def alarms(self) -> list[tuple[str, str]]:
        """The alarms of the shop in the host's log: code and subject."""
        lines = [line[line.find('{"event": "alarm"') :] for line in self._host.log.splitlines()]
        raised = [json.loads(line) for line in lines if line.startswith('{"event": "alarm"')]
        return [(alarm["code"], alarm["subject"]) for alarm in raised if alarm["code"].startswith("woocommerce_")]

    def paid_units(self) -> list[int]:
        """What the customer's wallet got, from the token's own events."""
        events = Devchain(self.services.deployment).payouts()
        return [event.amount_units for event in events if event.recipient == WALLET]


@pytest.fixture(scope="module")
def shop(run: Run, services: Services) -> Iterator[Shop]:
    """A shop that pays one and a half tokens for each real."""
    with stack.functions_host(run, {**services.settings, **SHOP}, "ours") as host:
        yield Shop(host, run, services)


def wait_until_paid(shop: Shop, order_id: str) -> None:
    """Return when the order is paid; fail with what it is."""
    deadline = time.monotonic() + PAID_WITHIN_S
    while (found := shop.status(order_id)) != "paid":
        assert found != "held"
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def test_an_order_goes_from_the_ping_to_paid_once_whatever_comes_again(shop: Shop) -> None:
    """The life of one order in a shop: every delivery is a success for WooCommerce, and one of them pays."""
    ping = shop.ping()
    created = shop.deliver(status="pending")
    with ThreadPoolExecutor(max_workers=20) as deliveries:
        completed = list(deliveries.map(lambda _: shop.deliver(), range(20)))
    wait_until_paid(shop, "727")
    snapshot = shop.deliver(status="shipped", customer_note="posted today")
    changed = shop.deliver(total="2935.00")
    moved = shop.deliver(wallet="0x" + "11" * 20)

    assert (ping.status, ping.json) == (200, {"status": "ignored", "reason": "ping"})
    assert (created.status, created.headers["X-Not-Paid"]) == (200, "status_not_paid")
    assert Counter(reply.status for reply in completed) == {202: 1, 200: 19}
    assert (snapshot.status, snapshot.json["status"], snapshot.headers["Idempotent-Replayed"]) == (200, "paid", "true")
    assert [(reply.status, reply.json["status"]) for reply in (changed, moved)] == [(200, "conflict")] * 2
    assert shop.paid_units() == [44_025 * 10**15]
    assert shop.alarms() == [("woocommerce_conflict", "default:727")]  # the second says the same: sent once an hour


def test_a_wallet_nobody_can_pay_is_told_and_corrected(shop: Shop) -> None:
    """The webhook stays on; corrected and saved again, the order is paid."""
    mistyped = shop.deliver(id=728, wallet=WALLET[:-1])
    corrected = shop.deliver(id=728, wallet=f" {WALLET} ", total="0.000000000000000001")
    ignored = shop.deliver(id=729, wallet="")

    assert (mistyped.status, mistyped.json["status"], mistyped.headers["X-Not-Paid"]) == (
        200,
        "unpayable",
        "bad_wallet",
    )
    assert (corrected.status, corrected.json["order_id"]) == (202, "728")
    assert (ignored.status, ignored.headers["X-Not-Paid"]) == (200, "no_wallet")
    assert ("woocommerce_unpayable", "default:728") in shop.alarms()
    wait_until_paid(shop, "728")
    assert 1 in shop.paid_units()


def test_a_wrong_signature_is_a_failed_delivery(shop: Shop) -> None:
    """The shop's owner should see it fail: nothing of that shop could be taken."""
    forged = shop.deliver(id=730, secret=b"another secret of some length")
    with_topic = shop.ask(
        ROUTE, b'{"id":730}', {"Content-Type": "application/json", "X-WC-Webhook-Topic": "order.paid"}
    )

    assert [(reply.status, reply.headers["X-Error-Code"]) for reply in (forged, with_topic)] == [
        (401, "bad_signature")
    ] * 2
    assert shop.ask("/orders/730", headers=KEY).status == 404


def test_without_its_settings_only_this_route_is_off(run: Run, services: Services) -> None:
    """The ping tells nothing of it, and /webhook takes orders."""
    with stack.functions_host(run, services.settings, "ours") as host:
        shop = Shop(host, run, services)
        body = json.dumps({"order_id": "plain-1", "wallet": WALLET, "amount": "0.5"}).encode()
        signature = hmac.new(shop.secret, body, "sha256").hexdigest()

        delivered = shop.deliver(id=731)
        plain = shop.ask("/webhook", body, {"Content-Type": "application/json", "X-WP-Signature": signature})

        assert (delivered.status, delivered.headers["X-Error-Code"]) == (503, "not_configured")
        assert (shop.ping().status, plain.status) == (200, 202)
        assert "WOO" not in json.dumps(shop.ask("/ready").json["settings"])
