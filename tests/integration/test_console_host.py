"""The console on the wire: what the host and the worker make of its cookies, forms and pages."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from email.message import Message
from html import unescape
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest

from devstack.servers import Azurite
from distributor.ledger import Ledger
from distributor.model import Address
from distributor.state import Identity
from foundation.clock import system_clock
from foundation.settings.storage import Storage
from foundation.tablestore.azure_tables import connect_tables
from tests.factories import OPERATOR
from tests.integration.hosted import Hosted
from tests.integration.shop_front import AUTHORITY, RESERVE, TOKEN, front, sell
from tests.unit.foundation.test_console_entra import a_principal

TABLE = "consoletable"
URL, ANA = "https://payouts.example.com", "a" * 32
CONSOLE = {
    "CONSOLE_TOKEN__ANA": ANA,
    "CONSOLE_OPERATORS": "ana",
    "CONSOLE_KEY": "k" * 32,
    "CONSOLE_URL": URL,
}


class Answer(NamedTuple):
    """What a browser got; a redirect is an answer."""

    status: int
    headers: Message
    page: str


@pytest.fixture(scope="module")
def host(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """A host whose console is on, over a ledger that was founded."""
    with front(azurite, TABLE, tmp_path_factory.mktemp("console"), CONSOLE) as running:
        asyncio.run(found(azurite))
        yield running


async def found(azurite: Azurite) -> None:
    """Make the ledger the one that the settings mean."""
    identity = Identity(
        ledger_id="0" * 32, chain_id=137, token=Address(TOKEN), authority=Address(AUTHORITY), reserve=Address(RESERVE)
    )
    tables = connect_tables(Storage(connection_string=azurite.connection_string), partition="137", table=TABLE)
    await Ledger(tables.rows, tables.audit, clock=system_clock).admin.initialise(identity, OPERATOR, 0)
    await tables.aclose()


def ask(host: Hosted, path: str, cookie: str = "", headers: Mapping[str, str] | None = None, **form: str) -> Answer:
    """Send one request as a browser does behind a TLS front end."""
    sent = {"Cookie": cookie, "X-Forwarded-For": "192.0.2.1:40001"}
    if form:
        sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": URL}
    connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=30)
    with closing(connection):
        body = urlencode(form) if form else None
        connection.request("POST" if form else "GET", path, body, {**sent, **(headers or {})})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())


def signed_in(host: Hosted) -> str:
    """Sign in; return what the browser sends from then on."""
    answer = ask(host, "/console/sign-in", token=ANA)
    assert (answer.status, answer.headers["Location"]) == (303, "/console")
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


@pytest.mark.parametrize("path", ["/console", "/console/", "/console/order", "/console/acts/pause"])
def test_a_stranger_is_led_to_the_sign_in(host: Hosted, path: str) -> None:
    """With and without a slash at its end."""
    answer = ask(host, path)

    assert (answer.status, answer.headers["Location"]) == (303, "/console/sign-in")


def test_the_cookie_keeps_its_attributes_on_the_wire(host: Hosted) -> None:
    """The worker reads the header and the host writes it anew: without one of them a script could read the session."""
    cookie = ask(host, "/console/sign-in", token=ANA).headers["Set-Cookie"].lower()
    attributes = {part.strip() for part in cookie.split(";")}

    assert cookie.startswith("__host-console=")
    assert {"path=/", "secure", "httponly", "samesite=lax"} <= attributes
    assert [each for each in attributes if each.startswith("domain") and each != "domain="] == []


def test_a_person_pauses_and_sees_it(host: Hosted) -> None:
    """Through sign-in, dry run and form; the first page then says who stopped it and why."""
    cookie = signed_in(host)
    form = ask(host, "/console/acts/pause", cookie).page
    token = re.search(r'name="form" value="([^"]+)"', form)
    assert token, form

    sent = {"about": "", "form": unescape(token[1]), "why": "inventário"}
    done, again = (ask(host, "/console/acts/pause", cookie, None, **sent) for _ in range(2))
    first = ask(host, "/console", cookie)

    assert (done.status, again.status) == (200, 409)
    assert "By ana: inventário" in first.page
    assert first.headers["Content-Type"] == "text/html; charset=utf-8"
    assert first.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_an_order_is_found(host: Hosted) -> None:
    """By the id alone, as the shop has it."""
    assert sell(host, "7001").status == 202

    assert "default:7001: received" in ask(host, "/console/order?id=7001", signed_in(host)).page


def test_a_forged_form_does_nothing(host: Hosted) -> None:
    """Sent by another site with the person's own cookie."""
    forged = {"Origin": "https://evil.example"}

    assert ask(host, "/console/acts/pause", signed_in(host), forged, form="x", why="x").status == 403


def test_a_forged_principal_is_nobody(host: Hosted) -> None:
    """The headers by which a platform says who signed in are not read: neither torn ones nor good ones."""
    for principal in ("e30=", a_principal()):
        forged = {"X-MS-CLIENT-PRINCIPAL": principal, "X-MS-CLIENT-PRINCIPAL-NAME": "ana"}

        assert ask(host, "/console", "", forged).status == 303
        assert "ana@example.com" not in ask(host, "/console/sign-in", "", forged).page


def test_a_style_sheet_is_all_that_a_page_loads(host: Hosted) -> None:
    """And anybody may have it."""
    answer = ask(host, "/console/style.css")

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
