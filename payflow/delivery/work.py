"""
``ReceiptWork``: reads what the decision needs, decides, and carries the step out.

The payment is read again before every step, so never longer than a step before its mail. The receipt is stored at the
end of each step; a crash leaves it due, and the next lane resumes from the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from payflow.delivery import steps
from payflow.delivery.case import Case, store
from payflow.delivery.office import Tools
from payflow.delivery.steps import Become, DeliverySnapshot, Policy
from payflow.documents.waiting import receipt_document
from payflow.errors import ApiUnavailable
from payflow.ledger.lane import LaneLedger
from payflow.looking import changed, recreated
from payflow.looking.recreated import Recreation
from payflow.model import Attachment, Baixa, Person
from payflow.ports import ContaAzul
from payflow.recipients.choice import Known, Recipient, choose_recipients, name_key
from payflow.state import Company, DocumentPolicy, Receipt, ReceiptState

PEOPLE_PAGES_MAX: Final = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Work(Tools):
    """What happens to a receipt that is due."""

    async def advance(self, receipt: Receipt, company: Company, ledger: LaneLedger, api: ContaAzul) -> None:
        """See ``ReceiptWork``."""
        policy = Policy(documents=company.policy, may_make_own=not company.is_person)
        if steps.may_wait(receipt, policy, self.clock()) and (waits := await self._waits(receipt, policy, api)):
            await store(ledger, receipt, waits, self.clock())
            return
        seen = await self._see(receipt, company, ledger, api)
        step = steps.decide(receipt, seen, policy, self.clock())
        await Case(tools=self, receipt=receipt, company=company, ledger=ledger, seen=seen).carry_out(step)

    async def preview(self, receipt: Receipt, company: Company, ledger: LaneLedger, api: ContaAzul) -> bytes:
        """Return the mail of *receipt* as it would go out now; nothing is stored. Raises Rejected if none would."""
        seen = await self._see(receipt, company, ledger, api)
        return await Case(tools=self, receipt=receipt, company=company, ledger=ledger, seen=seen).preview()

    async def _waits(self, receipt: Receipt, policy: Policy, api: ContaAzul) -> Become | None:
        """
        Ask for a document with one request: an instalment shows its payments and the attachments of both.

        None: everything is read. An instalment that is not there may be a payment that is not there either.
        """
        try:
            detail = await api.instalment(receipt.instalment)
        except ApiUnavailable:
            return None
        return steps.waits_on(receipt, detail, policy, self.clock())

    async def _see(self, receipt: Receipt, company: Company, ledger: LaneLedger, api: ContaAzul) -> DeliverySnapshot:
        baixa = await api.baixa(receipt.baixa)
        person = await self._person(receipt, api) if baixa else None
        known = await self.known(company, ledger, receipt.customer, person)
        return DeliverySnapshot(
            baixa=baixa,
            attachment=await self._attachment(baixa, receipt, company, api) if baixa else None,
            recreation=await self._recreation(receipt, ledger, api),
            recipient=await self._recipient(receipt, person, known, api),
            deliveries=await ledger.deliveries(receipt.baixa),
            person=person,
        )

    async def _person(self, receipt: Receipt, api: ContaAzul) -> Person | None:
        """A receipt whose deliveries have their addresses needs the person for its own document alone."""
        knows = receipt.state is ReceiptState.SENDING and receipt.document_source != "own" and not self.office.override
        return None if knows or not receipt.customer else await api.person(receipt.customer)

    async def _attachment(self, baixa: Baixa, receipt: Receipt, company: Company, api: ContaAzul) -> Attachment | None:
        """The instalment is asked only if the payment itself has no receipt, and one is wanted."""
        if company.policy is DocumentPolicy.OWN and not company.is_person:
            return None
        own = receipt_document(baixa, ())
        return own or receipt_document(baixa, (await api.instalment(receipt.instalment)).attachments)

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
        """Store that a payment was undone, and order its instalment to be read again, in one group (R4-3)."""
        instalment = await ledger.instalment(other.instalment)
        again = partial(ledger.read_again, instalment=instalment) if instalment and instalment.worked else None
        mailed = await ledger.mailed(other.baixa) if other.state in changed.WITHDRAWABLE else None
        await ledger.save(other, changed.vanished(other, self.clock(), mailed=mailed), also=again)

    async def _recipient(self, receipt: Receipt, person: Person | None, known: Known, api: ContaAzul) -> Recipient:
        named = person is not None and name_key(person.name) in known.by_name
        namesakes = await _namesakes(name_key(person.name), api) if person is not None and named else 0
        return choose_recipients(receipt.customer, person, known, namesakes=namesakes)


async def _namesakes(name: str, api: ContaAzul) -> int:
    """Return how many people of that name are in the ERP; the map by name is used for one alone."""
    found = 0
    for page in range(1, PEOPLE_PAGES_MAX + 1):
        people = await api.people(page)
        if not people:
            return found
        found += sum(name_key(person.name) == name for person in people)
    return 0  # too many to be sure
