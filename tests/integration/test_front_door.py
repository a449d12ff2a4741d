"""The webhook with everything real behind it: settings, signature, schema and a ledger in Azurite."""

import asyncio
import hmac
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import azure.functions as func
import pytest

from devstack.servers import Azurite
from distributor import wiring
from distributor.functions import orders
from distributor.ledger import Ledger
from distributor.model import OrderKey, OrderStatus
from foundation.settings.storage import Storage
from foundation.tablestore.azure_tables import Tables, connect_tables
from tests.fakes.clock import FrozenClock
from tests.fakes.functions import a_context

STORAGE = "AzureWebJobsStorage"
SECRET = "a secret of sixteen bytes or more"
WALLET = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TOKEN = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
AUTHORITY = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"
RESERVE = "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"


@pytest.fixture(autouse=True)
async def tables(azurite: Azurite, table_name: str) -> AsyncIterator[Tables]:
    """The tables of this test, created as ``init`` creates them."""
    found = connect_tables(Storage(connection_string=azurite.connection_string), partition="137", table=table_name)
    await found.ensure()
    yield found
    await found.aclose()


@pytest.fixture
def ledger(tables: Tables) -> Ledger:
    """The ledger the app writes to, seen from outside."""
    return Ledger(tables.rows, tables.audit, clock=FrozenClock())


@pytest.fixture(autouse=True)
async def _app(azurite: Azurite, table_name: str) -> AsyncIterator[None]:
    """The app's settings; no node and no operator, which the front door does not need."""
    os.environ |= {
        STORAGE: azurite.connection_string,
        "LEDGER_TABLE": table_name,
        "BALLX_USE_KV": "0",
        "CHAIN_ID": "137",
        "RPC_URL": "not a url",
        "TOKEN_ADDRESS": TOKEN,
        "AUTHORITY_ADDRESS": AUTHORITY,
        "RESERVE_ADDRESS": RESERVE,
        "WEBHOOK_SECRET": SECRET,
    }
    yield
    await wiring.aclose()


WAKES: list[None] = []
"""Each wake-up of the payouts; the queue itself is shared with other tests."""


@pytest.fixture(autouse=True)
def _wakes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def wake(_: wiring.Container) -> None:
        WAKES.append(None)

    WAKES.clear()
    monkeypatch.setattr(wiring.Container, "wake_distribution", wake)


class Answer:
    """What the shop gets."""

    def __init__(self, response: func.HttpResponse) -> None:
        self.status, self.headers = response.status_code, response.headers
        self.media_type = response.mimetype
        self.text = response.get_body().decode()
        self.json = json.loads(self.text)

    @property
    def code(self) -> str:
        return str(self.headers.get("X-Error-Code"))


