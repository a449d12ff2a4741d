"""
Use case: what the ledger calls paid and the chain does not show, or shows by another transaction.

An order whose own nonce paid it is judged by what used that nonce. One that somebody else paid through the guard, that
a person settled, or that a rebuild found, is judged by guard and chain: see ``called_paid``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from distributor.chain_types import GuardPayment, Receipt
from distributor.ledger import Ledger
from distributor.ledger.records import Slot
from distributor.model import Hash, HoldReason, Order, OrderStatus
from distributor.payout.adoption import paid_by, used_by
from distributor.payout.called_paid import CalledPaid, PaidStanding, PaidState, is_denied, shows_transfer
from distributor.payout.corrected import Corrected
from distributor.payout.decision import Decision
from distributor.payout.history import History, TransactionDetails, agreed_final
from distributor.payout.witnesses import TooEarly, Witnesses
from distributor.ports import Chain, Guard
from distributor.settings.chain import SettlementSettings
from distributor.state import Identity

_UNPAID: Final = PaidState(standing=PaidStanding.NOT_THERE)
_OF_A_PAID_ORDER: Final = {
    PaidStanding.SHOWN: Corrected.IS_PAID,
    PaidStanding.MOVED: Corrected.MOVED,
    PaidStanding.OTHERWISE: Corrected.NOT_SHOWN,
    PaidStanding.NOT_THERE: Corrected.NOT_SHOWN,
    PaidStanding.NOT_FINAL: Corrected.NOT_FINAL,
    PaidStanding.NODES_DISAGREE: Corrected.NODES_DISAGREE,
}
"""What a command answers that finds an order so, which is called paid."""


@dataclass(frozen=True, kw_only=True)
class Reopening:
    """Looks first; without a decision only says what it would do. Raises ChainUnavailable, Contention."""

    ledger: Ledger
    chain: Chain
    history: History
    identity: Identity
    policy: SettlementSettings
    guard: Guard

    async def reopen(self, order: Order, tx_hash: Hash, decision: Decision | None) -> Corrected:
        """
        Hold an order that is called paid and was not.

        *tx_hash* used its nonce, finally, and paid it nothing; or it is the transaction by which the order is called
        paid though it is not one of its own, and neither the guard nor that transaction shows the payment. While its
        own nonce is not used its stored bytes may still be mined: those are resubmitted instead.
        """
        if order.is_frozen:
            return Corrected.NEWER
        if order.status is not OrderStatus.PAID:
            return Corrected.NOT_PAID
        if order.purged_ms is not None:
            return Corrected.ERASED
        if order.operator is None or order.nonce is None:
            return await self._by_name(order, tx_hash, decision)
        return await self._by_nonce(order, Slot(order.operator, order.nonce), tx_hash, decision)

    async def settle(self, order: Order, tx_hash: Hash, decision: Decision | None) -> Corrected:
        """Look whether *order* is paid, as it is called; let its row name what the guard has recorded instead."""
        found = await self._called_paid.of(order)
        if found.payment is None or found.standing is not PaidStanding.MOVED or found.payment.tx_hash != tx_hash:
            return _OF_A_PAID_ORDER[found.standing]
        if found.payment.block.number > await agreed_final(self.chain, self.policy):
            return Corrected.NOT_FINAL
        if decision is not None:
            await self.ledger.admin.record("settle", str(order.key), decision.by, decision.why)
            await self.ledger.guard_rows.correct(order, paid_by(found.payment))
        return Corrected.PAID

    async def recorded(self, order: Order) -> GuardPayment | None:
        """Return the payment that a guard has recorded of *order*, for a person to see, or None."""
        found = await self._called_paid.record(order)
        return found.payment if found is not None else None

    # inside ------------------------------------------------------------------------------------

    @property
    def _called_paid(self) -> CalledPaid:
        return CalledPaid(
            ledger=self.ledger,
            chain=self.chain,
            history=self.history,
            guard=self.guard,
            identity=self.identity,
            policy=self.policy,
        )

    async def _by_name(self, order: Order, tx_hash: Hash, decision: Decision | None) -> Corrected:
        """Judge an order by guard and chain; the person names the transaction that its row names."""
        if order.paid_hash != tx_hash:
            return Corrected.ANOTHER_PAYMENT
        found = await self._called_paid.of(order)
        return await self._hold(order, found, f"reopened: transaction {tx_hash} did not pay it", decision)

    async def _by_nonce(self, order: Order, slot: Slot, tx_hash: Hash, decision: Decision | None) -> Corrected:
        """Judge an order by what used its nonce, and by the guard where that was not what paid it."""
        stored = await self.ledger.transaction(*slot)
        by_another = stored is not None and stored.mined_hash not in {None, order.paid_hash}
        if by_another and tx_hash == order.paid_hash:
            return await self._by_name(order, tx_hash, decision)
        used = await self._used(slot, tx_hash)
        if isinstance(used, Corrected):
            return used
        details, receipt = used
        if not is_denied(order, details, receipt) and shows_transfer(order, receipt, self.identity.reserve):
            return Corrected.IS_PAID
        found = await (self._called_paid.of(order) if by_another else self._elsewhere(order, tx_hash))
        return await self._hold(
            order, found, f"reopened: transaction {tx_hash} used its nonce and did not pay it", decision
        )

    async def _used(self, slot: Slot, tx_hash: Hash) -> tuple[TransactionDetails, Receipt] | Corrected:
        """Return the transaction that used the nonce of *slot*, as deep as a release needs."""
        if (await self.chain.snapshot([slot.operator], [], [])).nonces[slot.operator] <= slot.nonce:
            return Corrected.RESUBMIT
        details = (await self.history.transaction_details([tx_hash]))[tx_hash]
        if (details.sender, details.nonce) != slot:
            return Corrected.ANOTHER_NONCE
        receipt = await Witnesses(chain=self.chain).final_receipt(tx_hash, self.policy, release=True)
        return Corrected(receipt.value) if isinstance(receipt, TooEarly) else (details, receipt)

    async def _elsewhere(self, order: Order, tx_hash: Hash) -> PaidState:
        """Look for a payment beside the order's own nonce; a proof that any node shows forbids to hold it."""
        found, named = await self._called_paid.record(order), order.paid_hash
        if found is not None or named is None or named == tx_hash:
            return found or _UNPAID
        shown = await self._called_paid.any_word_for(order, named)
        return PaidState(standing=PaidStanding.SHOWN) if shown else _UNPAID

    async def _hold(self, order: Order, found: PaidState, detail: str, decision: Decision | None) -> Corrected:
        """Hold *order* where nothing has paid it, or where its reference paid something else."""
        otherwise = found.standing is PaidStanding.OTHERWISE
        if found.standing is not PaidStanding.NOT_THERE and not otherwise:
            return _OF_A_PAID_ORDER[found.standing]
        if decision is not None:
            await self.ledger.admin.record("reopen", str(order.key), decision.by, decision.why)
            reason = HoldReason.REFERENCE_USED if otherwise else HoldReason.NONCE_LOST
            said = detail if found.payment is None else used_by(found.payment)
            await self.ledger.exits.reopen(order, said, reason=reason)
        return Corrected.HELD
