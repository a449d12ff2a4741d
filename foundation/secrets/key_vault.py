"""
Secrets: literals as they are, the rest from Key Vault.

The platform resolves references in app settings before the app starts. Where it did not, because
the app runs under ``func start`` or in a container, the reference itself arrives and is resolved
here. The vault's libraries are imported only when a vault is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from foundation.clock import Clock, UnixMs
from foundation.errors import ConfigurationError, SecretWithdrawn
from foundation.secrets import vault_client
from foundation.secrets.vault_errors import NOT_FOUND, explain, is_withdrawn, status_of
from foundation.settings.references import VaultItem, by_name, is_reference, parse_reference
from foundation.settings.values import yes_no

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.keyvault.secrets.aio import SecretClient

VAULT, SWITCH = "KEYVAULT_URI", "BALLX_USE_KV"
"""The settings that say in which vault to look, and whether one may be asked at all."""
KEPT_MS = 600_000
"""A value read from a vault is used for ten minutes: rotation reaches the next use case built after that."""
_ROLE = "Key Vault Secrets User"


class KeyVaultSecrets:
    """
    The secrets that settings stand for.

    Args:
        environ: The settings.
        sign_in: Makes the credential; called when the first vault is needed.
        clock: For how long a value is kept. Failures are never kept.
        transport: Replaces the connection to the vault, for tests; None: the client's own.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        sign_in: Callable[[], AsyncTokenCredential],
        clock: Clock,
        transport: AsyncHttpTransport[Any, Any] | None = None,
    ) -> None:
        self._environ, self._sign_in, self._clock, self._transport = environ, sign_in, clock, transport
        self._credential: AsyncTokenCredential | None = None
        self._clients: dict[str, SecretClient] = {}
        self._kept: dict[VaultItem, tuple[UnixMs, str]] = {}
        self._open = AsyncExitStack()

    async def get(self, name: str, *, fresh: bool = False) -> str | None:
        """
        Return the secret of the setting *name*; None when it is set nowhere.

        Args:
            name: The setting.
            fresh: Ask the vault, also when its last answer is still kept.

        Raises:
            SecretWithdrawn: It is referred to, and the vault answers that it is deleted or disabled.
            ConfigurationError: ``NAME`` and why it cannot be resolved; never its value.
        """
        value = self._environ.get(name, "")
        if value.strip() and not is_reference(value.strip()):
            return value
        place = self.place(name)
        if place is None:
            return None
        kept = None if fresh else self._still_kept(place)
        return kept or await self._read(name, place, referred=bool(value.strip()))

    def place(self, name: str) -> VaultItem | None:
        """Return where in a vault the setting *name* is looked for; None for a literal, or without a vault."""
        value = self._environ.get(name, "").strip()
        if value and not is_reference(value):
            return None
        try:
            return self._place(name, value)
        except ValueError as error:
            raise ConfigurationError(f"{name} {error}") from None

    async def aclose(self) -> None:
        """Close the clients and the credential; the transport is its maker's."""
        await self._open.aclose()

    def _place(self, name: str, reference: str) -> VaultItem | None:
        allowed = self._allowed()
        if reference and not allowed:
            raise ValueError(f"is a Key Vault reference, and {SWITCH}=0 forbids asking a vault")
        if reference:
            return parse_reference(reference)
        vault_url = self._environ.get(VAULT, "").strip()
        if not (vault_url and allowed):
            return None
        try:
            return by_name(vault_url, name)
        except ValueError as error:
            raise ValueError(f"cannot be looked up: {VAULT} {error}") from None

    def _allowed(self) -> bool:
        try:
            return yes_no(self._environ.get(SWITCH, "").strip() or "1")
        except ValueError as error:
            raise ValueError(f"cannot be looked up: {SWITCH} {error}") from None

    def _still_kept(self, place: VaultItem) -> str | None:
        until_ms, kept = self._kept.get(place, (0, ""))
        return kept if self._clock() < until_ms else None

    async def _read(self, name: str, place: VaultItem, *, referred: bool) -> str | None:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 -- only where a vault is needed

        try:
            async with vault_client.deadline():
                secret = await self._client(place.vault_url).get_secret(place.name, place.version or None)
        except AzureError as error:
            if is_withdrawn(error):
                self._kept.pop(place, None)
            if status_of(error) == NOT_FOUND and not referred:
                return None
            kind = SecretWithdrawn if is_withdrawn(error) else ConfigurationError
            raise kind(f"{name} {explain(error, place, _ROLE)}") from error
        if not secret.value:
            raise ConfigurationError(f"{name} is empty in {place.vault_url}: set a value for {place.name}")
        self._kept[place] = (UnixMs(self._clock() + KEPT_MS), secret.value)
        return secret.value

    def _client(self, vault_url: str) -> SecretClient:
        if vault_url not in self._clients:
            from azure.keyvault.secrets.aio import SecretClient  # noqa: PLC0415 -- only where a vault is needed

            if self._credential is None:
                self._credential = self._sign_in()
                self._open.push_async_callback(self._credential.close)
            client = SecretClient(vault_url, self._credential, **vault_client.options(self._transport))
            self._clients[vault_url] = client
            self._open.push_async_callback(client.close)
        return self._clients[vault_url]
