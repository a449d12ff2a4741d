"""
What a clinic's API is like, asked once after it connects.

Which family of routes answers, how wide a span of due dates it takes, and how many of twenty payments have a document
of their own: from that, where receipts' documents should come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from payflow.conta_azul.routes import FAMILIES, Search
from payflow.documents.waiting import receipt_document
from payflow.errors import ApiRefused, ApiUnavailable, RouteUnknown
from payflow.looking.planning import FIRST_DUE, WIDTH_DAYS
from payflow.model import InstalmentDetail
from payflow.ports import ContaAzul
from payflow.state import Company, DocumentPolicy

WIDTHS_DAYS: Final = (20_000, 3653, 731)
"""Widths that are tried before the one that is known to be taken."""
PAYMENTS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeResult:
    """What the probe found."""

    family: str
    span_days: int
    payments: int
    with_document: int

    def policy(self, *, is_person: bool) -> DocumentPolicy:
        """
        Return the policy to begin with: Conta Azul's documents where it makes them.

        A company that is a person gets none of our own (Receita Saúde); a person can decide otherwise.
        """
        if is_person or (self.payments and self.with_document == self.payments):
            return DocumentPolicy.ERP
        return DocumentPolicy.ERP_THEN_OWN if self.with_document or not self.payments else DocumentPolicy.OWN


async def probe(company: Company, api_of: Callable[[Company], ContaAzul], today: date) -> Company:
    """
    Return *company* with its family of routes, its width and its policy. Nothing is stored.

    Raises what the API raises; RouteUnknown if no family answers.
    """
    shape = await ask(company, api_of, today)
    return replace(
        company,
        route_family=shape.family,
        span_days=shape.span_days,
        policy=shape.policy(is_person=company.is_person),
    )


async def ask(company: Company, api_of: Callable[[Company], ContaAzul], today: date) -> ProbeResult:
    """Return what the API is like. Raises what the API raises."""
    for family in FAMILIES:
        api = api_of(replace(company, route_family=family))
        try:
            width = await _width(api, today)
        except RouteUnknown:
            continue
        details = await _paid(api, today)
        baixas = [(baixa, detail) for detail in details for baixa in detail.baixas][:PAYMENTS]
        found = sum(receipt_document(baixa, it.attachments) is not None for baixa, it in baixas)
        return ProbeResult(family=family, span_days=width, payments=len(baixas), with_document=found)
    raise RouteUnknown("Conta Azul serves none of the known routes.")


async def _width(api: ContaAzul, today: date) -> int:
    for width in WIDTHS_DAYS:
        first = max(FIRST_DUE, today - timedelta(days=width // 2))
        try:
            await api.search(Search(due=(first, first + timedelta(days=width - 1)), page_size=10))
        except RouteUnknown:
            raise
        except (ApiRefused, ApiUnavailable):  # too wide may be a 400 or a 500
            continue
        return width
    await api.search(Search(due=(today - timedelta(days=WIDTH_DAYS - 1), today), page_size=10))
    return WIDTH_DAYS


async def _paid(api: ContaAzul, today: date) -> Sequence[InstalmentDetail]:
    """Return the newest instalments with a payment of the last month, as many as may have twenty payments."""
    month = (today - timedelta(days=31), today)
    due = (today - timedelta(days=WIDTH_DAYS - 1), today)
    page = await api.search(Search(due=due, paid=month, page_size=PAYMENTS))
    newest = sorted(page.items, key=lambda item: item.changed, reverse=True)
    return [await api.instalment(item.id) for item in newest if item.paid > 0]
