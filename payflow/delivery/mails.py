"""
The mails of a receipt: a delivery for each address, and the bytes that each one sends.

Nothing is stored or sent here; the case does that with what is made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from foundation.clock import UnixMs
from foundation.errors import Rejected
from payflow import corrections
from payflow.delivery import steps
from payflow.delivery.office import Office
from payflow.delivery.rules import TEST
from payflow.delivery.sending import new_owner
from payflow.delivery.steps import DeliverySnapshot
from payflow.mail import letters
from payflow.mail.letters import Content, Envelope
from payflow.model import NO_TERMS, PaymentTerms
from payflow.sealing import BlindIndex
from payflow.state import Company, Delivery, DeliveryState, Receipt


@dataclass(frozen=True, kw_only=True, slots=True)
class Mails:
    """What one receipt is mailed as."""

    receipt: Receipt
    company: Company
    seen: DeliverySnapshot
    office: Office
    index: BlindIndex

    def deliveries(self, addresses: tuple[str, ...], now: UnixMs) -> Sequence[Delivery]:
        """Return the deliveries that are not stored yet, or not as they should be: one for each address."""
        made = [self._delivery(number, address, now) for number, address in self._numbered(addresses)]
        return [one for one in made if one not in self.seen.deliveries]

    def letter(self, delivery: Delivery, document: bytes) -> bytes:
        """Return the mail of *delivery* with its *document*: the same bytes at each try."""
        office = self.office
        envelope = Envelope(
            sender_name=self.company.name or office.sender_name,
            sender_address=office.sender_address,
            recipient=delivery.address,
            reply_to=office.reply_to or self.company.contact,
            message_id=delivery.message_id,
            date_ms=delivery.date_ms,
            boundary=delivery.boundary,
            instead_of=self._true_address(delivery) if delivery.kind.startswith(TEST) else "",
        )
        content = Content(
            clinic=self.company.name,
            payer=self.receipt.customer_name,
            amount=self.receipt.amount,
            paid_on=self.receipt.paid_on,
            number=str(self.receipt.baixa)[:8],
            language=letters.language_of(delivery.template),
            corrects=self._corrected(),
        )
        return letters.build(envelope, content, document)

    def preview(self, document: bytes, now: UnixMs) -> bytes:
        """Return the first mail as it would go out now. Raises Rejected where nobody would get one."""
        addresses = self.seen.recipient.addresses
        if not addresses:
            raise Rejected(f"no mail would go out: {self.seen.recipient.reason}")
        number, address = next(iter(self._numbered(addresses)))
        return self.letter(self._delivery(number, address, now), document)

    def _corrected(self) -> PaymentTerms:
        """Return what the mail before said; nothing if another customer got it."""
        was = self.receipt.was_mailed
        return was if was.customer == self.receipt.customer else NO_TERMS

    def _numbered(self, addresses: tuple[str, ...]) -> Iterable[tuple[int, str]]:
        if self.office.override:  # one mailbox gets them all
            return enumerate(addresses, start=1)
        mails = [one for one in self.seen.deliveries if one.kind == corrections.kind_of_now(self.receipt)]
        return zip(steps.numbers([*map(self.index.address, addresses)], mails), addresses, strict=True)

    def _delivery(self, number: int, address: str, now: UnixMs) -> Delivery:
        override = self.office.override
        kind, address = self._kind(), override or address
        before = next((one for one in self.seen.deliveries if (one.kind, one.number) == (kind, number)), None)
        fresh = Delivery(
            company=self.receipt.company,
            baixa=self.receipt.baixa,
            kind=kind,
            number=number,
            address=address,
            address_index=self.index.address(address),
            state=DeliveryState.READY,
            due_ms=now,
            date_ms=now,
            boundary=new_owner()[:16],
            template=letters.template(self.seen.recipient.language),
            customer=self.receipt.customer,
        )
        if before is not None and before.state not in steps.TAKEN_BACK:
            # It went out, or may have, even if only the send log of a restored ledger says so. Never made anew.
            return before if before.address else _addressed(fresh, before, self.office.domain)
        if before is not None:  # taken back when the payment was edited: another revision of the same mail
            fresh = replace(fresh, revision=before.revision + 1, version=before.version)
        return replace(fresh, message_id=letters.message_id(fresh, self.office.domain))

    def _kind(self) -> str:
        kind = corrections.kind_of_now(self.receipt)
        if not self.office.override:
            return kind
        return f"{corrections.TEST_PREFIX}{kind}" if self.receipt.was_mailed else TEST

    def _true_address(self, delivery: Delivery) -> str:
        """Return the address that a test mail replaces; it is masked in the text."""
        addresses = self.seen.recipient.addresses
        return addresses[delivery.number - 1] if delivery.number <= len(addresses) else "?@?"


def _addressed(fresh: Delivery, known: Delivery, domain: str) -> Delivery:
    """Return a mail of which only the send log knows, with the address that it can be sent to again."""
    whole = replace(fresh, state=known.state, attempt_deadline_ms=known.attempt_deadline_ms, version=known.version)
    whole = replace(whole, said=known.said)
    return replace(whole, message_id=letters.message_id(whole, domain))
