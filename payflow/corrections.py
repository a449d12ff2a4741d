"""
A payment that was changed after its receipt was mailed: flagged, and corrected by a person's word alone. Pure.

A receipt's ``amount``, ``paid_on`` and customer are what was mailed; ``now_is`` is what the payment is now. Ordering a
correction makes them the new ones, and ``was_mailed`` the old ones, until the correction is mailed or given up. Each
order has a number of its own, and the number is part of the kind of its mails: no order is mailed under another's kind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from foundation.clock import UnixMs
from payflow.model import NO_TERMS, PaymentTerms
from payflow.state import After, Delivery, DeliveryState, Reason, Receipt, ReceiptState

RECEIPT: Final = "receipt"
"""The kind of the first mail to each address."""
TEST_PREFIX: Final = "test-"
_NUMBERED: Final = re.compile(r"(?:test-)?correction-(\d+)")
_WENT_OUT: Final = frozenset({DeliveryState.SENT, DeliveryState.UNKNOWN})


# What the look says ------------------------------------------------------------------------------


def flagged(receipt: Receipt, terms: PaymentTerms, now: UnixMs) -> Receipt:
    """Return a mailed *receipt* whose payment is *terms* now: a person is asked, once for each change."""
    if _are_same(receipt.terms, terms):
        return unflagged(receipt) if receipt.after is After.CHANGED else receipt
    if receipt.after is After.CHANGED and _are_same(receipt.now_is, terms):
        return receipt
    known = replace(terms, customer_name="") if receipt.emptied_ms else terms
    return replace(receipt, after=After.CHANGED, flagged_ms=now, now_is=known)


def undone(receipt: Receipt, now: UnixMs) -> Receipt:
    """Return a mailed *receipt* whose payment is gone."""
    return replace(receipt, after=After.UNDONE, gone=True, flagged_ms=now)


def unflagged(receipt: Receipt) -> Receipt:
    """Return *receipt* as one whose mail says what the payment is."""
    return replace(receipt, after=None, flagged_ms=UnixMs(0), now_is=NO_TERMS)


# What a person says ------------------------------------------------------------------------------


def ordered(receipt: Receipt, mails: Sequence[Delivery], who: str, now: UnixMs) -> Receipt:
    """Return *receipt* as it begins anew for a correction, with what its payment was last seen to be."""
    return replace(
        receipt.with_terms(receipt.now_is or receipt.terms),
        state=ReceiptState.FOUND,
        reason=None,
        found_ms=now,
        changed_ms=now,
        due_ms=now,
        asks=0,
        faults=0,
        document_sha256="",
        document_source="",
        decided_by=who,
        correction=next_number(receipt, mails),
        was_mailed=receipt.terms,
        was_sha256=receipt.document_sha256,
        was_source=receipt.document_source,
    )


def answered(receipt: Receipt) -> Receipt:
    """Return *receipt* with a person's word that what changed needs no mail; another change is asked about again."""
    return replace(receipt, flagged_ms=UnixMs(0))


def correction_ended(receipt: Receipt, mails: Sequence[Delivery], now: UnixMs) -> Receipt:
    """
    Return *receipt*, which may just have become SENT, as its *mails* leave its correction.

    Mailed, the correction ends the flag. Given up before, the receipt is what was mailed before. A payment that is gone
    is flagged for that, whatever was corrected.
    """
    if receipt.state is not ReceiptState.SENT:
        return as_mailed(receipt, mails, now)
    if receipt.was_mailed and has_gone_out(receipt, mails):
        receipt = replace(unflagged(receipt), was_mailed=NO_TERMS, was_sha256="", was_source="")
    after = as_mailed(dropped(receipt, now), mails, now)
    return undone(after, now) if after.gone and after.after is not After.UNDONE else after


