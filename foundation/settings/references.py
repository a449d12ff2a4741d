"""
Key Vault references: how a setting says that its value is in a vault.

Only the hosts of Azure's vaults are accepted. A reference decides where this service shows its
identity token, so a planted one must not be able to name any other host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from foundation.settings import urls

OPENING = "@Microsoft.KeyVault("
SYNTAX = (
    f"{OPENING}SecretUri=https://VAULT.vault.azure.net/secrets/NAME) or {OPENING}VaultName=VAULT;SecretName=NAME), "
    "each with or without a version"
)
KEY_SYNTAX = "https://VAULT.vault.azure.net/keys/NAME, with or without /VERSION"
HOST_SUFFIXES = (".vault.azure.net", ".vault.azure.cn", ".vault.usgovcloudapi.net")

_VAULT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]")
_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
_VERSION = re.compile(r"[A-Za-z0-9]{0,64}")
_KEY_PATH = re.compile(r"/keys/([^/]+)(?:/([^/]*))?")
_SECRET_PATH = re.compile(r"/secrets/([^/]+)(?:/([^/]*))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class VaultItem:
    """Where a secret or a key is; an empty version means the newest."""

    vault_url: str
    name: str
    version: str = ""


def is_reference(value: str) -> bool:
    """Tell whether *value* names a vault's secret; at its start only, as the platform itself decides."""
    return value.startswith(OPENING)


def parse_reference(value: str) -> VaultItem:
    """
    Return the secret a reference names.

    Raises:
        ValueError: Neither syntax, or a host that is no Azure vault; never repeats the value.

    Source: https://learn.microsoft.com/azure/app-service/app-service-key-vault-references
    """
    if not (is_reference(value) and value.endswith(")")):
        raise ValueError(f"is not a Key Vault reference: {SYNTAX}")
    parts = _parts(value[len(OPENING) : -1])
    if set(parts) == {"secreturi"}:
        return _from_uri(parts["secreturi"])
    if {"vaultname", "secretname"} <= set(parts) <= {"vaultname", "secretname", "secretversion"}:
        return _from_names(parts["vaultname"], parts["secretname"], parts.get("secretversion", ""))
    raise ValueError(f"is not a Key Vault reference: {SYNTAX}")


def by_name(vault_url: str, setting: str) -> VaultItem:
    """Return the secret of *setting* in the vault of KEYVAULT_URI; names there have no underscore."""
    return VaultItem(vault_url=parse_vault_url(vault_url), name=setting.replace("_", "-"))


def parse_key_id(text: str) -> VaultItem:
    """
    Return the key that a key identifier names.

    Raises:
        ValueError: Not https://VAULT.vault.azure.net/keys/NAME with or without /VERSION.

    Source: https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#vault-name-and-object-name
    """
    url = urls.split_url(text)
    path = url and _KEY_PATH.fullmatch(url.path)
    if not (url and path and _NAME.fullmatch(path[1]) and _VERSION.fullmatch(path[2] or "")):
        raise ValueError(f"is not the identifier of a key in a vault: {KEY_SYNTAX}")
    return VaultItem(vault_url=parse_vault_url(url._replace(path="").geturl()), name=path[1], version=path[2] or "")


def parse_vault_url(text: str) -> str:
    """
    Return the vault's URL without a path.

    Raises:
        ValueError: Not https, not an Azure vault's host, or more than a host.
    """
    url = urls.split_url(text)
    if (
        url is None
        or url.scheme != "https"
        or not _is_vault(url.netloc)
        or (url.path.strip("/"), url.query) != ("", "")
    ):
        raise ValueError(
            "is not the URL of a vault: https://VAULT.vault.azure.net (or a vault host of Azure's .cn, .us)"
        )
    return f"https://{url.netloc.lower()}"


def _parts(inside: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in inside.split(";") if part]
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def _from_uri(uri: str) -> VaultItem:
    url = urls.split_url(uri)
    path = url and _SECRET_PATH.fullmatch(url.path)
    if not (url and path):
        raise ValueError(f"has a SecretUri without /secrets/NAME: {SYNTAX}")
    return _secret(parse_vault_url(url._replace(path="").geturl()), path[1], path[2] or "")


def _from_names(vault: str, name: str, version: str) -> VaultItem:
    if not _VAULT_NAME.fullmatch(vault):
        raise ValueError("has a VaultName that no vault can have: 3 to 24 letters, digits and hyphens")
    return _secret(f"https://{vault.lower()}{HOST_SUFFIXES[0]}", name, version)


def _secret(vault_url: str, name: str, version: str) -> VaultItem:
    if not (_NAME.fullmatch(name) and _VERSION.fullmatch(version)):
        raise ValueError("names a secret that no vault can have: letters, digits and hyphens")
    return VaultItem(vault_url=vault_url, name=name, version=version)


def _is_vault(netloc: str) -> bool:
    host = netloc.lower()
    return any(host.endswith(suffix) and _VAULT_NAME.fullmatch(host.removesuffix(suffix)) for suffix in HOST_SUFFIXES)
