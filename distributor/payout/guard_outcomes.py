"""
What a final receipt of a transaction through a guard says of each of its orders. Pure.

The guard names the reference of every item, so equal items are never taken for each other, and it
refuses a second payment of one, whichever transaction wins. So a failed item may be bound again at
finality: there is no need to wait until its transaction is out of reach of every reorganisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distributor.chain_types import GuardEvent, GuardPayment, GuardWord, Receipt, Revert, RevertKind
from distributor.ledger.closing import Release
from distributor.model import Address, HoldReason, Order, OrderKey

FAILURES_MAX = 2
"""So often may an item fail for a reason of its own; then a person looks."""

_SERVICE_WIDE = {
    RevertKind.ROLE_MISSING,
    RevertKind.AUTHORITY_PAUSED,
    RevertKind.RESERVE_SHORT,
    RevertKind.ALLOWANCE_SHORT,
}
"""Refusals that blame no order; they pass, and are met by the next simulation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardProof:
    """What a guard says of each order of one transaction; every order is in exactly one of these."""

    paid: Mapping[OrderKey, int] = field(default_factory=dict)
    """Index in the block of the log that proves each payment."""
    held: Mapping[OrderKey, HoldReason] = field(default_factory=dict)
    because: Mapping[OrderKey, str] = field(default_factory=dict)
    """Of held orders: what the guard said of that item, where it said something."""
    released: Mapping[OrderKey, Release] = field(default_factory=dict)
    elsewhere: tuple[OrderKey, ...] = ()
    """Paid by another transaction, which the guard's record names."""


def judge_items(orders: Sequence[Order], receipt: Receipt, guard: Address, reserve: Address) -> GuardProof:
    """
    Return what *receipt* proves of each of *orders*, paid through *guard*.

    A payment is the guard's ``Paid`` with reference, wallet and amount, and the token's own Transfer
    between the guard's event before and this one. A transaction that reverted as a whole says nothing
    about any order.
    """
    if not receipt.succeeded:
        back = Release(detail="Its transaction was refused as a whole.", own_fault=False)
        return GuardProof(released={order.key: back for order in orders})
    events = sorted((each for each in receipt.guard_events if each.emitter == guard), key=lambda each: each.log_index)
    paid: dict[OrderKey, int] = {}
    held: dict[OrderKey, HoldReason] = {}
    because: dict[OrderKey, str] = {}
    released: dict[OrderKey, Release] = {}
    elsewhere: list[OrderKey] = []
    for order in orders:
        event = next((each for each in events if each.ref_id == order.ref_id), None)
        if event is not None and event.word is GuardWord.ALREADY_PAID:
            elsewhere.append(order.key)
        elif event is not None and event.word is GuardWord.ITEM_FAILED:
            back = _failed(event)
            if back.own_fault and (order.item_failures or 0) + 1 >= FAILURES_MAX:
                held[order.key], because[order.key] = HoldReason.ITEM_FAILED, back.detail
            else:
                released[order.key] = back
        elif event is not None and _proves(order, event, events, receipt, reserve):
            paid[order.key] = event.log_index
        else:
            held[order.key] = HoldReason.NO_TRANSFER
    return GuardProof(paid=paid, held=held, because=because, released=released, elsewhere=tuple(elsewhere))


def is_same_payment(order: Order, payment: GuardPayment) -> bool:
    """Say whether the recorded *payment* is what *order* asks for."""
    recorded = (payment.ref_id, payment.wallet, payment.amount_units)
    return recorded == (order.ref_id, order.wallet, order.amount_units)


def is_service_wide(refusal: Revert) -> bool:
    """Say whether a refusal blames no order."""
    return refusal.kind in _SERVICE_WIDE


def _failed(event: GuardEvent) -> Release:
    refusal = event.refusal or Revert(kind=RevertKind.OTHER, text="")
    text = refusal.text or "no reason; it may have used up its gas"
    return Release(detail=f"The guard reported it as failed: {text}.", own_fault=not is_service_wide(refusal))


def _proves(order: Order, event: GuardEvent, events: Sequence[GuardEvent], receipt: Receipt, reserve: Address) -> bool:
    before = max((each.log_index for each in events if each.log_index < event.log_index), default=-1)
    wanted = (reserve, order.wallet, order.amount_units)
    moved = any(
        (each.sender, each.recipient, each.amount_units) == wanted and before < each.log_index < event.log_index
        for each in receipt.transfers
    )
    return moved and (event.wallet, event.amount_units) == (order.wallet, order.amount_units)
