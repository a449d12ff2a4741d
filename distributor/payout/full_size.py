"""
Ask a node for as much at once as settlement will: a provider that refuses that is found before the first busy day.

1. A provider takes batches of twenty calls, or refuses one method. A first order, and `init`, ask for less.
2. On the first busy day sixteen transactions fly, their receipts are asked for at once, and nothing is ever closed.
"""

from __future__ import annotations

from distributor.chain_types import Claim
from distributor.errors import ChainUnavailable
from distributor.model import Hash
from distributor.ports import Chain


async def ask_full_size(chain: Chain, *, node: str, head_number: int, transactions: int) -> None:
    """
    Ask *node* for the receipts and blocks of *transactions*, hashes that nobody has.

    The answers are "there is none". A batch that is too large is asked again in halves, down to single calls, and
    the size that worked is kept for this node.

    Raises:
        ChainUnavailable: It does not answer all of it, however small the requests are.
    """
    oldest = max(0, head_number - transactions)
    claims = [Claim(Hash(f"0x{number:064x}"), oldest) for number in range(1, transactions + 1)]
    words = await chain.words(claims, node=node)
    silent = len(claims) - len(words)
    if silent:
        raise ChainUnavailable(
            f"Node {node} does not answer {silent} of {transactions} receipts asked for at once; settlement needs them."
        )
