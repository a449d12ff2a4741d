"""What a receipt becomes when its payment is edited or undone: anew before its mail, flagged after it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from foundation.clock import UnixMs
from payflow import corrections
from payflow.model import Baixa, Customer, PaymentTerms
from payflow.state import Reason, Receipt, ReceiptState

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
        ended = replace(corrections.dropped(receipt), state=mailed, reason=None, gone=True, changed_ms=now)
        return corrections.undone(ended, now) if mailed is ReceiptState.SENT else ended
    if receipt.state in WITHDRAWABLE:
        return replace(receipt, state=ReceiptState.WITHDRAWN, reason=None, gone=True, changed_ms=now)
    if receipt.state is ReceiptState.SENT:
        return corrections.undone(receipt, now)
    return replace(receipt, gone=True)


def edited(receipt: Receipt, baixa: Baixa, customer: Customer, now: UnixMs) -> Receipt:
    """
    Return what an edited payment's receipt becomes: anew before its mail, flagged after it.

    A new revision alone is no edit worth a word: the arrival of the document may raise it as well.
    """
    if receipt.state is ReceiptState.SENDING:
        return receipt
    is_now = PaymentTerms(
        amount=baixa.composition.paid, paid_on=baixa.paid_on, customer=customer.id, customer_name=customer.name
    )
    if receipt.state in _MAILED:
        return replace(corrections.flagged(receipt, is_now, now), revision=baixa.revision)
    same = replace(is_now, customer_name=receipt.customer_name) == receipt.terms
    now_is = replace(receipt.with_terms(is_now), revision=baixa.revision, emptied_ms=UnixMs(0))
    if receipt.reason is Reason.BEFORE_CONNECTION and receipt.revision != baixa.revision:
        return replace(now_is, state=ReceiptState.HELD, reason=Reason.MAYBE_BEFORE_CONNECTION, changed_ms=now)
    if receipt.state in OPEN and not same:
        return _anew(now_is, now)
    return now_is


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
