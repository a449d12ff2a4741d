"""
Transactions, receipts and logs as one node shows them, and the token's transfers in them.

A value is what the protocol says it is, or the node is in trouble; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address

from distributor.addresses import ZERO_ADDRESS
from distributor.chain.guard import read_events
from distributor.chain.rpc_responses import block_in, json_object, quantity, read_data, read_hash, reading
from distributor.chain_types import GuardEvent, Receipt, Transfer
from distributor.model import Address, Hash
from distributor.payout.guard_calls import is_guarded
from distributor.payout.history import Arrival, DistributeCall, ReserveTransfer, TransactionDetails
from distributor.units import TokenUnits, Wei

_TRANSFER_TOPICS: Final = 3


def read_receipt(value: object, *, tx_hash: Hash, token: Address, transfer_topic: str) -> Receipt | None:
    """
    Return the receipt of *tx_hash*; None when it is in no block yet.

    Only the *token*'s own ``Transfer`` events are kept: any contract may emit one like it.
    """
    with reading("receipt"):
        receipt = json_object(value)
        if read_hash(receipt["transactionHash"]) != tx_hash:
            raise ValueError("the receipt of another transaction")
        if receipt.get("blockHash") is None or receipt.get("blockNumber") is None:
            return None
        return Receipt(
            tx_hash=tx_hash,
            block=block_in(receipt, "blockNumber", "blockHash"),
            succeeded=quantity(receipt["status"]) == 1,
            gas_used=quantity(receipt["gasUsed"]),
            gas_price_wei=Wei(quantity(receipt.get("effectiveGasPrice") or "0x0")),
            transfers=tuple(_transfer(log) for log in receipt["logs"] if _is_transfer(log, token, transfer_topic)),
            guard_events=read_events(receipt["logs"]),
        )


def read_reserve_transfer(value: object, *, token: Address, transfer_topic: str, reserve: Address) -> ReserveTransfer:
    """Return a log as the *token*'s ``Transfer`` out of the *reserve*, which is what was asked for."""
    with reading("log"):
        log = json_object(value)
        transfer = _transfer(log)
        if not _is_transfer(log, token, transfer_topic) or transfer.sender != reserve:
            raise ValueError("a log nobody asked for")
        return ReserveTransfer(
            tx_hash=read_hash(log["transactionHash"]),
            block=block_in(log, "blockNumber", "blockHash"),
            log_index=transfer.log_index,
            wallet=transfer.recipient,
            amount_units=transfer.amount_units,
        )


def read_arrival(value: object, *, token: Address, transfer_topic: str, reserve: Address) -> Arrival:
    """Return a log as the *token*'s ``Transfer`` to the *reserve*, which is what was asked for."""
    with reading("log"):
        log = json_object(value)
        transfer = _transfer(log)
        if not _is_transfer(log, token, transfer_topic) or transfer.recipient != reserve:
            raise ValueError("a log nobody asked for")
        block = block_in(log, "blockNumber", "blockHash")
        return Arrival(
            block=block,
            log_index=transfer.log_index,
            amount_units=transfer.amount_units,
            minted=transfer.sender == ZERO_ADDRESS,
        )


def read_transaction_details(
    value: object, *, tx_hash: Hash, distribution: Callable[[bytes], DistributeCall | None]
) -> TransactionDetails:
    """Return who made *tx_hash*; *distribution* reads its call data."""
    with reading("transaction"):
        found = json_object(value)
        if read_hash(found["hash"]) != tx_hash:
            raise ValueError("another transaction")
        return TransactionDetails(
            tx_hash=tx_hash,
            sender=Address(to_checksum_address(found["from"])),
            nonce=quantity(found["nonce"]),
            to=Address(to_checksum_address(found["to"])) if found.get("to") else None,
            distribution=distribution(read_data(found["input"])),
            guarded=is_guarded(read_data(found["input"])),
        )


def read_guard_events(value: object, *, tx_hash: Hash) -> tuple[GuardEvent, ...]:
    """Return the events in the receipt of *tx_hash* that have the form of a guard's."""
    with reading("receipt"):
        receipt = json_object(value)
        if read_hash(receipt["transactionHash"]) != tx_hash:
            raise ValueError("the receipt of another transaction")
        return read_events(receipt["logs"])


def _is_transfer(log: Mapping[str, Any], token: Address, transfer_topic: str) -> bool:
    topics = log["topics"]
    emitted = log["address"].lower() == token.lower() and not log.get("removed")
    return emitted and len(topics) == _TRANSFER_TOPICS and topics[0].lower() == transfer_topic


def _transfer(log: Mapping[str, Any]) -> Transfer:
    (sender,), (recipient,) = (decode(["address"], read_data(topic)) for topic in log["topics"][1:])
    (amount,) = decode(["uint256"], read_data(log["data"]))
    return Transfer(
        log_index=quantity(log["logIndex"]),
        sender=Address(to_checksum_address(sender)),
        recipient=Address(to_checksum_address(recipient)),
        amount_units=TokenUnits(amount),
    )
