"""
How a transaction through a guard is closed: item by item, and what that makes the service do beside it.

Two transactions in a row that were refused as a whole mean that the path is broken, so the payouts are
paused before the second is closed: a crash in between does both again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from distributor.chain_types import GuardPayment, Receipt
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Closing, Ledger
from distributor.ledger.closing import PaidBy
from distributor.model import Address, HoldReason, Order, OrderKey, Transaction
from distributor.payout import adoption, alarms, guard_outcomes
from distributor.ports import Alarms, Guard
from foundation import logs

REVERTED_MAX = 2
"""So many transactions in a row may be refused as a whole; then the payouts are paused."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GuardSettling:
    """Judge a final receipt by the guard that its transaction went to."""

    ledger: Ledger
    guard: Guard
    alarms: Alarms
    reserve: Address

    async def closing(self, transaction: Transaction, orders: Sequence[Order], receipt: Receipt) -> Closing | None:
        """Return how *transaction* is closed; None while the nodes do not say who paid one of its references."""
        proof = guard_outcomes.judge_items(orders, receipt, transaction.to, self.reserve)
        by_key = {order.key: order for order in orders}
        payments: dict[OrderKey, GuardPayment] = {}
        for key in proof.elsewhere:
            payment = await self._payment(transaction.to, by_key[key], receipt)
            if payment is None:
                return None
            payments[key] = payment
        closing = _closing(proof, receipt)
        for key, payment in payments.items():
            closing = _by_record(closing, by_key[key], payment)
        return closing

    async def before(self, transaction: Transaction, orders: Sequence[Order], closing: Closing) -> None:
        """
        Pause where *closing* is the second whole refusal in a row, and tell what people should know beside held orders.

        All of it is final on the chain. If the alarm came after the closing, a crash in between would lose it:
        nobody looks at a closed transaction again.
        """
        if closing.reverted:
            await self._pause_in_a_row(transaction)
            await self.alarms.raise_(alarms.batch_reverted(transaction, closing.detail))
        for order in orders:
            proof = closing.proofs.get(order.key)
            if proof is not None and proof.tx_hash != closing.tx_hash:
                await self.alarms.raise_(alarms.paid_by_another(order, proof))

    async def _pause_in_a_row(self, transaction: Transaction) -> None:
        stats = await self.ledger.stats(transaction.operator)
        if (stats.batches_reverted or 0) + 1 >= REVERTED_MAX:
            why = f"{REVERTED_MAX} transactions in a row through guard {transaction.to} were refused as a whole."
            await self.ledger.admin.pause("guard", why)
            await self.alarms.raise_(alarms.payouts_paused(why, transaction.nonce))

    async def _payment(self, guard: Address, order: Order, receipt: Receipt) -> GuardPayment | None:
        """Return the payment that the guard knew before *receipt*; it is as final as that is, or newer and not it."""
        try:
            payment = await self.guard.payment(guard, order.ref_id)
        except (ChainUnavailable, WrongChain) as error:
            # Its whole transaction stays open for that, the orders beside it too.
            logs.warning(_log, "record_unknown", order=str(order.key), tx_hash=receipt.tx_hash, detail=str(error))
            return None
        return payment if payment is not None and payment.block.number <= receipt.block.number else None


def _closing(proof: guard_outcomes.GuardProof, receipt: Receipt) -> Closing:
    tx_hash, number = receipt.tx_hash, receipt.block.number
    detail = f"transaction {tx_hash} in block {number}"
    return replace(
        Closing.by(receipt, paid=tuple(proof.paid), held=proof.held, detail=detail),
        released=proof.released,
        held_because=proof.because,
        proofs={key: PaidBy(tx_hash=tx_hash, block_number=number, log_index=log) for key, log in proof.paid.items()},
        reverted=not receipt.succeeded,
    )


def _by_record(closing: Closing, order: Order, payment: GuardPayment) -> Closing:
    """Return *closing* with an order paid by another transaction, or held where that paid something else."""
    if not guard_outcomes.is_same_payment(order, payment):
        because = {**closing.held_because, order.key: adoption.used_by(payment)}
        return replace(closing, held={**closing.held, order.key: HoldReason.REFERENCE_USED}, held_because=because)
    proofs = {**closing.proofs, order.key: adoption.paid_by(payment)}
    return replace(closing, paid=(*closing.paid, order.key), proofs=proofs)
