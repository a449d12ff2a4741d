"""The main job on the whole stack: the real host, real storage, a real chain with a block each two seconds."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest
from azure.data.tables import TableClient
from azure.storage.queue import QueueServiceClient

from devstack import stack
from devstack.contracts import Devchain
from devstack.runs import Run
from devstack.stack import FunctionsHost, Services
from distributor.addresses import keccak256, parse_address
from distributor.model import Address

pytestmark = pytest.mark.usefixtures("azurite")  # skips at a desk without Node, as every other server does

PAID_WITHIN_S = 240
OFF = {f"AzureWebJobs__{name}__Disabled": "1" for name in ("distribute", "settlement", "sweep")}


@dataclass(frozen=True, slots=True)
class Sent:
    """An order as the shop has it: 1 token and as many units as its number, to a wallet of its own."""

    order_id: str
    wallet: Address
    amount_units: int

    @property
    def body(self) -> bytes:
        amount = f"{self.amount_units // 10**18}.{self.amount_units % 10**18:018d}"
        return json.dumps({"order_id": self.order_id, "wallet": self.wallet, "amount": amount}).encode()


@pytest.fixture
def host(run: Run, services: Services) -> Iterator[FunctionsHost]:
    """A fresh host on that storage and chain."""
    with stack.functions_host(run, services.settings, "ours") as started:
        yield started


def some_orders(name: str, count: int) -> Sequence[Sent]:
    """Return orders for wallets that never held a token."""
    return [
        Sent(
            f"{name}-{number}",
            parse_address("0x" + keccak256(f"{name} {number}".encode()).hex()[-40:]),
            10**18 + number,
        )
        for number in range(count)
    ]


def post(host: FunctionsHost, services: Services, order: Sent) -> int:
    """Send *order* as a shop does and return the answer's status."""
    secret = services.settings["WEBHOOK_SECRET"].encode()
    signature = hmac.new(secret, order.body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-WP-Signature": signature}
    request = urllib.request.Request(f"{host.url}/webhook", order.body, headers)  # noqa: S310 -- loopback
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310 -- loopback
            return int(reply.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def post_until_taken(host: FunctionsHost, services: Services, order: Sent) -> int:
    """Send *order* again while the answer asks for that, as a shop does; return the last answer's status."""
    deadline = time.monotonic() + PAID_WITHIN_S
    while (status := post(host, services, order)) == HTTPStatus.SERVICE_UNAVAILABLE and time.monotonic() < deadline:
        time.sleep(1)
    return status


def post_all(
    host: FunctionsHost,
    services: Services,
    orders: Sequence[Sent],
    send: Callable[[FunctionsHost, Services, Sent], int] = post,
) -> Counter[int]:
    """Send all orders at once and count the statuses."""
    with ThreadPoolExecutor(max_workers=len(orders)) as shops:
        return Counter(shops.map(lambda order: send(host, services, order), orders))


def statuses(services: Services, orders: Sequence[Sent]) -> Counter[str]:
    """Return how many of *orders* stand where, from the ledger's rows."""
    with TableClient.from_connection_string(services.storage.connection_string, "ledger") as ledger:
        rows = ledger.query_entities("RowKey ge 'order:' and RowKey lt 'order;'", select=["order_id", "status"])
        found: Mapping[str, str] = {row["order_id"]: row["status"] for row in rows}
    return Counter(found[order.order_id] for order in orders)


def wait_until_paid(services: Services, orders: Sequence[Sent]) -> None:
    """Return when every order is paid; fail with what the others are."""
    deadline = time.monotonic() + PAID_WITHIN_S
    while (found := statuses(services, orders)) != {"paid": len(orders)}:
        assert "held" not in found, found
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def payouts(services: Services, orders: Sequence[Sent]) -> Mapping[Address, Sequence[int]]:
    """Return the amounts each order's wallet got, from the token's own events."""
    got: dict[Address, list[int]] = {order.wallet: [] for order in orders}
    for event in Devchain(services.deployment).payouts():
        if event.recipient in got:
            got[event.recipient].append(event.amount_units)
    return got


def poisoned(services: Services) -> Sequence[str]:
    """Return the poison queues that hold a message."""
    with QueueServiceClient.from_connection_string(services.storage.connection_string) as queues:
        names = [queue.name for queue in queues.list_queues() if queue.name.endswith("-poison")]
        return [name for name in names if queues.get_queue_client(name).peek_messages()]


def test_two_hundred_orders_at_once_are_each_paid_exactly_once(host: FunctionsHost, services: Services) -> None:
    """A few transactions carry them all; nothing is held and no message is poison; a busy host asks to send again."""
    orders = some_orders("MANY", 200)

    answers = post_all(host, services, orders, post_until_taken)
    wait_until_paid(services, orders)

    assert answers.keys() <= {HTTPStatus.OK, HTTPStatus.ACCEPTED}
    assert payouts(services, orders) == {order.wallet: [order.amount_units] for order in orders}
    assert poisoned(services) == []


def test_one_order_posted_fifty_times_in_parallel_pays_once(host: FunctionsHost, services: Services) -> None:
    """One is new, the others are answered as the same; another amount under its id is refused."""
    (order,) = some_orders("SAME", 1)

    answers = post_all(host, services, [order] * 50)
    wait_until_paid(services, [order])
    again = post(host, services, order)
    other = post(host, services, Sent(order.order_id, order.wallet, order.amount_units + 1))

    assert answers == {202: 1, 200: 49}
    assert (again, other) == (200, 422)
    assert payouts(services, [order]) == {order.wallet: [order.amount_units]}


def test_orders_taken_while_the_work_is_off_are_paid_when_it_is_back(run: Run, services: Services) -> None:
    """The host dies between webhook and queue; the next one finds every order."""
    orders = some_orders("LATER", 100)
    with stack.functions_host(run, {**services.settings, **OFF}, "ours") as front_door:
        answers = post_all(front_door, services, orders)
        front_door.process.kill()
        front_door.process.wait()

    assert answers == {202: 100}
    assert statuses(services, orders) == {"received": 100}
    with stack.functions_host(run, services.settings, "ours"):
        wait_until_paid(services, orders)
    assert payouts(services, orders) == {order.wallet: [order.amount_units] for order in orders}


def test_the_log_tells_an_orders_way_and_no_secret(run: Run, host: FunctionsHost, services: Services) -> None:
    """One JSON object a line, each with the order or its transaction; never a key or a signature."""
    (order,) = some_orders("TOLD", 1)

    post(host, services, order)
    wait_until_paid(services, [order])

    lines = run.log("host").read_text("utf-8").splitlines()
    events = {event["event"]: event for event in (_event(line) for line in lines) if event}
    secrets = (services.settings["WEBHOOK_SECRET"], services.settings["OPERATOR_PK"].removeprefix("0x"))
    assert events["order_received"]["order_id"] == events["order_paid"]["order_id"] == order.order_id
    assert events["order_bound"]["tx_hash"] == events["attempt_submitted"]["tx_hash"] == events["order_paid"]["tx_hash"]
    assert events["transaction_final"]["gas_used"] > 0
    assert not [line for line in lines if any(secret in line for secret in secrets)]


def _event(line: str) -> Mapping[str, Any]:
    """Return the JSON object a log line holds; empty where it is the host's own text."""
    at = line.find('{"event"')
    found: Mapping[str, Any] = json.loads(line[at:]) if at >= 0 else {}
    return found
