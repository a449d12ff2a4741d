"""The whole service on this machine: its settings on shared servers, a stack of a module's own, a vault."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from devstack import runs
from devstack.console import Console
from devstack.runs import Run
from distributor.webhook.authentication import WebhookRequest
from tests.integration.vault import Peers, signed_in

if TYPE_CHECKING:
    from devstack.contracts import Deployment  # web3 behind it: only for tests that use the chain
    from devstack.servers import Azurite
    from devstack.stack import Services

WEBHOOK_SECRET = "the shop and we know this"


@pytest.fixture
def environ(azurite: Azurite, deployment: Deployment, table_name: str) -> dict[str, str]:
    """A ledger of this test's own, on a chain where a block is final at the third."""
    return settings_on(deployment, azurite, table_name)


def settings_on(deployment: Deployment, azurite: Azurite, table_name: str) -> dict[str, str]:
    """Return the settings of a ledger in *table_name* for the contracts of *deployment*."""
    return {
        "CHAIN_ID": str(deployment.chain_id),
        "RPC_URL": deployment.url,
        "OPERATOR_PK": deployment.operator_key,
        "TOKEN_ADDRESS": deployment.token,
        "AUTHORITY_ADDRESS": deployment.authority,
        "RESERVE_ADDRESS": deployment.reserve,
        "WEBHOOK_SECRET": WEBHOOK_SECRET,
        "AzureWebJobsStorage": azurite.connection_string,
        "LEDGER_TABLE": table_name,
        "FIRST_BLOCK": str(deployment.block_number),
        "BLOCK_TIME_S": "0.05",
        "FINALITY": "depth:3",
    }


def signed_order(order_id: str, wallet: str) -> WebhookRequest:
    """Return what a shop sends for 12.5 tokens."""
    body = json.dumps({"order_id": order_id, "wallet": wallet, "amount": "12.5"}).encode()
    signature = hmac.digest(WEBHOOK_SECRET.encode(), body, hashlib.sha256).hex()
    return WebhookRequest(headers={"X-WP-Signature": signature}, body=body)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Where a module's processes and logs are kept."""
    with runs.begin(tmp_path_factory.mktemp("runs")) as begun:
        yield begun


@pytest.fixture(scope="module")
def services(run: Run) -> Iterator[Services]:
    """Storage and chain for a module, the contracts on it and its own ledger."""
    from devstack import stack

    with stack.services(Console(io.StringIO()), run, fixed_ports=False) as started:
        yield started


@pytest.fixture
async def azure(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peers]:
    """The vault and the identity endpoint, as a new process with a managed identity sees them."""
    async with signed_in(monkeypatch) as running:
        yield running
