"""
The one decision: what happens to a receipt, by its row and by what was just read. Pure.

``decide(receipt, seen, policy, now) -> Step``. Each entry resumes from the row; the document's bytes are in no row, so
a receipt whose mail is tried again asks for them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

from foundation.clock import UnixMs
from payflow import corrections
from payflow.delivery import rules
from payflow.documents import waiting
from payflow.documents.waiting import Choice, Want
from payflow.looking.recreated import Recreation
from payflow.model import Attachment, Baixa, InstalmentDetail, Person
from payflow.recipients.choice import Recipient
from payflow.state import Delivery, DeliveryState, DocumentPolicy, Reason, Receipt, ReceiptState

SOON_MS: Final = 60_000
ADDRESS_ASK_MS: Final = 3_600_000
"""An address that the office types into Conta Azul is found within this."""
TAKEN_BACK: Final = frozenset({DeliveryState.READY, DeliveryState.CANCELLED})
WENT_OUT: Final = frozenset({DeliveryState.SENT, DeliveryState.UNKNOWN})


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The company's, as the decision needs it."""

    documents: DocumentPolicy
    may_make_own: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliverySnapshot:
    """What was read for this decision, and not earlier than a minute ago."""

    baixa: Baixa | None
    """None: the payment was undone."""
    attachment: Attachment | None
    recreation: Recreation
    recipient: Recipient
    deliveries: Sequence[Delivery]
    person: Person | None = None


@dataclass(frozen=True, slots=True)
class Become:
    """Store another state, with its reason, and when the receipt is looked at next."""

    state: ReceiptState
    reason: Reason | None = None
    due_ms: UnixMs = UnixMs(0)
    asked: bool = False
    """The document was asked for in vain."""
    undone: bool = False
    """The payment is gone."""
    unwanted: bool = False
    """What is still to be tried is taken back."""


@dataclass(frozen=True, slots=True)
class Renew:
    """The payment was edited: store what it is now, and decide again."""

    baixa: Baixa


