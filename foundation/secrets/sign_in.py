"""Who this service is to Azure. The identity library costs 0.2 s to import: only where an identity is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from foundation.settings.storage import Credential


def azure_credential(credential: Credential = "default", client_id: str = "") -> AsyncTokenCredential:
    """
    Return the managed identity when *credential* says so, else the person who is signed in.

    The default tries, in this order, a service principal in the environment, a managed identity and
    the developer's own sign-in (``az login``). It lives as long as the event loop it is used on.
    """
    from azure.identity.aio import (  # noqa: PLC0415 -- see the module
        DefaultAzureCredential,
        ManagedIdentityCredential,
    )

    if credential == "managedidentity":
        return ManagedIdentityCredential(client_id=client_id or None)
    return DefaultAzureCredential(**({"managed_identity_client_id": client_id} if client_id else {}))
