from __future__ import annotations

import subprocess
import sys
import time

import pytest

from foundation.errors import ConfigurationError, SecretWithdrawn
from foundation.secrets import vault_client
from foundation.secrets.key_vault import KEPT_MS, KeyVaultSecrets
from foundation.secrets.sign_in import azure_credential
from tests.fakes.clock import FrozenClock
from tests.integration.vault import URL, Peers

BY_NAMES = "@Microsoft.KeyVault(VaultName=ballx;SecretName=OPERATOR-PK)"
BY_URI = f"@Microsoft.KeyVault(SecretUri={URL}/secrets/OPERATOR-PK)"


async def read(azure: Peers, environ: dict[str, str], name: str = "OPERATOR_PK") -> str | None:
    """Read one secret with clients of its own."""
    secrets = KeyVaultSecrets(environ, sign_in=azure_credential, clock=FrozenClock(), transport=azure.transport)
    try:
        return await secrets.get(name)
    finally:
        await secrets.aclose()


async def refusal(azure: Peers, environ: dict[str, str]) -> str:
    """Return why OPERATOR_PK cannot be read."""
    with pytest.raises(ConfigurationError) as caught:
        await read(azure, environ)
    return str(caught.value)


@pytest.mark.parametrize(
    "reference", [BY_NAMES, BY_URI, BY_NAMES.replace(")", ";SecretVersion=v2)"), BY_URI[:-1] + "/v2)"]
)
async def test_a_reference_in_either_syntax_is_read_with_the_managed_identity(azure: Peers, reference: str) -> None:
    """The real client answers the vault's challenge with the real credential's token."""
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "old", "v2": "new"}

    assert await read(azure, {"OPERATOR_PK": reference}) == "new"
    assert azure.vault.challenged == 1
    assert azure.vault.tokens[0]["resource"] == "https://vault.azure.net"


async def test_a_busy_vault_does_not_decide_how_long_we_wait(azure: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says "again in a minute", and the client library would obey."""
    monkeypatch.setattr(vault_client, "CALL_S_MAX", 0.5)
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "a value"}
    azure.vault.busy_for_s = 60
    begun = time.monotonic()

    assert "does not answer" in await refusal(azure, {"OPERATOR_PK": BY_URI})
    assert time.monotonic() - begun < 5


async def test_an_older_version_is_read_when_it_is_named(azure: Peers) -> None:
    """A pinned version stays pinned."""
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "old", "v2": "new"}

    assert await read(azure, {"OPERATOR_PK": BY_URI[:-1] + "/v1)"}) == "old"


async def test_a_user_assigned_identity_is_asked_for_by_its_client_id(azure: Peers) -> None:
    """An app may have several identities."""
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "a value"}
    secrets = KeyVaultSecrets(
        {"OPERATOR_PK": BY_URI},
        sign_in=lambda: azure_credential("managedidentity", "the-client-id"),
        clock=FrozenClock(),
        transport=azure.transport,
    )

    assert await secrets.get("OPERATOR_PK") == "a value"
    assert azure.vault.tokens[0]["client_id"] == "the-client-id"
    await secrets.aclose()


async def test_a_literal_asks_no_vault(azure: Peers) -> None:
    """Also not when a vault is named."""
    assert await read(azure, {"OPERATOR_PK": " literal\n", "KEYVAULT_URI": URL}) == " literal\n"
    assert (azure.vault.asked, azure.vault.tokens) == ([], [])


async def test_a_secret_set_nowhere_is_found_in_the_vault_by_its_name(azure: Peers) -> None:
    """Underscores become hyphens, which is all a vault allows."""
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "a value"}

    assert await read(azure, {"KEYVAULT_URI": URL + "/", "OPERATOR_PK": " "}) == "a value"
    assert azure.vault.asked == ["OPERATOR-PK/"]


async def test_a_secret_in_no_vault_is_none(azure: Peers) -> None:
    """Whether it is required is the settings' matter."""
    assert await read(azure, {"KEYVAULT_URI": URL}) is None
    assert await read(azure, {}) is None


async def test_without_a_vault_allowed_none_is_asked(azure: Peers) -> None:
    """BALLX_USE_KV=0 makes a reference an error and a missing secret a missing one."""
    assert await read(azure, {"KEYVAULT_URI": URL, "BALLX_USE_KV": "0"}) is None
    assert "BALLX_USE_KV=0 forbids" in await refusal(azure, {"OPERATOR_PK": BY_URI, "BALLX_USE_KV": "0"})
    assert (azure.vault.asked, azure.vault.tokens) == ([], [])


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"OPERATOR_PK": "@Microsoft.KeyVault(VaultName=ballx)"}, "OPERATOR_PK is not a Key Vault reference"),
        ({"OPERATOR_PK": BY_URI.replace("ballx.", "evil.example/")}, "OPERATOR_PK has a SecretUri without"),
        ({"OPERATOR_PK": BY_URI.replace("azure.net", "evil.example")}, "OPERATOR_PK is not the URL of a vault"),
        (
            {"KEYVAULT_URI": "https://evil.example"},
            "OPERATOR_PK cannot be looked up: KEYVAULT_URI is not the URL of a vault",
        ),
        (
            {"OPERATOR_PK": BY_URI, "BALLX_USE_KV": "maybe"},
            "OPERATOR_PK cannot be looked up: BALLX_USE_KV must be 1 or 0",
        ),
    ],
)
async def test_a_reference_that_is_none_asks_nobody(azure: Peers, environ: dict[str, str], why: str) -> None:
    """No token leaves for a host that is no vault."""
    assert (await refusal(azure, environ)).startswith(why)
    assert azure.vault.tokens == []


