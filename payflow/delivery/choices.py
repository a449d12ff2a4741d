"""
What a person decides about a receipt as a whole; receipt and deliveries change in one group.

========================================  ===============
state                                     decisions
========================================  ===============
found, waiting_document, ready            skip
held                                      release, skip
unknown                                   arrived, again (see ``decisions``); of an undone payment arrived, skip;
                                          of a mail that only the send log knows arrived, skip
refused                                   resend, skip
covered, skipped                          release
sent                                      resend, correction; no-correction if its payment changed or is gone
========================================  ===============

A receipt that is being sent is left to its sender; a withdrawn one has no payment any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from foundation.clock import UnixMs
from foundation.errors import Rejected
from foundation.tablestore.atomic import AtomicWrite
from payflow import corrections
from payflow.delivery import rules, steps
from payflow.ledger.lane import Also, LaneLedger
from payflow.mail import letters
from payflow.model import BaixaId, CustomerId
from payflow.state import ENDED, Delivery, DeliveryState, Reason, Receipt, ReceiptState

HELD_MAX: Final = 500
_RELEASED: Final = frozenset({ReceiptState.HELD, ReceiptState.COVERED, ReceiptState.SKIPPED})
_UNDERWAY: Final = frozenset({ReceiptState.FOUND, ReceiptState.WAITING_DOCUMENT, ReceiptState.READY})
_RESENT: Final = frozenset({ReceiptState.SENT, ReceiptState.REFUSED})
_ADDRESS: Final = frozenset({Reason.NO_RECIPIENT, Reason.CONFIRM_RECIPIENT, Reason.SHARED_ADDRESS})
_ASKED: Final = frozenset({ReceiptState.HELD, ReceiptState.READY})
_FAR: Final = UnixMs(10**14)
_OPEN: Final = frozenset({DeliveryState.READY, DeliveryState.HELD, DeliveryState.REFUSED})


@dataclass(frozen=True, kw_only=True, slots=True)
class Decider:
    """Who decides, and when."""

    name: str
    now: UnixMs


@dataclass(frozen=True, kw_only=True, slots=True)
class Resend:
    """A further mail: to *address*, or when it is empty to the one address that was refused, or that was mailed."""

    domain: str
    address: str = ""
    kind: str = "resend"


def _goes_on(receipt: Receipt) -> str:
    """Say what a receipt is waiting for that no word of a person lets go on."""
    if receipt.gone or receipt.state not in _UNDERWAY:
        return ""
    if receipt.reason is Reason.NO_RECIPIENT:
        return ": it goes on by itself when Conta Azul, `map` or the office's page gives it an address"
    return ": it goes on by itself"


async def release(ledger: LaneLedger, baixa: BaixaId, by: Decider) -> Receipt:
    """
    Let a receipt begin anew that is held, covered or skipped.

    Mails of it that the server never accepted are tried again, or, if a person had let their refusal be, made anew;
    document and recipient are looked for again. Where one address has the mail of a payment that was changed since,
    this orders a correction: every address gets the new receipt.
    Raises Rejected if its payment is gone, if it is in another state, or if a mail's outcome is not known.
    """
    receipt, deliveries = await _read(ledger, baixa)
    if receipt.gone or receipt.state not in _RELEASED:
        raise Rejected(f"a receipt that is {receipt.state} cannot be released{_goes_on(receipt)}")
    _require_whole(receipt)
    _require_known(deliveries)
    mails = corrections.mails_of_now(receipt, deliveries)
    if receipt.reason is Reason.PAYMENT_CHANGED and corrections.has_gone_out(receipt, deliveries):
        return await _ordered(ledger, receipt, deliveries, by)
    held = [one for one in mails if one.state is DeliveryState.HELD]
    stale = not receipt.document_sha256  # the payment was changed while its mail was held: made anew
    again = [] if stale else [rules.try_again(one, by.now) for one in held]
    let_be = [one for one in mails if one.state is DeliveryState.REFUSED and one.decided_by]
    anew = [] if again else [*let_be, *(held if stale else [])]
    after = replace(
        receipt,
        state=ReceiptState.SENDING if again else ReceiptState.FOUND,
        reason=None,
        found_ms=by.now,
        changed_ms=by.now,
        due_ms=by.now,
        asks=0,
        faults=0,
        decided_by=by.name,
    )
    return await ledger.save(receipt, after, also=_put(ledger, [*again, *map(rules.begin_anew, anew)]))


async def decide_anew(ledger: LaneLedger, reason: Reason, now: UnixMs) -> int:
    """
    Let every receipt held for *reason* be decided anew, because a person changed what held it; return how many.

    Nobody decided about the receipt itself: what covers or holds it otherwise still does. Raises Contention.
    """
    held = [one for one in await ledger.held(limit=HELD_MAX) if one.state is ReceiptState.HELD and one.reason is reason]
    for one in held:
        await ledger.save(one, replace(one, state=ReceiptState.FOUND, reason=None, due_ms=now, changed_ms=now))
    return len(held)


async def addressed(ledger: LaneLedger, customer: CustomerId, now: UnixMs) -> int:
    """
    Let every receipt of *customer* that waits for an address be decided anew; return how many. Raises Contention.

    One that asks Conta Azul for it each hour is decided now.
    """
    waiting = [*await ledger.held(limit=HELD_MAX), *await ledger.due(_FAR, limit=HELD_MAX)]
    meant = [one for one in waiting if one.customer == customer and one.reason in _ADDRESS and one.state in _ASKED]
    for one in meant:
        await ledger.save(one, replace(one, state=ReceiptState.FOUND, reason=None, due_ms=now, changed_ms=now))
    return len(meant)


async def skip(ledger: LaneLedger, baixa: BaixaId, by: Decider) -> Receipt:
    """
    Let a receipt end without a further mail; one that went out to another address makes it sent.

    Of an undone payment that says of an unknown mail that it did not arrive: booked again, the payment gets its own.
    So it does of a mail that only the send log knows: without its address it is not sent again, but mailed anew.
    Raises Rejected if it has ended, is being sent, or a mail's outcome is not known.
    """
    receipt, deliveries = await _read(ledger, baixa)
    if receipt.state in ENDED or receipt.state is ReceiptState.SENDING:
        raise Rejected(f"a receipt that is {receipt.state} cannot be skipped")
    if receipt.state is not ReceiptState.UNKNOWN or not (receipt.gone or rules.are_the_logs_alone(deliveries)):
        _require_known(deliveries)
    return await let_be(ledger, receipt, deliveries, by)


async def let_be(ledger: LaneLedger, receipt: Receipt, deliveries: Sequence[Delivery], by: Decider) -> Receipt:
    """Store that a receipt ends without a further mail; no mail of it is on its way."""
    sent = any(one.state is DeliveryState.SENT for one in deliveries)
    after = replace(
        receipt,
        state=ReceiptState.SENT if sent else ReceiptState.SKIPPED,
        reason=None if sent else Reason.BY_PERSON,
        changed_ms=by.now,
        decided_by=by.name,
    )
    known = [one for one in deliveries if not _is_unknown(one)]
    after = corrections.answered(corrections.correction_ended(after, known, by.now))
    return await ledger.save(receipt, after, also=_put(ledger, _decided(deliveries, by)))


async def order_correction(ledger: LaneLedger, baixa: BaixaId, by: Decider) -> Receipt:
    """
    Let a mailed receipt begin anew as a correction: payment, document and addresses are looked for again.

    Its mails are of a kind of their own, and say which receipt they replace. Raises Rejected if the receipt is not
    sent, if its payment is gone, if its personal data is emptied, or if a mail's outcome is not known.
    """
    receipt, deliveries = await _read(ledger, baixa)
    if receipt.gone or receipt.state is not ReceiptState.SENT:
        what = "of a payment that was undone" if receipt.gone else f"that is {receipt.state}"
        raise Rejected(f"a receipt {what} cannot be corrected")
    _require_whole(receipt)
    _require_known(deliveries)
    return await _ordered(ledger, receipt, deliveries, by)


async def decline_correction(ledger: LaneLedger, baixa: BaixaId, by: Decider) -> Receipt:
    """
    Store that what became of a payment after its mail needs no correction.

    The next change is asked about again. Raises Rejected if nothing is asked about the receipt.
    """
    receipt, _ = await _read(ledger, baixa)
    if receipt.state is not ReceiptState.SENT or not receipt.flagged_ms:
        raise Rejected("nothing is asked about this receipt")
    return await ledger.save(receipt, replace(corrections.answered(receipt), decided_by=by.name))


async def _ordered(ledger: LaneLedger, receipt: Receipt, deliveries: Sequence[Delivery], by: Decider) -> Receipt:
    after = corrections.ordered(receipt, deliveries, by.name, by.now)
    return await ledger.save(receipt, after, also=_put(ledger, _decided(deliveries, by)))


async def resend(ledger: LaneLedger, baixa: BaixaId, wish: Resend, by: Decider) -> Receipt:
    """
    Mail a receipt once more that was sent or refused, under another kind: that is another mail by a person's word.

    Raises Rejected if it is in another state, was never prepared, or a mail's outcome is not known; also without an
    address where several would do.
    """
    receipt, deliveries = await _read(ledger, baixa)
    if receipt.gone or receipt.state not in _RESENT:
        raise Rejected(f"a receipt that is {receipt.state} cannot be sent once more")
    _require_whole(receipt)
    _require_known(deliveries)
    address = wish.address or _address(receipt, deliveries)
    if not receipt.document_sha256:
        raise Rejected("the document of this receipt is not known")
    called = corrections.kind_of_further(receipt, wish.kind)
    kind = f"{called}-{sum(one.kind.startswith(f'{called}-') for one in deliveries) + 1}"
    more = Delivery(
        company=receipt.company,
        baixa=baixa,
        kind=kind,
        number=1,
        address=address,
        address_index=ledger.index.address(address),
        state=DeliveryState.READY,
        due_ms=by.now,
        date_ms=by.now,
        boundary=deliveries[0].boundary if deliveries else receipt.document_sha256[:16],
        template=letters.template(letters.language_of(deliveries[0].template if deliveries else "")),
        customer=receipt.customer,
    )
    more = replace(more, message_id=letters.message_id(more, wish.domain))
    after = replace(
        receipt, state=ReceiptState.SENDING, reason=None, due_ms=by.now, changed_ms=by.now, decided_by=by.name
    )

    def also(write: AtomicWrite) -> None:
        _put(ledger, _decided(deliveries, by))(write)
        ledger.insert_mail(write, more)

    return await ledger.save(receipt, after, also=also)


def _require_whole(receipt: Receipt) -> None:
    if receipt.emptied_ms:
        raise Rejected("the time of this receipt's personal data is over: it is empty, and is mailed no more")


async def _read(ledger: LaneLedger, baixa: BaixaId) -> tuple[Receipt, Sequence[Delivery]]:
    receipt = await ledger.receipt(baixa)
    if receipt is None:
        raise Rejected(f"company {ledger.company} has no payment {baixa}")
    return receipt, await ledger.deliveries(baixa)


def _address(receipt: Receipt, deliveries: Sequence[Delivery]) -> str:
    """Return the only address that is meant; one of several is never guessed, and an override's is no payer's."""
    states = {DeliveryState.REFUSED} if receipt.state is ReceiptState.REFUSED else steps.WENT_OUT
    meant = [one for one in deliveries if one.state in states and not one.kind.startswith(rules.TEST)]
    found = {one.address_index: one.address for one in meant if one.address}
    if len(found) != 1:
        raise Rejected(f"{len(found) or 'no'} addresses of this receipt could be meant: name one with --to")
    return next(iter(found.values()))


def _decided(deliveries: Sequence[Delivery], by: Decider) -> Sequence[Delivery]:
    """Return the mails that nobody waits for any more: taken back, or with the person's name at their end."""
    waited = [one for one in deliveries if one.state in _OPEN or _is_unknown(one)]
    return [replace(rules.withdraw(one), decided_by=by.name) for one in waited]


def _is_unknown(mail: Delivery) -> bool:
    return mail.state is DeliveryState.UNKNOWN and not mail.decided_by


def _require_known(deliveries: Sequence[Delivery]) -> None:
    for one in deliveries:
        if _is_unknown(one) or one.state is DeliveryState.SENDING:
            raise Rejected(f"the mail {one.kind} {one.number} is {one.state}: decide `arrived` or `again` first")


def _put(ledger: LaneLedger, deliveries: Sequence[Delivery]) -> Also:
    def also(write: AtomicWrite) -> None:
        for delivery in deliveries:
            ledger.put_delivery(write, delivery)

    return also
