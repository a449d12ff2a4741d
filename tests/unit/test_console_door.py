"""The ways into the console besides a token: what the platform says with Entra ID, and a link that signs in once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

import pytest

from devstack.up import sign_in_link
from distributor.console.site import Console, Payouts
from foundation.console.sessions import LINK_MS, Sessions
from foundation.console.settings import ConsoleSettings
from foundation.console.site import Site
from foundation.console.visit import Visit
from foundation.errors import Contention
from foundation.http.html import HtmlPage
from foundation.settings.reading import read_group
from tests.fakes.bench import Bench, founded
from tests.unit.foundation.test_console_entra import SET, a_principal
from tests.unit.test_console import ANA, CONSOLE, URL, Browser, a_console

OPERATOR, VIEWER = a_principal(), a_principal(roles="console.viewer", preferred_username="joao@example.com", oid="j")


@dataclass
class Named(Browser):
    """A browser whose person the platform names; None: the function did not read the header."""

    principal: str | None = OPERATOR

    async def _ask(self, visit: Visit) -> HtmlPage:
        return await Browser._ask(self, replace(visit, principal=self.principal))


@pytest.fixture
async def bench() -> Bench:
    """A ledger with an order that waits."""
    bench = await founded()
    await bench.received("B")
    return bench


@pytest.fixture
def console(bench: Bench) -> Console:
    """A console whose people sign in with Entra ID; it also has personal tokens."""
    return a_console(bench, **SET)


async def test_who_is_named_comes_in_by_a_button(bench: Bench, console: Console) -> None:
    """A page that is only opened signs nobody in; the audit trail has the person's name."""
    ana = Named(console)

    assert (await ana.get()).headers["Location"] == "/console/sign-in"
    assert "ana@example.com" in (await ana.get("sign-in")).body
    assert ana.cookie == ""
    assert (await ana.post("sign-in", token="")).status == 303
    assert (await ana.act("pause")).status == 200
    assert (await bench.ledger.admin.pause_state()).paused_by == "ana@example.com"


async def test_a_viewer_looks_on(console: Console) -> None:
    """The role is the application's, read anew with each request."""
    joao = Named(console, principal=VIEWER)
    await joao.post("sign-in")

    assert (await joao.get()).status == 200
    assert (await joao.get("acts/pause")).status == 403


async def test_who_loses_the_role_is_out_at_the_next_request(console: Console) -> None:
    """The cookie says who it is, and not what they may do."""
    ana = Named(console)
    await ana.post("sign-in")

    ana.principal = a_principal(roles="console.viewer")
    assert (await ana.post("acts/pause", form="x", why="x")).status == 403
    ana.principal = a_principal(roles="another")
    assert (await ana.get()).status == 403


async def test_a_cookie_of_another_person_is_worth_nothing(console: Console) -> None:
    """Stolen, it needs the platform's word for the same person, of the same id: a name can be given to another."""
    ana = Named(console)
    await ana.post("sign-in")
    thief = Named(console, cookie=ana.cookie, principal=VIEWER)
    heir = Named(console, cookie=ana.cookie, principal=a_principal(oid="another"))

    assert (await thief.get()).status == (await heir.get()).status == 303
    assert (await ana.get()).status == 200


@pytest.mark.parametrize("path", ["", "sign-in", "order", "acts/pause", "link"])
@pytest.mark.parametrize("principal", ["", "e30=", "x"])
async def test_what_cannot_be_read_is_nobody(bench: Bench, console: Console, path: str, principal: str) -> None:
    """Also with a good cookie, and also for who has a token: 401, never anonymous; the style sheet is everybody's."""
    ana = Named(console)
    await ana.post("sign-in")
    ana.principal = principal

    assert (await ana.get(path)).status == 401
    assert (await ana.post(path, token=ANA)).status == 401
    assert (await ana.get("style.css")).status == 200
    assert not (await bench.ledger.admin.pause_state()).paused


async def test_a_token_is_no_second_name(console: Console) -> None:
    """Else one human could approve what they asked for: while Entra ID signs in, nothing else does."""
    ana = Named(console, principal=VIEWER)
    await ana.post("sign-in", token=ANA)

    assert "joao@example.com, viewer" in (await ana.get()).body


@pytest.mark.parametrize("settings", [CONSOLE, CONSOLE | SET])
async def test_a_header_that_was_not_read_changes_nothing(bench: Bench, settings: dict[str, str]) -> None:
    """Where the platform does not say that it signs in, tokens do, whatever the settings hope for."""
    stranger = Named(replace(a_console(bench), settings=read_group(ConsoleSettings, settings)), principal=None)

    assert (await stranger.get()).status == 303
    assert "password" in (await stranger.get("sign-in")).body
    assert (await stranger.post("sign-in", token=ANA)).headers["Location"] == "/console"


async def test_a_form_of_another_site_signs_nobody_in(console: Console) -> None:
    """Neither by Entra ID nor by a link."""
    ana = Named(console)

    assert (await ana.post("sign-in", origin="https://evil.example")).status == 403
    assert (await ana.post("link", origin="https://evil.example", by="x")).status == 403


# a link that signs in once ------------------------------------------------------------------------


