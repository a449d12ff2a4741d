from __future__ import annotations

import os
import subprocess
import sys

import pytest

SETTINGS = {
    "CHAIN_ID": "137",
    "TOKEN_ADDRESS": "0x" + "11" * 20,
    "AUTHORITY_ADDRESS": "0x" + "22" * 20,
    "RESERVE_ADDRESS": "0x" + "33" * 20,
    "WEBHOOK_SECRET": "sixteen bytes or more",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
}
CODE = """
import asyncio, sys
from distributor import wiring

async def build():
    await getattr(wiring.container(), sys.argv[1])()
    await wiring.aclose()

asyncio.run(build())
print(*sorted(sys.modules), sep="\\n")
"""
HEAVY = (
    "web3",
    "eth_account",
    "eth_abi",
    "coincurve",
    "azure.storage.queue",
    "azure.identity",
    "azure.keyvault",
    "redis",
)


def loaded(part: str) -> set[str]:
    """Return the modules a fresh process has after building one use case."""
    environ = {**os.environ, **SETTINGS}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE, part], capture_output=True, text=True, check=True, env=environ
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("part", "needed"),
    [
        ("rate_limiter", "limits"),
        ("intake", "distributor.ledger"),
        ("status", "distributor.ledger"),
        ("sweep", "distributor.ledger"),
    ],
)
def test_what_answers_a_shop_loads_no_chain_and_no_vault(part: str, needed: str) -> None:
    """Each of these costs a cold start 0.1 to 0.6 s, and none is needed to store an order."""
    modules = loaded(part)

    assert needed in modules
    assert [name for name in modules if name.startswith(HEAVY)] == []


def test_readiness_loads_no_chain_libraries() -> None:
    """Anybody may ask whether the service is ready; the answer must stay cheap."""
    assert [name for name in loaded("readiness") if name.startswith(("web3", "eth_account", "eth_abi"))] == []