@dataclass(frozen=True, slots=True)
class Prepare:
    """Get the document (None: make our own) and write a delivery for each address."""

    attachment: Attachment | None
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judge:
    """Judge an abandoned delivery."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Send:
    """Try one delivery; its document is asked for again."""

    delivery: Delivery
    attachment: Attachment | None


Step = Become | Renew | Prepare | Judge | Send


def decide(receipt: Receipt, seen: DeliverySnapshot, policy: Policy, now: UnixMs) -> Step:
    """Return the next step of *receipt*, which is due, not frozen, and neither held nor ended."""
    if receipt.state is ReceiptState.SENDING:
        return _sending(receipt, seen, policy, now)
    if seen.baixa is None:
        return _undone(seen)
    if _was_edited(receipt, seen.baixa):
        return Renew(seen.baixa)
    again = None if receipt.decided_by else _recreated(seen.recreation, now)
    return again or _addressed(receipt, seen, policy, now)


def _recreated(recreation: Recreation, now: UnixMs) -> Step | None:
    match recreation:
        case Recreation.COVERED:
            return Become(ReceiptState.COVERED, Reason.RECREATED)
        case Recreation.HELD:
            return Become(ReceiptState.HELD, Reason.MAYBE_RECREATED)
        case Recreation.WAIT:
            return Become(ReceiptState.READY, None, UnixMs(now + SOON_MS))
    return None


def _addressed(receipt: Receipt, seen: DeliverySnapshot, policy: Policy, now: UnixMs) -> Step:
    """Addresses first: a document is not asked for while nobody could get it."""
    reason = seen.recipient.reason
    if reason is Reason.NO_MAIL:
        return _unwanted(seen)
    if reason is Reason.NO_RECIPIENT:
        return Become(ReceiptState.READY, reason, UnixMs(now + ADDRESS_ASK_MS))
    if reason is not None:
        return Become(ReceiptState.HELD, reason)
    return _documented(receipt, seen, policy, now)


def _documented(receipt: Receipt, seen: DeliverySnapshot, policy: Policy, now: UnixMs) -> Step:
    choice = _wanted(receipt, seen.attachment, policy, now)
    if choice.want is Want.WAIT:
        return _waiting(choice)
    if choice.want is Want.HOLD:
        return Become(ReceiptState.HELD, choice.reason)
    return Prepare(choice.attachment, seen.recipient.addresses)


def _waiting(choice: Choice) -> Become:
    return Become(ReceiptState.WAITING_DOCUMENT, None, choice.next_ms, asked=True)


def _wanted(receipt: Receipt, attachment: Attachment | None, policy: Policy, now: UnixMs) -> Choice:
    return waiting.next_document(
        policy.documents,
        attachment,
        found_ms=receipt.found_ms,
        asks=receipt.asks,
        may_make_own=policy.may_make_own,
        now=now,
    )


def waits_on(receipt: Receipt, detail: InstalmentDetail, policy: Policy, now: UnixMs) -> Become | None:
    """
    Return when the document of *receipt* is asked for next, if its instalment shows no change at all.

    None: there is something to decide, so the payment and its payer are read too: a document, an edited payment, or
    one that the instalment does not show (it may lag behind).
    """
    baixa = next((one for one in detail.baixas if one.id == receipt.baixa), None)
    if baixa is None or _was_edited(receipt, baixa):
        return None
    choice = _wanted(receipt, waiting.receipt_document(baixa, detail.attachments), policy, now)
    return _waiting(choice) if choice.want is Want.WAIT else None


def may_wait(receipt: Receipt, policy: Policy, now: UnixMs) -> bool:
    """Say whether *receipt* waits for a document and, without one, goes on waiting."""
    is_waiting = receipt.state is ReceiptState.WAITING_DOCUMENT
    return is_waiting and _wanted(receipt, None, policy, now).want is Want.WAIT


def _sending(receipt: Receipt, seen: DeliverySnapshot, policy: Policy, now: UnixMs) -> Step:
    if abandoned := next((one for one in seen.deliveries if rules.is_abandoned(one, now)), None):
        return Judge(abandoned)
    due = next((one for one in seen.deliveries if _is_due(one, now)), None)
    if due is None:
        return settled(seen.deliveries)
    if seen.baixa is None or _was_edited(receipt, seen.baixa):
        return _changed_while_sending(receipt, seen)
    if seen.recipient.reason is Reason.NO_MAIL and not _was_ordered_since(due, seen.recipient.said_ms):
        return _unwanted(seen)
    if not receipt.decided_by and _nothing_went_out(seen.deliveries) and (known := _covered_meanwhile(seen.recreation)):
        return known
    return _tried(receipt, seen, policy, due, now)


def _tried(receipt: Receipt, seen: DeliverySnapshot, policy: Policy, due: Delivery, now: UnixMs) -> Step:
    """Every attempt carries the same document: made again, or asked for again."""
    if receipt.document_source == "own" and policy.may_make_own:
        return Send(due, None)
    if seen.attachment is None:
        return Become(ReceiptState.SENDING, None, UnixMs(now + rules.LADDER_MS[0]))
    return Send(due, seen.attachment)


def _changed_while_sending(receipt: Receipt, seen: DeliverySnapshot) -> Step:
    """Nothing went out: the payment is withdrawn, or begins anew. Something did: that is what the receipt is."""
    if seen.baixa is not None:
        untouched = _nothing_went_out(corrections.mails_of_now(receipt, seen.deliveries))
        return Renew(seen.baixa) if untouched else Become(ReceiptState.HELD, Reason.PAYMENT_CHANGED)
    return _undone(seen)


def _undone(seen: DeliverySnapshot) -> Step:
    """A payment that was mailed and undone stays mailed: booked again, it is the same one."""
    if _nothing_went_out(seen.deliveries):
        return Become(ReceiptState.WITHDRAWN, undone=True)
    return replace(settled(rules.taken_back(seen.deliveries)), undone=True)


def _unwanted(seen: DeliverySnapshot) -> Step:
    """A customer who gets no mail gets none that is still to be tried either."""
    if _nothing_went_out(seen.deliveries):
        return Become(ReceiptState.SKIPPED, Reason.NO_MAIL, unwanted=True)
    return replace(settled(rules.taken_back(seen.deliveries)), unwanted=True)


def _was_ordered_since(mail: Delivery, said_ms: UnixMs) -> bool:
    """The last word counts: a mail that a person ordered after *no mail* was said goes out."""
    return mail.kind not in rules.OWED and mail.date_ms >= said_ms


def settled(deliveries: Sequence[Delivery]) -> Become:
    """Return what the states of its *deliveries* make of a receipt of which nothing is due now."""
    open_ = [_next_ms(one) for one in deliveries if one.state in (DeliveryState.READY, DeliveryState.SENDING)]
    if open_:
        return Become(ReceiptState.SENDING, None, min(open_))
    if any(one.state is DeliveryState.UNKNOWN and not one.decided_by for one in deliveries):
        return Become(ReceiptState.UNKNOWN)
    if held := next((one for one in deliveries if one.state is DeliveryState.HELD and not one.decided_by), None):
        return Become(ReceiptState.HELD, held.reason)
    refused = [one for one in deliveries if one.state is DeliveryState.REFUSED]
    if any(not one.decided_by for one in refused) or (refused and not any(one.state in WENT_OUT for one in deliveries)):
        return Become(ReceiptState.REFUSED)
    return Become(ReceiptState.SENT)


def numbers(indexes: Sequence[str], mails: Sequence[Delivery]) -> Sequence[int]:
    """
    Return the number of the mail to each address, by the addresses' blind *indexes*.

    One that was mailed keeps its number, wherever the office lists it now; the others get what is free. A mail of
    which only the send log knows has no address: it is that of the address in its place.
    """
    own = {one.address_index: one.number for one in mails if one.address and one.state not in TAKEN_BACK}
    free = (number for number in count(1) if number not in own.values())
    return [own[index] if index in own else next(free) for index in indexes]


def _covered_meanwhile(recreation: Recreation) -> Become | None:
    """Return what a vanished payment's mail means that went out since this one was prepared (R4-2)."""
    if recreation is Recreation.COVERED:
        return Become(ReceiptState.COVERED, Reason.RECREATED)
    return Become(ReceiptState.HELD, Reason.MAYBE_RECREATED) if recreation is Recreation.HELD else None


def _nothing_went_out(deliveries: Sequence[Delivery]) -> bool:
    return all(one.state in (DeliveryState.READY, DeliveryState.CANCELLED) for one in deliveries)


def _is_due(delivery: Delivery, now: UnixMs) -> bool:
    return delivery.state is DeliveryState.READY and not delivery.frozen and delivery.due_ms <= now


def _next_ms(delivery: Delivery) -> UnixMs:
    """A claimed delivery is judged a moment after its deadline and the grace."""
    if delivery.state is DeliveryState.SENDING:
        return UnixMs(max(delivery.attempt_deadline_ms + rules.GRACE_MS + 1, delivery.due_ms))
    return delivery.due_ms


def _was_edited(receipt: Receipt, baixa: Baixa) -> bool:
    """A new revision alone is no edit: the arrival of the document may raise it as well."""
    return (receipt.amount, receipt.paid_on) != (baixa.composition.paid, baixa.paid_on)
