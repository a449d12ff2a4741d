"""The calls of a batch as the nodes take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from eth_utils.conversions import to_hex

from distributor.chain.batches import RpcCall
from distributor.chain_types import Call, Claim
from distributor.model import Address, Hash

Batch = Mapping[str, RpcCall]
"""The calls of one batch by name, in the order in which the node gets them."""

MARK: Final[Batch] = {
    "head": ("eth_getBlockByNumber", ["latest", False]),
    "finalized": ("eth_getBlockByNumber", ["finalized", False]),
}
MARKET: Final[Batch] = {
    "history": ("eth_feeHistory", ["0x1", "latest", []]),
    "tip": ("eth_maxPriorityFeePerGas", []),
    "gas_price": ("eth_gasPrice", []),
}


def nonce_of(operator: Address) -> RpcCall:
    """Ask how many transactions of *operator* are in blocks."""
    return "eth_getTransactionCount", [operator, "latest"]


def block_at(which: str) -> RpcCall:
    """Ask for a block by tag or number, without its transactions."""
    return "eth_getBlockByNumber", [which, False]


def receipt_of(tx_hash: Hash) -> RpcCall:
    """Ask for the receipt of a transaction."""
    return "eth_getTransactionReceipt", [tx_hash]


def estimates(operator: Address, calls: Sequence[Call], *, at_block: bool = True) -> Batch:
    """Ask what each call would cost; *at_block* names the latest block beside each."""
    return {f"call:{at}": _estimate(operator, call, at_block=at_block) for at, call in enumerate(calls)}


def _estimate(operator: Address, call: Call, *, at_block: bool) -> RpcCall:
    data = to_hex(call.data)
    asked = {"from": operator, "to": call.to, "value": "0x0", "data": data}
    return "eth_estimateGas", [asked, "latest"] if at_block else [asked]


def claims_asked(claims: Sequence[Claim]) -> Batch:
    """Ask for the receipt of each claim, and for the block at its number."""
    return {
        **{f"receipt:{claim.tx_hash}": receipt_of(claim.tx_hash) for claim in claims},
        **{f"block:{claim.block_number}": block_at(hex(claim.block_number)) for claim in claims},
    }
