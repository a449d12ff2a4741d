"""The office's page on real parts: the function as the host calls it, tables, and a mail server with TLS."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from email import message_from_bytes
from email.policy import default
from urllib.parse import urlencode

import azure.functions as func
import pytest

from payflow import wiring
from payflow.functions import office
from payflow.office.visits import ASK_COOKIE, COOKIE
from payflow.state import CompanyStatus, ReceiptState
from tests.fakes.functions import Out, a_context
from tests.integration.payflow.test_whole_way import (
    COMPANY,
    OVERRIDE,
    World,
    _command,
    _look_now,
    a_document,
    connected,
    world,
)

__all__ = ["world"]
ORIGIN = "http://127.0.0.1:7072"


class Page:
    """A browser at the page: what the function answers, cookies kept."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}
        self.woken: Out = Out()

    async def ask(self, method: str, page: str = "", **form: str) -> func.HttpResponse:
        """Send a request as the host hands it over."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies, "Origin": ORIGIN if method == "POST" else ""}
        request = func.HttpRequest(
            method=method,
            url=f"{ORIGIN}/office/{COMPANY}/{page}",
            headers=headers,
            params={},
            route_params={"company": COMPANY, **({"page": page} if page else {})},
            body=urlencode(form).encode(),
        )
        answer = await office.office(request, self.woken, a_context())
        assert isinstance(answer, func.HttpResponse)
        if cookie := answer.headers.get("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    async def sign_in(self, world: World) -> None:
        """Ask for a code, read the mail, come in."""
        asked = await self.ask("POST", "code")
        assert "um código está a caminho" in asked.get_body().decode()
        await office.office_mail(func.QueueMessage(body=str(COMPANY).encode()), a_context())
        texts = [text_of(mail.data) for mail in world.mail.accepted]  # on a weekday the daily mail goes out too
        (*_, code) = [found[0] for text in texts if (found := re.search(r"\b\d{8}\b", text))]
        entered = await self.ask("POST", "enter", code=code)
        assert entered.status_code == 303


def text_of(data: bytes) -> str:
    """Return the text of a mail."""
    body = message_from_bytes(data, policy=default).get_body(("plain",))
    assert body
    return str(body.get_content())


async def test_an_office_comes_in_by_mail(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """One code, one mail, to the override outside production; the code is in no row; the operator ends the session."""
    await connected(world, capsys)
    await _command("office", COMPANY)
    assert "codes go to nobody: set --contact" in capsys.readouterr().out
    await _command("office", COMPANY, "--contact", "financeiro@clinica.example")
    page = Page()

    await page.sign_in(world)

    mail = world.mail.accepted[-1]
    assert (mail.recipients, f"{ORIGIN}/office/{COMPANY}" in text_of(mail.data)) == ((OVERRIDE,), True)
    assert {COOKIE, ASK_COOKIE} == page.cookies.keys()
    home = (await page.ask("GET")).get_body().decode()
    assert "Nada espera por você" in home

    await _command("office", COMPANY, "--sign-out")
    assert "Every session of the page has ended." in capsys.readouterr().out
    assert "Receber um código" in (await page.ask("GET")).get_body().decode()
    await _command("office", COMPANY, "--contact", "novo@clinica.example")
    assert f"{ORIGIN}/office/{COMPANY}  codes go to n***@clinica.example" in capsys.readouterr().out


async def test_what_is_no_form_is_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Too large, too many fields, no text."""
    await connected(world, capsys)
    for body in (b"a" * 70_000, b"&".join(b"a=1" for _ in range(500)), b"\xff\xfe"):
        request = func.HttpRequest(
            method="POST",
            url=f"{ORIGIN}/office/{COMPANY}/code",
            headers={"Origin": ORIGIN},
            params={},
            route_params={"company": COMPANY, "page": "code"},
            body=body,
        )
        answer = await office.office(request, Out(), a_context())
        assert answer.status_code == 400


async def test_a_poisoned_wake_up_is_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """As a lane's is; the page goes on, and the person asks once more."""
    await connected(world, capsys)

    await office.office_mail_poisoned(func.QueueMessage(body=b"broken"), a_context())

    sightings = await (await wiring.container().register()).facts()
    assert [fact.code for fact in sightings] == ["poison_message"]


async def test_an_office_gives_an_address_and_the_mail_goes_out(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the page to the payer's mail, without a terminal; the decision is in the audit by the masked address."""
    await connected(world, capsys)
    await _command("office", COMPANY, "--contact", "financeiro@clinica.example")
    payer = world.books.person("Dra. Sem Endereço", email="", id="c-ana")
    payment = world.books.pay(world.books.bill(payer, 10_00, due=date(2026, 1, 1)))
    world.books.attach(payment, a_document(10_00))
    await _look_now()
    await world.lane()
    page = Page()
    await page.sign_in(world)
    home = (await page.ask("GET")).get_body().decode()
    assert "Sem endereço de e-mail (1)" in home

    wish = {"act": "address", "id": str(payment.id), "address": "ana@example.org"}
    shown = (await page.ask("POST", "ask", **wish)).get_body().decode()
    form = re.search(r'name="form" value="([^"]+)"', shown)
    assert form
    done = await page.ask("POST", "do", **wish, form=form[1])

    assert "Feito." in done.get_body().decode()
    await world.lane()
    assert await world.state(payment.id) is ReceiptState.SENT
    await _command("audit", "decisions")
    assert "address-of  c-ana  office f***@clinica.example" in capsys.readouterr().out


async def test_an_office_connects_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The button makes an invitation for this company alone, and leads to its page."""
    await connected(world, capsys)
    await _command("office", COMPANY, "--contact", "financeiro@clinica.example")
    lane = (await wiring.container().base()).lane(COMPANY)
    company = await lane.read_company()
    assert company
    await lane.write_company(replace(company, status=CompanyStatus.NEEDS_RECONNECT))
    page = Page()
    await page.sign_in(world)
    shown = (await page.ask("POST", "ask", act="reconnect")).get_body().decode()
    form = re.search(r'name="form" value="([^"]+)"', shown)
    assert form

    moved = await page.ask("POST", "do", act="reconnect", form=form[1])

    assert "Conta conectada" in await world.connect(moved.headers["Location"])
    found = await lane.read_company()
    assert found
    assert found.status is CompanyStatus.ACTIVE
