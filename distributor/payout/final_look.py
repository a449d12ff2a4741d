"""One transaction as the chain shows it for good: final, the same at a second look, and at a second node."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from distributor.chain_types import ChainSnapshot, Receipt
from distributor.model import Hash
from distributor.payout.history import last_final
from distributor.payout.lifecycle import Policy
from distributor.ports import Chain


class TooEarly(StrEnum):
    """Why nothing may be concluded from a transaction."""

    NOT_FINAL = "not_final"
    NODES_DISAGREE = "nodes_disagree"


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalLook:
    """Look before a person's word is written down. Raises ChainUnavailable."""

    chain: Chain
    policy: Policy

    async def at(self, tx_hash: Hash, *, release: bool) -> Receipt | TooEarly:
        """
        Return the receipt of *tx_hash* once it can be relied on.

        Args:
            tx_hash: The transaction.
            release: Whether something gets another nonce by it: then its block must be ``RELEASE_CONFIRMATIONS``
                deeper than final.
        """
        first = (await self.chain.snapshot([], [tx_hash], [])).receipts.get(tx_hash)
        if first is None:
            return TooEarly.NOT_FINAL
        snapshot = await self.chain.snapshot([], [tx_hash], [first.block.number])
        if snapshot.receipts.get(tx_hash) != first or not self._is_deep(first, snapshot, release=release):
            return TooEarly.NOT_FINAL
        return first if await self._second_node_agrees(first, snapshot) else TooEarly.NODES_DISAGREE

    def _is_deep(self, receipt: Receipt, snapshot: ChainSnapshot, *, release: bool) -> bool:
        final, number = last_final(snapshot, self.policy), receipt.block.number
        canonical = snapshot.canonical.get(number) == receipt.block.block_hash
        beyond = self.policy.release_confirmations if release else 0
        depth = max(self.policy.finality_depth or 0, self.policy.min_confirmations) + beyond
        return canonical and final is not None and number <= final and snapshot.head.number - number >= depth

    async def _second_node_agrees(self, receipt: Receipt, snapshot: ChainSnapshot) -> bool:
        other = next((node for node in self.chain.nodes if node != snapshot.node), None)
        return other is None or await self.chain.receipt(receipt.tx_hash, node=other) == receipt
