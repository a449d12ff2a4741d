"""An office's page in memory: its company, the mails it gets, a browser at it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import unescape

from foundation.clock import UnixMs
from foundation.http.html import HtmlPage
from foundation.tablestore.memory import MemoryRows
from payflow.delivery.manual_actions import ManualActions, SenderAddresses
from payflow.ledger.lane import LaneLedger
from payflow.ledger.oauth import OAuthLedger
from payflow.ledger.records import oauth_codec
from payflow.model import CompanyId
from payflow.office.door import OfficeSignIn
from payflow.office.site import OfficeSite
from payflow.office.visits import ASK_COOKIE, COOKIE, OfficeVisit
from payflow.state import Company, CompanyStatus
from tests.fakes.payflow import COMPANY, NOW, SEALER, Book, a_company
from tests.fakes.rows import ListAudit

ORIGIN = "https://payflow.example"
CONTACT = "financeiro.canaria@example.org"


@dataclass
class OfficeWorld:
    """One company, the door to its page, and what was mailed."""

    book: Book = field(default_factory=Book)
    sign_ins: MemoryRows = field(default_factory=MemoryRows)
    now: UnixMs = NOW
    woken: list[str] = field(default_factory=list)
    slept_s: list[float] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    """The codes that were mailed, the newest last."""
    audit: ListAudit = field(default_factory=ListAudit)
    invited: list[tuple[str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=lambda: ["k" * 64])

    async def founded(self, **company: object) -> OfficeWorld:
        await self.book.entries.lower(COMPANY, self.now, CompanyStatus.ACTIVE)
        await self.book.lane.write_company(replace(a_company(), **company))  # type: ignore[arg-type]
        return self

    @property
    def oauth(self) -> OAuthLedger:
        return OAuthLedger(self.sign_ins, oauth_codec(SEALER))

    @property
    def door(self) -> OfficeSignIn:
        return OfficeSignIn(
            oauth=self.oauth,
            entries=self.book.entries,
            lane=self.lane,
            keys=self.keys,
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def lane(self, company: CompanyId) -> LaneLedger:
        return replace(self.book.lane, company=company)

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)

    @property
    def site(self) -> OfficeSite:
        return OfficeSite(
            door=self.door,
            origin=ORIGIN,
            wake=self.woken.append,
            actions=self.actions,
            invite=self.invite,
            clock=lambda: self.now,
        )

    async def actions(self, company: CompanyId, by: str, unrecorded: Callable[[], None]) -> ManualActions:
        return ManualActions(
            lane=self.lane(company),
            audits=(self.audit,),
            sender=self.sender,
            clock=lambda: self.now,
            by=by,
            unrecorded=unrecorded,
        )

    async def sender(self) -> SenderAddresses:
        return SenderAddresses(domain="payflow.example")

    async def invite(self, company: CompanyId, by: str) -> str:
        self.invited.append((company, by))
        return "secret-of-the-invitation"

    async def post(self, company: Company, code: str) -> bool:
        """Take a mail with a code, as the mail server does."""
        assert company.contact == CONTACT
        self.codes.append(code)
        return True

    async def mail(self) -> int:
        """Do what the worker does that was woken."""
        return sum([await self.door.mail_codes(CompanyId(company), self.post) for company in self.woken])


@dataclass
class Browser:
    """A browser: keeps cookies, says where its forms come from."""

    world: OfficeWorld
    company: str = COMPANY
    cookies: dict[str, str] = field(default_factory=dict)
    page: HtmlPage = field(default_factory=lambda: HtmlPage(status=0, body=""))

    async def get(self, page: str = "", **query: str) -> HtmlPage:
        """Open a page."""
        return await self._ask(OfficeVisit(method="GET", company=self.company, page=page, query=query))

    async def post(self, page: str, origin: str = ORIGIN, **form: str | list[str]) -> HtmlPage:
        """Send a form."""
        fields = {name: [value] if isinstance(value, str) else value for name, value in form.items()}
        return await self._ask(OfficeVisit(method="POST", company=self.company, page=page, form=fields, origin=origin))

    async def sign_in(self) -> Browser:
        """Ask for a code, read the mail, come in."""
        await self.post("code")
        await self.world.mail()
        await self.post("enter", code=self.world.codes[-1])
        assert self.page.status == 303, self.page.body
        return self

    def form(self) -> str:
        """Return the hidden token of the page that is open."""
        found = re.search(r'name="form" value="([^"]+)"', self.page.body)
        assert found, self.page.body
        return unescape(found[1])

    async def act(self, act: str, *ids: str, **form: str) -> HtmlPage:
        """Look at what an act would do, and press its button."""
        shown = await self.post("ask", act=act, id=list(ids), **form)
        if shown.status != 200:
            return shown
        return await self.post("do", act=act, id=list(ids), form=self.form(), **form)

    async def _ask(self, visit: OfficeVisit) -> HtmlPage:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.page = await self.world.site.answer(replace(visit, cookies=cookies))
        if cookie := self.page.headers.get("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            assert name in (COOKIE, ASK_COOKIE)
            self.cookies[name] = value
        return self.page
