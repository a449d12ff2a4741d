"""A container is given an identity and KEYVAULT_URI, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from distributor.adapters.vault_settings import load_from_vault
from distributor.settings import ALL, about
from foundation.errors import ConfigurationError
from foundation.secrets.key_vault import KeyVaultSecrets
from foundation.secrets.sign_in import azure_credential
from foundation.settings.reading import problems
from tests.fakes.clock import FrozenClock
from tests.integration.vault import URL, Peers

ROOT = Path(__file__).parents[2]
HELD = {
    "CHAIN-ID": "80002",
    "RPC-URL": "https://node.example",
    "OPERATOR-PK": "0x" + "11" * 32,
    "WEBHOOK-SECRET": "a-secret-of-thirty-two-characters",
    "AUTHORITY-ADDRESS": "0x" + "aa" * 20,
    "TOKEN-ADDRESS": "0x" + "bb" * 20,
    "RESERVE-ADDRESS": "0x" + "cc" * 20,
    "AzureWebJobsStorage--accountName": "stballx",
    "AzureWebJobsStorage--credential": "managedidentity",
}
SHOW = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"


@pytest.fixture
def azure(azure: Peers) -> Peers:
    """A vault with all that is required, and the identity endpoint of a container."""
    azure.vault.secrets.update({name: {"v1": value} for name, value in HELD.items()})
    return azure


async def settings(azure: Peers, **environ: str) -> dict[str, str]:
    """Return what the host is started with."""
    secrets = KeyVaultSecrets(environ, sign_in=azure_credential, clock=FrozenClock(), transport=azure.transport)
    try:
        return await load_from_vault(environ, secrets)
    finally:
        await secrets.aclose()


async def test_the_address_of_the_vault_is_enough(azure: Peers) -> None:
    """With the secrets the app reads itself, no use case misses a setting."""
    found = await settings(azure, KEYVAULT_URI=URL)
    read_by_the_app = {name: HELD[name.replace("_", "-")] for name in ("RPC_URL", "OPERATOR_PK", "WEBHOOK_SECRET")}

    assert [problem for use in ALL for problem in problems(use, {**found, **read_by_the_app}, {})] == []
    assert found["AzureWebJobsStorage__accountName"] == "stballx"


async def test_no_secret_of_the_app_gets_into_the_environment(azure: Peers) -> None:
    """The app reads them where they are, and so a new version needs no new container."""
    found = await settings(azure, KEYVAULT_URI=URL)

    assert [name for name in found if name in about() and about()[name].secret] == []
    assert not {asked.partition("/")[0] for asked in azure.vault.asked} & {"OPERATOR-PK", "WEBHOOK-SECRET", "RPC-URL"}


async def test_what_is_set_is_left_as_it_is(azure: Peers) -> None:
    """The environment is nearer than the vault."""
    found = await settings(azure, KEYVAULT_URI=URL, CHAIN_ID="137")

    assert found["CHAIN_ID"] == "137"


async def test_a_ledger_in_an_account_of_its_own_is_found_too(azure: Peers) -> None:
    """LEDGER_CONNECTION may name other settings than the host's."""
    azure.vault.secrets["LedgerStorage--accountName"] = {"v1": "stledger"}

    found = await settings(azure, KEYVAULT_URI=URL, LEDGER_CONNECTION="LedgerStorage")

    assert found["LedgerStorage__accountName"] == "stledger"
    assert found["AzureWebJobsStorage__accountName"] == "stballx"


async def test_a_vault_that_refuses_is_named(azure: Peers) -> None:
    """A host that started without its settings would look alive and pay nobody."""
    azure.vault.refusals["CHAIN-ID"] = (403, "ForbiddenByRbac")

    with pytest.raises(ConfigurationError, match=r"CHAIN_ID may not be used: .*Key Vault Secrets User"):
        await settings(azure, KEYVAULT_URI=URL)


def start(environ: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Start the container's process as the image does."""
    module = [sys.executable, "-m", "distributor.cli.container", *command]
    return subprocess.run(
        module, env={"PYTHONPATH": str(ROOT), **environ}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("libraries", ["", "/home/site/wwwroot/.python_packages/lib/site-packages"])
def test_the_process_becomes_the_host(libraries: str) -> None:
    """With its arguments and its environment; on the path are the package's libraries, and not the app itself."""
    path = os.pathsep.join(filter(None, (str(ROOT), libraries)))
    ended = start({"BALLX_USE_KV": "0", "CHAIN_ID": "137", "PYTHONPATH": path}, sys.executable, "-c", SHOW, "one")

    arguments, environ = json.loads(ended.stdout)
    assert arguments == ["one"]
    assert environ["CHAIN_ID"] == "137"
    assert environ.get("PYTHONPATH", "") == libraries


def test_a_wrong_vault_ends_the_container_with_a_reason() -> None:
    """The reason is in the container's log, and the platform starts it again."""
    ended = start({"KEYVAULT_URI": "https://example.com"}, sys.executable, "-c", SHOW)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "KEYVAULT_URI is not the URL of a vault" in ended.stderr
