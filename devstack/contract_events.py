"""What the reference contracts say on the chain: transfers of the token, and what the Authority distributed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from web3 import Web3
from web3.types import EventData

from distributor.model import Address, Hash
from distributor.units import TokenUnits


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferEvent:
    """A ``Transfer`` of the token."""

    tx_hash: Hash
    block_number: int
    log_index: int
    sender: Address
    recipient: Address
    amount_units: TokenUnits

    @classmethod
    def of(cls, log: EventData) -> Self:
        return cls(
            tx_hash=Hash(Web3.to_hex(log["transactionHash"])),
            block_number=log["blockNumber"],
            log_index=log["logIndex"],
            sender=Address(log["args"]["from"]),
            recipient=Address(log["args"]["to"]),
            amount_units=TokenUnits(log["args"]["value"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributedEvent:
    """A ``Distributed`` of the Authority."""

    tx_hash: Hash
    block_number: int
    ref_id: Hash
    recipient: Address
    amount_units: TokenUnits
    reason: str

    @classmethod
    def of(cls, log: EventData) -> Self:
        return cls(
            tx_hash=Hash(Web3.to_hex(log["transactionHash"])),
            block_number=log["blockNumber"],
            ref_id=Hash(Web3.to_hex(log["args"]["refId"])),
            recipient=Address(log["args"]["to"]),
            amount_units=TokenUnits(log["args"]["amount"]),
            reason=log["args"]["reason"],
        )
