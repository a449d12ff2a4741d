"""
Calls through the guard: which transactions are such calls, and the gas they need.

A transaction says by its own call data whether it went through a guard, and by its own ``to`` through
which one. Today's setting never decides how it is judged: it may have been set, changed or unset since.
"""

from __future__ import annotations

from typing import Final

from distributor.addresses import keccak256

_SELECTOR_BYTES: Final = 4
_WORD_BYTES: Final = 32
DISTRIBUTE_MANY: Final = keccak256(b"distributeMany(uint256,(address,uint256,bytes32,string)[])")[:_SELECTOR_BYTES]

ITEM_GAS: Final = 200_000
"""What one item may use. Measured 95,000 on a local chain for a new holder; Polygon's storage reads are dearer."""
_CALL_GAS: Final = 60_000
"""The transaction, its first storage reads and writes, and the link at its end."""
_AROUND_ITEM_GAS: Final = 15_000
"""What an item costs outside its own frame: call data, the look at its record, its event."""
_KEPT_BACK: Final = 63
"""A call gets 63/64 of the gas that is left. Source: EIP-150."""


def is_guarded(data: bytes) -> bool:
    """Say whether a transaction with this call data pays through a guard."""
    return data[:_SELECTOR_BYTES] == DISTRIBUTE_MANY


def gas_needed(item_gas: int, items: int) -> int:
    """Return the gas limit of a call with *items*, each of which may use *item_gas*."""
    return _CALL_GAS + items * (item_gas + _AROUND_ITEM_GAS) + item_gas // _KEPT_BACK


def gas_of(data: bytes) -> int:
    """Return the gas limit of a guarded call, from its own arguments: whatever is set today, they stay."""
    item_gas, offset = _word(data, 0), _word(data, _WORD_BYTES)
    return gas_needed(item_gas, _word(data, offset))


def _word(data: bytes, offset: int) -> int:
    start = _SELECTOR_BYTES + offset
    return int.from_bytes(data[start : start + _WORD_BYTES], "big")
