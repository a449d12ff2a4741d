"""From an invitation to a connected company, and everything that must not connect one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.clock import UnixMs
from foundation.http.html import cookie_in
from foundation.tablestore.memory import MemoryRows
from payflow.connect import pages
from payflow.connect.connecting import (
    INVITATION_MS,
    SIGN_IN_MS,
    AuthorizationResponse,
    Connecting,
    ConnectOutcome,
    NoSuchInvitation,
    NoSuchSignIn,
)
from payflow.connect.grants import Grant, InvalidGrant
from payflow.connect.tokens import Tokens
from payflow.errors import ApiUnavailable, ServedElsewhere
from payflow.ledger.lane import LaneLedger
from payflow.ledger.oauth import OAuthLedger
from payflow.ledger.records import oauth_codec
from payflow.model import Account, CompanyId
from payflow.state import CompanyStatus
from tests.fakes.payflow import COMPANY, NOW, SEALER, Book

DOCUMENT = "12345678000195"
SOME = settings(max_examples=60, deadline=None)
ACCOUNT = Account(
    company=COMPANY, document=DOCUMENT, legal_name="Clínica Ltda", trade_name="Clínica", email="fin@clinica.example"
)


@dataclass
class Server:
    """An authorization server with codes that work once."""

    codes: set[str] = field(default_factory=lambda: {"code-1", "code-2"})
    exchanged: int = 0

    async def exchange(self, code: str) -> Grant:
        await asyncio.sleep(0)
        self.exchanged += 1
        if code not in self.codes:
            raise InvalidGrant
        self.codes.remove(code)
        return Grant(access=f"a-{code}", refresh=f"r-{code}", expires_s=3600)

    async def refresh(self, token: str) -> Grant:
        raise NotImplementedError(token)


@dataclass
class World:
    """Everything a connection touches."""

    book: Book = field(default_factory=Book)
    oauth: MemoryRows = field(default_factory=MemoryRows)
    rescue: MemoryRows = field(default_factory=MemoryRows)
    server: Server = field(default_factory=Server)
    account: Account = ACCOUNT
    now: UnixMs = NOW
    api_is_down: bool = False
    other: str = ""
    """The deployment that serves the clinic already."""

    def lane(self, company: CompanyId) -> LaneLedger:
        assert company == self.account.company
        return self.book.lane

    def tokens(self, company: CompanyId) -> Tokens:
        return Tokens(self.lane(company), self.rescue, self.server, lambda: self.now)

    async def claim(self, company: CompanyId) -> None:
        assert company == self.account.company
        if self.other:
            raise ServedElsewhere(self.other)

    async def account_of(self, access: str) -> Account:
        assert access.startswith("a-")
        if self.api_is_down:
            raise ApiUnavailable
        return self.account

    @property
    def connecting(self) -> Connecting:
        return Connecting(
            oauth=OAuthLedger(self.oauth, oauth_codec(SEALER)),
            partitions=self,
            server=self.server,
            account_of=self.account_of,
            clock=lambda: self.now,
            authorize_url="https://auth.example/oauth2/authorize",
            client_id="client",
            redirect_uri="https://payflow.example/oauth/callback",
        )

    async def sign_in(self, secret: str, **back: str) -> ConnectOutcome:
        """Press the button and come back."""
        return await self.connecting.finish(await self.begun(secret, **back))

    async def begun(self, secret: str, **back: str) -> AuthorizationResponse:
        """Press the button; return what comes back."""
        begun = await self.connecting.begin(secret)
        state = parse_qs(urlsplit(begun.location).query)["state"][0]
        return AuthorizationResponse(state=state, cookie=begun.cookie, **({"code": "code-1"} | back))

    async def invited(self, **invitation: str) -> str:
        return await self.connecting.invite(by="operator", **({"document": DOCUMENT} | invitation))


@pytest.fixture
def world() -> World:
    """Nothing is connected."""
    return World()


async def test_an_invited_company_is_connected(world: World) -> None:
    """Company, token, rescue, and its lane is woken."""
    assert await world.sign_in(await world.invited()) is ConnectOutcome.CONNECTED

    company, token = await world.book.lane.read_company(), await world.book.lane.read_token()
    (entry,) = await world.book.entries.all()
    assert company is not None
    assert token is not None
    assert (company.status, company.name, company.contact) == (CompanyStatus.ACTIVE, "Clínica", "fin@clinica.example")
    assert company.baseline_ms == NOW
    assert (token.generation, token.refresh) == (1, "r-code-1")
    assert "token" in world.rescue.dump()
    assert (entry.company, entry.next_due_ms) == (COMPANY, NOW)


async def test_without_an_expected_document_the_operator_confirms(world: World) -> None:
    """Connected, but nothing is sent yet; a reconnection does not confirm it either."""
    assert await world.sign_in(await world.invited(document="")) is ConnectOutcome.CONFIRM
    assert await world.sign_in(await world.invited(), code="code-2") is ConnectOutcome.CONFIRM


@pytest.mark.parametrize("invitation", [{"document": "99999999000191"}, {"company": "another"}])
async def test_another_company_is_refused(world: World, invitation: dict[str, str]) -> None:
    """Nothing of it is stored."""
    assert await world.sign_in(await world.invited(**invitation)) is ConnectOutcome.WRONG_COMPANY

    assert world.book.company_rows.dump() == {}
    assert world.rescue.dump() == {}


async def test_a_reconnection_keeps_the_history(world: World) -> None:
    """Same company, a generation above all there is, and the same baseline."""
    await world.sign_in(await world.invited())
    company = await world.book.lane.read_company()
    assert company is not None
    await world.book.lane.write_company(replace(company, status=CompanyStatus.NEEDS_RECONNECT))
    world.now = UnixMs(NOW + 10**9)

    assert await world.sign_in(await world.invited(company=COMPANY), code="code-2") is ConnectOutcome.CONNECTED

    company, token = await world.book.lane.read_company(), await world.book.lane.read_token()
    assert company is not None
    assert token is not None
    assert (company.status, company.baseline_ms, token.generation) == (CompanyStatus.ACTIVE, NOW, 2)


async def test_a_reconnection_does_not_end_a_pause(world: World) -> None:
    """That is a person's decision of its own."""
    await world.sign_in(await world.invited())
    company = await world.book.lane.read_company()
    assert company is not None
    await world.book.lane.write_company(replace(company, status=CompanyStatus.PAUSED))

    await world.sign_in(await world.invited(), code="code-2")

    company = await world.book.lane.read_company()
    assert company is not None
    assert company.status is CompanyStatus.PAUSED


