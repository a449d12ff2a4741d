from __future__ import annotations

import pytest

from foundation.settings.references import (
    VaultItem,
    by_name,
    is_reference,
    parse_key_id,
    parse_reference,
    parse_vault_url,
)

URL = "https://ballx.vault.azure.net"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (f"SecretUri={URL}/secrets/KEY", VaultItem(vault_url=URL, name="KEY")),
        (f"SecretUri={URL}/secrets/KEY/", VaultItem(vault_url=URL, name="KEY")),
        (f"SecretUri={URL}/secrets/KEY/0af1", VaultItem(vault_url=URL, name="KEY", version="0af1")),
        ("secreturi=https://BALLX.vault.azure.cn/secrets/K", VaultItem(vault_url=f"{URL[:-3]}cn", name="K")),
        ("VaultName=ballx;SecretName=KEY", VaultItem(vault_url=URL, name="KEY")),
        ("SecretName=KEY; VaultName=Ballx;", VaultItem(vault_url=URL, name="KEY")),
        (
            "VaultName=ballx;SecretName=KEY;SecretVersion=0af1",
            VaultItem(vault_url=URL, name="KEY", version="0af1"),
        ),
    ],
)
def test_both_syntaxes_name_a_secret(inside: str, expected: VaultItem) -> None:
    """With and without a version, whatever the order and case of the keys."""
    assert parse_reference(f"@Microsoft.KeyVault({inside})") == expected


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "SecretUri",
        "SecretUri=https://ballx.vault.azure.net/KEY",
        "SecretUri=https://[::1/secrets/KEY",
        "SecretUri=https://ballx.vault.azure.net/secrets/KEY/v/more",
        "SecretUri=https://ballx.vault.azure.net/secrets/K_Y",
        "SecretUri=https://ballx.vault.azure.net/secrets/KEY;VaultName=ballx",
        "VaultName=ballx",
        "VaultName=ballx;SecretName=KEY;Extra=1",
        "VaultName=-;SecretName=KEY",
        "VaultName=ballx;SecretName=../KEY",
        "VaultName=ballx;SecretName=KEY;SecretVersion=1/2",
    ],
)
def test_what_is_neither_syntax_is_refused(inside: str) -> None:
    """Nothing is guessed from half a reference."""
    with pytest.raises(ValueError, match=r"^(is not a Key Vault|is not the URL of a vault|has a |names a secret)"):
        parse_reference(f"@Microsoft.KeyVault({inside})")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "vault.azure.net",
        "ballx.vault.azure.net.evil.example",
        "evil.example/ballx.vault.azure.net",
        "ballx.vault.azure.net@evil.example",
        "user@ballx.vault.azure.net",
        "ballx.vault.azure.net:8443",
        "a.b.vault.azure.net",
    ],
)
def test_a_planted_reference_cannot_lead_the_token_elsewhere(host: str) -> None:
    """The host decides who is shown this service's identity; only Azure's vaults are."""
    with pytest.raises(ValueError, match="vault"):
        parse_reference(f"@Microsoft.KeyVault(SecretUri=https://{host}/secrets/KEY)")


@pytest.mark.parametrize("text", ["http://ballx.vault.azure.net", f"{URL}/secrets", f"{URL}?a=b", "ballx", "https://["])
def test_a_vault_is_an_https_host_and_nothing_more(text: str) -> None:
    """A path or a query in KEYVAULT_URI is a mistake better found at once."""
    with pytest.raises(ValueError, match="not the URL of a vault"):
        parse_vault_url(text)


def test_a_setting_is_looked_up_under_a_name_a_vault_can_have() -> None:
    """Names in a vault have no underscore."""
    assert by_name(URL, "WEBHOOK_SECRET") == VaultItem(vault_url=URL, name="WEBHOOK-SECRET")


def test_only_the_start_makes_a_reference() -> None:
    """A secret may hold any text, even this one, further on."""
    assert is_reference("@Microsoft.KeyVault(")
    assert not is_reference(" @Microsoft.KeyVault(")
    with pytest.raises(ValueError, match="is not a Key Vault reference"):
        parse_reference("@Microsoft.KeyVault(VaultName=ballx;SecretName=KEY")


@pytest.mark.parametrize("version", ["", "/0123456789abcdef", "/"])
def test_a_key_is_named_with_or_without_a_version(version: str) -> None:
    """Without one the newest is meant."""
    assert parse_key_id(f"{URL}/keys/operator{version}") == VaultItem(
        vault_url=URL, name="operator", version=version.strip("/")
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "operator",
        f"{URL}/secrets/operator",
        f"{URL}/keys/",
        f"{URL}/keys/oper_ator",
        f"{URL}/keys/operator/v1/sign",
        f"{URL}/keys/operator/v-1",
        f"{URL}/keys/operator?api-version=7.4",
        "http://ballx.vault.azure.net/keys/operator",
        "https://evil.example/keys/operator",
        "https://ballx.vault.azure.net@evil.example/keys/operator",
        "https://[",
    ],
)
def test_what_names_no_key_of_a_vault_is_refused(text: str) -> None:
    """The host decides who is shown this service's identity."""
    with pytest.raises(ValueError, match="vault"):
        parse_key_id(text)
