"""What a transaction asked for: by its call data, and through a guard by the events of its receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from distributor.addresses import keccak256, parse_address
from distributor.chain.node import Node
from distributor.chain.rpc_requests import Batch
from distributor.chain.rpc_responses import RpcResponses
from distributor.chain.transactions import read_guard_events
from distributor.chain_types import GuardEvent
from distributor.model import Hash
from distributor.payout.history import DistributeCall, TransactionDetails
from distributor.units import TokenUnits

_SELECTOR_BYTES: Final = 4
_DISTRIBUTE: Final = keccak256(b"distribute(address,uint256,bytes32,string)")[:_SELECTOR_BYTES]
_ARGUMENTS: Final = ("address", "uint256", "bytes32", "string")


def read_distribution(data: bytes) -> DistributeCall | None:
    """Return what call data ask of the authority; None when they are no ``distribute`` call."""
    if data[:_SELECTOR_BYTES] != _DISTRIBUTE:
        return None
    try:
        wallet, amount, ref_id, reason = decode(_ARGUMENTS, data[_SELECTOR_BYTES:])
    except (DecodingError, ValueError):  # a reason that is no UTF-8 is a ValueError
        return None
    return DistributeCall(
        wallet=parse_address(wallet),
        amount_units=TokenUnits(amount),
        ref_id=Hash(f"0x{ref_id.hex()}"),
        reason=reason,
    )


async def guarded_details(node: Node, guarded: Sequence[TransactionDetails]) -> dict[Hash, TransactionDetails]:
    """Return *guarded* with their events: an item may have failed, so the call data prove nothing."""
    if not guarded:
        return {}
    batch: Batch = {each.tx_hash: ("eth_getTransactionReceipt", [each.tx_hash]) for each in guarded}
    answers = await node.ask(batch)
    return {each.tx_hash: replace(each, guard_events=_events(answers, each.tx_hash)) for each in guarded}


def _events(answers: RpcResponses, tx_hash: Hash) -> tuple[GuardEvent, ...]:
    return read_guard_events(answers.required(tx_hash), tx_hash=tx_hash)
