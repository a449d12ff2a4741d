"""
One receipt at one step: what was decided is carried out, and the receipt is stored at the end.

A crash leaves the receipt due, and the next lane resumes from the rows.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from foundation import logs
from foundation.clock import UnixMs
from foundation.errors import InvariantBroken, Rejected
from foundation.tablestore.atomic import AtomicWrite
from payflow import corrections
from payflow.delivery import rules, steps
from payflow.delivery.mails import Mails
from payflow.delivery.office import Tools
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.sender import NotNow
from payflow.delivery.sending import Sending, new_owner
from payflow.delivery.steps import Become, DeliverySnapshot, Prepare, Renew, Send, Step
from payflow.documents import comprovante, pdf
from payflow.documents.comprovante import Payment
from payflow.documents.download import DocumentNotThere, DocumentRefused
from payflow.documents.pdf import Checked
from payflow.documents.waiting import Want, next_document
from payflow.ledger import days
from payflow.ledger.deliveries import LaneDeliveries
from payflow.ledger.lane import Also, LaneLedger
from payflow.model import Attachment, Baixa
from payflow.state import Company, Delivery, DeliveryState, Reason, Receipt, ReceiptState

_MAILED: Final = frozenset({ReceiptState.SENDING, ReceiptState.SENT, ReceiptState.UNKNOWN})
_WITHOUT_MAIL: Final = frozenset({ReceiptState.WITHDRAWN, ReceiptState.COVERED, ReceiptState.HELD})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One receipt at one step."""

    tools: Tools
    receipt: Receipt
    company: Company
    ledger: LaneLedger
    seen: DeliverySnapshot

    async def carry_out(self, step: Step) -> None:
        match step:
            case Become():
                await self.become(step)
            case Renew(baixa):
                await self._renew(baixa)
            case Prepare(attachment, addresses):
                await self._prepare(attachment, addresses)
            case Send(delivery, attachment):
                await self._send(delivery, attachment)
            case _:
                await self._settle(await self._judge(step.delivery))

    async def preview(self) -> bytes:
        """Return the mail as it would go out now; nothing is stored. Raises Rejected where none would."""
        if self.seen.baixa is None:
            raise Rejected("no mail would go out: the payment is gone")
        if self.seen.attachment is None and self.company.is_person:
            raise Rejected("no mail would go out: Conta Azul has no document yet, and a person gets none of ours")
        document = await self._document(self.seen.attachment)
        if isinstance(document, Become):
            raise Rejected(f"no mail would go out: {document.reason or 'the document is not there'}")
        return self._mails().preview(document, self.tools.clock())

    async def become(self, step: Become, counted: Also | None = None) -> None:
        alsos = [also for also in (await self._also(step), counted) if also]

        def also(write: AtomicWrite) -> None:
            for each in alsos:
                each(write)

        await store(self.ledger, self.receipt, step, self.tools.clock(), also=also, mails=self.seen.deliveries)

    async def _also(self, step: Become) -> Also | None:
        """Ending without a mail takes back what is due; an undone payment orders its instalment to be read again."""
        if step.state not in _WITHOUT_MAIL and not step.undone and not step.unwanted:
            return None
        instalment = await self.ledger.instalment(self.receipt.instalment)

        def also(write: AtomicWrite) -> None:
            self._cancelled(write)
            if step.undone and instalment and instalment.worked:
                self.ledger.read_again(write, instalment)

        return also

    def _cancelled(self, write: AtomicWrite) -> None:
        """Take back deliveries that nobody has claimed, in the group that ends the receipt."""
        before = self.seen.deliveries
        for was, now in zip(before, rules.taken_back(before), strict=True):
            if now != was:
                self.ledger.put_delivery(write, now)

    async def _renew(self, baixa: Baixa) -> None:
        receipt, now = self.receipt, self.tools.clock()
        terms = replace(receipt.terms, amount=baixa.composition.paid, paid_on=baixa.paid_on)
        if corrections.is_needless(receipt, terms):
            await self.ledger.save(receipt, corrections.given_up(receipt, now), also=self._cancelled)
            return
        after = replace(
            receipt if receipt.was_mailed else corrections.unflagged(receipt),
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
        if attachment and digest == self.receipt.was_sha256:  # not issued anew yet: it says what the mail before said
            return await self.become(self._not_there())
        if covered := await self._covered(digest):
            return await self.become(covered)
        now, source = self.tools.clock(), "erp" if attachment else "own"
        deliveries = self._mails().deliveries(addresses, now)
        after = replace(
            self.receipt,
            state=ReceiptState.SENDING,
            reason=None,
            changed_ms=now,
            due_ms=now,
            document_sha256=digest,
            document_source=source,
        )
        known = await self.ledger.document_owner(digest)
        fresh = await LaneRecipients(self.ledger).not_noted(self.receipt.customer, addresses)

        def also(write: AtomicWrite) -> None:
            for key in fresh:
                write.insert(key, {})
            for delivery in deliveries:
                self.ledger.insert_mail(write, delivery)
            if known is None:
                self.ledger.put_document(write, digest, after)

        await self.ledger.save(self.receipt, after, also=also)
        return None

    async def _document(self, attachment: Attachment | None) -> bytes | Become:
        if attachment is None:
            return comprovante.make(self._payment())
        try:
            document = await self.tools.download(attachment)
        except DocumentRefused as refused:
            return Become(ReceiptState.HELD, refused.reason)
        except DocumentNotThere:
            return self._not_there()
        checked = await pdf.check_document(document)
        return document if checked is Checked.FINE else Become(ReceiptState.HELD, Reason.UNREADABLE_DOCUMENT)

    def _not_there(self) -> Become:
        """An attachment that is named and not served counts as an ask in vain."""
        now = self.tools.clock()
        if self.receipt.state is ReceiptState.SENDING:
            return Become(ReceiptState.SENDING, None, UnixMs(now + rules.LADDER_MS[0]))
        choice = next_document(
            self.company.policy,
            None,
            found_ms=self.receipt.found_ms,
            asks=self.receipt.asks,
            may_make_own=False,
            now=now,
        )
        if choice.want is Want.HOLD:
            return Become(ReceiptState.HELD, choice.reason)
        return Become(ReceiptState.WAITING_DOCUMENT, None, choice.next_ms, asked=True)

    async def _covered(self, digest: str) -> Become | None:
        """The same file was mailed for another payment: covered for the same customer, else a person looks."""
        owner = await self.ledger.document_owner(digest)
        first = await self.ledger.receipt(owner.baixa) if owner and owner.baixa != self.receipt.baixa else None
        if owner is None or first is None or first.state not in _MAILED or self.receipt.decided_by:
            return None
        state = ReceiptState.COVERED if owner.customer == self.receipt.customer else ReceiptState.HELD
        return Become(state, Reason.SAME_DOCUMENT)

    def _payment(self) -> Payment:
        baixa = self.seen.baixa
        if baixa is None:
            raise InvariantBroken("a document is made for a payment that is gone")
        return Payment(
            company=self.company.name,
            company_document=self.company.document,
            payer=self.receipt.customer_name,
            payer_document=self.seen.person.document if self.seen.person else "",
            paid_on=baixa.paid_on,
            composition=baixa.composition,
            number=str(self.receipt.baixa)[:8],
        )

    # the mail ------------------------------------------------------------------------------------

    async def _send(self, delivery: Delivery, attachment: Attachment | None) -> None:
        document = await self._document(attachment)
        if isinstance(document, Become):
            return await self.become(document)
        if hashlib.sha256(document).hexdigest() != self.receipt.document_sha256:
            return await self.become(Become(ReceiptState.HELD, Reason.PAYMENT_CHANGED))
        owner = new_owner()
        permit = await self.tools.desk.admit(self.receipt.company, owner, delivery.tried_ms)
        if isinstance(permit, NotNow):
            return await self.become(Become(ReceiptState.SENDING, None, permit.again_ms))
        channel = self.tools.channel()
        try:
            sending = self._sending(await LaneDeliveries(self.ledger).epoch())
            tried = await sending.attempt(delivery, self._mails().letter(delivery, document), channel)
        finally:
            await channel.close()
            await self.tools.desk.leave(permit)
        if tried.state is DeliveryState.REFUSED and not tried.operation_id:  # a service keeps a list of its own
            await LaneRecipients(self.ledger).suppress(tried.address_index, tried.reply, self.tools.clock())
        return await self._settle(tried)

    async def _judge(self, delivery: Delivery) -> Delivery:
        channel = self.tools.channel()
        try:
            return await self._sending().judge(delivery, channel)
        finally:
            await channel.close()

    async def _settle(self, tried: Delivery) -> None:
        """Store what the deliveries make of the receipt, also where another lane has called it unknown meanwhile."""
        found = await self.ledger.receipt(self.receipt.baixa)
        if found is None or found.state not in (ReceiptState.SENDING, ReceiptState.UNKNOWN):
            return
        seen = replace(self.seen, deliveries=await self.ledger.deliveries(self.receipt.baixa))
        counted = await days.count_mail(self.ledger, found, tried, self.tools.clock())
        await replace(self, receipt=found, seen=seen).become(steps.settled(seen.deliveries), counted)

    def _mails(self) -> Mails:
        return Mails(
            receipt=self.receipt,
            company=self.company,
            seen=self.seen,
            office=self.tools.office,
            index=self.ledger.index,
        )

    def _sending(self, epoch: int = 1) -> Sending:
        return Sending(
            deliveries=LaneDeliveries(self.ledger),
            log=self.tools.send_log(self.receipt.company, epoch),
            sender=self.tools.desk,
            clock=self.tools.clock,
            said=self.receipt.terms,
        )


async def store(
    ledger: LaneLedger,
    receipt: Receipt,
    step: Become,
    now: UnixMs,
    *,
    also: Also | None = None,
    mails: Sequence[Delivery] = (),
) -> None:
    """Store what *step* makes of a receipt with its *mails*, and what *also* adds. Raises Contention."""
    after = replace(
        receipt,
        state=step.state,
        reason=step.reason,
        changed_ms=now,
        due_ms=step.due_ms,
        asks=receipt.asks + step.asked,
        faults=0,
        gone=receipt.gone or step.undone,
    )
    await ledger.save(receipt, corrections.correction_ended(after, mails, now), also=also)
    logs.info(_log, "receipt", company=receipt.company, baixa=receipt.baixa, state=step.state, reason=step.reason)