def a_link(console: Console, **changed: object) -> str:
    """Return a link as the local stack makes it."""
    settings = console.settings
    sessions = Sessions(keys=settings.keys, people=settings.people, clock=console.clock)
    return replace(sessions, **changed).link("ana")  # type: ignore[arg-type]  # a test's own keywords


async def test_a_link_signs_in_once_over_all_instances(bench: Bench) -> None:
    """A scanner that opens it uses nothing up; the button does, for everybody who has the link."""
    one, other = (Browser(a_console(bench)) for _ in range(2))
    link = a_link(one.console)

    for _ in range(2):
        assert 'method="post"' in (await one.get("link", by=link)).body
    assert (await one.post("link", by=link)).headers["Location"] == "/console"
    assert (await other.post("link", by=link)).status == 403
    assert (await one.get()).status == 200
    assert (await other.get()).status == 303


async def test_a_console_without_links_has_no_such_page(bench: Bench) -> None:
    """And one where nothing counts guesses refuses a wrong token all the same."""
    console = a_console(bench)
    site = Site(settings=console.settings, app=Payouts(parts=console.parts, clock=bench.clock), clock=bench.clock)
    link = Visit(method="POST", path="link", form={"by": a_link(console)}, origin=URL)
    token = Visit(method="POST", path="sign-in", form={"token": "x" * 32}, origin=URL)

    assert (await site.answer(link)).status == 404
    assert (await site.answer(token)).status == 403


async def test_the_local_stack_prints_a_link_that_signs_in(bench: Bench) -> None:
    """Made from its settings alone: the app need not be asked."""
    local = {"CONSOLE_TOKEN__LOCAL": "l" * 32, "CONSOLE_OPERATORS": "local", "CONSOLE_KEY": "k" * 32}
    console = a_console(bench, **local)
    address = urlsplit(sign_in_link(local, "http://127.0.0.1:7071", clock=bench.clock))
    browser = Browser(console)

    assert (address.path, address.netloc) == ("/console/link", "127.0.0.1:7071")
    assert (await browser.post("link", **dict(parse_qsl(address.query)))).status == 303
    assert "local, operator" in (await browser.get()).body


async def test_links_that_were_made_before_are_used_up_too(bench: Bench) -> None:
    """What is stored is a moment. The next link is a good one, and a resume forgets nothing."""
    console = a_console(bench)
    first = a_link(console)
    bench.clock.advance(1)
    second = a_link(console)
    await Browser(console).post("link", by=second)
    await bench.ledger.admin.pause("ana", "a test")
    await bench.ledger.admin.resume("ana", "a test")

    assert [(await Browser(console).post("link", by=each)).status for each in (first, second)] == [403, 403]
    bench.clock.advance(60_000)
    assert (await Browser(console).post("link", by=a_link(console))).status == 303


async def test_a_link_is_over_after_ten_minutes(bench: Bench) -> None:
    """And one of a clock that is ahead is not good yet."""
    console = a_console(bench)
    old = a_link(console)
    bench.clock.advance(LINK_MS + 1)
    ahead = a_link(console, clock=lambda: bench.clock() + 1)

    assert (await Browser(console).post("link", by=old)).status == 403
    assert (await Browser(console).post("link", by=ahead)).status == 403


@pytest.mark.parametrize("forged", ["", "x", "WyJhbmEiLCJ4IiwwXQ.x"])
async def test_a_forged_link_is_counted_as_a_wrong_token(bench: Bench, forged: str) -> None:
    """The rate limit is that of sign-ins."""
    stranger = Browser(a_console(bench))

    assert [(await stranger.post("link", by=forged)).status for _ in range(3)] == [403, 403, 429]
    assert stranger.cookie == ""


@pytest.mark.parametrize("changed", [{"CONSOLE_TOKEN__ANA": "b" * 32}, {"CONSOLE_KEY": "l" * 32}])
async def test_a_link_ends_with_the_token_and_with_the_key(bench: Bench, changed: dict[str, str]) -> None:
    """As a session does."""
    link = a_link(a_console(bench))

    assert (await Browser(a_console(bench, **changed)).post("link", by=link)).status == 403


async def test_everybody_signed_out_is_everybody_with_a_link_too(bench: Bench) -> None:
    """The epoch is in it."""
    link = a_link(a_console(bench))
    await bench.ledger.console_sessions.end_all("ana", "a test")

    assert (await Browser(a_console(bench)).post("link", by=link)).status == 403


async def test_a_link_is_tried_again_where_the_switch_was_turned(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause at the same moment uses no link up; one that goes on and on is said."""
    console, admin = a_console(bench), bench.ledger.admin
    write, beaten = admin.write_switch, [Contention(), Contention()]

    async def contended(*given: object) -> None:
        if beaten:
            raise beaten.pop()
        await write(*given)  # type: ignore[arg-type]  # as the method takes them

    monkeypatch.setattr(type(admin), "write_switch", lambda _self, *given: contended(*given))
    assert (await Browser(console).post("link", by=a_link(console))).status == 303

    bench.clock.advance(1)
    beaten += [Contention()] * 100
    assert (await Browser(console).post("link", by=a_link(console))).status == 503