async def test_a_forbidden_secret_names_the_missing_role(azure: Peers) -> None:
    """Its reader knows what to grant, and where."""
    azure.vault.refusals["OPERATOR-PK"] = (403, "ForbiddenByRbac")

    why = await refusal(azure, {"OPERATOR_PK": BY_URI})

    assert "the role Key Vault Secrets User on https://ballx.vault.azure.net" in why
    assert "ForbiddenByRbac" in why


async def test_a_disabled_secret_is_called_disabled(azure: Peers) -> None:
    """The vault answers 403 here too; no role would help."""
    azure.vault.refusals["OPERATOR-PK"] = (403, "SecretDisabled")

    assert await refusal(azure, {"OPERATOR_PK": BY_URI}) == (
        "OPERATOR_PK is disabled: enable OPERATOR-PK in https://ballx.vault.azure.net, or name another version"
    )


async def test_a_missing_secret_or_version_is_named(azure: Peers) -> None:
    """A reference promises that it is there."""
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "a value"}

    assert "no KEY in https://ballx.vault" in await refusal(
        azure, {"OPERATOR_PK": BY_URI.replace("OPERATOR-PK", "KEY")}
    )
    assert (await refusal(azure, {"OPERATOR_PK": BY_URI[:-1] + "/v9)"})).endswith("version v9")


async def test_an_empty_secret_is_no_secret(azure: Peers) -> None:
    """An empty key or an empty shared secret must not pass for one."""
    azure.vault.secrets["OPERATOR-PK"] = {"v1": ""}

    assert "OPERATOR_PK is empty in" in await refusal(azure, {"OPERATOR_PK": BY_URI})


async def test_a_vault_that_fails_is_told_with_its_status(azure: Peers) -> None:
    """The caller tries again at the next use."""
    azure.vault.refusals["OPERATOR-PK"] = (500, "InternalError")

    assert (await refusal(azure, {"OPERATOR_PK": BY_URI})).endswith("ballx.vault.azure.net answered 500")


async def test_an_unreachable_vault_is_told_apart_from_a_refusing_one(azure: Peers) -> None:
    """A name with a typing error is the usual cause."""
    why = await refusal(azure, {"OPERATOR_PK": BY_URI.replace("ballx", "balx")})

    assert why.endswith("https://balx.vault.azure.net does not answer; check the name and the network")


async def test_without_an_identity_the_way_to_sign_in_is_told(azure: Peers) -> None:
    """At a desk it is the Azure CLI, in Azure a managed identity."""
    azure.vault.no_identity = True
    secrets = KeyVaultSecrets(
        {"OPERATOR_PK": BY_URI},
        sign_in=lambda: azure_credential("managedidentity"),
        clock=FrozenClock(),
        transport=azure.transport,
    )

    with pytest.raises(ConfigurationError, match=r"no sign-in to .*use a managed identity, or `az login`"):
        await secrets.get("OPERATOR_PK")
    await secrets.aclose()


