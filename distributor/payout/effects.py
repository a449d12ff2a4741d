"""What closing a transaction by one receipt would do: which of its orders are paid, and which lose their nonce."""

from __future__ import annotations

from collections.abc import Sequence

from distributor.chain_types import Receipt
from distributor.model import Address, AttemptKind, HoldReason, Order, Transaction
from distributor.payout import guard_calls, guard_outcomes, payment_proof
from distributor.payout.payment_proof import PaymentProof
from distributor.payout.weighing import Effect
from distributor.settings.chain import SettlementSettings


def effect_of(
    transaction: Transaction,
    orders: Sequence[Order],
    kind: AttemptKind,
    receipt: Receipt,
    *,
    reserve: Address,
    policy: SettlementSettings,
) -> Effect:
    """
    Return what closing *transaction* by *receipt* would do, of an attempt of that kind.

    The guard refuses a second payment, so a failed item is released at finality. Only where no guard answered,
    nothing vouches for that, and a release waits as it does without one.
    """
    proof, released = prove(transaction, orders, kind, receipt, reserve=reserve)
    guarded = is_judged_by_guard(transaction, kind)
    waits = bool(proof.held) if not guarded else HoldReason.NO_TRANSFER in proof.held.values()
    return Effect(releases=bool(proof.held) or released, beyond=policy.release_confirmations if waits else 0)


def prove(
    transaction: Transaction, orders: Sequence[Order], kind: AttemptKind, receipt: Receipt, *, reserve: Address
) -> tuple[PaymentProof, bool]:
    """Return which orders the receipt pays and which it holds, and whether a guard pays any of them otherwise."""
    if not is_judged_by_guard(transaction, kind):
        return payment_proof.verify_payment(orders, receipt, reserve, kind=kind), False
    said = guard_outcomes.judge_items(orders, receipt, transaction.to, reserve)
    return PaymentProof(paid=tuple(said.paid), held=said.held), bool(said.released or said.elsewhere)


def is_judged_by_guard(transaction: Transaction, kind: AttemptKind) -> bool:
    """Say whether a guard judges the attempt: the transaction's own call decides, never today's setting."""
    return kind is AttemptKind.PAY and guard_calls.is_guarded(transaction.data)