async def test_a_link_that_is_only_opened_changes_nothing(world: World) -> None:
    """A mail scanner opens every link."""
    secret = await world.invited()
    before = world.oauth.dump()

    await world.connecting.check(secret)

    assert world.oauth.dump() == before


async def test_an_invitation_ends_after_a_day(world: World) -> None:
    """And one that never was does not count."""
    secret = await world.invited()
    world.now = UnixMs(NOW + INVITATION_MS)

    with pytest.raises(NoSuchInvitation):
        await world.connecting.begin(secret)
    with pytest.raises(NoSuchInvitation):
        await world.connecting.check("guess")


async def test_a_state_belongs_to_its_browser(world: World) -> None:
    """Nobody slips a stranger's sign-in to a clinic; the right browser still can."""
    back = await world.begun(await world.invited())

    for cookie in ("", "guess"):
        with pytest.raises(NoSuchSignIn):
            await world.connecting.finish(replace(back, cookie=cookie))
    with pytest.raises(NoSuchSignIn):
        await world.connecting.finish(replace(back, state="guess"))

    assert await world.connecting.finish(back) is ConnectOutcome.CONNECTED


async def test_a_state_ends_after_ten_minutes(world: World) -> None:
    """The code is not exchanged."""
    back = await world.begun(await world.invited())
    world.now = UnixMs(NOW + SIGN_IN_MS)

    with pytest.raises(NoSuchSignIn):
        await world.connecting.finish(back)
    assert world.server.exchanged == 0


async def test_a_reload_shows_the_result(world: World) -> None:
    """The code is exchanged once."""
    back = await world.begun(await world.invited())

    outcomes = [await world.connecting.finish(back) for _ in range(3)]

    assert outcomes == [ConnectOutcome.CONNECTED] * 3
    assert world.server.exchanged == 1


async def test_the_office_learns_where_its_page_is(world: World) -> None:
    """After it has connected, also on a reload; not where nothing was connected, or where no address is known."""
    back = await world.begun(await world.invited())
    assert await world.connecting.office(back) == ""
    outcome = await world.connecting.finish(back)

    shown = pages.outcome(outcome, await world.connecting.office(back)).body

    assert f'<a href="/office/{COMPANY}">página do financeiro</a>' in shown
    denied = await world.begun(await world.invited(), code="", error="access_denied")
    refused = await world.connecting.finish(denied)
    assert "/office/" not in pages.outcome(refused, await world.connecting.office(denied)).body
    assert await world.connecting.office(replace(back, state="nobody's")) == ""
    assert "<script>" not in pages.outcome(outcome, "<script>").body


async def test_two_answers_at_once_are_worked_once(world: World) -> None:
    """The state is consumed before the code is exchanged."""
    back = await world.begun(await world.invited())

    outcomes = await asyncio.gather(world.connecting.finish(back), world.connecting.finish(back))

    assert sorted(outcomes) == [ConnectOutcome.CONNECTED, ConnectOutcome.WORKING]
    assert world.server.exchanged == 1


@pytest.mark.parametrize("back", [{"error": "access_denied"}, {"code": ""}])
async def test_a_refusal_is_told(world: World, back: dict[str, str]) -> None:
    """No 422 for a missing code."""
    assert await world.sign_in(await world.invited(), **back) is ConnectOutcome.DENIED


