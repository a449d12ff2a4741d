"""
When settlement stops the payouts by itself: once for each cause, so that a person who has looked may resume.

A payment path that takes the call and moves nothing would be fed order after order; a nonce that
somebody else used is the sign of a stolen key.
"""

from __future__ import annotations

from dataclasses import dataclass

from distributor.chain_types import ChainSnapshot, Receipt
from distributor.ledger import Ledger
from distributor.model import HoldReason, OpenTransaction
from distributor.payout import alarms
from distributor.payout.payment_proof import PaymentProof
from distributor.payout.witnesses import Witnesses
from distributor.ports import Alarms, Chain


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfStop:
    """Pause, raise the alarm, and only then note that both were done: a crash in between does them again."""

    ledger: Ledger
    chain: Chain
    alarms: Alarms

    async def no_transfer(self, proof: PaymentProof, receipt: Receipt, snapshot: ChainSnapshot) -> None:
        """
        Stop at the first final receipt that succeeded and shows no transfer, long before its orders are held.

        Where two nodes are configured both must show that receipt: one that leaves out logs stops nobody.
        """
        if HoldReason.NO_TRANSFER not in proof.held.values() or not await Witnesses(chain=self.chain).agree_on(
            receipt, snapshot
        ):
            return
        if await self.ledger.signs.stopped(receipt.tx_hash):
            return
        alarm = alarms.payment_path_broken(receipt)
        await self.ledger.admin.pause("no_transfer", alarm.summary)
        await self.alarms.raise_(alarm)
        await self.ledger.signs.note_stop(receipt.tx_hash)

    async def nonce_lost(self, opened: OpenTransaction) -> None:
        """Stop if an operator's nonce was consumed by a transaction this service did not sign."""
        subject = f"{opened.transaction.operator}:{opened.transaction.nonce}"
        alarm = alarms.nonce_lost(opened)
        if not await self.ledger.signs.stopped(subject):
            await self.ledger.admin.pause("nonce_lost", alarm.summary)
            await self.ledger.signs.note_stop(subject)
        await self.alarms.raise_(alarm)
