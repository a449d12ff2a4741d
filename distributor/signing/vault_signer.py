"""
The operator's key in Key Vault: it signs there, and never enters this process.

The vault is handed the hash of a transaction and returns ``r`` and ``s``. A node wants two things
more: the lower of the two ``s`` that are both right (EIP-2), and the parity that leads from the
signature back to the operator (the vault does not tell it, so both are tried against the key's
public half). The vault draws a fresh number for each signature: the same transaction signed twice
has two hashes, and both would be mined only if both were handed to a node. Attempts are stored
before they are handed over, so there is one.

Sources: https://eips.ethereum.org/EIPS/eip-2, https://eips.ethereum.org/EIPS/eip-155,
https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#signverify (ES256K).
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from azure.core.exceptions import AzureError
from azure.keyvault.keys import KeyCurveName
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from eth_account._utils.legacy_transactions import encode_transaction, serializable_unsigned_transaction_from_dict
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.datatypes import PublicKey, Signature
from eth_keys.exceptions import BadSignature as NoSuchPoint

from distributor.addresses import keccak256
from distributor.errors import SignerUnavailable
from distributor.model import Address, Hash
from distributor.ports import SignedTransaction, UnsignedTransaction
from distributor.settings.values import CURVE_ORDER
from distributor.signing.signer import fields_of
from foundation.errors import ConfigurationError
from foundation.secrets import vault_client
from foundation.secrets.vault_errors import explain
from foundation.settings.references import VaultItem

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline.transport import AsyncHttpTransport
    from azure.keyvault.keys import KeyVaultKey

ROLE: Final = "Key Vault Crypto User"
_CURVES: Final = (KeyCurveName.p_256_k, "SECP256K1")
_SIGN: Final = "sign"
_LEGACY_V: Final = 35
"""``v`` is this plus twice the chain id plus the parity (EIP-155)."""
_BYTES: Final = 32


class VaultSigner:
    """
    Signs with a key of Key Vault; made by ``connect``.

    Args:
        setting: The setting that names the key, for errors.
        item: Where the key is, its version included.
        public: The key's public half.
        crypto: The vault's client for this very version.
        opened: What is closed with the signer.
    """

    def __init__(
        self, setting: str, item: VaultItem, public: PublicKey, crypto: CryptographyClient, opened: AsyncExitStack
    ) -> None:
        self._setting, self._item, self._public, self._crypto, self._open = setting, item, public, crypto, opened

    def __repr__(self) -> str:
        return f"VaultSigner({self.address})"

    @property
    def address(self) -> Address:
        return Address(self._public.to_checksum_address())

    async def sign(self, unsigned: UnsignedTransaction) -> SignedTransaction:
        """
        Sign as EIP-1559, or as legacy with the chain id of EIP-155.

        Raises:
            SignerUnavailable: The vault does not sign now; names the setting and what to do.
        """
        transaction = serializable_unsigned_transaction_from_dict(cast("Any", fields_of(unsigned)))
        digest = bytes(transaction.hash())
        r, s, parity = self._recoverable(digest, await self._ask(digest))
        v = parity if isinstance(transaction, TypedTransaction) else _LEGACY_V + 2 * unsigned.chain_id + parity
        raw = encode_transaction(cast("Any", transaction), (v, r, s))
        return SignedTransaction(raw=raw, tx_hash=Hash(f"0x{keccak256(raw).hex()}"))

    async def aclose(self) -> None:
        """Close the vault's clients and the credential; a transport from outside is its maker's."""
        await self._open.aclose()

    async def _ask(self, digest: bytes) -> bytes:
        try:
            async with vault_client.deadline():
                result = await self._crypto.sign(SignatureAlgorithm.es256_k, digest)
        except AzureError as error:
            raise SignerUnavailable(f"{self._setting} {explain(error, self._item, ROLE)}") from error
        return result.signature

    def _recoverable(self, digest: bytes, signature: bytes) -> tuple[int, int, int]:
        """Return r, the lower s and the parity. Raises SignerUnavailable when the operator did not sign *digest*."""
        if len(signature) == 2 * _BYTES:
            r, high_or_low = (int.from_bytes(half, "big") for half in (signature[:_BYTES], signature[_BYTES:]))
            s = min(high_or_low, CURVE_ORDER - high_or_low)
            for parity in (0, 1):
                if self._signed(digest, r, s, parity):
                    return r, s, parity
        raise SignerUnavailable(f"{self._setting} gave a signature that is not the operator's, {self.address}")

    def _signed(self, digest: bytes, r: int, s: int, parity: int) -> bool:
        try:
            return bool(Signature(vrs=(parity, r, s)).recover_public_key_from_msg_hash(digest) == self._public)
        except (NoSuchPoint, ValueError):
            return False  # no point of the curve has this r, or r or s is out of bounds


async def connect_vault_signer(
    setting: str,
    item: VaultItem,
    *,
    credential: AsyncTokenCredential,
    transport: AsyncHttpTransport[Any, Any] | None = None,
) -> VaultSigner:
    """
    Return the signer of a vault's key; reads its public half once, and stays with that version.

    Args:
        setting: The setting that names the key, for errors.
        item: Where the key is; without a version the newest now.
        credential: Who asks; closed with the signer.
        transport: Replaces the connection to the vault, for tests; None: the client's own.

    Raises:
        ConfigurationError: The key cannot be read, or cannot sign for this chain; names *setting* and what to do.
    """
    async with AsyncExitStack() as opened:
        opened.push_async_callback(credential.close)
        client = KeyClient(item.vault_url, credential, **vault_client.options(transport))
        opened.push_async_callback(client.close)
        try:
            async with vault_client.deadline():
                key = await client.get_key(item.name, item.version or None)
        except AzureError as error:
            raise ConfigurationError(f"{setting} {explain(error, item, ROLE)}") from error
        public = _public_of(setting, key)
        crypto = CryptographyClient(key, credential, **vault_client.options(transport))
        opened.push_async_callback(crypto.close)
        kept = opened.pop_all()
    return VaultSigner(setting, replace(item, version=key.properties.version or ""), public, crypto, kept)


def _public_of(setting: str, key: KeyVaultKey) -> PublicKey:
    parts: Any = key.key
    if parts.crv not in _CURVES or not (parts.x and parts.y):
        raise ConfigurationError(f"{setting} is not a key of the chain's curve: make it with --curve P-256K")
    if _SIGN not in key.key_operations:
        raise ConfigurationError(f"{setting} may not sign: allow its operation `sign`")
    if key.properties.enabled is False:
        raise ConfigurationError(f"{setting} is disabled: enable {key.name}, or name another version")
    return PublicKey(parts.x.rjust(_BYTES, b"\0") + parts.y.rjust(_BYTES, b"\0"))
