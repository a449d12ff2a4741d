"""
A transaction that creates a contract: its bytes, and the address that the contract will have.

Signed with a key of its own, never with the operator's: a nonce of that key which the ledger never bound is the
sign of a lost ledger or a stolen key.
"""

from __future__ import annotations

from typing import Final

from eth_account import Account

from distributor.addresses import keccak256, parse_address
from distributor.model import Address, Hash
from distributor.ports import SignedTransaction, UnsignedTransaction
from distributor.settings import values as accept
from distributor.signing.signer import fields_of
from foundation.errors import ConfigurationError

_STRING, _LIST, _LITERAL_MAX = 0x80, 0xC0, 0x7F
DEPLOYER: Final = "DEPLOYER_PK"
"""Where the command finds the key. No setting of the service: nothing else reads it."""


class Deployer:
    """A key in memory that creates contracts. Raises ConfigurationError; the message never repeats the key."""

    __slots__ = ("_account",)

    def __init__(self, private_key_hex: str) -> None:
        try:
            self._account = Account.from_key(accept.private_key(private_key_hex))
        except ValueError as error:
            raise ConfigurationError(f"{DEPLOYER} {error}") from None

    def __repr__(self) -> str:
        return f"Deployer({self.address})"

    @property
    def address(self) -> Address:
        return Address(self._account.address)

    async def sign(self, unsigned: UnsignedTransaction) -> SignedTransaction:
        """Sign the creation whose code is the data of the call; the recipient of the call is left out."""
        fields = {name: value for name, value in fields_of(unsigned).items() if name != "to"}
        signed = self._account.sign_transaction(fields)
        return SignedTransaction(raw=bytes(signed.raw_transaction), tx_hash=Hash(f"0x{bytes(signed.hash).hex()}"))


def created_address(sender: Address, nonce: int) -> Address:
    """
    Return the address of the contract that *sender* creates with *nonce*.

    Source: Ethereum's Yellow Paper, section 7: the last 20 bytes of the hash of the RLP list of both.
    """
    digits = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    number = digits if 0 < nonce <= _LITERAL_MAX else bytes([_STRING + len(digits)]) + digits
    payload = bytes([_STRING + 20]) + bytes.fromhex(sender[2:]) + number
    return parse_address(f"0x{keccak256(bytes([_LIST + len(payload)]) + payload)[-20:].hex()}")
