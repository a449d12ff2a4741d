"""The operator's key in memory: the same input always gives the same bytes."""

from __future__ import annotations

from typing import Any, Final

from eth_account import Account
from eth_account.signers.local import LocalAccount

from distributor.model import Address, Hash
from distributor.ports import SignedTransaction, UnsignedTransaction
from distributor.settings import values as accept
from foundation.errors import ConfigurationError

_DYNAMIC_FEE_TYPE: Final = 2


class LocalSigner:
    """
    Signs with a private key held in memory; the key is never part of a message or a repr.

    Args:
        private_key_hex: 32 bytes in hex, with or without ``0x``.

    Raises:
        ConfigurationError: The key is not a private key. The message names OPERATOR_PK and never repeats its value.
    """

    __slots__ = ("_account",)

    def __init__(self, private_key_hex: str) -> None:
        self._account: LocalAccount = Account.from_key(_parse_key(private_key_hex))

    def __repr__(self) -> str:
        return f"LocalSigner({self.address})"

    @property
    def address(self) -> Address:
        return Address(self._account.address)

    async def sign(self, unsigned: UnsignedTransaction) -> SignedTransaction:
        """Sign as EIP-1559, or as legacy with the chain id of EIP-155; deterministic by RFC 6979."""
        signed = self._account.sign_transaction(fields_of(unsigned))
        return SignedTransaction(raw=bytes(signed.raw_transaction), tx_hash=Hash(f"0x{bytes(signed.hash).hex()}"))


def _parse_key(private_key_hex: str) -> str:
    try:
        return accept.private_key(private_key_hex)
    except ValueError as error:
        raise ConfigurationError(f"OPERATOR_PK {error}") from None


def fields_of(unsigned: UnsignedTransaction) -> dict[str, Any]:
    """Return the transaction as eth-account names its fields."""
    fields: dict[str, Any] = {
        "chainId": unsigned.chain_id,
        "nonce": unsigned.nonce,
        "to": unsigned.call.to,
        "value": 0,
        "data": unsigned.call.data,
        "gas": unsigned.gas_limit,
    }
    if not unsigned.fees.dynamic:
        return {**fields, "gasPrice": unsigned.fees.max_fee_wei}
    return {
        **fields,
        "type": _DYNAMIC_FEE_TYPE,
        "maxFeePerGas": unsigned.fees.max_fee_wei,
        "maxPriorityFeePerGas": unsigned.fees.tip_wei,
    }
