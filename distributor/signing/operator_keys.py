"""
The operators that sign: by a key that is configured, or by the vault that keeps it.

A connection to a vault is made at the first use of its key, and a failure is not kept. With a configured key the
vault's library is not loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True, slots=True)
class LaneKey:
    """The operator of one lane, and the setting that holds its key."""

    signer: Signer
    setting: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UsableLanes:
    """The lanes whose key can be had now, by name, the first one first; and why the others cannot, by setting."""

    keys: Mapping[str, LaneKey]
    out: Mapping[str, str]


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
            ConfigurationError: A key cannot be had, or two lanes have one operator, whose nonces they cannot share:
                each is named, of two the later one.
        """
        found = await self.usable(settings)
        if found.out:
            raise ConfigurationError("; ".join(found.out.values()), sentences=list(found.out.values()))
        return {name: key.signer for name, key in found.keys.items()}

    async def usable(self, settings: SigningSettings) -> UsableLanes:
        """Return the same as far as their keys can be had; of two lanes with one operator the later one is out."""
        found, out = dict[str, LaneKey](), dict[str, str]()
        for name, (pk, in_vault) in {"": (settings.operator_pk, settings.operator_key), **settings.lanes}.items():
            setting = lane_setting("OPERATOR_PK" if pk else "OPERATOR_KEY_ID", name)
            try:
                signer = await self._signer(setting, pk, in_vault)
            except ConfigurationError as error:
                out[setting] = str(error)
                continue
            if signer.address in {key.signer.address for key in found.values()}:
                out[setting] = f"{setting} is the operator {signer.address} of another lane as well"
            else:
                found[name] = LaneKey(signer=signer, setting=setting)
        return UsableLanes(keys=found, out=out)

    async def signers(self, settings: SigningSettings) -> Mapping[Address, Signer]:
        """Return every operator whose key is configured: of each lane, and the retiring one. Raises as ``lanes``."""
        found = [*(await self.lanes(settings)).values(), *await self.retiring(settings)]
        return {signer.address: signer for signer in found}

    async def retiring(self, settings: SigningSettings) -> Sequence[Signer]:
        """Return the operator that retires; empty where none does."""
        retiring = (settings.operator_pk_retiring, settings.operator_key_retiring)
        return [await self._signer("OPERATOR_KEY_ID_RETIRING", *retiring)] if any(retiring) else []

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
