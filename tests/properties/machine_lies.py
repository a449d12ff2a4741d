"""What one node of two may say that is not so: of a receipt, of its block, of how far the chain has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from distributor.chain_types import Mark, Receipt
from distributor.model import Hash
from distributor.units import Wei
from tests.factories import GWEI, a_block
from tests.fakes.chain import FakeChain, promised

FAR = 1_000
"""Blocks that a node claims to see on top of what there is."""


def failed(_: FakeChain, receipt: Receipt) -> Receipt:
    """Call the payment failed."""
    return replace(receipt, succeeded=False, transfers=())


def without_logs(_: FakeChain, receipt: Receipt) -> Receipt:
    """Leave out what the token emitted."""
    return replace(receipt, transfers=())


def paid(chain: FakeChain, receipt: Receipt) -> Receipt:
    """Show the transfer that was asked for, whatever became of it."""
    return replace(receipt, succeeded=True, transfers=promised(chain, receipt.tx_hash))


def nowhere(_chain: FakeChain, _receipt: Receipt) -> None:
    """Say that it is in no block."""


def elsewhere(_: FakeChain, receipt: Receipt) -> Receipt:
    """Show it in a block that does not exist."""
    return replace(receipt, block=a_block(receipt.block.number, "none"))


LIES: Mapping[str, Callable[[FakeChain, Receipt], Receipt | None]] = {
    "failed": failed,
    "without logs": without_logs,
    "paid": paid,
    "nowhere": nowhere,
    "elsewhere": elsewhere,
}
KINDS = [*LIES, "unreadable", "far ahead", "invented"]


def tell(chain: FakeChain, node: str, kind: str) -> None:
    """Let *node* say so from now on, until it is honest again."""
    view = chain.said_by(node)
    match kind:
        case "unreadable":
            view.unreadable = {sent.tx_hash for sent in chain.handed}
        case "invented":
            view.invented = {each.tx_hash: _invented(chain, each.tx_hash) for each in chain.pooled}
        case "far ahead":
            view.mark = Mark(chain.head.number + FAR, chain.head.number + FAR)
        case _:
            view.receipt = lambda receipt: LIES[kind](chain, receipt)


def _invented(chain: FakeChain, tx_hash: Hash) -> Receipt:
    """Return what a payment would leave in the newest block, of one that waits in the pool."""
    transfers = promised(chain, tx_hash)
    price = Wei(30 * GWEI)
    return Receipt(
        tx_hash=tx_hash, block=chain.head, succeeded=True, gas_used=60_000, gas_price_wei=price, transfers=transfers
    )
