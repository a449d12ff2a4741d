"""
Use case: an order that somebody else has paid through the same guard becomes `paid` by that payment.

1. Two ledgers, or one ledger and its copy from before, hold the same order. Both would pay it.
2. The guard pays its reference once. The other transaction ends as AlreadyPaid, or the simulation says so.
3. The order is paid all the same: the guard's record names the block, and the log in it the rest.

What is not final says nothing yet: a reorganisation may undo it, and then the order must still be paid.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum

from distributor.chain_types import GuardPayment
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.ledger.closing import PaidBy
from distributor.model import Address, HoldReason, Order, OrderStatus
from distributor.payout import alarms, guard_outcomes
from distributor.ports import Alarms, Guard
from distributor.settings.chain import SettlementSettings
from foundation import logs
from foundation.errors import Contention

_log = logging.getLogger(__name__)


class Adopted(StrEnum):
    """What became of an order whose reference may have been paid elsewhere."""

    NOT_PAID = "not_paid"
    NOT_FINAL = "not_final"
    PAID = "paid"
    HELD = "held"


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """Look a reference up at the guard, and write what its record means for the order."""

    ledger: Ledger
    guard: Guard
    alarms: Alarms
    policy: SettlementSettings

    async def adopt(self, order: Order, guard: Address, final_block: int) -> Adopted:
        """
        Settle an order that is bound to no nonce by the payment that *guard* recorded, if that is final.

        Nodes that are silent or disagree leave it waiting.

        Args:
            order: What may have been paid.
            guard: Whose record is looked at.
            final_block: The newest one that two nodes have shown as final, each by its own word, before this: a record
                read first might be of a fork that was left in between.
        """
        try:
            payment = await self.guard.payment(guard, order.ref_id)
        except (ChainUnavailable, WrongChain) as error:
            logs.info(_log, "record_unknown", order=str(order.key), detail=str(error))
            return Adopted.NOT_FINAL
        if payment is None:
            return Adopted.NOT_PAID
        return await self.settle(order, payment) if payment.block.number <= final_block else Adopted.NOT_FINAL

    async def settle(self, order: Order, payment: GuardPayment) -> Adopted:
        """Write what *payment* means for an order that is bound to no nonce; it is final, by two words."""
        try:
            if guard_outcomes.is_same_payment(order, payment):
                # Alarm first: once it is adopted no round finds it again, and a crash in between would lose the alarm.
                await self.alarms.raise_(alarms.paid_elsewhere(order, payment))
                await self.ledger.guard_rows.adopt(order, paid_by(payment))
                return Adopted.PAID
            if order.status is OrderStatus.RECEIVED:
                detail = used_by(payment)
                await self.ledger.hold(order, HoldReason.REFERENCE_USED, detail)
                await self.alarms.raise_(alarms.order_held(order, HoldReason.REFERENCE_USED, detail))
        except Contention:
            return Adopted.NOT_FINAL  # another host was first; the next round looks again
        return Adopted.HELD


def paid_by(payment: GuardPayment) -> PaidBy:
    """Return where a recorded payment is on the chain."""
    return PaidBy(tx_hash=payment.tx_hash, block_number=payment.block.number, log_index=payment.log_index)


def used_by(payment: GuardPayment) -> str:
    """Say what a reference was used for."""
    return (
        f"Transaction {payment.tx_hash} in block {payment.block.number} paid {payment.amount_units} units to "
        f"{payment.wallet} under this reference."
    )
