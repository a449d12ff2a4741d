"""
What people do, on the command line and on the office's page: one use case for each, done first and recorded then.

A decision is refused while a restore of the company is under way: it would be lost with the rows.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from foundation import logs
from foundation.clock import Clock, UnixMs
from foundation.errors import Rejected
from foundation.tablestore.ports import AuditTrail
from payflow.delivery import auditing, choices, decisions
from payflow.delivery.choices import Decider, Resend
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.ports import DeliveryKey
from payflow.delivery.rules import TEST
from payflow.delivery.since import CORRECTION, NO_CORRECTION, STATUS
from payflow.ledger import keys
from payflow.ledger.lane import LaneLedger
from payflow.model import BaixaId, CustomerId, PaymentKey
from payflow.recipients.mapping import Mapped
from payflow.state import Company, CompanyStatus, DocumentPolicy, Receipt

PAUSABLE: Final = frozenset({CompanyStatus.ACTIVE, CompanyStatus.NEEDS_RECONNECT, CompanyStatus.BLOCKED_PLAN})
"""One that nobody has confirmed is at rest already; a pause and its end would confirm it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SenderAddresses:
    """What a further mail needs to know of the mail account."""

    domain: str
    override: str = ""
    """Outside production every mail goes here, and nowhere else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ManualActions:
    """
    What one person does about one company.

    Every method raises Rejected for what cannot be done, Contention for what was written meanwhile, and
    StoreUnavailable. Where the second account did not take the record, ``unrecorded`` is called after the action.
    """

    lane: LaneLedger
    audits: Sequence[AuditTrail]
    """The ledger's, then the second account's."""
    sender: Callable[[], Awaitable[SenderAddresses]]
    clock: Clock
    by: str
    unrecorded: Callable[[], None]
    why: str = ""
    """What the person said, sealed; recorded with each decision where it is not empty."""

    # receipts --------------------------------------------------------------------------------------

    async def release(self, baixa: BaixaId) -> Receipt:
        """Let a held, covered or skipped receipt begin anew."""
        await self._require_no_restore()
        return await self._of_receipt(await choices.release(self.lane, baixa, self._person()), "release")

    async def skip(self, baixa: BaixaId) -> Receipt:
        """Let a receipt end without a further mail."""
        await self._require_no_restore()
        return await self._of_receipt(await choices.skip(self.lane, baixa, self._person()), "skip")

    async def arrived(self, baixa: BaixaId, kind: str, number: int) -> Receipt:
        """Record that an unknown mail arrived."""
        await self._require_no_restore()
        key = DeliveryKey(PaymentKey(self.lane.company, baixa), kind, number)
        return await self._of_receipt(await decisions.decide_arrived(self.lane, key, self.by, self.clock()), "arrived")

    async def again(self, baixa: BaixaId, kind: str, number: int) -> Receipt:
        """Mail an unknown one again, under another kind."""
        await self._require_no_restore()
        key, domain = DeliveryKey(PaymentKey(self.lane.company, baixa), kind, number), (await self.sender()).domain
        after = await decisions.decide_again(self.lane, key, self.by, self.clock(), domain=domain)
        return await self._of_receipt(after, "again")

    async def resend(self, baixa: BaixaId, address: str = "") -> Receipt:
        """Mail a sent or refused receipt once more, to *address*, or to the one that is meant when it is empty."""
        await self._require_no_restore()
        sender = await self.sender()
        wish = Resend(domain=sender.domain, address=address)
        if sender.override:
            wish = Resend(domain=sender.domain, address=sender.override, kind=f"{TEST}-resend")
        return await self._of_receipt(await choices.resend(self.lane, baixa, wish, self._person()), "resend")

    async def correct(self, baixa: BaixaId) -> Receipt:
        """Mail a correction of a sent receipt, with what its payment is now, to the addresses of now."""
        await self._require_no_restore()
        return await self._of_receipt(await choices.order_correction(self.lane, baixa, self._person()), CORRECTION)

    async def no_correction(self, baixa: BaixaId) -> Receipt:
        """Say that what became of a payment after its mail needs no correction."""
        await self._require_no_restore()
        after = await choices.decline_correction(self.lane, baixa, self._person())
        return await self._of_receipt(after, NO_CORRECTION)

    # customers -------------------------------------------------------------------------------------

    async def give_address(self, customer: CustomerId, address: str) -> int:
        """Mail a customer at *address* from now on; what waits for one is decided anew. Return how many receipts."""
        await self._require_no_restore()
        _require_named(customer)
        await LaneRecipients(self.lane).store_map(Mapped(by_customer={customer: (address,)}), self.by)
        await self.record(customer, "address-of")
        return await choices.addressed(self.lane, customer, self.clock())

    async def set_no_mail(self, customer: CustomerId, *, no_mail: bool) -> None:
        """Send a customer no receipts, or receipts again; without any, what waits for an address ends."""
        await self._require_no_restore()
        _require_named(customer)
        await LaneRecipients(self.lane).set_no_mail(customer, self.by, self.clock(), no_mail=no_mail)
        await self.record(customer, "no-mail" if no_mail else "mail")
        if no_mail:
            await choices.addressed(self.lane, customer, self.clock())

    # the company -----------------------------------------------------------------------------------

    async def set_policy(self, company: Company, policy: DocumentPolicy) -> Company:
        """Say whose documents a company's receipts carry; mails that are prepared keep theirs."""
        await self._require_no_restore()
        if company.is_person and policy is not DocumentPolicy.ERP:
            raise Rejected("this company is a person: Receita Saúde applies, so there is no document of ours")
        after = await self.lane.write_company(replace(company, policy=policy))
        await self.record(company.id, f"policy {policy}")
        return after

    async def set_status(self, company: Company, status: CompanyStatus) -> Company:
        """Store that a company rests, or goes on, and wake its lane. Who may when is the caller's to say."""
        now = self.clock()
        after = await self.lane.write_company(replace(company, status=status, status_ms=now))
        await self.lane.entries.lower(company.id, now, status)
        await self.record(company.id, f"{STATUS}{status}")
        return after

    # Inside ------------------------------------------------------------------------------------------

    async def record(self, subject: str, what: str, **more: str) -> None:
        """Record an action in both accounts."""
        more = {**more, auditing.WHY: self.why} if self.why else more
        taken = await auditing.record_decision(
            self.audits, self.lane.company, by=self.by, now=self.clock(), what=what, subject=subject, more=more
        )
        if not taken:
            logs.warning(_log, "decision_not_recorded", company=self.lane.company, what=what, subject=subject)
            self.unrecorded()

    async def _of_receipt(self, after: Receipt, what: str) -> Receipt:
        await self.record(after.baixa, what, instalment=after.instalment)
        return after

    async def _require_no_restore(self) -> None:
        if await self.lane.rows.get(keys.RESTORING):
            raise Rejected(
                f"a restore of company {self.lane.company} is under way, or was cut: decide when it has ended"
            )

    def _person(self) -> Decider:
        return Decider(name=self.by, now=UnixMs(self.clock()))


def _require_named(customer: CustomerId) -> None:
    """Payments without a customer have nothing in common: what is said of one is not said of the others."""
    if not customer:
        raise Rejected("this payment names no customer")
