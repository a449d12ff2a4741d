"""
The guard contract on the wire: its call data, what a simulated call returns, its events and records.

Source: ``contracts/PayoutGuard.sol``; what it refuses with is decoded as any contract's refusal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address

from distributor.addresses import keccak256
from distributor.chain.reverts import decode_revert
from distributor.chain_types import GuardEvent, GuardWord, Revert, RevertKind, Simulation
from distributor.model import Address, Hash, Order
from distributor.payout.guard_calls import DISTRIBUTE_MANY
from distributor.units import TokenUnits

_ITEM: Final = "(address,uint256,bytes32,string)"
_FAILED, _PAID = 0, 1

PAID_TOPIC: Final = f"0x{keccak256(b'Paid(bytes32,address,uint256)').hex()}"
FAILED_TOPIC: Final = f"0x{keccak256(b'ItemFailed(bytes32,bytes)').hex()}"
ALREADY_PAID_TOPIC: Final = f"0x{keccak256(b'AlreadyPaid(bytes32)').hex()}"
_WORDS: Final = {
    PAID_TOPIC: GuardWord.PAID,
    FAILED_TOPIC: GuardWord.ITEM_FAILED,
    ALREADY_PAID_TOPIC: GuardWord.ALREADY_PAID,
}
_RECIPIENT_BITS: Final = 160
_NUMBER_BITS: Final = 48
_RECORD: Final = keccak256(b"record((bytes32,address,uint256)[])")[:4]

Item = tuple[Address, TokenUnits, bytes, str]
"""Wallet, amount, refId, reason."""


def item_of(order: Order) -> Item:
    """Return what pays *order*."""
    return order.wallet, order.amount_units, bytes.fromhex(order.ref_id[2:]), order.reason


def distribute_many(item_gas: int, items: Sequence[Item]) -> bytes:
    """Return the call data that pays *items*, each with at most *item_gas*."""
    return DISTRIBUTE_MANY + encode(["uint256", f"{_ITEM}[]"], [item_gas, items])


def read_outcomes(data: bytes) -> Simulation | None:
    """Return what a simulated call says of each item; None when what answered is no guard."""
    try:
        (outcomes,) = decode(["(uint8,bytes)[]"], data)
    except (DecodingError, ValueError, OverflowError):
        return None
    # An empty answer would read as a call that nothing speaks against.
    return Simulation(items=tuple(_refusal(result, detail) for result, detail in outcomes)) if outcomes else None


def read_whole_refusal(data: bytes, node_text: str) -> Revert:
    """Return why the guard refused the call as a whole: then no item is to blame."""
    revert = decode_revert(data, node_text)
    paused = revert.kind is RevertKind.AUTHORITY_PAUSED
    return Revert(kind=RevertKind.GUARD_PAUSED, text=revert.text) if paused else revert


def read_events(logs: Sequence[Mapping[str, Any]]) -> tuple[GuardEvent, ...]:
    """
    Return the *logs* that have the form of a guard's events, from any contract.

    A log with the same first topic and another form is some other contract's, and is left out.
    """
    found = (_event(log) for log in logs if log["topics"] and not log.get("removed"))
    return tuple(event for event in found if event is not None)


def recipient_of(record: int) -> Address:
    """Return the wallet that a guard's record names."""
    return Address(to_checksum_address((record % 2**_RECIPIENT_BITS).to_bytes(20, "big")))


def block_of(record: int) -> int:
    """Return the block that a guard's record names."""
    return record >> _RECIPIENT_BITS


def count_of(head: int) -> int:
    """Return how many payments a guard's head counts."""
    return (head >> _NUMBER_BITS) % (1 << _NUMBER_BITS)


def last_block_of(head: int) -> int:
    """Return the block of the last payment, from a guard's head."""
    return head % (1 << _NUMBER_BITS)


def import_data(records: Sequence[tuple[Hash, Address, TokenUnits]]) -> bytes:
    """Return the call data with which the guard's owner imports references, wallets and amounts; 200 at most."""
    items = [(bytes.fromhex(ref_id[2:]), wallet, amount_units) for ref_id, wallet, amount_units in records]
    return _RECORD + encode(["(bytes32,address,uint256)[]"], [items])


def _refusal(result: int, detail: bytes) -> Revert | None:
    if result == _PAID:
        return None
    if result == _FAILED:
        return decode_revert(detail, "")
    record = int.from_bytes(detail, "big")
    return Revert(kind=RevertKind.ALREADY_PAID, text=f"in block {block_of(record)} to {recipient_of(record)}")


def _event(log: Mapping[str, Any]) -> GuardEvent | None:
    word = _WORDS.get(log["topics"][0].lower())
    if word is None:
        return None
    try:
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"][1:]]
        return _read_event(log, word, topics, bytes.fromhex(log["data"][2:]))
    except (DecodingError, ValueError, OverflowError):
        return None


def _read_event(log: Mapping[str, Any], word: GuardWord, topics: Sequence[bytes], data: bytes) -> GuardEvent:
    paid = word is GuardWord.PAID
    ref_id, wallet_topic = topics if paid else (*topics, b"")
    (wallet,) = decode(["address"], wallet_topic) if paid else (None,)
    (amount_units,) = decode(["uint256"], data) if paid else (0,)
    refusal = decode_revert(decode(["bytes"], data)[0], "") if word is GuardWord.ITEM_FAILED else None
    return GuardEvent(
        emitter=Address(to_checksum_address(log["address"])),
        log_index=int(log["logIndex"], 16),
        word=word,
        ref_id=Hash(f"0x{ref_id.hex()}"),
        wallet=Address(to_checksum_address(wallet)) if wallet else None,
        amount_units=TokenUnits(amount_units),
        refusal=refusal,
    )