def as_mailed(receipt: Receipt, mails: Sequence[Delivery], now: UnixMs) -> Receipt:
    """
    Return a mailed *receipt* as one of what its mails said, where a restore learned that from the send log.

    That is one that is sent, or is held because its payment changed when one of its addresses had the mail.
    Its own terms are from before the mail, or from after it: the payment was edited in between, so it is flagged. A
    look that finds the payment as it was mailed ends the flag. A mail older than the last correction says nothing.
    """
    out = [one for one in mails if one.state is DeliveryState.SENT and _number_in(one) >= receipt.correction]
    known = [one for one in out if one.said]
    is_mailed = receipt.state is ReceiptState.SENT or receipt.reason is Reason.PAYMENT_CHANGED
    if not is_mailed or not known:
        return receipt
    said = max(known, key=_number_in).said
    if _are_same(said, receipt.terms):
        return receipt
    name = receipt.customer_name if said.customer == receipt.customer else ""
    mailed = receipt.with_terms(replace(said, customer_name=name))
    return mailed if mailed.gone else flagged(mailed, receipt.terms, now)


def dropped(receipt: Receipt, now: UnixMs) -> Receipt:
    """
    Return *receipt* without the correction that was ordered: what was mailed is what it was before.

    A payment that is something else is flagged for it, also where the correction was ordered before it was changed.
    """
    was = receipt.was_mailed
    if not was:
        return receipt
    before = replace(
        receipt.with_terms(was),
        document_sha256=receipt.was_sha256,
        document_source=receipt.was_source,
        was_mailed=NO_TERMS,
        was_sha256="",
        was_source="",
    )
    if receipt.after is After.CHANGED and not _are_same(receipt.terms, was):
        return replace(before, now_is=receipt.terms)
    return flagged(before, receipt.terms, now)


def is_needless(receipt: Receipt, terms: PaymentTerms) -> bool:
    """Say whether the correction that is on its way has nothing to say: the payment became what was mailed before."""
    was = receipt.was_mailed
    return bool(was) and _are_same(was, terms) and not _are_same(was, receipt.terms)


def given_up(receipt: Receipt, now: UnixMs) -> Receipt:
    """Return *receipt*, none of whose correction went out, as it was before: its mail says what the payment is."""
    mailed = replace(receipt.with_terms(receipt.was_mailed), state=ReceiptState.SENT, reason=None, changed_ms=now)
    return dropped(mailed, now)


# Kinds -------------------------------------------------------------------------------------------


def kind_of_now(receipt: Receipt) -> str:
    """Return the kind of the mails that *receipt* goes out as now."""
    return f"correction-{receipt.correction}" if receipt.was_mailed else RECEIPT


def kind_of_further(receipt: Receipt, kind: str) -> str:
    """Return *kind* of a further mail as it is called while a correction is on its way: a mail of that correction."""
    if not receipt.was_mailed:
        return kind
    test = TEST_PREFIX if kind.startswith(TEST_PREFIX) else ""
    return f"{test}{kind_of_now(receipt)}-{kind.removeprefix(TEST_PREFIX)}"


def mails_of_now(receipt: Receipt, mails: Sequence[Delivery]) -> Sequence[Delivery]:
    """Return those of *mails* that are the correction in progress; all of them if none is."""
    if not receipt.was_mailed:
        return mails
    return [one for one in mails if _number_in(one) == receipt.correction]


def knows_a_later_one(receipt: Receipt, mails: Sequence[Delivery]) -> bool:
    """Say whether a later correction than that of *receipt* was begun: the send log of a restored ledger knows."""
    return any(_number_in(one) > receipt.correction for one in mails)


def has_gone_out(receipt: Receipt, mails: Sequence[Delivery]) -> bool:
    """Say whether one of *mails* that is of the receipt, or of the correction in progress, went out or may have."""
    return any(one.state in _WENT_OUT for one in mails_of_now(receipt, mails))


def next_number(receipt: Receipt, mails: Sequence[Delivery]) -> int:
    """Return the number of the next correction: none that was ordered before, nor one that only the send log knows."""
    return 1 + max([receipt.correction, *map(_number_in, mails)])


def _number_in(mail: Delivery) -> int:
    found = _NUMBERED.match(mail.kind)
    return int(found[1]) if found else 0


def _are_same(one: PaymentTerms, other: PaymentTerms) -> bool:
    """A name alone is no other payer."""
    return replace(one, customer_name="") == replace(other, customer_name="")
