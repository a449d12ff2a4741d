"""
What a person may not do with an order because the guard has recorded a payment of its reference.

1. The ledger went back; the guard has paid order A, and the ledger has it as held or waiting.
2. A person retries it: the guard refuses, and it is held again. Or cancels it: it is paid and called cancelled.

So the guard is asked first. A record at the latest state is enough to refuse; that it is final is for
``settle`` to see.
"""

from __future__ import annotations

from distributor.chain_types import GuardPayment
from distributor.ledger import Ledger
from distributor.model import Hash, HoldReason, Order, OrderKey
from distributor.payout.guard_outcomes import is_same_payment
from distributor.ports import Guard


async def retry_obstacle(ledger: Ledger, guard: Guard, order: Order) -> str:
    """
    Return why *order* must not be bound again; empty while nothing is known to have paid its reference.

    A reference that was found to be used stays so where the guard has no record of it, or none is there to refuse it.

    Raises:
        ChainUnavailable: Too few nodes answer, or they disagree.
    """
    payment = await _payment(ledger, guard, order.ref_id)
    if payment is not None and is_same_payment(order, payment):
        return _settle(order.key, payment)
    if payment is not None:
        return f"{recorded(payment)} The guard pays a reference once, so this order is never paid: `cancel` it."
    if order.hold_reason is HoldReason.REFERENCE_USED:
        return f"{order.hold_detail} A reference is paid once, so this order is never paid: `cancel` it."
    return ""


async def cancel_obstacle(ledger: Ledger, guard: Guard, order: Order) -> str:
    """
    Return why *order* must not be called cancelled; empty while its wallet and amount were not paid.

    Raises:
        ChainUnavailable: Too few nodes answer, or they disagree.
    """
    payment = await _payment(ledger, guard, order.ref_id)
    return _settle(order.key, payment) if payment is not None and is_same_payment(order, payment) else ""


async def bar_obstacle(ledger: Ledger, guard: Guard, ref_id: Hash) -> str:
    """
    Return why an id that the ledger has never seen must not be barred; empty while its reference is not paid.

    Raises:
        ChainUnavailable: Too few nodes answer, or they disagree.
    """
    payment = await _payment(ledger, guard, ref_id)
    if payment is None:
        return ""
    return f"{recorded(payment)} This ledger does not know of it: it is older than the chain. `pause`, then `rebuild`."


async def _payment(ledger: Ledger, guard: Guard, ref_id: Hash) -> GuardPayment | None:
    identity = await ledger.identity()
    if identity is None or identity.guard is None:
        return None
    return await guard.payment(identity.guard, ref_id)


def recorded(payment: GuardPayment) -> str:
    """Say what the guard has recorded."""
    return (
        f"The guard has recorded transaction {payment.tx_hash} in block {payment.block.number}: it paid "
        f"{payment.amount_units} units to {payment.wallet} under this reference."
    )


def _settle(key: OrderKey, payment: GuardPayment) -> str:
    return (
        f"{recorded(payment)} That is this order: "
        f"`settle {key.source}/{key.order_id} --tx {payment.tx_hash}` once it is final."
    )
