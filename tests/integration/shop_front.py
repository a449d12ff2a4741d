"""The app's front door, running in the real host over real storage; no node behind it, which it does not need."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueServiceClient

from devstack import paths
from devstack.servers import Azurite
from foundation.settings.storage import Storage
from foundation.tablestore.azure_tables import connect_tables
from tests.integration.hosted import Hosted, Reply, hosted

SECRET = "front-door-secret-0123456789abcdef"
WALLET = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TOKEN = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
AUTHORITY = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"
RESERVE = "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"


@contextmanager
def front(azurite: Azurite, table: str, folder: Path, settings: Mapping[str, str]) -> Iterator[Hosted]:
    """Run the app in a host of its own, with a table of its own."""
    asyncio.run(_tables(azurite.connection_string, table))
    app = {
        "AzureWebJobsStorage": azurite.connection_string,
        "LEDGER_TABLE": table,
        "BALLX_USE_KV": "0",
        "CHAIN_ID": "137",
        "RPC_URL": "http://127.0.0.1:1",
        "TOKEN_ADDRESS": TOKEN,
        "AUTHORITY_ADDRESS": AUTHORITY,
        "RESERVE_ADDRESS": RESERVE,
        "WEBHOOK_SECRET": SECRET,
        "WOO_TOKENS_PER_UNIT": "10",
        "WOO_CURRENCY": "BRL",
        "AzureWebJobs.distribute.Disabled": "1",
        "AzureWebJobs.sweep.Disabled": "1",
    }
    try:
        with hosted(paths.ROOT, {**app, **settings}, folder / "host.log") as host:
            yield host
    finally:
        _sleep_on(azurite.connection_string)


async def _tables(connection_string: str, table: str) -> None:
    tables = connect_tables(Storage(connection_string=connection_string), partition="137", table=table)
    await tables.ensure()
    await tables.aclose()


def _sleep_on(connection_string: str) -> None:
    """Drop the wake-ups nobody answered: the queue is shared with the tests after this one."""
    with QueueServiceClient.from_connection_string(connection_string) as service:
        queue = service.get_queue_client("distributions")
        with suppress(ResourceNotFoundError):
            queue.clear_messages()


def an_order(order_id: str, **changes: Any) -> bytes:
    """An order as a shop writes it."""
    return json.dumps({"order_id": order_id, "wallet": WALLET, "amount": "12.50", **changes}).encode()


def a_woocommerce_order(number: int) -> dict[str, Any]:
    """An order as WooCommerce writes it, paid at ten tokens for a real."""
    wallet = {"id": 1, "key": "_ballx_wallet", "value": WALLET}
    return {"id": number, "status": "completed", "currency": "BRL", "total": "29.35", "meta_data": [wallet]}


def signed(body: bytes, **more: str) -> Mapping[str, str]:
    """The headers a shop sends with *body*; an underscore in a name is a hyphen."""
    signature = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {"Content-Type": "application/json", "X-WP-Signature": signature, **named}


def sell(host: Hosted, order_id: str, **more: str) -> Reply:
    """Send one good order."""
    body = an_order(order_id)
    return host.ask("/webhook", body, headers=signed(body, **more))


def guess(host: Hosted, **more: str) -> Reply:
    """Send an order with a made-up signature."""
    return host.ask("/webhook", an_order("1001"), headers={**signed(b"another", **more)})
