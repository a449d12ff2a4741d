"""
The operators that sign: by a key that is configured, or by the vault that keeps it.

A connection to a vault is made at the first use of its key, and a failure is not kept. With a configured key the
vault's library is not loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from itertools import combinations
from typing import TYPE_CHECKING, Any

from distributor.settings.lanes import lane_setting
from distributor.signing.signer import LocalSigner
from foundation.errors import ConfigurationError
from foundation.lazy import Lazy
from foundation.secrets.sign_in import azure_credential

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport
    from pydantic import SecretStr

    from distributor.model import Address
    from distributor.ports import Signer
    from distributor.settings.chain import SigningSettings
    from foundation.settings.references import VaultItem


class OperatorKeys:
    """The configured keys, as signers. *transport* replaces the connection to the vault, for tests."""

    def __init__(self, *, transport: AsyncHttpTransport[Any, Any] | None = None) -> None:
        self._transport = transport
        self._open = AsyncExitStack()
        self._vault_signers: dict[VaultItem, Lazy[Signer]] = {}

    async def aclose(self) -> None:
        """Close every connection to a vault."""
        await self._open.aclose()

    async def signer(self, settings: SigningSettings) -> Signer:
        """Return the operator who signs payouts, by its key or by the vault that keeps it."""
        return await self._signer("OPERATOR_KEY_ID", settings.operator_pk, settings.operator_key)

    async def lanes(self, settings: SigningSettings) -> Mapping[str, Signer]:
        """
        Return the operators that pay at the same time, each by the name of its lane; the first one has none.

        Raises:
            ConfigurationError: Two lanes have one operator, whose nonces they cannot share; names the later setting.
        """
        found = {"": await self.signer(settings)}
        for name, keys in settings.lanes.items():
            found[name] = await self._signer(lane_setting("OPERATOR_KEY_ID", name), *keys)
        for (_, first), (name, second) in combinations(found.items(), 2):
            if first.address == second.address:
                pk, key_id = lane_setting("OPERATOR_PK", name), lane_setting("OPERATOR_KEY_ID", name)
                raise ConfigurationError(f"{pk} or {key_id} is the operator {first.address} of another lane as well")
        return found

    async def signers(self, settings: SigningSettings) -> Mapping[Address, Signer]:
        """Return every operator whose key is configured: of each lane, and the retiring one."""
        found = [*(await self.lanes(settings)).values()]
        retiring = (settings.operator_pk_retiring, settings.operator_key_retiring)
        if any(retiring):
            found.append(await self._signer("OPERATOR_KEY_ID_RETIRING", *retiring))
        return {signer.address: signer for signer in found}

    async def _signer(self, setting: str, key: SecretStr | None, in_vault: VaultItem | None) -> Signer:
        if key is not None:
            return LocalSigner(key.get_secret_value())
        if in_vault is None:
            raise ConfigurationError(f"{setting} is not set, and no private key either")
        return await self._vault_signers.setdefault(in_vault, self._vault_signer(setting, in_vault)).get()

    def _vault_signer(self, setting: str, item: VaultItem) -> Lazy[Signer]:
        async def build() -> Signer:
            from distributor.signing.vault_signer import connect_vault_signer

            signer = await connect_vault_signer(setting, item, credential=azure_credential(), transport=self._transport)
            self._open.push_async_callback(signer.aclose)
            return signer

        return Lazy(build)
