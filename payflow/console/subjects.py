"""What an act is about: a company, or the receipt of one of its payments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from foundation.console.acting import Sorry
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.model import BaixaId, CompanyId
from payflow.office.door import OfficeSignIn
from payflow.office.language import N_
from payflow.state import Company, Delivery, Receipt

NO_COMPANY = N_("There is no such company.")
NO_RECEIPT = N_("There is no such receipt.")


class Name(NamedTuple):
    """As an address and a form have it: ``COMPANY`` or ``COMPANY:PAYMENT``."""

    company: CompanyId
    baixa: BaixaId | None

    @classmethod
    def read(cls, text: str) -> Name:
        """Return what *text* names. Raises Sorry if it cannot be the name of anything."""
        company, _, baixa = text.partition(":")
        if not OfficeSignIn.is_id(company):
            raise Sorry(404, NO_COMPANY)
        return cls(CompanyId(company), BaixaId(baixa) if baixa else None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is acted on, as its rows are now."""

    lane: LaneLedger
    company: Company
    receipt: Receipt | None = None
    mails: tuple[Delivery, ...] = ()

    @property
    def version(self) -> str:
        """The versions of its rows: other ones once anybody has written them."""
        if self.receipt is None:
            return self.company.version.etag
        mails = [mail.version.etag for mail in self.mails]
        return " ".join([self.receipt.version.etag, *mails])


async def company_of_lane(entries: Entries, lane: LaneLedger) -> Company:
    """Return the company of a lane. Raises Sorry if nobody ever connected it, before its partition is read."""
    entry = await entries.get(lane.company)
    company = await lane.read_company() if entry else None
    if company is None:
        raise Sorry(404, NO_COMPANY)
    return company


async def subject_of(entries: Entries, lane: LaneLedger, name: Name) -> Subject:
    """Return what *name* names. Raises Sorry if there is none, and StoreUnavailable."""
    company = await company_of_lane(entries, lane)
    if name.baixa is None:
        return Subject(lane=lane, company=company)
    receipt = await lane.receipt(name.baixa)
    if receipt is None:
        raise Sorry(404, NO_RECEIPT)
    return Subject(lane=lane, company=company, receipt=receipt, mails=tuple(await lane.deliveries(name.baixa)))
