"""
What a node shows of its chain when it is behind, and which block it calls finalized. Pure.

A call is rewritten before the node sees it, and an answer cut down after: nothing newer than the
head of the view is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Call = tuple[str, list[Any]]

_TAG_AT: Mapping[str, int] = {
    "eth_getBlockByNumber": 0,
    "eth_getTransactionCount": 1,
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_call": 1,
    "eth_estimateGas": 1,
    "eth_feeHistory": 1,
}
"""Where a method has its block: only these are asked of an old state."""
_NEWEST = frozenset({"latest", "pending"})
_BLOCK_OF = {"eth_getTransactionReceipt": "blockNumber", "eth_getTransactionByHash": "blockNumber"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finality:
    """The block of the ``finalized`` tag, beside the true one."""

    missing: bool = False
    """The node knows of none."""
    stalled_at: int | None = None
    """It stays at this block."""
    back: int = 0
    """It is so many blocks behind the true one."""

    def shown(self, true_number: int) -> int | None:
        if self.missing:
            return None
        ceiling = true_number if self.stalled_at is None else min(true_number, self.stalled_at)
        return max(0, ceiling - self.back)


def as_of(call: Call, head: int) -> Call:
    """Return *call* as a node at *head* would understand it: ``latest`` is its own head."""
    method, params = call
    if method not in _TAG_AT:
        return call
    at = _TAG_AT[method]
    tag = params[at] if at < len(params) else "latest"
    return method, [*params[:at], hex(head) if tag in _NEWEST else tag, *params[at + 1 :]]


def known_at(call: Call, result: Any, head: int) -> Any:
    """Return *result* as a node at *head* has it: what is in a later block is nowhere yet."""
    method, params = call
    if method == "eth_blockNumber":
        return hex(head)
    if method == "eth_getBlockByNumber" and _is_number(params[0]) and int(params[0], 16) > head:
        return None
    field = _BLOCK_OF.get(method)
    later = field is not None and result is not None and result[field] is not None and int(result[field], 16) > head
    return None if later else result


def _is_number(tag: object) -> bool:
    return isinstance(tag, str) and tag.startswith("0x")
