"""Which orders a final receipt pays: proved by the token's own Transfer event alone, each event for one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distributor.chain_types import Receipt, Transfer
from distributor.model import (
    Address,
    AttemptKind,
    HoldReason,
    Order,
    OrderKey,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentProof:
    """What a final receipt says of each order of its transaction."""

    paid: tuple[OrderKey, ...]
    held: Mapping[OrderKey, HoldReason]


def verify_payment(
    orders: Sequence[Order], receipt: Receipt, reserve: Address, *, kind: AttemptKind = AttemptKind.PAY
) -> PaymentProof:
    """
    Return which of *orders* the receipt proves as paid, and why the others are not.

    The proof is the token's own ``Transfer(reserve → wallet, amount)``; each event proves one order.
    A status of 1 proves nothing: a call to an address without code has it too. What was mined decides,
    not what was wanted last: a payment may win over its cancellation, and *kind* is that of the winner.
    """
    if kind is AttemptKind.CANCEL:
        return PaymentProof(paid=(), held={order.key: HoldReason.NONCE_CANCELLED for order in orders})
    if not receipt.succeeded:
        return PaymentProof(paid=(), held={order.key: HoldReason.REVERTED for order in orders})
    unused = list(receipt.transfers)
    paid: list[OrderKey] = []
    held: dict[OrderKey, HoldReason] = {}
    for order in orders:
        proof = next((event for event in unused if _proves(event, order, reserve)), None)
        if proof is None:
            held[order.key] = HoldReason.NO_TRANSFER
        else:
            unused.remove(proof)
            paid.append(order.key)
    return PaymentProof(paid=tuple(paid), held=held)


def _proves(event: Transfer, order: Order, reserve: Address) -> bool:
    return (event.sender, event.recipient, event.amount_units) == (reserve, order.wallet, order.amount_units)
