"""What PayFlow's use cases need of the outside world. Nothing here knows Azure or HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from payflow.conta_azul.answers import InstalmentPage
from payflow.conta_azul.routes import Search
from payflow.ledger.lane import LaneLedger
from payflow.model import (
    Account,
    Baixa,
    BaixaId,
    CustomerId,
    InstalmentDetail,
    InstalmentId,
    Person,
)
from payflow.state import Company, Receipt


class ContaAzul(Protocol):
    """
    Conta Azul, asked for one company.

    Every method raises ApiUnavailable, RateLimited, PlanBlocked or ApiRefused; Unauthorized only after a renewed
    access token was refused as well.
    """

    async def account(self) -> Account:
        """Return the company that the token belongs to."""

    async def search(self, search: Search) -> InstalmentPage:
        """Return one page of instalments. The order is the API's own and moves with edits."""

    async def instalment(self, instalment: InstalmentId) -> InstalmentDetail:
        """Return an instalment with its payments. An id that does not exist is ApiUnavailable: the API answers 500."""

    async def baixa(self, baixa: BaixaId) -> Baixa | None:
        """Return a payment; None when it was undone."""

    async def person(self, customer: CustomerId) -> Person | None:
        """Return a customer with the billing contact; None when there is no such person."""

    async def people(self, page: int) -> Sequence[Person]:
        """Return one page of all customers, without billing contacts; empty behind the last."""


class AccessTokens(Protocol):
    """Where the access token of one company comes from."""

    async def current(self) -> str:
        """Return a token that has some time left. Raises Unauthorized when the clinic has to reconnect."""

    async def renewed(self, refused: str) -> str:
        """Return another token than *refused*, which got a 401. Raises Unauthorized when there is none."""


class ReceiptWork(Protocol):
    """What happens to a receipt that is due: document, recipient, mail."""

    async def advance(self, receipt: Receipt, company: Company, ledger: LaneLedger, api: ContaAzul) -> None:
        """
        Bring *receipt* one step further and store it: with a later due time, held, or ended.

        Raises Transient when nothing can be done now, Contention when another worker was first. Any other error is
        counted against the receipt by the lane.
        """


class Alarms(Protocol):
    """Where standing alarms are noted, as often as they are seen."""

    async def note(self, code: str, subject: str, detail: str) -> None:
        """Note that an alarm is active. Raises StoreUnavailable."""
