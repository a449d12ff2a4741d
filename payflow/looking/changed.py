"""What a receipt becomes when its payment is edited or undone: anew before its mail, flagged after it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from foundation.clock import UnixMs
from payflow import corrections
from payflow.model import Baixa, Customer, PaymentTerms
from payflow.state import After, Reason, Receipt, ReceiptState

OPEN: Final = frozenset({ReceiptState.FOUND, ReceiptState.WAITING_DOCUMENT, ReceiptState.READY})
_MAILED: Final = frozenset({ReceiptState.SENT, ReceiptState.UNKNOWN, ReceiptState.REFUSED})
WITHDRAWABLE: Final = OPEN | {ReceiptState.HELD, ReceiptState.REFUSED}
"""What no mail need be the end of: undone, its payment is withdrawn, or is what the mails that went out say."""


def vanished(receipt: Receipt, now: UnixMs, *, mailed: ReceiptState | None = None) -> Receipt:
    """
    Return what an undone payment's receipt becomes. One that is being sent is left to its sender.

    One that waits, and was *mailed* to some of its addresses, is not withdrawn: booked again, it would be mailed again.
    """
    if receipt.state is ReceiptState.SENDING:
        return receipt
    if receipt.state in WITHDRAWABLE and mailed:
        ended = replace(corrections.dropped(receipt, now), state=mailed, reason=None, gone=True, changed_ms=now)
        return corrections.undone(ended, now) if mailed is ReceiptState.SENT else ended
    if receipt.state in WITHDRAWABLE:
        return replace(receipt, state=ReceiptState.WITHDRAWN, reason=None, gone=True, changed_ms=now)
    if receipt.state is ReceiptState.SENT:
        return corrections.undone(receipt, now)
    return replace(receipt, gone=True)


def edited(receipt: Receipt, baixa: Baixa, customer: Customer, now: UnixMs, *, partly: bool = False) -> Receipt:
    """
    Return what an edited payment's receipt becomes: anew before its mail, flagged after it.

    One that is held, and was *partly* mailed, is what that mail says, and is held for the change. A new revision alone
    is no edit worth a word: the arrival of the document may raise it as well.
    """
    if receipt.state is ReceiptState.SENDING:
        return receipt
    is_now = PaymentTerms(
        amount=baixa.composition.paid, paid_on=baixa.paid_on, customer=customer.id, customer_name=customer.name
    )
    if receipt.state in _MAILED or (partly and receipt.state is ReceiptState.HELD):
        after = corrections.flagged(receipt, is_now, now)
        return replace(after, revision=baixa.revision, reason=_why_held(after))
    same = replace(is_now, customer_name=receipt.customer_name) == receipt.terms
    now_is = replace(receipt.with_terms(is_now), revision=baixa.revision, emptied_ms=UnixMs(0))
    if receipt.reason is Reason.BEFORE_CONNECTION and receipt.revision != baixa.revision:
        return replace(now_is, state=ReceiptState.HELD, reason=Reason.MAYBE_BEFORE_CONNECTION, changed_ms=now)
    if same:
        return now_is
    if corrections.is_needless(receipt, is_now) and receipt.state in OPEN:
        return replace(corrections.given_up(receipt, now), revision=baixa.revision)
    return _of_another_payment(now_is, now)


def _why_held(receipt: Receipt) -> Reason | None:
    is_changed = receipt.state is ReceiptState.HELD and receipt.after is After.CHANGED
    return Reason.PAYMENT_CHANGED if is_changed else receipt.reason


def _of_another_payment(receipt: Receipt, now: UnixMs) -> Receipt:
    """
    Return *receipt* with the terms it has now, which nobody was mailed.

    A mail of it that is held is made anew when a person lets it go on. What another mail was the receipt of is not what
    that mail says any more: a person decides.
    """
    if receipt.state in OPEN:
        return _anew(receipt, now)
    anew = replace(receipt, document_sha256="", document_source="")
    if receipt.state is not ReceiptState.COVERED:
        return anew
    return replace(anew, state=ReceiptState.HELD, reason=Reason.PAYMENT_CHANGED, changed_ms=now)


def _anew(receipt: Receipt, now: UnixMs) -> Receipt:
    """Return a receipt as if just found: another amount or date needs another document."""
    return replace(
        receipt,
        state=ReceiptState.FOUND,
        changed_ms=now,
        due_ms=now,
        asks=0,
        document_sha256="",
        document_source="",
    )
