"""
Use case: put right what the ledger and the chain say differently, because a person says so.

Each command looks at the chain before it writes, and is dry until it is applied. Nothing is believed
but what a final block shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distributor.chain_types import Claim, GuardWord, Receipt, Submitted, Transfer
from distributor.ledger import Closing, Ledger
from distributor.ledger.closing import PaidBy, mined_by
from distributor.model import Address, Hash, HoldReason, OpenTransaction, Order, OrderStatus
from distributor.payout import effects, guard_outcomes, lifecycle, payment_proof
from distributor.payout.called_paid import transfer_to
from distributor.payout.corrected import Corrected
from distributor.payout.decision import Decision
from distributor.payout.guard_settling import GuardSettling
from distributor.payout.history import History
from distributor.payout.reopening import Reopening
from distributor.payout.weighing import shows_final
from distributor.payout.witnesses import TooEarly, Witnesses
from distributor.ports import Chain
from distributor.settings.chain import SettlementSettings
from distributor.state import Identity


@dataclass(frozen=True, kw_only=True)
class Correction:
    """The ways out of a state in which ledger and chain differ. Raises ChainUnavailable, Contention."""

    ledger: Ledger
    chain: Chain
    history: History
    identity: Identity
    policy: SettlementSettings
    guard_settling: GuardSettling

    @property
    def reopening(self) -> Reopening:
        """What is done about orders that are called paid."""
        return Reopening(
            ledger=self.ledger,
            chain=self.chain,
            history=self.history,
            identity=self.identity,
            policy=self.policy,
            guard=self.guard_settling.guard,
        )

    async def resubmit(
        self, operator: Address, nonce: int, decision: Decision | None
    ) -> tuple[Corrected, Submitted | None]:
        """
        Hand the stored bytes of a nonce to the nodes once more: of one that was closed, and left the chain, too.

        Its mined attempt where one was; else the last. Stored bytes can be mined once at most.
        """
        transaction = await self.ledger.transaction(operator, nonce)
        attempts = await self.ledger.attempts(operator, nonce)
        if transaction is None or not attempts:
            return Corrected.NOT_BOUND, None
        if (await self.chain.snapshot([operator], [], [])).nonces[operator] > nonce:
            return Corrected.USED, None
        attempt = next((each for each in attempts if each.tx_hash == transaction.mined_hash), attempts[-1])
        if not attempt.raw:
            return Corrected.ERASED, None
        if decision is None:
            return Corrected.SUBMITTED, None
        await self.ledger.admin.record("resubmit", f"{operator}:{nonce}", decision.by, decision.why)
        (said,) = await self.chain.submit([attempt.raw])
        return Corrected.SUBMITTED, said

    async def settle(self, order: Order, tx_hash: Hash, decision: Decision | None, *, node: str = "") -> Corrected:
        """
        Call *order* paid by *tx_hash*, a payment that the ledger has not or calls by another name.

        Two providers must show the payment. Only an order that is bound is closed by one, the *node* that a person
        names because the nodes never agree. A transfer that pays an unbound order must prove no other one.
        """
        if order.is_frozen:
            return Corrected.NEWER
        if order.purged_ms is not None:
            return Corrected.ERASED
        if order.status is OrderStatus.PAID:
            return await self.reopening.settle(order, tx_hash, decision)
        if order.operator is not None and order.nonce is not None:
            return await self._settle_bound(order, order.operator, order.nonce, tx_hash, decision, node=node)
        return await self._settle_unbound(order, tx_hash, decision)

    # inside ------------------------------------------------------------------------------------

    async def _settle_unbound(self, order: Order, tx_hash: Hash, decision: Decision | None) -> Corrected:
        receipt = await self._shown_by_two(tx_hash)
        if isinstance(receipt, TooEarly):
            return Corrected(receipt.value)
        recorded = self._recorded(order, receipt) or await self._recorded_before(order, receipt)
        if recorded is not None:
            if decision is not None:
                await self.ledger.admin.record("settle", str(order.key), decision.by, decision.why)
                await self.ledger.guard_rows.adopt(order, recorded)
            return Corrected.PAID
        proof = await self._proof(order, receipt)
        if not isinstance(proof, Transfer):
            return proof
        if decision is not None:
            await self.ledger.admin.record("settle", str(order.key), decision.by, decision.why)
            await self.ledger.exits.settle(order, tx_hash, receipt.block.number, proof.log_index)
        return Corrected.PAID

    async def _settle_bound(
        self, order: Order, operator: Address, nonce: int, tx_hash: Hash, decision: Decision | None, *, node: str
    ) -> Corrected:
        attempts = await self.ledger.attempts(operator, nonce)
        transaction = await self.ledger.transaction(operator, nonce)
        if transaction is None or tx_hash not in {attempt.tx_hash for attempt in attempts}:
            return Corrected.ANOTHER_NONCE
        receipt = await (self._shown_by(node, tx_hash) if node else self._shown_by_two(tx_hash))
        if isinstance(receipt, TooEarly):
            return Corrected(receipt.value)
        opened = OpenTransaction(transaction=transaction, attempts=tuple(attempts))
        return await self._close(opened, receipt, order, decision)

    async def _close(
        self, opened: OpenTransaction, receipt: Receipt, order: Order, decision: Decision | None
    ) -> Corrected:
        """
        Close as paid; without a guard nothing is ever held and given another nonce by one node's word.

        Through a guard what failed beside *order* goes its own way: whatever that node says, the guard pays no
        reference twice.
        """
        transaction = opened.transaction
        orders = await self.ledger.orders(transaction.orders)
        closing = await self._closing(opened, orders, receipt)
        if closing is None:
            return Corrected.NODES_DISAGREE
        if order.key not in closing.paid or HoldReason.NO_TRANSFER in closing.held.values():
            return Corrected.NO_TRANSFER
        if decision is not None:
            await self.ledger.admin.record("settle", str(order.key), decision.by, decision.why)
            await self.ledger.close(mined_by(transaction, receipt), closing)
        return Corrected.PAID

    async def _closing(self, opened: OpenTransaction, orders: Sequence[Order], receipt: Receipt) -> Closing | None:
        """Return how it is closed by *receipt*; None while the nodes do not say who paid one of its references."""
        transaction, kind = opened.transaction, lifecycle.mined_attempt(opened.attempts, receipt).kind
        if effects.is_judged_by_guard(transaction, kind):
            return await self.guard_settling.closing(transaction, orders, receipt)
        proof = payment_proof.verify_payment(orders, receipt, self.identity.reserve, kind=kind)
        return Closing.by(receipt, paid=proof.paid, held=proof.held, detail="")

    async def _shown_by_two(self, tx_hash: Hash) -> Receipt | TooEarly:
        return await Witnesses(chain=self.chain).final_receipt(tx_hash, self.policy, release=False)

    async def _shown_by(self, node: str, tx_hash: Hash) -> Receipt | TooEarly:
        """Return the receipt that one node shows as final by its own mark: a person has decided to believe it."""
        snapshot = await self.chain.snapshot([], [tx_hash], [], node=node)
        shown = snapshot.receipts.get(tx_hash)
        if shown is None:
            return TooEarly.NOT_FINAL
        claim = Claim(tx_hash, shown.block.number)
        word = (await self.chain.words([claim], node=node, mark=snapshot.mark)).get(tx_hash)
        receipt = word.receipt if word is not None and shows_final(word, shown.block, self.policy) else None
        return receipt or TooEarly.NOT_FINAL

    def _recorded(self, order: Order, receipt: Receipt) -> PaidBy | None:
        """Return what the guard says itself: it names reference, wallet and amount, also of an imported payment."""
        wanted = (GuardWord.PAID, self.identity.guard, order.ref_id, order.wallet, order.amount_units)
        for event in receipt.guard_events if receipt.succeeded else ():
            if (event.word, event.emitter, event.ref_id, event.wallet, event.amount_units) == wanted:
                return PaidBy(tx_hash=receipt.tx_hash, block_number=receipt.block.number, log_index=event.log_index)
        return None

    async def _recorded_before(self, order: Order, receipt: Receipt) -> PaidBy | None:
        """Return what a guard that was replaced since says itself, beside the transfer that it caused."""
        details = (await self.history.transaction_details([receipt.tx_hash]))[receipt.tx_hash]
        if not details.guarded or details.to is None:
            return None
        paid = guard_outcomes.judge_items([order], receipt, details.to, self.identity.reserve).paid
        if order.key not in paid:
            return None
        return PaidBy(tx_hash=receipt.tx_hash, block_number=receipt.block.number, log_index=paid[order.key])

    async def _proof(self, order: Order, receipt: Receipt) -> Transfer | Corrected:
        """Return the transfer that paid *order* and no other; a call of this service names the order it paid."""
        transfer = transfer_to(order, receipt, self.identity.reserve)
        if transfer is None:
            return Corrected.NO_TRANSFER
        details = (await self.history.transaction_details([receipt.tx_hash]))[receipt.tx_hash]
        # The call names the wallets it paid, also one to an Authority or a guard that was replaced since.
        asked = details.distribution
        guarded = details.guarded or (details.to is not None and details.to == self.identity.guard)
        if guarded or (asked is not None and asked.ref_id != order.ref_id):
            return Corrected.ANOTHER_ORDER
        other = await self.ledger.exits.proves(receipt.tx_hash, transfer.log_index)
        return transfer if other in {None, order.key} else Corrected.ANOTHER_ORDER
