"""
Where the ledger's storage account is: resolved from settings as the Functions host resolves its own.

A plain value is a connection string. Without one, an identity signs in: to the table URI, or to
the account of a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from foundation.errors import ConfigurationError
from foundation.settings import urls

Credential = Literal["", "managedidentity", "default"]

_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
_NAMED = re.compile(r"(?:^|;)AccountName=([^;]+)")
_HOST = re.compile(r"https://([a-z0-9]+)\.table\.")
_EMULATOR = "devstoreaccount1"
_CONNECTION_STRING = re.compile(r"[A-Za-z]+=.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Storage:
    """A storage account: a connection string, or an endpoint and who signs in to it."""

    connection_string: str = field(default="", repr=False)
    table_endpoint: str = ""
    queue_endpoint: str = ""
    blob_endpoint: str = ""
    credential: Credential = ""
    client_id: str = ""
    """The client id of a user-assigned managed identity; empty for the system-assigned one."""

    @property
    def name(self) -> str:
        """The account's name as far as the settings show it; empty for the emulator and what else has no name."""
        found = _NAMED.search(self.connection_string) or _HOST.match(self.table_endpoint)
        return found[1] if found and found[1] != _EMULATOR else ""

    def is_the_same(self, other: Storage) -> bool:
        """Say whether both are one account. The emulator has one account alone, and is never called the same."""
        return bool(self.name) and self.name == other.name


def storage(environ: Mapping[str, str], prefix: str) -> Storage:
    """
    Return the account that the settings named *prefix* mean.

    Raises:
        ConfigurationError: Neither form is there, or both, or one that cannot be; names what is accepted.

    Source: https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
    """
    plain = environ.get(prefix, "").strip()
    endpoint = _endpoint(environ, prefix)
    if bool(plain) == bool(endpoint):
        raise ConfigurationError(f"{prefix} {'is given twice' if plain else 'is not set'}: {_accepted(prefix)}")
    if not plain:
        return _with_identity(environ, prefix, endpoint)
    if not _CONNECTION_STRING.match(plain):
        raise ConfigurationError(f"{prefix} is not a connection string: {_accepted(prefix)}")
    return Storage(connection_string=plain)


def _with_identity(environ: Mapping[str, str], prefix: str, endpoint: str) -> Storage:
    credential = environ.get(f"{prefix}__credential", "").strip().lower() or "default"
    if credential not in ("default", "managedidentity"):
        raise ConfigurationError(f"{prefix}__credential must be managedidentity, or not be set")
    client_id = environ.get(f"{prefix}__clientId", "").strip()
    return Storage(
        table_endpoint=endpoint,
        queue_endpoint=_beside(environ, prefix, endpoint, "queue"),
        blob_endpoint=_beside(environ, prefix, endpoint, "blob"),
        credential=cast("Credential", credential),
        client_id=client_id,
    )


def _beside(environ: Mapping[str, str], prefix: str, table_endpoint: str, service: str) -> str:
    """Return where the queues or the blobs are: as the setting says, else beside the tables, or nowhere."""
    name = f"{prefix}__{service}ServiceUri"
    uri = environ.get(name, "").strip()
    if uri:
        return _checked(uri, name, service)
    beside, dot, rest = table_endpoint.partition(".table.")
    return f"{beside}.{service}.{rest}" if dot else ""


def _endpoint(environ: Mapping[str, str], prefix: str) -> str:
    if uri := environ.get(f"{prefix}__tableServiceUri", "").strip():
        return _checked(uri, f"{prefix}__tableServiceUri", "table")
    if account := environ.get(f"{prefix}__accountName", "").strip():
        if not _ACCOUNT_NAME.fullmatch(account):
            raise ConfigurationError(f"{prefix}__accountName is not an account: 3 to 24 lower-case letters and digits")
        return f"https://{account}.table.core.windows.net"
    return ""


def _checked(uri: str, name: str, service: str) -> str:
    """Return *uri*; a token is shown to it, so it must be one nobody can listen to."""
    if not urls.is_private(urls.split_url(uri)):
        raise ConfigurationError(f"{name} is not a {service} endpoint: https://ACCOUNT.{service}.core.windows.net")
    return uri.rstrip("/")


def _accepted(prefix: str) -> str:
    return (
        f"either {prefix} is a connection string (UseDevelopmentStorage=true for the local emulator), or "
        f"{prefix}__tableServiceUri or {prefix}__accountName names the account an identity signs in to "
        f"(with {prefix}__credential=managedidentity and {prefix}__clientId where it is a managed one)"
    )
