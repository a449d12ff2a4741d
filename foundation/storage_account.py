"""
One service of a storage account, queues or blobs: where it is, who asks it, and how a request to it is signed.

Source: https://learn.microsoft.com/rest/api/storageservices/authorize-requests-to-azure-storage
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Literal

from foundation.errors import ConfigurationError
from foundation.shared_key import shared_key

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

Service = Literal["blob", "queue"]

_VERSION = "2021-12-02"
_SCOPE = "https://storage.azure.com/.default"
_EMULATOR = "devstoreaccount1"
_EMULATOR_PORTS = {"blob": 10000, "queue": 10001}
_EMULATOR_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published, the same on every machine: https://learn.microsoft.com/azure/storage/common/storage-use-azurite"""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceAccount:
    """Where the service is, and who asks: an account's key, or an identity."""

    url: str
    account: str = ""
    key: str = field(default="", repr=False)
    credential: AsyncTokenCredential | None = None

    async def signed(self, method: str, url: str, headers: Mapping[str, str], *, length: int = 0) -> Mapping[str, str]:
        """
        Return *headers* with the date, the version and the Authorization of a request.

        Raises:
            AzureError: The identity gets no token.
        """
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": _VERSION, **headers}
        if self.credential is None:
            signature = shared_key(self.account, self.key, method, url, headers, length=length)
            return {**headers, "Authorization": signature}
        token = await self.credential.get_token(_SCOPE)
        return {**headers, "Authorization": f"Bearer {token.token}"}


def account_of(connection_string: str, service: Service = "queue") -> ServiceAccount:
    """
    Return the account that a connection string means, for one of its services.

    Raises:
        ConfigurationError: It names no account or key; the string is never repeated.
    """
    parts = dict(re.findall(r"([^=;]+)=([^;]*)", connection_string))
    if parts.get("UseDevelopmentStorage") == "true":
        url = f"http://127.0.0.1:{_EMULATOR_PORTS[service]}/{_EMULATOR}"
        return ServiceAccount(url=url, account=_EMULATOR, key=_EMULATOR_KEY)
    name, key = parts.get("AccountName", ""), parts.get("AccountKey", "")
    if not (name and key):
        raise ConfigurationError(f"the connection string of the {service}s has no AccountName or no AccountKey")
    default = f"https://{name}.{service}.{parts.get('EndpointSuffix', 'core.windows.net')}"
    url = parts.get(f"{service.capitalize()}Endpoint", default).rstrip("/")
    return ServiceAccount(url=url, account=name, key=key)
