"""The office's page: what it shows to which visitor, and what an attacker cannot see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from foundation.errors import StoreUnavailable
from foundation.tablestore.atomic import AtomicWrite, commit
from payflow.office import site as sites
from payflow.office import views
from payflow.office.visits import ASK_COOKIE, COOKIE, OfficeVisit
from payflow.office.words import REASONS
from payflow.state import HELD_REASONS, DeliveryState, Reason, ReceiptState
from tests.fakes.office import Browser, OfficeWorld
from tests.fakes.payflow import COMPANY, a_delivery, a_receipt, an_instalment

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def world() -> OfficeWorld:
    """A company with a contact."""
    return await OfficeWorld().founded()


@pytest.fixture
async def office(world: OfficeWorld) -> Browser:
    """Somebody of the office who is signed in."""
    return await Browser(world).sign_in()


async def add(world: OfficeWorld, baixa: str, *mails: Any, **changes: Any) -> None:
    """Store a receipt with its mails."""
    receipt = a_receipt(baixa, **changes)
    await world.book.lane.add(None, an_instalment(f"p-{baixa}"), [receipt], [])
    for mail in mails:
        write = AtomicWrite()
        world.book.lane.insert_mail(write, mail)
        await commit(world.book.lane.rows, write, marker_row=write.writes[0].key)


async def test_a_person_comes_in_with_a_code(world: OfficeWorld) -> None:
    """The cookies are the host's alone; the address holds nothing secret; the code is asked for once."""
    browser = Browser(world)
    page = await browser.get()
    assert "Receber um código por e-mail" in page.body
    assert "Clínica" not in page.body
    asked = await browser.post("code")
    assert asked.headers["Set-Cookie"].startswith(f"{ASK_COOKIE}=")
    assert world.woken == [COMPANY]
    await world.mail()

    entered = await browser.post("enter", code=f" {world.codes[0][:4]} {world.codes[0][4:]} ")

    assert (entered.status, entered.headers["Location"]) == (303, f"/office/{COMPANY}")
    cookie = entered.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert all(part in cookie for part in ("Path=/", "Secure", "HttpOnly", "SameSite=Lax"))
    assert world.codes[0] not in cookie
    home = await browser.get()
    assert (home.status, "Nada espera por você" in home.body) == (200, True)
    assert "Clínica Canária" in home.body


async def test_a_link_that_is_only_opened_mails_nothing(world: OfficeWorld) -> None:
    """A mail scanner opens every link."""
    browser = Browser(world)
    for page in ("", "code", "enter", "sign-out"):
        await browser.get(page)

    assert (world.woken, world.sign_ins.dump()) == ([], {})


async def test_nobody_learns_which_companies_there_are(world: OfficeWorld) -> None:
    """Opening, asking and typing a code: the same page for every person."""
    shown = []
    for company in (COMPANY, "0000-nobody", "oauth"):
        browser = Browser(world, company=company)
        pages = [await browser.get(), await browser.post("code"), await browser.post("enter", code="12345678")]
        shown.append([(page.status, page.body.replace(company, "X")) for page in pages])

    assert shown[0] == shown[1] == shown[2]
    assert world.woken == [COMPANY]


async def test_an_address_that_is_no_id_is_not_repeated(world: OfficeWorld) -> None:
    """Neither in the page nor in a header."""
    page = await Browser(world, company=f'"{SCRIPT}\r\nX: y').get()

    assert (SCRIPT in page.body, 'action="/office/-/code"' in page.body) == (False, True)
    moved = await Browser(world, company="a\r\nX-Evil: 1").get("sent")
    assert moved.headers["Location"] == "/office/-"


async def test_a_code_of_another_browser_and_a_used_one_open_nothing(world: OfficeWorld, office: Browser) -> None:
    """Replayed from the mail, from a log, or guessed."""
    thief = Browser(world)
    assert (await thief.post("enter", code=world.codes[0])).status == 403
    thief.cookies[ASK_COOKIE] = office.cookies[ASK_COOKIE]
    again = await thief.post("enter", code=world.codes[0])
    assert (again.status, "Este código não vale" in again.body) == (403, True)
    assert COOKIE not in thief.cookies


async def test_without_a_session_there_is_only_the_door(world: OfficeWorld) -> None:
    """A page goes to the door; a form is refused and nothing of it is done."""
    browser = Browser(world)
    assert (await browser.get("sent")).headers["Location"] == f"/office/{COMPANY}"
    assert (await browser.post("do")).status == 401
    browser.cookies[COOKIE] = "forged.cookie"
    assert (await browser.post("do")).status == 401
    assert (await browser.get("style.css")).headers["Content-Type"].startswith("text/css")