async def test_trouble_is_told_and_nothing_is_half_done(world: World) -> None:
    """A used code, an API that is away: begin again."""
    assert await world.sign_in(await world.invited(), code="used") is ConnectOutcome.FAILED
    world.api_is_down = True
    assert await world.sign_in(await world.invited()) is ConnectOutcome.FAILED

    assert world.book.company_rows.dump() == {}


async def test_nothing_secret_is_stored_in_the_open(world: World) -> None:
    """State, cookie and invitation as hashes, documents and tokens sealed, and none of them in a log line."""
    secret = await world.invited()
    back = await world.begun(secret)
    await world.connecting.finish(back)
    raw = str([rows.dump() for rows in (world.oauth, world.rescue, world.book.company_rows)])

    for hidden in (secret, back.state, back.cookie, DOCUMENT, "a-code-1", "r-code-1", "fin@clinica"):
        assert hidden not in raw
    assert back.state not in repr(back)


# Pages -----------------------------------------------------------------------------------------------


def test_the_invitation_posts_to_the_host_of_the_redirect() -> None:
    """And a browser may follow it to the sign-in, nowhere else."""
    page = pages.invitation_page("https://payflow.example/connect/x", "https://auth.example/oauth2/authorize")

    assert 'action="https://payflow.example/connect/x"' in page.body
    assert page.headers["Content-Security-Policy"].endswith("form-action https://payflow.example https://auth.example")
    assert page.headers["Referrer-Policy"] == "no-referrer"


async def test_the_cookie_is_of_this_host_and_lax(world: World) -> None:
    """Strict would not come back from Conta Azul."""
    page = pages.sign_in_begun(await world.connecting.begin(await world.invited()))
    cookie = page.headers["Set-Cookie"]

    assert page.status == 303
    assert cookie.startswith("__Host-payflow-connect=")
    assert all(part in cookie for part in ("Path=/;", "Secure", "HttpOnly", "SameSite=Lax"))
    assert "Domain" not in cookie


@pytest.mark.parametrize("outcome", ConnectOutcome)
def test_each_outcome_has_a_page(outcome: ConnectOutcome) -> None:
    """It says what to do next, and is never stored by a browser."""
    page = pages.outcome(outcome)

    assert page.headers["Cache-Control"] == "no-store"
    assert (page.status == 200) == (outcome in (ConnectOutcome.CONNECTED, ConnectOutcome.CONFIRM))


def test_what_is_not_valid_has_a_page() -> None:
    """Both lead back to the invitation."""
    assert (pages.no_invitation().status, pages.no_sign_in().status) == (404, 400)


@pytest.mark.parametrize(
    ("header", "value"),
    [("a=1; __Host-payflow-connect=x-y; b=2", "x-y"), ("__Host-payflow-connectx=1", ""), ("", ""), (";;=", "")],
)
def test_the_cookie_is_found(header: str, value: str) -> None:
    """Among others, and only by its whole name."""
    assert cookie_in(header, pages.COOKIE) == value


@SOME
@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
async def test_any_call_back_is_judged_without_work(state: str, cookie: str, code: str, error: str) -> None:
    """Whatever a stranger sends: one row is read, nothing is stored, and Conta Azul is not asked."""
    world = World()
    before = world.oauth.dump()

    with pytest.raises(NoSuchSignIn):
        await world.connecting.finish(AuthorizationResponse(state=state, cookie=cookie, code=code, error=error))

    assert (world.oauth.reads, world.oauth.commits, world.server.exchanged) == (1, 0, 0)
    assert world.oauth.dump() == before
    assert cookie_in(cookie, pages.COOKIE) is not None


async def test_a_clinic_of_another_deployment_is_not_connected() -> None:
    """Nothing is stored, not even a token; the page says why."""
    world = World(other="https://old.example/oauth/callback")

    assert await world.sign_in(await world.invited()) is ConnectOutcome.ELSEWHERE

    assert await world.book.lane.read_company() is None
    assert world.rescue.dump() == {}
    assert "Outra instalação" in pages.outcome(ConnectOutcome.ELSEWHERE).body


@pytest.mark.parametrize("status", [CompanyStatus.DISCONNECTED, CompanyStatus.ELSEWHERE])
async def test_a_company_that_another_may_have_served_waits_for_the_operator(status: CompanyStatus) -> None:
    """`resume` asks the send log first what the other one mailed."""
    world = World()
    await world.sign_in(await world.invited())
    company = await world.book.lane.read_company()
    assert company
    await world.book.lane.write_company(replace(company, status=status))

    assert await world.sign_in(await world.invited(), code="code-2") is ConnectOutcome.CONFIRM

    after = await world.book.lane.read_company()
    assert after
    assert after.status is CompanyStatus.ELSEWHERE
