"""What is learned of a clinic's API before its first look."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

import pytest

from devstack.conta_azul.books import Books, Person
from payflow.connect.probe import ProbeResult, ask, probe
from payflow.conta_azul.answers import InstalmentPage
from payflow.conta_azul.routes import Search
from payflow.errors import ApiRefused, RouteUnknown
from payflow.state import Company, DocumentPolicy
from tests.fakes.conta_azul import BooksApi, Time
from tests.fakes.payflow import a_company

TODAY = date(2026, 1, 1)


class Api(BooksApi):
    """An API that takes spans up to a width, or has no routes."""

    widest: int = 10**6
    unknown: bool = False

    async def search(self, search: Search) -> InstalmentPage:
        if self.unknown:
            raise RouteUnknown
        if (search.due[1] - search.due[0]).days >= self.widest:
            raise ApiRefused
        return await super().search(search)


@dataclass
class Clinic:
    """Its books, and its API by family."""

    widest: int = 10**6
    unknown: frozenset[str] = frozenset()
    books: Books = field(default_factory=lambda: Books(Time(), company="c", document="1", name="C"))

    def api_of(self, company: Company) -> Api:
        api = Api(self.books)
        api.widest, api.unknown = self.widest, company.route_family in self.unknown
        return api

    def pay(self, count: int, *, with_document: int = 0) -> None:
        ana: Person = self.books.person("Ana")
        for at in range(count):
            payment = self.books.pay(self.books.bill(ana, 1_00, due=TODAY))
            if at < with_document:
                self.books.attach(payment, b"%PDF")

    async def shape(self) -> ProbeResult:
        return await ask(a_company(), self.api_of, TODAY)


@pytest.mark.parametrize(("widest", "span"), [(10**6, 20_000), (4000, 3653), (800, 731), (400, 365)])
async def test_the_widest_span_is_found(widest: int, span: int) -> None:
    """Fewer requests at each look."""
    assert (await Clinic(widest=widest).shape()).span_days == span


async def test_the_family_that_answers_is_chosen() -> None:
    """The one that was seen in production first."""
    assert (await Clinic().shape()).family == "eventos-financeiros"
    assert (await Clinic(unknown=frozenset({"eventos-financeiros"})).shape()).family == "financeiro"
    with pytest.raises(RouteUnknown):
        await Clinic(unknown=frozenset({"eventos-financeiros", "financeiro"})).shape()


async def test_an_api_that_takes_no_span_at_all_is_an_error() -> None:
    """It is not guessed at."""
    with pytest.raises(ApiRefused):
        await Clinic(widest=1).shape()


@pytest.mark.parametrize(
    ("payments", "with_document", "policy"),
    [
        (20, 20, DocumentPolicy.ERP),
        (20, 5, DocumentPolicy.ERP_THEN_OWN),
        (20, 0, DocumentPolicy.OWN),
        (0, 0, DocumentPolicy.ERP_THEN_OWN),
    ],
)
async def test_documents_come_from_where_they_are_made(
    payments: int, with_document: int, policy: DocumentPolicy
) -> None:
    """Twenty payments tell; the company is returned with all three."""
    clinic = Clinic()
    clinic.pay(payments, with_document=with_document)

    company = await probe(replace(a_company(), route_family=""), clinic.api_of, TODAY)

    assert (company.policy, company.span_days, company.route_family) == (policy, 20_000, "eventos-financeiros")


async def test_a_link_that_a_person_typed_is_no_document() -> None:
    """`tipo_conteudo` URL is never fetched: counted, every receipt would wait for 72 hours and then for a person."""
    clinic = Clinic()
    payment = clinic.books.pay(clinic.books.bill(clinic.books.person("Ana"), 1_00, due=TODAY))
    clinic.books.attach(payment, b"%PDF", content_type="URL")

    shape = await clinic.shape()

    assert (shape.with_document, shape.policy(is_person=False)) == (0, DocumentPolicy.OWN)


def test_a_person_gets_no_document_of_ours() -> None:
    """Receita Saúde."""
    shape = ProbeResult(family="x", span_days=1, payments=20, with_document=0)

    assert shape.policy(is_person=True) is DocumentPolicy.ERP


async def test_only_twenty_payments_are_read() -> None:
    """It is a probe, not an import."""
    clinic = Clinic()
    clinic.pay(30)
    asked = Clinic(books=clinic.books)

    shape = await asked.shape()

    assert shape.payments == 20
