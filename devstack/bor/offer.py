"""A signed transaction as a node reads it. Source of the three forms: EIP-155, EIP-2718, EIP-1559."""

from __future__ import annotations

from dataclasses import dataclass

import rlp  # type: ignore[import-untyped]  # ships no types
from eth_account import Account as Keys
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

_TYPED = 0x7F
"""The first byte of a typed transaction is at most this; of a legacy one, an RLP list, at least 0xc0. EIP-2718."""


class Refused(Exception):
    """The pool does not take a transaction; the message is the node's own text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A signed transaction, as a node reads it."""

    raw: bytes
    tx_hash: str
    sender: str
    chain_id: int | None
    nonce: int
    gas_limit: int
    max_fee_wei: int
    tip_wei: int
    value_wei: int
    data: bytes
    creates: bool

    @property
    def cost_wei(self) -> int:
        return self.gas_limit * self.max_fee_wei + self.value_wei

    def tip_at(self, base_fee_wei: int) -> int:
        """Return what a producer gets per gas in a block with this base fee; negative under it."""
        return min(self.tip_wei, self.max_fee_wei - base_fee_wei)


def read(raw: bytes) -> Offer:
    """Return what *raw* says and who signed it. Raises Refused when no node could read it."""
    try:
        return _typed(raw) if raw[:1] <= bytes([_TYPED]) else _legacy(raw)
    except (ValueError, TypeError, KeyError, rlp.RLPException) as error:
        raise Refused(f"transaction type not supported: {error}") from error


def _typed(raw: bytes) -> Offer:
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    max_fee_wei = fields["maxFeePerGas"] if "maxFeePerGas" in fields else fields["gasPrice"]
    return Offer(
        raw=raw,
        tx_hash=_hash(raw),
        sender=_sender(raw),
        chain_id=int(fields["chainId"]),
        nonce=int(fields["nonce"]),
        gas_limit=int(fields["gas"]),
        max_fee_wei=int(max_fee_wei),
        tip_wei=int(fields.get("maxPriorityFeePerGas", max_fee_wei)),
        value_wei=int(fields["value"]),
        data=bytes(HexBytes(fields["data"])),
        creates=not bytes(HexBytes(fields["to"])),
    )


def _legacy(raw: bytes) -> Offer:
    nonce, gas_price, gas, to, value, data, v, *_ = rlp.decode(raw)
    recovery = _int(v)
    return Offer(
        raw=raw,
        tx_hash=_hash(raw),
        sender=_sender(raw),
        chain_id=(recovery - 35) // 2 if recovery >= 35 else None,  # noqa: PLR2004 -- EIP-155
        nonce=_int(nonce),
        gas_limit=_int(gas),
        max_fee_wei=_int(gas_price),
        tip_wei=_int(gas_price),
        value_wei=_int(value),
        data=bytes(data),
        creates=not to,
    )


def _sender(raw: bytes) -> str:
    return str(Keys.recover_transaction(raw)).lower()


def _hash(raw: bytes) -> str:
    return f"0x{keccak(raw).hex()}"


def _int(value: bytes) -> int:
    return int.from_bytes(value, "big")
