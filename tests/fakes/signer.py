"""A signer without cryptography, and the reading of what a signer made: cheap, deterministic, reversible."""

from __future__ import annotations

import json
from dataclasses import dataclass

import rlp  # type: ignore[import-untyped]  # ships no types
from eth_account import Account

from distributor.addresses import keccak256, parse_address
from distributor.chain_types import Call
from distributor.errors import SignerUnavailable
from distributor.model import Address, Fees, Hash
from distributor.ports import SignedTransaction, UnsignedTransaction
from distributor.units import Wei

_FAKE = b"\xfa"
"""First byte of a fake's bytes; no transaction type of Ethereum."""
_DYNAMIC = b"\x02"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """Signed bytes, as a node reads them."""

    tx_hash: Hash
    sender: Address
    unsigned: UnsignedTransaction


class FakeSigner:
    """A ``Signer`` whose bytes are its input in clear text: thirty times faster than a real signature."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.signs_only: int | None = None
        """How many it still signs, as a vault that is throttled; None signs all."""

    @property
    def address(self) -> Address:
        return self._address

    async def sign(self, unsigned: UnsignedTransaction) -> SignedTransaction:
        if self.signs_only is not None:
            if self.signs_only == 0:
                raise SignerUnavailable("OPERATOR_KEY_ID cannot be used: the vault answered 429")
            self.signs_only -= 1
        fields = {
            "sender": self._address,
            "chain_id": unsigned.chain_id,
            "nonce": unsigned.nonce,
            "to": unsigned.call.to,
            "data": unsigned.call.data.hex(),
            "gas_limit": unsigned.gas_limit,
            "fees": [unsigned.fees.max_fee_wei, unsigned.fees.tip_wei, unsigned.fees.dynamic],
        }
        raw = _FAKE + json.dumps(fields, sort_keys=True).encode()
        return SignedTransaction(raw=raw, tx_hash=_hash(raw))


def read_signed(raw: bytes) -> Sent:
    """Return what *raw* says and who signed it; *raw* is of a ``FakeSigner`` or a real signature."""
    if raw[:1] == _FAKE:
        return _read_fake(raw)
    sender = Address(Account.recover_transaction(raw))
    return Sent(tx_hash=_hash(raw), sender=sender, unsigned=_dynamic(raw) if raw[:1] == _DYNAMIC else _legacy(raw))


def _read_fake(raw: bytes) -> Sent:
    fields = json.loads(raw[1:])
    max_fee_wei, tip_wei, dynamic = fields["fees"]
    return Sent(
        tx_hash=_hash(raw),
        sender=fields["sender"],
        unsigned=UnsignedTransaction(
            chain_id=fields["chain_id"],
            nonce=fields["nonce"],
            call=Call(to=fields["to"], data=bytes.fromhex(fields["data"])),
            gas_limit=fields["gas_limit"],
            fees=Fees(max_fee_wei=max_fee_wei, tip_wei=tip_wei, dynamic=dynamic),
        ),
    )


def _dynamic(raw: bytes) -> UnsignedTransaction:
    chain_id, nonce, tip, max_fee, gas, to, _value, data, *_ = rlp.decode(raw[1:])
    fees = Fees(max_fee_wei=Wei(_int(max_fee)), tip_wei=Wei(_int(tip)))
    return UnsignedTransaction(
        chain_id=_int(chain_id), nonce=_int(nonce), call=_call(to, data), gas_limit=_int(gas), fees=fees
    )


def _legacy(raw: bytes) -> UnsignedTransaction:
    nonce, gas_price, gas, to, _value, data, v, *_ = rlp.decode(raw)
    fees = Fees(max_fee_wei=Wei(_int(gas_price)), tip_wei=Wei(_int(gas_price)), dynamic=False)
    chain_id = (_int(v) - 35) // 2  # EIP-155
    return UnsignedTransaction(
        chain_id=chain_id, nonce=_int(nonce), call=_call(to, data), gas_limit=_int(gas), fees=fees
    )


def _call(to: bytes, data: bytes) -> Call:
    return Call(to=parse_address(f"0x{to.hex()}"), data=bytes(data))


def _int(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _hash(raw: bytes) -> Hash:
    return Hash(f"0x{keccak256(raw).hex()}")