async def post(body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    """Send *body*, signed unless *headers* say otherwise."""
    signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    signed = {"Content-Type": "application/json", "X-WP-Signature": signature}
    request = func.HttpRequest("POST", "/webhook", headers=signed if headers is None else headers, body=body)
    return Answer(await orders.receive_order(request, a_context()))


async def show(order_id: str) -> Answer:
    """Ask for the state of an order."""
    request = func.HttpRequest("GET", f"/orders/{order_id}", route_params={"order_id": order_id}, body=b"")
    return Answer(await orders.order_status(request, a_context()))


def an_order(**changes: Any) -> bytes:
    """An order as a shop writes it; a change to None leaves the field out."""
    fields = {"order_id": "1001", "wallet": WALLET, "amount": "12.50", "reason": "cashback", **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


async def test_an_order_goes_in_and_is_shown(ledger: Ledger) -> None:
    """202, in the table, woken, and at its Location."""
    answer = await post(an_order())

    assert (answer.status, answer.headers["Location"], WAKES) == (202, "/orders/1001", [None])
    stored = await ledger.order(OrderKey("default", "1001"))
    assert stored
    assert (stored.status, stored.amount_units, stored.wallet) == (
        OrderStatus.RECEIVED,
        12_500_000_000_000_000_000,
        WALLET,
    )
    shown = await show("1001")
    assert (shown.status, shown.json["status"], shown.json["amount"]) == (200, "received", "12.5")


async def test_fifty_at_once_are_one_order() -> None:
    """One 202 and forty-nine 200; each wakes, since the order still waits."""
    answers = await asyncio.gather(*(post(an_order()) for _ in range(50)))

    assert sorted(answer.status for answer in answers) == [200] * 49 + [202]
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 49
    assert len(WAKES) == 50


async def test_another_amount_under_the_same_id_is_refused(ledger: Ledger) -> None:
    """422, no message, and the first content is kept."""
    await post(an_order())

    answer = await post(an_order(amount="1250"))

    assert (answer.status, answer.code, len(WAKES)) == (422, "order_conflict", 1)
    stored = await ledger.order(OrderKey("default", "1001"))
    assert stored
    assert stored.amount_units == 12_500_000_000_000_000_000


BAD_BODIES = {
    "no body": (b"", 400, "body_empty"),
    "white space": (b" \n", 400, "body_empty"),
    "not JSON": (b"order_id=1001", 400, "not_json"),
    "not UTF-8": (b'{"order_id":"\xff"}', 400, "not_utf8"),
    "not an object": (b"[1]", 400, "not_object"),
    "a key twice": (b'{"amount":1,"amount":2}', 400, "duplicate_key"),
    "NaN": (an_order().replace(b'"12.50"', b"NaN"), 400, "not_json"),
    "1e400": (an_order().replace(b'"12.50"', b"1e400"), 400, "bad_amount"),
    "a number without end": (an_order().replace(b'"12.50"', b"9" * 60_000), 400, "bad_amount"),
    "a depth bomb": (b"[" * 60_000, 400, "not_json"),
    "a bool as amount": (an_order(amount=True), 400, "bad_amount"),
    "no amount": (an_order(amount=None), 400, "missing_field"),
    "no wallet": (an_order(wallet=None), 400, "missing_field"),
    "no id": (an_order(order_id=None), 400, "missing_field"),
    "an id with a slash": (an_order(order_id="10/01"), 400, "bad_order_id"),
    "two wallets": (an_order(wallet_address=RESERVE), 400, "wallet_conflict"),
    "half a wallet": (an_order(wallet=WALLET[:20]), 400, "bad_wallet"),
    "a lone surrogate": (an_order(reason="\ud800"), 400, "bad_text"),
    "negative": (an_order(amount="-1"), 422, "amount_not_positive"),
    "zero": (an_order(amount=0), 422, "amount_not_positive"),
    "19 decimals": (an_order(amount="0.0000000000000000001"), 422, "too_many_decimals"),
    "beyond uint256": (an_order(amount="1e60"), 422, "amount_too_large"),
    "a wrong checksum": (an_order(wallet=WALLET.replace("BeAed", "beAed")), 422, "wallet_checksum"),
    "the zero address": (an_order(wallet="0x" + "0" * 40), 422, "wallet_forbidden"),
    "the token": (an_order(wallet=TOKEN), 422, "wallet_forbidden"),
    "the authority": (an_order(wallet=AUTHORITY.lower()), 422, "wallet_forbidden"),
    "the reserve": (an_order(wallet=RESERVE), 422, "wallet_forbidden"),
    "65 KiB": (an_order(note="x" * 65_536), 413, "body_too_large"),
    "1 MB": (an_order(note="x" * 1_048_576), 413, "body_too_large"),
}
GOOD_SIGNATURE = hmac.new(SECRET.encode(), an_order(), "sha256").hexdigest()
BAD_HEADERS = {
    "no signature": ({}, 401, "bad_signature"),
    "an empty signature": ({"X-WP-Signature": ""}, 401, "bad_signature"),
    "a wrong signature": ({"X-WP-Signature": "0" * 64}, 401, "bad_signature"),
    "a short signature": ({"X-WP-Signature": GOOD_SIGNATURE[:-2]}, 401, "bad_signature"),
    "a doubled signature": ({"X-WP-Signature": f"{GOOD_SIGNATURE}, {GOOD_SIGNATURE}"}, 401, "bad_signature"),
    "a non-ASCII signature": ({"X-WP-Signature": "é" * 64}, 401, "bad_signature"),
    "the secret itself": ({"X-WP-Signature": SECRET}, 401, "bad_signature"),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "not_json_type"),
}


async def refused(answer: Answer, status: int, code: str, tables: Tables) -> None:
    """Assert a whole problem document, no message, nothing stored, and nothing said that must not be."""
    assert (answer.status, answer.code) == (status, code)
    assert answer.media_type == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "detail", "code", "request_id"}
    assert (answer.json["status"], answer.json["code"]) == (status, code)
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert not [secret for secret in (SECRET, GOOD_SIGNATURE, "Traceback") if secret in answer.text]
    assert await tables.rows.scan("order:", "order;", limit=10) == []
    assert WAKES == []


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_body_is_a_problem_with_a_code(tables: Tables, name: str) -> None:
    """Signed rightly, and refused for what it holds; never 500."""
    body, status, code = BAD_BODIES[name]

    await refused(await post(body), status, code, tables)


@pytest.mark.parametrize("name", BAD_HEADERS)
async def test_a_bad_header_is_a_problem_with_a_code(tables: Tables, name: str) -> None:
    """A good body without a good signature is nobody's."""
    headers, status, code = BAD_HEADERS[name]

    await refused(await post(an_order(), headers), status, code, tables)


async def test_a_chunked_body_is_told_apart_from_a_bad_signature(tables: Tables) -> None:
    """The host passes on no body without Content-Length, however well it was signed."""
    answer = await post(b"", {"X-WP-Signature": GOOD_SIGNATURE, "Transfer-Encoding": "chunked"})

    await refused(answer, 400, "body_empty", tables)
    assert "Content-Length" in answer.json["detail"]


@pytest.mark.parametrize("name", ["WEBHOOK_SECRET", "CHAIN_ID", "TOKEN_ADDRESS", STORAGE])
async def test_a_missing_setting_is_503_and_heals(tables: Tables, name: str) -> None:
    """Nothing is cached: the next order after the setting is there goes in."""
    value = os.environ.pop(name)
    answer = await post(an_order())
    await refused(answer, 503, "not_configured", tables)
    assert answer.headers["Retry-After"] == "60"
    os.environ[name] = value

    assert (await post(an_order())).status == 202


async def test_a_store_that_does_not_answer_is_503(tables: Tables) -> None:
    """The shop sends it again; nothing is said about where the store is."""
    with socket.create_server(("127.0.0.1", 0)) as closed:  # free, and closed when it is asked
        port = closed.getsockname()[1]
    account, _, _ = os.environ[STORAGE].partition("BlobEndpoint=")
    os.environ[STORAGE] = f"{account}TableEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"

    answer = await post(an_order())

    await refused(answer, 503, "ledger_unavailable", tables)
    assert answer.headers["Retry-After"] == "5"
    assert str(port) not in answer.text


async def test_an_unknown_order_is_404() -> None:
    """And so is a path that no order can have."""
    for order_id in ("1002", "10'01", "..", "a" * 500, "é"):
        answer = await show(order_id)

        assert (answer.status, answer.code) == (404, "order_not_found")
