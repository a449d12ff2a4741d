"""The console's function: what a browser sends becomes a visit, and the page an answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from distributor.functions import console
from distributor.ledger import Ledger
from foundation.console.entra import HEADER
from foundation.console.settings import ConsoleSettings
from foundation.errors import ConfigurationError
from foundation.settings.reading import read_group
from foundation.tablestore.memory import MemoryRows
from tests.fakes.clock import FrozenClock
from tests.fakes.functions import a_context
from tests.fakes.rows import ListAudit
from tests.unit.foundation.test_console_entra import SET, a_principal
from tests.unit.test_console import ANA, CONSOLE, URL


class FakeParts:
    """Gives the console's settings, or says what is wrong with them."""

    def __init__(self, settings: ConsoleSettings | Exception) -> None:
        self._settings = settings

    async def settings(self, _group: Any) -> ConsoleSettings:
        if isinstance(self._settings, Exception):
            raise self._settings
        return self._settings

    async def ledger(self) -> Ledger:
        return Ledger(MemoryRows(), ListAudit(), clock=FrozenClock())


class NoLimit:
    """Counts nothing."""

    async def check(self, forwarded_for: str) -> str:
        assert forwarded_for == "192.0.2.7"
        return forwarded_for

    async def penalize(self, client: str) -> None:
        assert client == "192.0.2.7"


async def ask(
    monkeypatch: pytest.MonkeyPatch,
    method: str = "GET",
    page: str | None = None,
    body: bytes = b"",
    settings: ConsoleSettings | Exception | None = None,
    *,
    platform: bool = False,
    **headers: str,
) -> func.HttpResponse:
    """Ask the function, as the worker calls it."""

    async def rate_limiter() -> NoLimit:
        return NoLimit()

    parts = FakeParts(settings or read_group(ConsoleSettings, CONSOLE))
    fake = SimpleNamespace(
        parts=parts, rate_limiter=rate_limiter, clock=FrozenClock(), platform_signs_in=lambda: platform
    )
    monkeypatch.setattr(console, "container", lambda: fake)
    route = {} if page is None else {"page": page}
    given = {"X-Forwarded-For": "192.0.2.7", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = func.HttpRequest(method, f"{URL}/console", headers=given, params={}, route_params=route, body=body)
    answer = await console.console(request, a_context())
    assert isinstance(answer, func.HttpResponse)
    return answer


@pytest.mark.parametrize("page", [None, "", "/"])
async def test_the_first_page_is_the_console_with_and_without_a_slash(
    monkeypatch: pytest.MonkeyPatch, page: str | None
) -> None:
    """The host gives no route value for the bare address."""
    answer = await ask(monkeypatch, page=page)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/sign-in")


async def test_a_page_has_its_own_type_and_its_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: the library adds the type by itself."""
    answer = await ask(monkeypatch, page="sign-in", Accept_Language="pt-BR,pt;q=0.9")

    assert (answer.mimetype, answer.charset) == ("text/html", "utf-8")
    assert "Content-Type" not in answer.headers
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "Seu token pessoal" in answer.get_body().decode()


async def test_a_form_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fields are read from the body, the address it came from out of the header."""
    answer = await ask(monkeypatch, "POST", "sign-in", f"token={ANA}&token=other".encode(), Origin=URL)

    assert answer.status_code == 303
    assert answer.headers["Set-Cookie"].startswith("__Host-console=")


@pytest.mark.parametrize("body", [b"token=" + b"x" * 16_385, b"a=1&" * 17, b"token=\xff"])
async def test_a_form_that_is_none_of_ours_is_refused_unread(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Too large, too many fields, no text."""
    answer = await ask(monkeypatch, "POST", "sign-in", body, Origin=URL)

    assert answer.status_code == 400
    assert "The form cannot be read. Nothing was done." in answer.get_body().decode()


async def test_a_console_that_is_wrongly_set_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As every route does; `/ready` names the setting."""
    answer = await ask(monkeypatch, settings=ConfigurationError("CONSOLE_KEY must be set"))

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (503, "not_configured")


@pytest.mark.parametrize(
    ("entra", "platform", "principal", "status"),
    [
        ("1", True, a_principal(), 200),
        ("1", True, None, 401),
        ("1", True, "e30=", 401),
        ("1", False, a_principal(), 200),
        ("1", False, "e30=", 200),
        ("0", True, a_principal(), 200),
        ("0", True, "e30=", 200),
    ],
)
async def test_who_the_platform_names_is_asked_only_where_it_signs_in(
    monkeypatch: pytest.MonkeyPatch, *, entra: str, platform: bool, principal: str | None, status: int
) -> None:
    """Where one of the conditions is not met a forged header changes nothing: not even that it is refused."""
    settings = read_group(ConsoleSettings, CONSOLE | SET | {"CONSOLE_ENTRA": entra})
    headers = {} if principal is None else {HEADER: principal}
    answer = await ask(monkeypatch, "GET", "sign-in", b"", settings, platform=platform, **headers)

    assert answer.status_code == status
    assert ("ana@example.com" in answer.get_body().decode()) == (entra == "1" and platform and status == 200)


async def test_another_method_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """405, with the ones that are."""
    answer = await ask(monkeypatch, "DELETE")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST, HEAD")
