"""
What settlement looks at in one turn: every open transaction, by one node, and by others where that one is puzzling.

Nonce and receipt of one transaction always come from one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from distributor.chain_types import ChainSnapshot, Claim
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.ledger.records import Slot
from distributor.model import OpenTransaction
from distributor.payout import finality, lifecycle
from distributor.ports import Alarms, Chain
from foundation.clock import Clock


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Look at the chain for settlement. Raises ChainUnavailable when no node gives a whole observation."""

    ledger: Ledger
    chain: Chain
    alarms: Alarms
    clock: Clock

    async def first(self, opened: Sequence[OpenTransaction]) -> tuple[ChainSnapshot, bool]:
        """
        Return what one node shows, and whether anything may be closed on it.

        A node that shows another block where something was closed closes nothing in this turn. Where it did so
        before and a second node still has that block, that one is looked at instead.
        """
        operators = sorted({each.transaction.operator for each in opened})
        closed = await finality.newest_closings(self.ledger, operators)
        snapshot = await self._seen_by("", opened, closed)
        looked = await self._still_final.check(closed, snapshot)
        if looked.instead:
            snapshot = await self._seen_by(looked.instead, opened, closed)
            looked = await self._still_final.check(closed, snapshot)
        return snapshot, not looked.violated

    async def _seen_by(
        self, node: str, opened: Sequence[OpenTransaction], closed: finality.NewestClosings
    ) -> ChainSnapshot:
        operators = sorted({each.transaction.operator for each in opened})
        hashes = [attempt.tx_hash for each in opened for attempt in each.attempts]
        mined = {each.transaction.block_number for each in opened}
        numbers = {number for number in mined if number is not None} | finality.blocks_of(closed)
        snapshot = await self.chain.snapshot(operators, hashes, sorted(numbers), node=node)
        return await self._with_their_blocks(opened, snapshot)

    async def _with_their_blocks(self, opened: Sequence[OpenTransaction], snapshot: ChainSnapshot) -> ChainSnapshot:
        """
        Where the node shows two receipts for one nonce, ask it as well which of their blocks it has.

        Machines behind one address may stand on two forks; the receipt on the chain the node shows counts.
        """
        rivals = [
            receipt
            for each in opened
            for receipt in lifecycle.rivals(each.attempts, snapshot)
            if receipt.block.number not in snapshot.canonical
        ]
        if not rivals:
            return snapshot
        claims = [Claim(receipt.tx_hash, receipt.block.number) for receipt in rivals]
        words = await self.chain.words(claims, node=snapshot.node, mark=snapshot.mark)
        there = {
            number: word.canonical
            for tx_hash, number in claims
            if (word := words.get(tx_hash)) is not None and word.canonical is not None
        }
        return replace(snapshot, canonical={**snapshot.canonical, **there})

    async def views(self, opened: Sequence[OpenTransaction], snapshot: ChainSnapshot) -> dict[Slot, ChainSnapshot]:
        """
        Return by which observation each transaction is judged: the first node's, or another's where it is unreadable.

        Nonce and receipt of one transaction always come from one node.
        """
        views = {slot_of(each): snapshot for each in opened}
        puzzling = [each for each in opened if lifecycle.is_puzzling(each.attempts, snapshot)]
        for node in [node for node in self.chain.nodes if node != snapshot.node] if puzzling else []:
            try:
                other = await self._seen_by(node, puzzling, {})
            except (ChainUnavailable, WrongChain):
                continue
            readable = [each for each in puzzling if not lifecycle.is_puzzling(each.attempts, other)]
            views |= {slot_of(each): other for each in readable}
            puzzling = [each for each in puzzling if each not in readable]
        return views

    @property
    def _still_final(self) -> finality.StillFinal:
        return finality.StillFinal(ledger=self.ledger, chain=self.chain, alarms=self.alarms, clock=self.clock)


def slot_of(opened: OpenTransaction) -> Slot:
    """Return the operator and the nonce of a transaction."""
    return Slot(opened.transaction.operator, opened.transaction.nonce)
