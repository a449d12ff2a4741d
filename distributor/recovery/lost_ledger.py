"""
Whether a ledger without an identity is new, or one that was lost.

A new ledger and an emptied one look alike; what was paid before is on the chain alone. So before
an empty ledger becomes anybody's, the settings and the chain are asked for a sign of an earlier life.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from distributor.errors import ChainUnavailable
from distributor.model import Address
from distributor.payout.history import History

PAGE_BLOCKS = 10_000
"""Blocks of the past read in one step, the newest first."""


async def signs_of_loss(
    history: History,
    *,
    ledger_id: str,
    next_nonces: Mapping[Address, int],
    first_block: int | None,
    last_block: int,
) -> Sequence[str]:
    """
    Return why an empty ledger is a lost one, a sentence for each sign; nothing when it may be new.

    A past that cannot be read is a sign too: nobody can say that nothing was paid.

    Args:
        history: The reserve's past.
        ledger_id: ``LEDGER_ID``, empty while it is not set.
        next_nonces: Of every operator whose key is configured, on the chain: one of them may be new.
        first_block: Where the token's past begins; None reads the newest page alone.
        last_block: The newest block.
    """
    signs = []
    if ledger_id:
        signs.append(f"LEDGER_ID={ledger_id} is set: this ledger had an identity before.")
    sent = {operator: count for operator, count in sorted(next_nonces.items()) if count}
    signs += [f"Operator {operator} has sent {count} transactions on this chain." for operator, count in sent.items()]
    try:
        block = await _newest_outflow(history, first_block, last_block)
    except ChainUnavailable as error:
        return [*signs, f"The past of the reserve cannot be read: {error}"]
    return signs if block is None else [*signs, f"Tokens left the reserve in block {block}."]


async def _newest_outflow(history: History, first_block: int | None, last_block: int) -> int | None:
    for first, last in _pages(first_block, last_block):
        if reserve_transfers := await history.reserve_transfers(first, last):
            return reserve_transfers[-1].block.number
    return None


def _pages(first_block: int | None, last_block: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of blocks, the newest first."""
    oldest = max(0, last_block - PAGE_BLOCKS + 1) if first_block is None else first_block
    for last in range(last_block, oldest - 1, -PAGE_BLOCKS):
        yield max(oldest, last - PAGE_BLOCKS + 1), last
