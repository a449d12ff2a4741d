"""Our client and the strict stand-in: what is asked is taken, what is answered is read, what goes wrong is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from devstack.conta_azul.faults import Fault
from foundation.clock import UnixMs
from payflow.conta_azul.routes import FAMILIES, Search
from payflow.errors import (
    ApiRefused,
    ApiUnavailable,
    PlanBlocked,
    RouteUnknown,
    TooManyRequests,
    Unauthorized,
    UnreadableAnswer,
)
from payflow.model import BaixaId, CustomerId, InstalmentId
from tests.fakes.conta_azul import COMPANY, DOCUMENT, START_S, Tenant, tenant

DUE = date(2026, 1, 10)
YEAR = Search(due=(DUE - timedelta(days=400), DUE + timedelta(days=400)))


@pytest.fixture
async def clinic() -> AsyncIterator[Tenant]:
    """A clinic at the stand-in."""
    async with tenant() as found:
        yield found


async def test_the_token_names_its_company(clinic: Tenant) -> None:
    """``id_empresa`` is the tenant, digits are the document."""
    account = await clinic.api().account()

    assert (account.company, account.document) == (COMPANY, DOCUMENT)


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_payment_is_found_by_search_detail_and_alone(clinic: Tenant, family: str) -> None:
    """Both families of routes say the same, in centavos."""
    ana = clinic.books.person("Dra. Ana")
    parcela = clinic.books.bill(ana, 1500_10, due=DUE)
    first = clinic.books.pay(parcela, 700_05)
    clinic.books.pay(parcela, 800_05, interest=3_00)
    clinic.books.attach(first, b"%PDF-1.4")
    api = clinic.api(family)

    page = await api.search(YEAR)
    detail = await api.instalment(page.items[0].id)
    alone = await api.baixa(detail.baixas[0].id)

    assert (page.total, page.items[0].paid, page.items[0].customer.name) == (1, 1500_10, "Dra. Ana")
    assert [baixa.composition.paid for baixa in detail.baixas] == [700_05, 803_05]
    assert alone is not None
    assert (alone.instalment, alone.revision, alone.attachments[0].kind) == (parcela.id, 1, "RECIBO_DIGITAL")
    assert alone.updated_ms == int(START_S * 1000)


async def test_an_undone_payment_is_gone(clinic: Tenant) -> None:
    """An empty 404 says so, and only that."""
    payment = clinic.books.pay(clinic.books.bill(None, 10_00, due=DUE))
    clinic.books.undo(payment)

    assert await clinic.api().baixa(BaixaId(payment.id)) is None


async def test_a_missing_route_is_never_an_undone_payment(clinic: Tenant) -> None:
    """The 404 with a sentence is about the route: reading it as *gone* would withdraw every receipt."""
    payment = clinic.books.pay(clinic.books.bill(None, 10_00, due=DUE))
    clinic.server.families.discard("financeiro")

    with pytest.raises(RouteUnknown):
        await clinic.api("financeiro").baixa(BaixaId(payment.id))


async def test_an_unknown_instalment_is_a_server_error(clinic: Tenant) -> None:
    """The API answers 500 for it; three tries, then no more."""
    with pytest.raises(ApiUnavailable):
        await clinic.api().instalment(InstalmentId("nobody"))

    assert len(clinic.server.log) == 3


async def test_a_person_comes_with_the_billing_contact(clinic: Tenant) -> None:
    """The single person shows it, the list does not."""
    ana = clinic.books.person("Ana", email="ana@a.example, b@a.example", billing_emails=["fin@a.example"])

    person = await clinic.api().person(CustomerId(ana.id))
    (listed,) = await clinic.api().people(1)

    assert person is not None
    assert (person.emails, person.billing_emails) == (("ana@a.example", "b@a.example"), ("fin@a.example",))
    assert listed.billing_emails == ()
    assert await clinic.api().people(2) == ()
    assert await clinic.api().person(CustomerId("nobody")) is None


async def test_a_span_of_changes_is_asked_in_local_time(clinic: Tenant) -> None:
    """São Paulo's time without an offset; an offset is refused."""
    clinic.books.pay(clinic.books.bill(None, 10_00, due=DUE))
    now = UnixMs(int(START_S * 1000))
    hour = UnixMs(3_600_000)

    near = await clinic.api().search(Search(due=YEAR.due, changed=(UnixMs(now - hour), UnixMs(now + hour))))
    before = await clinic.api().search(Search(due=YEAR.due, changed=(UnixMs(now - 2 * hour), UnixMs(now - hour))))
    paid = await clinic.api().search(Search(due=YEAR.due, paid=(date(2026, 1, 1), date(2026, 1, 1))))

    assert (near.total, before.total, paid.total) == (1, 0, 1)


@pytest.mark.parametrize("size", [1, 25, 2000])
async def test_other_page_sizes_are_refused(clinic: Tenant, size: int) -> None:
    """The stand-in is as strict as the real one."""
    with pytest.raises(ApiRefused):
        await clinic.api().search(Search(due=YEAR.due, page_size=size))


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("500", ApiUnavailable),
        ("503", ApiUnavailable),
        ("close", ApiUnavailable),
        ("garbage", UnreadableAnswer),
        ("empty_404", UnreadableAnswer),
        ("html", ApiRefused),
        ("end_trial", PlanBlocked),
        ("429", TooManyRequests),
    ],
)
async def test_trouble_that_lasts_is_named(clinic: Tenant, kind: str, raised: type[Exception]) -> None:
    """Each trouble is one error that says what to do next."""
    clinic.server.script.add(Fault(kind=kind, times=9))

    with pytest.raises(raised):
        await clinic.api().search(YEAR)


@pytest.mark.parametrize("kind", ["500", "503", "close", "lost", "garbage", "429"])
async def test_trouble_that_passes_is_not_noticed(clinic: Tenant, kind: str) -> None:
    """A GET is simply asked again."""
    clinic.server.script.add(Fault(kind=kind, times=2))

    assert (await clinic.api().search(YEAR)).items == ()


async def test_null_items_are_an_empty_page(clinic: Tenant) -> None:
    """A list without matches may be null."""
    clinic.server.script.add(Fault(kind="null_items"))

    assert (await clinic.api().search(YEAR)).items == ()


async def test_a_429_is_obeyed(clinic: Tenant) -> None:
    """The header's seconds where there are any."""
    clinic.server.script.add(Fault(kind="429", retry_after_s=33))
    api = clinic.api()

    await api.search(YEAR)

    assert max(clinic.time.slept) == pytest.approx(33)


async def test_we_never_meet_the_real_limit(clinic: Tenant) -> None:
    """Two hundred requests without a pause of our own stay under 10 a second and 600 a minute."""
    api = clinic.api()
    for _ in range(200):
        await api.account()

    assert clinic.server.limits.refused == 0


async def test_a_401_renews_the_token_once(clinic: Tenant) -> None:
    """An access token may end in the middle of a look."""
    api = clinic.api()
    await api.account()
    clinic.server.sign_in.end_access()

    await api.account()

    assert clinic.tokens.renewals == 1


async def test_a_second_401_is_the_end(clinic: Tenant) -> None:
    """Signed in with the developer portal's account: no token of it will ever do."""
    clinic.server.sign_in.developer_account = True

    with pytest.raises(Unauthorized):
        await clinic.api().account()

    assert clinic.tokens.renewals == 1


async def test_an_answer_without_end_is_cut(clinic: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer may fill the memory."""
    monkeypatch.setattr("payflow.adapters.conta_azul.BODY_BYTES_MAX", 10)

    with pytest.raises(UnreadableAnswer):
        await clinic.api().account()
