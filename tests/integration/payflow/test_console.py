"""The operator's console of PayFlow on real parts: the function as the host calls it, tables, queues."""

from __future__ import annotations

import os
import re
from datetime import date
from urllib.parse import urlencode

import azure.functions as func
import pytest

from payflow.functions import console
from payflow.state import ReceiptState
from tests.fakes.console import ANA
from tests.fakes.functions import a_context
from tests.integration.payflow.test_whole_way import COMPANY, World, _command, _look_now, connected, world

__all__ = ["world"]
ORIGIN = "http://127.0.0.1:7072"


class Page:
    """A browser at the console: what the function answers, its cookie kept."""

    def __init__(self) -> None:
        self.cookie = ""

    async def ask(self, method: str, page: str = "", body: str = "", **query: str) -> func.HttpResponse:
        """Send a request as the host hands it over."""
        request = func.HttpRequest(
            method=method,
            url=f"{ORIGIN}/console/{page}",
            headers={"Cookie": self.cookie, "Origin": ORIGIN if method == "POST" else ""},
            params=query,
            route_params={"page": page} if page else {},
            body=body.encode(),
        )
        answer = await console.console(request, a_context())
        assert isinstance(answer, func.HttpResponse)
        if cookie := answer.headers.get("Set-Cookie"):
            self.cookie = cookie.partition(";")[0]
        return answer

    async def text(self, page: str = "", **query: str) -> str:
        """Open a page; return what it says."""
        answer = await self.ask("GET", page, **query)
        assert answer.status_code == 200, answer.get_body().decode()
        return answer.get_body().decode()


@pytest.fixture
async def page(world: World, capsys: pytest.CaptureFixture[str]) -> Page:
    """Somebody who is signed in, with a clinic connected."""
    os.environ |= {
        "CONSOLE_TOKEN__ANA": ANA,
        "CONSOLE_OPERATORS": "ana",
        "CONSOLE_KEY": "k" * 40,
        "CONSOLE_URL": ORIGIN,
    }
    await connected(world, capsys)
    page = Page()
    assert (await page.ask("POST", "sign-in", urlencode({"token": ANA}))).status_code == 303
    return page


async def test_an_operator_decides_and_the_audit_says_who_and_why(
    world: World, page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the list to the decision; what was said is sealed in the audit, and opened on the page."""
    payer = world.books.person("Dra. Sem Recibo", email="ana@example.org", id="c-ana")
    payment = world.books.pay(world.books.bill(payer, 10_00, due=date(2026, 1, 1)))
    await _look_now()
    await world.lane()
    assert str(payment.id) in await page.text("receipts", company=COMPANY, payment=str(payment.id)[:4])
    about = f"{COMPANY}:{payment.id}"
    shown = await page.text("acts/skip", about=about)
    assert f"The receipt of payment {payment.id} becomes skipped" in shown
    form = re.search(r'name="form" value="([^"]+)"', shown)
    assert form
    assert await world.state(payment.id) is ReceiptState.WAITING_DOCUMENT

    body = urlencode({"about": about, "form": form[1], "why": "the clinic asked"})
    done = await page.ask("POST", "acts/skip", body)

    assert "Done." in done.get_body().decode()
    assert await world.state(payment.id) is ReceiptState.SKIPPED
    assert "the clinic asked" in await page.text("receipt", company=COMPANY, id=str(payment.id))
    capsys.readouterr()
    await _command("audit", "decisions")
    assert f"skip  {payment.id}  ana" in capsys.readouterr().out


async def test_every_page_on_real_tables(page: Page) -> None:
    """Queues are counted by the account; the company's name is opened."""
    assert "Clínica Boa" in await page.text()
    assert "Clínica Boa" in await page.text("company", id=COMPANY)
    assert "payflow-lanes-poison" in await page.text("machinery")
    assert "The mail account sends" in await page.text("sender")
