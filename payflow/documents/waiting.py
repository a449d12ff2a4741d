"""Which document a receipt gets, and when it is asked for again: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from foundation.clock import UnixMs
from payflow.model import Attachment, Baixa, DocumentKind
from payflow.state import DocumentPolicy, Reason

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
ASKS_MS: Final = (15_000, *(minutes * _MINUTE_MS for minutes in (1, 5, 15)), _HOUR_MS, 3 * _HOUR_MS, 6 * _HOUR_MS)
"""The waits after the first, second, … ask in vain; after the last one every twelve hours."""
LATER_ASKS_MS: Final = 12 * _HOUR_MS
PATIENCE_MS: Final = 72 * _HOUR_MS
OWN_AFTER_MS: Final = 2 * _HOUR_MS


class Want(StrEnum):
    """What is done about a receipt's document now."""

    DOWNLOAD = "download"
    OWN = "own"
    WAIT = "wait"
    HOLD = "hold"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What is done, with the attachment, the next time, or the reason that belongs to it."""

    want: Want
    attachment: Attachment | None = None
    next_ms: UnixMs = UnixMs(0)
    reason: Reason | None = None


def receipt_document(baixa: Baixa, instalment: Sequence[Attachment]) -> Attachment | None:
    """Return the payment's receipt: its own before the instalment's, a digital one before another; files only."""
    for kind in (DocumentKind.DIGITAL_RECEIPT, DocumentKind.RECEIPT):
        if found := next((file for file in baixa.attachments if file.kind == kind and file.is_file), None):
            return found
    for kind in (DocumentKind.DIGITAL_RECEIPT, DocumentKind.RECEIPT):
        if found := next((file for file in instalment if file.kind == kind and file.is_file), None):
            return found
    return None


def next_document(
    policy: DocumentPolicy,
    attachment: Attachment | None,
    *,
    found_ms: UnixMs,
    asks: int,
    may_make_own: bool,
    now: UnixMs,
) -> Choice:
    """
    Return what is done about the document of a payment found at *found_ms*, asked for *asks* times in vain.

    ==================  ==============  ===========================================
    policy              attachment      what is done
    ==================  ==============  ===========================================
    own                 any             own
    any other           there           download
    erp_then_own        after 2 h none  own
    erp                 after 72 h none held: no_document
    any other           none            wait
    ==================  ==============  ===========================================

    A company that is a person makes no documents of its own (Receita Saúde applies): it waits like ``erp``.
    """
    if policy is DocumentPolicy.OWN and may_make_own:
        return Choice(want=Want.OWN)
    if attachment is not None:
        return Choice(want=Want.DOWNLOAD, attachment=attachment)
    waited = now - found_ms
    if policy is DocumentPolicy.ERP_THEN_OWN and may_make_own and waited >= OWN_AFTER_MS:
        return Choice(want=Want.OWN)
    if waited >= PATIENCE_MS:
        return Choice(want=Want.HOLD, reason=Reason.NO_DOCUMENT)
    return Choice(want=Want.WAIT, next_ms=_next_ask(policy, may_make_own, found_ms, asks, now))


def _next_ask(policy: DocumentPolicy, may_make_own: bool, found_ms: UnixMs, asks: int, now: UnixMs) -> UnixMs:
    ends = OWN_AFTER_MS if policy is DocumentPolicy.ERP_THEN_OWN and may_make_own else PATIENCE_MS
    return _after(now, asks, UnixMs(found_ms + ends))


def _after(now: UnixMs, asks: int, ends_ms: UnixMs) -> UnixMs:
    """The last ask is at the end itself: one shortly before it would be an ask too many."""
    wait = ASKS_MS[asks] if asks < len(ASKS_MS) else LATER_ASKS_MS
    return ends_ms if now + wait + wait // 2 > ends_ms else UnixMs(now + wait)


def asked_at(found_ms: UnixMs) -> Sequence[UnixMs]:
    """Return every moment at which a document that never comes is asked for: for the table of API calls."""
    moments = [found_ms]
    while moments[-1] < found_ms + PATIENCE_MS:
        moments.append(_after(moments[-1], len(moments) - 1, UnixMs(found_ms + PATIENCE_MS)))
    return moments
