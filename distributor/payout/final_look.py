"""One transaction as the chain shows it for good: final, and the same to two providers where two are configured."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from distributor.chain_types import Claim, Receipt
from distributor.model import Hash
from distributor.payout.lifecycle import is_deep
from distributor.payout.witnesses import Effect, Opinion, Weighed, Witnesses, weigh
from distributor.ports import Chain
from distributor.settings.chain import SettlementSettings


class TooEarly(StrEnum):
    """Why nothing may be concluded from a transaction."""

    NOT_FINAL = "not_final"
    NODES_DISAGREE = "nodes_disagree"


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalLook:
    """Look before a person's word is written down. Raises ChainUnavailable."""

    chain: Chain
    policy: SettlementSettings

    async def at(self, tx_hash: Hash, *, release: bool) -> Receipt | TooEarly:
        """
        Return the receipt of *tx_hash* once it can be relied on.

        Args:
            tx_hash: The transaction.
            release: Whether something gets another nonce by it: then its block must be ``RELEASE_CONFIRMATIONS``
                deeper than final.
        """
        snapshot = await self.chain.snapshot([], [tx_hash], [])
        first = snapshot.receipts.get(tx_hash)
        beyond = self.policy.release_confirmations if release else 0
        if first is None or not is_deep(first.block.number, snapshot.mark, self.policy, beyond=beyond):
            return TooEarly.NOT_FINAL
        claim, effect = Claim(tx_hash, first.block.number), Effect(releases=release, beyond=beyond)
        said = await Witnesses(chain=self.chain).hear([claim], first=snapshot.node, mark=snapshot.mark)
        match weigh(said[tx_hash], first.block, lambda _: effect, self.policy):
            case Weighed(opinion=Opinion.AGREED, receipt=Receipt() as receipt):
                return receipt
            case Weighed(opinion=Opinion.EARLY):
                return TooEarly.NOT_FINAL
            case _:
                return TooEarly.NODES_DISAGREE
