"""
A payment that was undone and booked again gets no second receipt.

Only a payment that vanished can have been booked again: two equal halves that are both there are two payments. The
question is asked when a payment is found and once more when its mail is claimed (R4-2): between the two, the mail of
the vanished one may have gone out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from foundation.clock import UnixMs
from payflow.state import Reason, Receipt, ReceiptState

RECREATED_WITHIN_MS: Final = 31 * 24 * 3_600_000
"""A month's books are closed after that."""


MAYBE_MAILED: Final = frozenset({ReceiptState.SENT, ReceiptState.UNKNOWN, ReceiptState.HELD, ReceiptState.REFUSED})
_NOT_SURE: Final = frozenset({ReceiptState.UNKNOWN, ReceiptState.REFUSED})
"""Refused and gone: a version that did not look whether another address had its mail left it so."""


class Recreation(StrEnum):
    """What a payment is to those of its instalment that vanished."""

    NEW = "new"
    COVERED = "covered"
    """The same payment again; its mail went out."""
    HELD = "held"
    """Perhaps the same: other amount or date, or nobody knows whether its mail went out."""
    WAIT = "wait"
    """A mail of this instalment is on its way: what becomes of it decides."""


def judge(receipt: Receipt, siblings: Iterable[Receipt], now: UnixMs) -> Recreation:
    """Return what *receipt* is to its *siblings*, the receipts of its instalment; ``gone`` of each must be current."""
    others = [other for other in siblings if other.baixa != receipt.baixa]
    if any(other.state is ReceiptState.SENDING for other in others):
        return Recreation.WAIT
    vanished = [other for other in others if other.gone]
    if any(other.state in _NOT_SURE for other in vanished):
        return Recreation.HELD
    sent = [other for other in vanished if _was_sent_lately(other, now)]
    same = [other for other in sent if _is_same(receipt, other)]
    if len(same) > _standing_for(receipt, others):
        return Recreation.COVERED
    return Recreation.HELD if len(sent) > len(same) else Recreation.NEW


def must_be_asked_for(receipt: Receipt, siblings: Iterable[Receipt]) -> Sequence[Receipt]:
    """
    Return the siblings of which we must know now whether they are still there, before *receipt* is judged.

    One that is held or refused may have been mailed to another of its addresses.
    """
    others = [other for other in siblings if other.baixa != receipt.baixa]
    return [other for other in others if not other.gone and other.state in MAYBE_MAILED]


def _was_sent_lately(receipt: Receipt, now: UnixMs) -> bool:
    return receipt.state is ReceiptState.SENT and receipt.changed_ms >= now - RECREATED_WITHIN_MS


def _is_same(receipt: Receipt, other: Receipt) -> bool:
    return (receipt.amount, receipt.paid_on, receipt.customer) == (other.amount, other.paid_on, other.customer)


def _standing_for(receipt: Receipt, others: Sequence[Receipt]) -> int:
    """Return how many vanished mails are taken already: each covers one payment that is there."""
    return sum(
        not other.gone
        and _is_same(receipt, other)
        and (other.reason is Reason.RECREATED or (other.state is ReceiptState.SENT and bool(other.decided_by)))
        for other in others
    )
