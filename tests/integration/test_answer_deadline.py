"""The webhook answers within eight seconds, whatever the storage service says about coming again."""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import AsyncIterator

import azure.functions as func
import pytest
from aiohttp import web

from distributor import wiring
from distributor.functions import orders
from tests.fakes.functions import a_context

SECRET = "a secret of sixteen bytes or more"
BODY = b'{"order_id": "1001", "wallet": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "amount": "12.50"}'


@pytest.fixture
async def asked() -> AsyncIterator[list[str]]:
    """A table service that says "again in 45 s" to everything; what it was asked."""
    paths: list[str] = []

    async def busy(request: web.Request) -> web.Response:
        paths.append(request.path)
        return web.Response(status=503, headers={"Retry-After": "45"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", busy)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    os.environ |= {
        "AzureWebJobsStorage": "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;"
        f"TableEndpoint=http://127.0.0.1:{port}/a;",
        "BALLX_USE_KV": "0",
        "CHAIN_ID": "137",
        "RPC_URL": "not a url",
        "TOKEN_ADDRESS": "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "AUTHORITY_ADDRESS": "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "RESERVE_ADDRESS": "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "WEBHOOK_SECRET": SECRET,
    }
    yield paths
    await wiring.aclose()
    await runner.cleanup()


async def test_the_webhook_answers_within_eight_seconds(asked: list[str]) -> None:
    """
    The shop gets 503 and sends the same again.

    1. Each call to the table hangs for 45 s, as the client library obeys ``Retry-After``.
    2. A group is sent, read back and sent again: that was minutes.
    """
    signature = hmac.new(SECRET.encode(), BODY, "sha256").hexdigest()
    headers = {"Content-Type": "application/json", "X-WP-Signature": signature}
    begun = time.monotonic()

    response = await orders.receive_order(func.HttpRequest("POST", "/webhook", headers=headers, body=BODY), a_context())

    assert time.monotonic() - begun < 8
    assert (response.status_code, response.headers["X-Error-Code"]) == (503, "ledger_unavailable")
    assert response.headers["Retry-After"]
    assert asked
