"""Receipts as one node shows them, each by itself: one that cannot be read voids nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distributor.chain.rpc_responses import NodeUnavailable, RpcResponses, read_canonical
from distributor.chain.transactions import read_receipt
from distributor.chain_types import Claim, Mark, Receipt, Word
from distributor.model import Address, Hash


@dataclass(frozen=True)
class ReceiptReader:
    """Read receipts, and of their events only the token's own transfers."""

    token: Address
    transfer_topic: str

    def read(self, answers: RpcResponses, tx_hash: Hash) -> Receipt | None:
        """Return the receipt; None when the node says there is none, or says nothing. Raises NodeUnavailable."""
        value = answers.optional(f"receipt:{tx_hash}")
        if value is None:
            return None
        return read_receipt(value, tx_hash=tx_hash, token=self.token, transfer_topic=self.transfer_topic)

    def read_all(self, answers: RpcResponses, hashes: Sequence[Hash]) -> tuple[dict[Hash, Receipt], frozenset[Hash]]:
        """Return the receipts by hash, and the hashes of those that cannot be read."""
        receipts, unreadable = dict[Hash, Receipt](), set[Hash]()
        for tx_hash in hashes:
            try:
                receipt = self.read(answers, tx_hash)
            except NodeUnavailable:
                unreadable.add(tx_hash)
                continue
            if receipt is not None:
                receipts[tx_hash] = receipt
        return receipts, frozenset(unreadable)

    def word(self, answers: RpcResponses, claim: Claim, *, node: str, mark: Mark) -> Word | None:
        """
        Return what *node* says of *claim*; None when that is nothing.

        Nothing is no answer, an odd one, a receipt without the block at its number, and "no receipt" from a node
        that has not come to that number. "No receipt" from one that has is a word.
        """
        try:
            answers.answered(f"receipt:{claim.tx_hash}")
            receipt = self.read(answers, claim.tx_hash)
            canonical = read_canonical(answers, [claim.block_number]).get(claim.block_number)
        except NodeUnavailable:
            return None
        silent = mark.head_number < claim.block_number if receipt is None else canonical is None
        return None if silent else Word(node=node, mark=mark, receipt=receipt, canonical=canonical)