async def test_a_session_is_of_one_company(world: OfficeWorld, office: Browser) -> None:
    """At another one's address the same cookie is nobody's."""
    stranger = Browser(world, company="other-clinic", cookies=dict(office.cookies))

    assert "Receber um código" in (await stranger.get()).body
    assert (await stranger.post("do")).status == 401


async def test_a_form_of_another_site_does_nothing(world: OfficeWorld, office: Browser) -> None:
    """The asking for a code too: else any page could have mails sent."""
    for page in ("code", "enter", "sign-out", "language"):
        for origin in ("https://evil.example", "null", ""):
            assert (await office.post(page, origin=origin)).status == 403
    assert world.woken == [COMPANY]
    assert (await office.get()).status == 200


async def test_every_page_allows_no_script_and_is_kept_by_nobody(office: Browser) -> None:
    """The frame's policy."""
    headers = (await office.get()).headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"


async def test_what_waits_is_shown_by_reason(world: OfficeWorld, office: Browser) -> None:
    """The mails whose outcome is open with their address; what is on its way is not shown."""
    await add(world, "b1", state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT, customer_name=SCRIPT)
    await add(
        world, "b2", a_delivery("b2", state=DeliveryState.UNKNOWN, message_id="<2@x>"), state=ReceiptState.UNKNOWN
    )
    await add(world, "b3", state=ReceiptState.READY, reason=Reason.NO_RECIPIENT)
    await add(world, "b4", state=ReceiptState.WAITING_DOCUMENT)
    await add(world, "b5", state=ReceiptState.READY, customer_name="Em andamento")
    await add(world, "b6", state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT, gone=True)

    page = (await office.get()).body

    assert "Esperando por você: 5" in page
    for words in ("Sem recibo no Conta Azul", "Chegou ou não?", "Sem endereço de e-mail", "Esperando o recibo"):
        assert words in page
    assert "ana.canaria@example.org" in page
    assert "o pagamento foi desfeito" in page
    assert "R$\xa01.500,00" in page
    assert SCRIPT not in page
    assert "Em andamento" not in page
    assert "cabe nesta página" not in page


async def test_more_than_fits_is_said(world: OfficeWorld, office: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page reads three hundred of a kind."""
    monkeypatch.setattr(views, "READ_MAX", 1)
    await add(world, "b1", state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT)

    assert "cabe nesta página" in (await office.get()).body


def test_every_reason_has_words() -> None:
    """A new reason that nobody can end here fails; ``no_recipient`` waits for time too."""
    shown = set(REASONS)

    assert {str(reason) for reason in HELD_REASONS} | {"same_document", "unknown", "refused"} <= shown
    assert {str(reason) for reason in Reason} - shown == {
        "recreated",
        "before_connection",
        "not_a_payment",
        "no_mail",
        "by_person",
    }


async def test_the_language_changes_by_a_button(office: Browser) -> None:
    """Portuguese unless somebody wants English."""
    assert 'lang="pt-BR"' in (await office.get()).body
    await office.post("language", to="en")
    assert "Nothing waits for you" in (await office.get()).body
    await office.post("language", to="pt")
    assert "Nada espera por você" in (await office.get()).body


async def test_signing_out_ends_it_here(office: Browser) -> None:
    """The cookie is taken away."""
    assert (await office.post("sign-out")).headers["Set-Cookie"].startswith(f"{COOKIE}=; Max-Age=0")
    assert "Receber um código" in (await office.get()).body


async def test_what_is_no_page_or_no_form_is_said(world: OfficeWorld, office: Browser) -> None:
    """In the person's language, with a way back."""
    assert (await office.get("nothing")).status == 404
    assert (await office.post("nothing")).status == 404
    page = await world.site.answer(OfficeVisit(method="POST", company=COMPANY, form=None))
    assert (page.status, "não pôde ser lido" in page.body) == (400, True)


async def test_storage_that_is_away_is_said(office: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a bare error; and nobody waits longer than the frame allows."""

    async def away(*_: object) -> None:
        raise StoreUnavailable("no answer")

    async def hangs(*_: object) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(views, "office_backlog", away)
    page = await office.get()
    assert (page.status, "não responde agora" in page.body) == (503, True)
    monkeypatch.setattr(views, "office_backlog", hangs)
    monkeypatch.setattr(sites, "ANSWER_S_MAX", sites._PAGE_S + 0.01)
    assert "Demorou demais" in (await office.get()).body
