"""The settings of the whole service on this machine's real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from devstack.contracts import Deployment  # web3 behind it: only for tests that use the chain
    from devstack.servers import Azurite

WEBHOOK_SECRET = "the shop and we know this"


@pytest.fixture
def environ(azurite: Azurite, deployment: Deployment, table_name: str) -> dict[str, str]:
    """A ledger of this test's own, on a chain where a block is final at the third."""
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
