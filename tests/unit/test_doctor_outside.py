"""What ``doctor --url`` sees from outside: who takes a shop's orders, and whether a forged sign-in is believed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from distributor.cli import doctor_outside
from distributor.cli.doctor_outside import FORGED, check_ready, forged_principal, principal, unsigned
from foundation.console.entra import HEADER, Entra
from foundation.console.settings import ConsoleSettings
from foundation.errors import ServiceError
from foundation.outgoing.guard import Answer, DestinationUnavailable, Limits, OutgoingGuard, Request
from foundation.settings.reading import read_group
from tests.unit.foundation.test_console_entra import CLIENT, SET, TENANT

URL = "https://payouts.example.com"
Answers = Callable[[Request], Answer]


def said(status: int, body: str = "", **headers: str) -> Answer:
    """Return an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=body.encode(), host="payouts.example.com")


def sends(answers: Answers) -> doctor_outside.Send:
    """Return what sends a request to *answers*."""

    async def send(request: Request, _limits: Limits) -> Answer:
        return answers(request)

    return send


def believes(request: Request) -> Answer:
    """Answer as an app does that reads the header while nobody takes it away."""
    return said(200, f"Go on as {FORGED}" if HEADER in request.headers else "Your personal token")


def test_the_forged_person_is_one_that_the_app_would_let_in() -> None:
    """Else the proof would prove that something unreadable is refused."""
    assert Entra(tenant=TENANT, client=CLIENT).person(principal(TENANT, CLIENT)).name == FORGED


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        (said(401, x_error_code="bad_signature"), True),
        (said(302, location="https://login.example"), False),
        (said(401), False),
        (said(403, x_error_code="x"), False),
        (said(202), False),
    ],
)
async def test_a_shop_is_answered_by_the_app(answer: Answer, *, well: bool) -> None:
    """The platform's own 401 or its redirect means that orders go nowhere."""
    asked: list[Request] = []

    def answers(request: Request) -> Answer:
        asked.append(request)
        return answer

    found = await unsigned(sends(answers), URL)

    assert (found == "") is well
    assert [(each.method, each.url) for each in asked] == [("POST", f"{URL}/webhook")]


@pytest.mark.parametrize(
    ("answers", "entra", "wrong"),
    [
        (lambda _: said(200, "Your personal token"), False, ""),
        (lambda _: said(404), False, ""),
        (lambda _: said(302), True, ""),
        (believes, False, "A forged sign-in changes"),
        (believes, True, "A forged sign-in changes"),
        (lambda request: said(401 if HEADER in request.headers else 302), True, "A forged sign-in changes"),
        (lambda _: said(200), True, "asks nobody to sign in"),
    ],
)
async def test_a_forged_sign_in_changes_nothing(answers: Answers, wrong: str, *, entra: bool) -> None:
    """The same answer with and without it; and where people sign in at the platform, it asks them to."""
    found = await forged_principal(sends(answers), URL, "forged", entra=entra)

    assert wrong in found
    assert bool(found) is bool(wrong)


async def test_the_app_is_ready() -> None:
    """The status is named where it is another."""
    assert await check_ready(sends(lambda _: said(200)), URL) == ""
    assert await check_ready(sends(lambda _: said(503)), URL) == "/ready: 503"


def a_context(url: str) -> Any:
    """Return a command's surroundings, as far as these checks look at them."""

    async def settings(group: Any) -> Any:
        return read_group(group, SET if group is ConsoleSettings else {})

    return SimpleNamespace(options=SimpleNamespace(url=url), parts=SimpleNamespace(settings=settings))


CHECKS = [doctor_outside.https, doctor_outside.shop_door, doctor_outside.forged_sign_in]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("url", "why"), [("", "Not checked"), ("http://payouts.example.com", "Not https")])
async def test_nothing_is_called_proved_that_was_not_asked(check: Any, url: str, why: str) -> None:
    """Without an address, and without https."""
    assert why in await check(a_context(url), None)


@pytest.mark.parametrize("check", CHECKS)
async def test_each_asks_by_the_guard_and_says_why_not(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that does not answer is no proof."""
    asked: list[str] = []

    async def fails(_self: object, request: Request, _limits: Limits) -> Answer:
        asked.append(request.url)
        failure: ServiceError = DestinationUnavailable("no answer within 10 s")
        raise failure

    monkeypatch.setattr(OutgoingGuard, "send", fails)

    assert "no answer" in await check(a_context(f"{URL}/"), None)
    assert asked[0].startswith(f"{URL}/")
    assert "//" not in asked[0].removeprefix("https://")