async def test_a_token_the_vault_does_not_take_is_a_missing_sign_in(azure: Peers) -> None:
    """Challenged, answered, and challenged again."""
    azure.vault.refusals["OPERATOR-PK"] = (401, "")

    assert "no sign-in to https://ballx.vault" in await refusal(azure, {"OPERATOR_PK": BY_URI})


async def test_a_rotated_secret_is_read_again_after_ten_minutes(azure: Peers) -> None:
    """Until then the value read is kept, so that nobody's questions become the vault's load."""
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "old"}
    clock = FrozenClock()
    secrets = KeyVaultSecrets({"OPERATOR_PK": BY_URI}, sign_in=azure_credential, clock=clock, transport=azure.transport)
    before = await secrets.get("OPERATOR_PK")
    azure.vault.secrets["OPERATOR-PK"]["v2"] = "new"
    kept = await secrets.get("OPERATOR_PK")
    clock.advance(KEPT_MS)

    assert (before, kept, await secrets.get("OPERATOR_PK")) == ("old", "old", "new")
    await secrets.aclose()


async def test_a_fresh_reading_asks_the_vault_again(azure: Peers) -> None:
    """And what it answers is what everybody else reads from then on."""
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "old"}
    secrets = KeyVaultSecrets(
        {"OPERATOR_PK": BY_URI}, sign_in=azure_credential, clock=FrozenClock(), transport=azure.transport
    )
    before = await secrets.get("OPERATOR_PK")
    azure.vault.secrets["OPERATOR-PK"]["v2"] = "new"

    assert (before, await secrets.get("OPERATOR_PK", fresh=True)) == ("old", "new")
    assert await secrets.get("OPERATOR_PK") == "new"
    await secrets.aclose()


@pytest.mark.parametrize("refused", [(403, "SecretDisabled"), (404, "SecretNotFound")])
async def test_a_withdrawn_secret_is_told_apart_from_a_vault_that_does_not_tell(
    azure: Peers, refused: tuple[int, str]
) -> None:
    """The one ends the secret, also the value that was kept; the other changes nothing."""
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "a value"}
    secrets = KeyVaultSecrets(
        {"OPERATOR_PK": BY_URI}, sign_in=azure_credential, clock=FrozenClock(), transport=azure.transport
    )
    await secrets.get("OPERATOR_PK")

    azure.vault.refusals["OPERATOR-PK"] = (403, "ForbiddenByRbac")
    with pytest.raises(ConfigurationError) as unknown:
        await secrets.get("OPERATOR_PK", fresh=True)
    assert not isinstance(unknown.value, SecretWithdrawn)
    assert await secrets.get("OPERATOR_PK") == "a value"

    azure.vault.refusals["OPERATOR-PK"] = refused
    for fresh in (True, False):
        with pytest.raises(SecretWithdrawn):
            await secrets.get("OPERATOR_PK", fresh=fresh)
    await secrets.aclose()


async def test_a_failure_is_not_kept(azure: Peers) -> None:
    """The role was granted a minute later: the next use finds the secret."""
    azure.vault.refusals["OPERATOR-PK"] = (403, "ForbiddenByRbac")
    azure.vault.secrets["OPERATOR-PK"] = {"v1": "a value"}
    secrets = KeyVaultSecrets(
        {"OPERATOR_PK": BY_URI}, sign_in=azure_credential, clock=FrozenClock(), transport=azure.transport
    )
    with pytest.raises(ConfigurationError):
        await secrets.get("OPERATOR_PK")
    azure.vault.refusals.clear()

    assert await secrets.get("OPERATOR_PK") == "a value"
    await secrets.aclose()


def test_without_a_vault_its_libraries_stay_unloaded() -> None:
    """The webhook with plain settings does not pay for them."""
    code = (
        "import asyncio, sys\n"
        "from foundation.secrets.sign_in import azure_credential\n"
        "from foundation.secrets.key_vault import KeyVaultSecrets\n"
        "secrets = KeyVaultSecrets({'A': 'literal'}, sign_in=azure_credential, clock=lambda: 0)\n"
        "assert asyncio.run(secrets.get('A')) == 'literal'\n"
        "print([name for name in sys.modules if name.startswith('azure')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
