"""
``ReceiptWork``: reads what the decision needs, decides, and carries the step out.

The payment is read again before every step, so never longer than a step before its mail. The receipt is stored at the
end of each step; a crash leaves it due, and the next lane resumes from the rows.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from foundation import logs
from foundation.clock import Clock, UnixMs
from foundation.errors import InvariantBroken
from foundation.tablestore.atomic import AtomicWrite
from payflow.delivery import rules, steps
from payflow.delivery.ports import Channel, SendLog
from payflow.delivery.sender import NotNow, SenderDesk
from payflow.delivery.sending import Sending, new_owner
from payflow.delivery.steps import Become, Judge, Policy, Prepare, Renew, Seen, Send, Step
from payflow.documents import comprovante, pdf
from payflow.documents.comprovante import Payment
from payflow.documents.download import DocumentRefused
from payflow.documents.pdf import Checked
from payflow.documents.waiting import receipt_of
from payflow.ledger.deliveries import LaneDeliveries
from payflow.ledger.lane import Also, LaneLedger
from payflow.looking import recreated
from payflow.looking.recreated import Recreation
from payflow.mail import letters
from payflow.mail.letters import Content, Envelope
from payflow.model import Attachment, Baixa, CompanyId
from payflow.ports import ContaAzul
from payflow.recipients.choice import Known, Recipient, choose
from payflow.state import After, Company, Delivery, DeliveryState, DocumentPolicy, Reason, Receipt, ReceiptState

KIND: Final = "receipt"
TEST: Final = "test"
"""The kind of a mail that an override got: it says nothing about the true recipient."""
_WITHOUT_MAIL: Final = frozenset({ReceiptState.WITHDRAWN, ReceiptState.COVERED, ReceiptState.HELD})
_HOLDS: Final = {
    Checked.TOO_LARGE: Reason.UNREADABLE_DOCUMENT,
    Checked.NOT_A_PDF: Reason.UNREADABLE_DOCUMENT,
    Checked.ENCRYPTED: Reason.UNREADABLE_DOCUMENT,
    Checked.EMPTY: Reason.UNREADABLE_DOCUMENT,
    Checked.UNREADABLE: Reason.UNREADABLE_DOCUMENT,
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Office:
    """How mails are sent: settings of the installation."""

    sender_name: str
    sender_address: str
    reply_to: str = ""
    override: str = ""
    """Outside production every mail goes here, and nowhere else."""

    @property
    def domain(self) -> str:
        return self.sender_address.rpartition("@")[2]


Download = Callable[[Attachment], Awaitable[bytes]]
"""Fetches an attachment through the outgoing guard. Raises DocumentRefused, or a Transient."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """What happens to a receipt that is due."""

    office: Office
    desk: SenderDesk
    channel: Callable[[], Channel]
    send_log: Callable[[CompanyId, int], SendLog]
    """Returns the log of a company for workers of an epoch."""
    download: Download
    known: Callable[[Company, LaneLedger], Awaitable[Known]]
    clock: Clock

    async def advance(self, receipt: Receipt, company: Company, ledger: LaneLedger, api: ContaAzul) -> None:
        """See ``ReceiptWork``."""
        seen = await self._see(receipt, company, ledger, api)
        policy = Policy(documents=company.policy, may_make_own=not company.is_person)
        step = steps.decide(receipt, seen, policy, self.clock())
        await _Case(work=self, receipt=receipt, company=company, ledger=ledger, seen=seen).carry_out(step)

    async def _see(self, receipt: Receipt, company: Company, ledger: LaneLedger, api: ContaAzul) -> Seen:
        baixa = await api.baixa(receipt.baixa)
        return Seen(
            baixa=baixa,
            attachment=await self._attachment(baixa, receipt, company, api) if baixa else None,
            recreation=await self._recreation(receipt, ledger, api),
            recipient=await self._recipient(receipt, company, ledger, api) if baixa else Recipient(),
            deliveries=await ledger.deliveries(receipt.baixa),
        )

    async def _attachment(self, baixa: Baixa, receipt: Receipt, company: Company, api: ContaAzul) -> Attachment | None:
        """The instalment is asked only if the payment itself has no receipt, and one is wanted."""
        if company.policy is DocumentPolicy.OWN and not company.is_person:
            return None
        own = receipt_of(baixa, ())
        return own or receipt_of(baixa, (await api.instalment(receipt.instalment)).attachments)

    async def _recreation(self, receipt: Receipt, ledger: LaneLedger, api: ContaAzul) -> Recreation:
        """
        Judge *receipt* beside its siblings, of which it must be known now whether they are still there.

        At the claim a sibling that is there and on its way is no question: both would wait for each other.
        """
        siblings = await ledger.siblings(receipt.instalment)
        for other in recreated.must_be_asked_for(receipt, siblings):
            if await api.baixa(other.baixa) is None:
                await self.note_gone(other, ledger)
                siblings = await ledger.siblings(receipt.instalment)
        if receipt.state is ReceiptState.SENDING:
            siblings = [one for one in siblings if one.gone or one.state is not ReceiptState.SENDING]
        return recreated.judge(receipt, siblings, self.clock())

    async def note_gone(self, other: Receipt, ledger: LaneLedger) -> None:
        """Store that a mailed payment was undone, and order its instalment to be read again, in one group (R4-3)."""
        after = replace(other, gone=True, after=After.UNDONE if other.state is ReceiptState.SENT else other.after)
        instalment = await ledger.instalment(other.instalment)
        again = partial(ledger.read_again, instalment=instalment) if instalment and instalment.worked else None
        await ledger.save(other, after, also=again)

    async def _recipient(self, receipt: Receipt, company: Company, ledger: LaneLedger, api: ContaAzul) -> Recipient:
        if receipt.state is ReceiptState.SENDING and not self.office.override:
            return Recipient()  # the deliveries have their addresses
        person = await api.person(receipt.customer) if receipt.customer else None
        return choose(receipt.customer, person, await self.known(company, ledger), namesakes=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Case:
    """One receipt at one step."""

    work: Work
    receipt: Receipt
    company: Company
    ledger: LaneLedger
    seen: Seen

    async def carry_out(self, step: Step) -> None:
        match step:
            case Become():
                await self.become(step)
            case Renew(baixa):
                await self._renew(baixa)
            case Prepare(attachment, addresses):
                await self._prepare(attachment, addresses)
            case Judge(delivery):
                await self._sending().judge(delivery)
                await self._settle()
            case Send(delivery, attachment):
                await self._send(delivery, attachment)

    async def become(self, step: Become) -> None:
        receipt, now = self.receipt, self.work.clock()
        after = replace(
            receipt,
            state=step.state,
            reason=step.reason,
            changed_ms=now,
            due_ms=step.due_ms,
            asks=receipt.asks + step.asked,
            faults=0,
            gone=receipt.gone or step.state is ReceiptState.WITHDRAWN,
        )
        await self.ledger.save(receipt, after, also=await self._also(step))
        logs.info(_log, "receipt", company=receipt.company, baixa=receipt.baixa, state=step.state, reason=step.reason)

    async def _also(self, step: Become) -> Also | None:
        """Ending without a mail takes back what is due; an undone payment orders its instalment to be read again."""
        if step.state not in _WITHOUT_MAIL:
            return None
        instalment = await self.ledger.instalment(self.receipt.instalment)

        def also(write: AtomicWrite) -> None:
            self._cancelled(write)
            if step.state is ReceiptState.WITHDRAWN and instalment and instalment.worked:
                self.ledger.read_again(write, instalment)

        return also

    def _cancelled(self, write: AtomicWrite) -> None:
        """Take back deliveries that nobody has claimed, in the group that ends the receipt."""
        for delivery in self.seen.deliveries:
            if delivery.state is DeliveryState.READY:
                self.ledger.put_delivery(write, rules.withdraw(delivery))

    async def _renew(self, baixa: Baixa) -> None:
        receipt, now = self.receipt, self.work.clock()
        after = replace(
            receipt,
            revision=baixa.revision,
            amount=baixa.composition.paid,
            paid_on=baixa.paid_on,
            state=ReceiptState.FOUND,
            document_sha256="",
            document_source="",
            changed_ms=now,
            due_ms=now,
        )
        await self.ledger.save(receipt, after, also=self._cancelled)

    # the document --------------------------------------------------------------------------------

    async def _prepare(self, attachment: Attachment | None, addresses: tuple[str, ...]) -> None:
        document = await self._document(attachment)
        if isinstance(document, Become):
            return await self.become(document)
        digest = hashlib.sha256(document).hexdigest()
        if covered := await self._covered(digest):
            return await self.become(covered)
        now, source = self.work.clock(), "erp" if attachment else "own"
        deliveries = [self._delivery(number, address, now) for number, address in enumerate(addresses, start=1)]
        after = replace(
            self.receipt,
            state=ReceiptState.SENDING,
            reason=None,
            changed_ms=now,
            due_ms=now,
            document_sha256=digest,
            document_source=source,
        )
        put = partial(self._put, deliveries)
        await self.ledger.save(self.receipt, after, also=put)
        return None

    def _put(self, deliveries: list[Delivery], write: AtomicWrite) -> None:
        for delivery in deliveries:
            self.ledger.put_delivery(write, delivery)

    async def _document(self, attachment: Attachment | None) -> bytes | Become:
        if attachment is None:
            return comprovante.make(self._payment())
        try:
            document = await self.work.download(attachment)
        except DocumentRefused as refused:
            return Become(ReceiptState.HELD, refused.reason)
        checked = await pdf.check(document)
        return document if checked is Checked.FINE else Become(ReceiptState.HELD, _HOLDS[checked])

    async def _covered(self, digest: str) -> Become | None:
        """The same file as a sibling's: mailed already to the same customer, or a question to a person."""
        siblings = await self.ledger.siblings(self.receipt.instalment)
        same = [one for one in siblings if one.document_sha256 == digest and one.baixa != self.receipt.baixa]
        mailed = [one for one in same if one.state in (ReceiptState.SENDING, ReceiptState.SENT, ReceiptState.UNKNOWN)]
        if any(one.customer != self.receipt.customer for one in mailed):
            return Become(ReceiptState.HELD, Reason.SAME_DOCUMENT)
        return Become(ReceiptState.COVERED, Reason.SAME_DOCUMENT) if mailed else None

    def _payment(self) -> Payment:
        baixa = self.seen.baixa
        if baixa is None:
            raise InvariantBroken("a document is made for a payment that is gone")
        return Payment(
            company=self.company.name,
            company_document=self.company.document,
            payer=self.receipt.customer_name,
            payer_document="",
            paid_on=baixa.paid_on,
            composition=baixa.composition,
            number=str(self.receipt.baixa)[:8],
        )

    def _delivery(self, number: int, address: str, now: UnixMs) -> Delivery:
        override = self.work.office.override
        kind, address = (TEST, override) if override else (KIND, address)
        before = next((one for one in self.seen.deliveries if (one.kind, one.number) == (kind, number)), None)
        fresh = Delivery(
            company=self.receipt.company,
            baixa=self.receipt.baixa,
            kind=kind,
            number=number,
            address=address,
            address_index=self.ledger.index.address(address),
            state=DeliveryState.READY,
            due_ms=now,
            date_ms=now,
            boundary=new_owner()[:16],
            template=letters.TEMPLATE,
        )
        if before is not None:  # taken back when the payment was edited: another revision of the same mail
            fresh = replace(fresh, revision=before.revision + 1, version=before.version)
        return replace(fresh, message_id=letters.message_id(fresh, self.work.office.domain))

    # the mail ------------------------------------------------------------------------------------

    async def _send(self, delivery: Delivery, attachment: Attachment | None) -> None:
        document = await self._document(attachment)
        if isinstance(document, Become):
            return await self.become(document)
        if hashlib.sha256(document).hexdigest() != self.receipt.document_sha256:
            return await self.become(Become(ReceiptState.HELD, Reason.PAYMENT_CHANGED))
        owner = new_owner()
        permit = await self.work.desk.admit(self.receipt.company, owner, delivery.tried_ms)
        if isinstance(permit, NotNow):
            return await self.become(Become(ReceiptState.SENDING, None, permit.again_ms))
        channel = self.work.channel()
        try:
            sending = self._sending(await LaneDeliveries(self.ledger).epoch())
            await sending.attempt(delivery, self._bytes(delivery, document), channel)
        finally:
            await channel.close()
            await self.work.desk.leave(permit)
        return await self._settle()

    async def _settle(self) -> None:
        """Store what the deliveries make of the receipt, also where another lane has called it unknown meanwhile."""
        found = await self.ledger.receipt(self.receipt.baixa)
        if found is None or found.state not in (ReceiptState.SENDING, ReceiptState.UNKNOWN):
            return
        step = steps.settled(await self.ledger.deliveries(self.receipt.baixa))
        await replace(self, receipt=found).become(step)

    def _sending(self, epoch: int = 1) -> Sending:
        return Sending(
            deliveries=LaneDeliveries(self.ledger),
            log=self.work.send_log(self.receipt.company, epoch),
            sender=self.work.desk,
            clock=self.work.clock,
        )

    def _bytes(self, delivery: Delivery, document: bytes) -> bytes:
        office = self.work.office
        envelope = Envelope(
            sender_name=self.company.name or office.sender_name,
            sender_address=office.sender_address,
            recipient=delivery.address,
            reply_to=office.reply_to or self.company.contact,
            message_id=delivery.message_id,
            date_ms=delivery.date_ms,
            boundary=delivery.boundary,
            instead_of=self._true_address(delivery) if delivery.kind == TEST else "",
        )
        content = Content(
            clinic=self.company.name,
            payer=self.receipt.customer_name,
            amount=self.receipt.amount,
            paid_on=self.receipt.paid_on,
            number=str(self.receipt.baixa)[:8],
        )
        return letters.build(envelope, content, document)

    def _true_address(self, delivery: Delivery) -> str:
        """Return the address that a test mail stands for; it is masked in the text."""
        addresses = self.seen.recipient.addresses
        return addresses[delivery.number - 1] if delivery.number <= len(addresses) else "?@?"
