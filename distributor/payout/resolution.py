"""
Use case: one of our nonces was finally used by a transaction the ledger does not know.

A person found it and names its hash; nothing is believed but what the chain shows of it. Where it
is this very payment (somebody replaced it from a wallet), the order is paid by that hash. Otherwise
the order is held, and loses its nonce: that nonce can never pay it any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from distributor.chain_types import Receipt
from distributor.ledger import Closing, Ledger
from distributor.ledger.closing import mined_by
from distributor.ledger.rebuild_store import Payout, RebuildStore
from distributor.model import (
    Address,
    Hash,
    HoldReason,
    OpenTransaction,
    Order,
    OrderKey,
    Transaction,
    TransactionStatus,
)
from distributor.payout import guard_calls, guard_outcomes, payment_proof
from distributor.payout.decision import Decision
from distributor.payout.foreign_payment import ForeignPayment, Unsettled
from distributor.payout.history import History, TransactionDetails
from distributor.payout.payment_proof import PaymentProof
from distributor.payout.witnesses import TooEarly, Witnesses
from distributor.ports import Chain
from distributor.settings.chain import SettlementSettings
from distributor.state import Identity


class Resolved(StrEnum):
    """What became of the nonce, or why nothing did."""

    PAID = "paid"
    """That transaction is the payment: the orders are paid by it."""
    HELD = "held"
    """That transaction is not (all of) the payment: what it did not pay is held, and free of its nonce."""
    CLOSED_BEFORE = "closed_before"
    STEPPED_OVER = "stepped_over"
    """The ledger never bound that nonce; it is taken as spent, and what its transaction paid is written."""
    NOT_BOUND = "not_bound"
    """The ledger never bound that nonce of that operator, and its next one is higher, or it knows no such operator."""
    NOT_NEXT = "not_next"
    """The ledger never bound that nonce, nor one below it: resolve the lowest first."""
    NOT_PAUSED = "not_paused"
    """A nonce the ledger never bound is stepped over only while the payouts are paused."""
    REBUILD = "rebuild"
    """That transaction moved tokens of the reserve for an order this ledger does not know: rebuild it."""
    CONFLICT = "conflict"
    """That transaction paid an order which this ledger has bound, paid by another one, or with other content."""
    OURS = "ours"
    """The hash, or another one with a receipt, is one of our attempts: settlement ends it by itself."""
    ANOTHER_NONCE = "another_nonce"
    """The transaction is another operator's, or has another nonce."""
    NOT_FINAL = "not_final"
    """It is in no block, or not deep enough for what would follow; try again later."""
    NODES_DISAGREE = "nodes_disagree"
    """A second node does not show the same receipt; nothing is released on the word of one."""


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """Judge a foreign transaction by the rules of our own: finality, proof, and a second node for a release."""

    ledger: Ledger
    chain: Chain
    history: History
    store: RebuildStore
    identity: Identity
    policy: SettlementSettings

    async def resolve(
        self, operator: Address, nonce: int, tx_hash: Hash, *, by: str, why: str, apply: bool = True
    ) -> Resolved:
        """
        End the transaction of *nonce* as *tx_hash* shows; without *apply*, only say how.

        Raises:
            ChainUnavailable: No node answers, or none knows *tx_hash*.
            Contention: Settlement has written the transaction meanwhile; look again.
        """
        transaction = await self.ledger.transaction(operator, nonce)
        if transaction is None:
            return await self._unbound(operator, nonce, tx_hash, Decision(by=by, why=why) if apply else None)
        if transaction.status is TransactionStatus.FINAL:
            return Resolved.CLOSED_BEFORE
        attempts = await self.ledger.attempts(operator, nonce)
        opened = OpenTransaction(transaction=transaction, attempts=tuple(attempts))
        origin = (await self.history.transaction_details([tx_hash]))[tx_hash]
        if (origin.sender, origin.nonce) != (operator, nonce):
            return Resolved.ANOTHER_NONCE
        return await self._judge(opened, origin, Decision(by=by, why=why) if apply else None)

    async def _judge(self, opened: OpenTransaction, origin: TransactionDetails, decision: Decision | None) -> Resolved:
        ours = [attempt.tx_hash for attempt in opened.attempts]
        snapshot = await self.chain.snapshot([origin.sender], [origin.tx_hash, *ours], [])
        if origin.tx_hash in ours or any(tx_hash in snapshot.receipts for tx_hash in ours):
            return Resolved.OURS
        receipt = snapshot.receipts.get(origin.tx_hash)
        if receipt is None:
            return Resolved.NOT_FINAL
        orders = await self.ledger.orders(opened.transaction.orders)
        verdict = _verdict(opened.transaction, orders, receipt, origin, self.identity)
        mined = mined_by(opened.transaction, receipt)
        trouble = await self._too_early(receipt, release=bool(verdict.held))
        if trouble is not None:
            return trouble
        payment = await self._payment.beside([order.ref_id for order in orders], origin, receipt)
        if isinstance(payment, Unsettled):
            return Resolved(payment.value)
        if decision is not None:
            await self._write(payment)
            await self._close(mined, receipt, verdict, decision)
        return Resolved.HELD if verdict.held else Resolved.PAID

    @property
    def _payment(self) -> ForeignPayment:
        return ForeignPayment(store=self.store, identity=self.identity)

    async def _unbound(self, operator: Address, nonce: int, tx_hash: Hash, decision: Decision | None) -> Resolved:
        """Step over a nonce that nobody here bound: paused, the lowest first, and with what its transaction paid."""
        refusal = await self._no_step(operator, nonce)
        if refusal is not None:
            return refusal
        origin = (await self.history.transaction_details([tx_hash]))[tx_hash]
        if (origin.sender, origin.nonce) != (operator, nonce):
            return Resolved.ANOTHER_NONCE
        receipt = await Witnesses(chain=self.chain).final_receipt(tx_hash, self.policy, release=True)
        if isinstance(receipt, TooEarly):
            return Resolved(receipt.value)
        payment = await self._payment.of_unbound(origin, receipt)
        if isinstance(payment, Unsettled):
            return Resolved(payment.value)
        if decision is not None:
            await self.ledger.admin.record("resolve", f"{operator}:{nonce}", decision.by, decision.why)
            await self._write(payment)
            await self.ledger.exits.step_over(operator, nonce)
        return Resolved.STEPPED_OVER

    async def _no_step(self, operator: Address, nonce: int) -> Resolved | None:
        next_nonce = (await self.ledger.signs.next_nonces()).get(operator)
        if next_nonce is None or nonce < next_nonce:
            return Resolved.NOT_BOUND
        if nonce > next_nonce:
            return Resolved.NOT_NEXT
        return None if (await self.ledger.admin.pause_state()).paused else Resolved.NOT_PAUSED

    async def _write(self, payment: Payout | None) -> None:
        """Write the reference before the nonce: a crash in between leaves the nonce to be resolved again."""
        if payment is not None:
            await self.store.restore(payment)

    async def _too_early(self, receipt: Receipt, *, release: bool) -> Resolved | None:
        """Look once more, at two nodes where two are configured; a release waits for more blocks."""
        shown = await Witnesses(chain=self.chain).final_receipt(receipt.tx_hash, self.policy, release=release)
        if isinstance(shown, TooEarly):
            return Resolved(shown.value)
        return None if shown.block == receipt.block else Resolved.NOT_FINAL

    async def _close(self, mined: Transaction, receipt: Receipt, verdict: PaymentProof, decision: Decision) -> None:
        number = receipt.block.number
        detail = f"nonce {mined.nonce} was used by transaction {receipt.tx_hash} in block {number}"
        closing = Closing.by(receipt, paid=verdict.paid, held=verdict.held, detail=detail)
        await self.ledger.admin.record("resolve", f"{mined.operator}:{mined.nonce}", decision.by, decision.why)
        await self.ledger.close(mined, closing)


