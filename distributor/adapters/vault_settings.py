"""
Settings a vault holds for a process that is given nothing but KEYVAULT_URI.

The Functions platform puts the vault's values in place before the host starts. A container has no
platform: its settings, and the host's own storage account, are looked up here, by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from distributor.settings import about
from foundation.secrets.ports import Secrets

HOST_STORAGE = "AzureWebJobsStorage"
_FORMS = ("", "accountName", "blobServiceUri", "queueServiceUri", "tableServiceUri", "credential", "clientId")
"""How a storage account is given. Source: https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity"""


async def load_from_vault(environ: Mapping[str, str], secrets: Secrets) -> dict[str, str]:
    """
    Return *environ* with what the vault holds for settings that are set nowhere else.

    The app's secrets stay where they are: it reads them itself, and so learns of a new version. The
    storage account is the exception; the host needs it before the app is there.

    Raises:
        ConfigurationError: The vault cannot be read; names the setting, never a value.
    """
    found = {**environ, **await _looked_up((name for name, one in about().items() if not one.secret), secrets)}
    accounts = {HOST_STORAGE, found.get("LEDGER_CONNECTION", "").strip() or HOST_STORAGE}
    forms = (f"{account}__{form}".removesuffix("__") for account in sorted(accounts) for form in _FORMS)
    return {**found, **await _looked_up(forms, secrets)}


async def _looked_up(names: Iterable[str], secrets: Secrets) -> dict[str, str]:
    """Return the values of those *names* that have one."""
    asked = list(names)
    values = await asyncio.gather(*(secrets.get(name) for name in asked))
    return {name: value for name, value in zip(asked, values, strict=True) if value}
