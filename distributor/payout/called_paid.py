"""
What guard and chain say of an order that the ledger calls paid, and that none of its own transactions paid.

1. Somebody else paid it through the guard, and it was adopted; or a person settled it; or a rebuild took it from the
   guard's records. It has no nonce that could be looked at.
2. The row names one transaction. Its block may have left the chain since, and the payment may have been mined again in
   another one, or never.
3. So the guard is asked first, then the transaction itself. Silence is no answer: that a payment is not there is
   believed of a final block alone, by two nodes where two are configured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from distributor.chain_types import Claim, GuardPayment, GuardWord, Receipt, Transfer
from distributor.ledger import Ledger
from distributor.model import Address, Hash, Order
from distributor.payout.guard_outcomes import is_same_payment
from distributor.payout.history import History, TransactionDetails, agreed_final
from distributor.payout.witnesses import TooEarly, Witnesses
from distributor.ports import Chain, Guard
from distributor.settings.chain import SettlementSettings
from distributor.state import Identity


class PaidStanding(StrEnum):
    """Whether what is called paid is paid."""

    SHOWN = "shown"
    """The chain shows the payment in the transaction that the row names."""
    MOVED = "moved"
    """The guard has recorded it as paid, by another transaction than the row names."""
    OTHERWISE = "otherwise"
    """The guard has recorded a payment of other content under its reference, and pays no second one."""
    NOT_THERE = "not_there"
    """A final block without it: nothing has paid it."""
    NOT_FINAL = "not_final"
    NODES_DISAGREE = "nodes_disagree"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidState:
    """The state of the order, and what the guard has recorded if the state rests on that."""

    standing: PaidStanding
    payment: GuardPayment | None = None


@dataclass(frozen=True, kw_only=True)
class CalledPaid:
    """Looks, and writes nothing. Raises ChainUnavailable: too few nodes answer, or they disagree about the guard."""

    ledger: Ledger
    chain: Chain
    history: History
    guard: Guard
    identity: Identity
    policy: SettlementSettings

    async def of(self, order: Order) -> PaidState:
        """Return the state of an order that is called paid by a transaction which is not its own."""
        records = await self._records(order)
        if any(is_same_payment(order, each) and each.tx_hash == order.paid_hash for each in records):
            return PaidState(standing=PaidStanding.SHOWN)
        receipt = await self._receipt(order)
        if isinstance(receipt, Receipt) and await self._shows(order, receipt):
            return PaidState(standing=PaidStanding.SHOWN)
        recorded = _recorded(order, records)
        if recorded is not None:
            return recorded
        by_hand = await self.ledger.exits.is_by_hand(order)  # the guard would pay it beside that transfer
        if self.identity.guard is not None and not by_hand:
            return await self._unrecorded(order, self.identity.guard)
        return PaidState(
            standing=PaidStanding.NOT_THERE if isinstance(receipt, Receipt) else PaidStanding(receipt.value)
        )

    async def record(self, order: Order) -> PaidState | None:
        """Return what the guards have recorded of *order*; None where they have nothing, or there is none."""
        return _recorded(order, await self._records(order))

    async def any_word_for(self, order: Order, tx_hash: Hash) -> bool:
        """Say whether any node shows that *tx_hash* paid *order*: that forbids to call it unpaid."""
        said = await Witnesses(chain=self.chain).hear([Claim(tx_hash, order.paid_block or 0)])
        receipts = [word.receipt for word in said[tx_hash].words if word.receipt is not None]
        return any(self._named(order, each) or shows_transfer(order, each, self.identity.reserve) for each in receipts)

    async def _records(self, order: Order) -> Sequence[GuardPayment]:
        """Return what each guard has recorded, that of today first."""
        today = [self.identity.guard] if self.identity.guard is not None else []
        former = [each for each in await self.ledger.guard_rows.former() if each not in today]
        found = [await self.guard.payment(each, order.ref_id) for each in (*today, *former)]
        return [each for each in found if each is not None]

    async def _receipt(self, order: Order) -> Receipt | TooEarly:
        """Return what the row's transaction did; that it did nothing is believed as deep as a release needs."""
        if order.paid_hash is None:
            return TooEarly.NOT_FINAL
        witnesses = Witnesses(chain=self.chain)
        receipt = await witnesses.final_receipt(order.paid_hash, self.policy, release=False)
        if isinstance(receipt, TooEarly) or await self._shows(order, receipt):
            return receipt
        return await witnesses.final_receipt(order.paid_hash, self.policy, release=True)

    async def _shows(self, order: Order, receipt: Receipt) -> bool:
        if self._named(order, receipt):
            return True
        details = (await self.history.transaction_details([receipt.tx_hash]))[receipt.tx_hash]
        return not is_denied(order, details, receipt) and shows_transfer(order, receipt, self.identity.reserve)

    def _named(self, order: Order, receipt: Receipt) -> bool:
        """Say whether the guard of today names this order there, also as an imported payment."""
        wanted = (GuardWord.PAID, self.identity.guard, order.ref_id, order.wallet, order.amount_units)
        said = [(each.word, each.emitter, each.ref_id, each.wallet, each.amount_units) for each in receipt.guard_events]
        return receipt.succeeded and wanted in said

    async def _unrecorded(self, order: Order, guard: Address) -> PaidState:
        """Believe that the guard has no payment only of a final block behind the one that the row names."""
        final = await agreed_final(self.chain, self.policy)
        if (order.paid_block or 0) > final or not await self.guard.unrecorded(guard, [order.ref_id], block=final):
            return PaidState(standing=PaidStanding.NOT_FINAL)
        return PaidState(standing=PaidStanding.NOT_THERE)


def is_denied(order: Order, details: TransactionDetails, receipt: Receipt) -> bool:
    """Say whether the guard itself says that it did not pay this item; its equal beside it is another order."""
    said = [each.word for each in receipt.guard_events if (each.emitter, each.ref_id) == (details.to, order.ref_id)]
    return details.guarded and bool(said) and GuardWord.PAID not in said


def shows_transfer(order: Order, receipt: Receipt, reserve: Address) -> bool:
    """Say whether *receipt* moved the order's amount from the reserve to its wallet."""
    return transfer_to(order, receipt, reserve) is not None


def transfer_to(order: Order, receipt: Receipt, reserve: Address) -> Transfer | None:
    """Return the transfer of the order's amount from the reserve to its wallet, or None."""
    wanted = (reserve, order.wallet, order.amount_units)
    moved = ((each, (each.sender, each.recipient, each.amount_units)) for each in receipt.transfers)
    return next((each for each, found in moved if receipt.succeeded and found == wanted), None)


def _recorded(order: Order, records: Sequence[GuardPayment]) -> PaidState | None:
    same = next((each for each in records if is_same_payment(order, each)), None)
    if same is not None:
        # An order of before was imported into a guard of later, which then names the import.
        return PaidState(
            standing=PaidStanding.SHOWN if same.tx_hash == order.paid_hash else PaidStanding.MOVED, payment=same
        )
    return PaidState(standing=PaidStanding.OTHERWISE, payment=records[0]) if records else None