def _verdict(
    transaction: Transaction, orders: Sequence[Order], receipt: Receipt, origin: TransactionDetails, identity: Identity
) -> PaymentProof:
    """
    Return which orders the foreign transaction paid: by the token's event, and under the order's own reference.

    The event alone is not enough here. Two orders may owe one wallet the same amount, and a foreign
    transaction that paid the one would look like the payment of the other. The guard through which *transaction*
    was bound names each reference itself, however many it paid.
    """
    paid: tuple[OrderKey, ...]
    if origin.guarded and guard_calls.is_guarded(transaction.data) and origin.to == transaction.to:
        paid = tuple(guard_outcomes.judge_items(orders, receipt, transaction.to, identity.reserve).paid)
    else:
        proved = payment_proof.verify_payment(orders, receipt, identity.reserve)
        named = {order.key for order in orders if _names(origin, order, identity)}
        paid = tuple(key for key in proved.paid if key in named)
    held: Mapping[OrderKey, HoldReason] = {
        order.key: HoldReason.NONCE_LOST for order in orders if order.key not in paid
    }
    return PaymentProof(paid=paid, held=held)


def _names(origin: TransactionDetails, order: Order, identity: Identity) -> bool:
    asked = origin.distribution
    return asked is not None and (origin.to, asked.ref_id) == (identity.authority, order.ref_id)
