"""PayFlow's console in memory: its company, and a browser at it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import unescape

from foundation.alarms.register import Register
from foundation.clock import UnixMs
from foundation.console.settings import ConsoleSettings
from foundation.console.visit import Visit
from foundation.errors import ConfigurationError
from foundation.http.html import HtmlPage
from foundation.settings.reading import read_group
from foundation.tablestore.memory import MemoryRows
from payflow.alarms import CATALOGUE
from payflow.console.parts import Parts
from payflow.console.site import Console
from payflow.delivery.manual_actions import ManualActions, SenderAddresses
from payflow.delivery.sender import SenderDesk, SendingLimits
from payflow.ledger.lane import LaneLedger
from payflow.ledger.records import codec
from payflow.model import CompanyId
from tests.fakes.payflow import COMPANY, INDEX, NOW, SEALER, Book, a_company
from tests.fakes.rows import ListAudit

ANA, JOAO = "a" * 40, "j" * 40
URL = "https://operator.payflow.example"
SETTINGS = {
    "CONSOLE_TOKEN__ANA": ANA,
    "CONSOLE_TOKEN__JOAO": JOAO,
    "CONSOLE_OPERATORS": "ana",
    "CONSOLE_KEY": "k" * 40,
    "CONSOLE_URL": URL,
}


@dataclass
class ConsoleWorld:
    """One company, its console, and what was recorded."""

    book: Book = field(default_factory=Book)
    others: dict[str, MemoryRows] = field(default_factory=dict)
    """The partitions of other companies, as they are read."""
    sender_rows: MemoryRows = field(default_factory=MemoryRows)
    alarm_rows: MemoryRows = field(default_factory=MemoryRows)
    first: ListAudit = field(default_factory=ListAudit)
    second: ListAudit = field(default_factory=ListAudit)
    now: UnixMs = NOW
    queues: dict[str, int] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))
    mail_is_wrong: bool = False

    async def founded(self, **company: object) -> ConsoleWorld:
        made = replace(a_company(), **company)  # type: ignore[arg-type]
        await self.book.entries.lower(COMPANY, self.now, made.status)
        await self.book.lane.write_company(made)
        return self

    def lane(self, company: CompanyId) -> LaneLedger:
        rows = self.book.company_rows if company == COMPANY else self.others.setdefault(company, MemoryRows())
        return LaneLedger(company, rows, codec(company, SEALER), INDEX, self.book.entries)

    @property
    def register(self) -> Register:
        return Register(rows=self.alarm_rows, clock=lambda: self.now, catalogue=CATALOGUE)

    @property
    def bare_desk(self) -> SenderDesk:
        return SenderDesk(self.sender_rows, lambda: self.now, SendingLimits())

    async def desk(self) -> SenderDesk:
        if self.mail_is_wrong:
            raise ConfigurationError("SMTP_HOST is missing")
        return SenderDesk(self.sender_rows, lambda: self.now, SendingLimits(connections=1, per_minute=7, per_day=70))

    async def waiting_messages(self, queue: str) -> int:
        return self.queues.get(queue, 0)

    async def actions(self, company: CompanyId, by: str, unrecorded: Callable[[], None], why: str) -> ManualActions:
        return ManualActions(
            lane=self.lane(company),
            audits=(self.first, self.second),
            sender=self.sender,
            clock=lambda: self.now,
            by=by,
            unrecorded=unrecorded,
            why=f"sealed {why}" if why else "",
        )

    async def level(self) -> int:
        return 1

    async def sender(self) -> SenderAddresses:
        return SenderAddresses(domain="payflow.example")

    @property
    def console(self) -> Console:
        parts = Parts(
            entries=self.book.entries,
            lane=self.lane,
            desk=self.desk,
            bare_desk=self.bare_desk,
            register=self.register,
            waiting_messages=self.waiting_messages,
            actions=self.actions,
            decisions=self.first,
            opened=lambda _, stored: stored.removeprefix("sealed "),
            level=self.level,
            environment="production",
            ledger_id="ledger-1",
            clock=lambda: self.now,
        )
        return Console(settings=read_group(ConsoleSettings, self.settings), parts=parts)

    @property
    def status(self) -> str:
        return str(self.book.company_rows.dump()["company"]["status"])

    def decided(self) -> list[tuple[str, str, str]]:
        """Return what the second account's audit has."""
        return [(str(one["what"]), str(one["subject"]), str(one["by"])) for one in self.second.entries.values()]


@dataclass
class Browser:
    """A browser: keeps the cookie, says where its forms come from."""

    world: ConsoleWorld
    cookie: str = ""
    languages: str = "en"
    page: HtmlPage = field(default_factory=lambda: HtmlPage(status=0, body=""))

    async def get(self, path: str = "", **query: str) -> HtmlPage:
        """Open a page."""
        return await self._ask(Visit(method="GET", path=path, query=query))

    async def post(self, path: str, origin: str = URL, **form: str) -> HtmlPage:
        """Send a form."""
        return await self._ask(Visit(method="POST", path=path, form=form, origin=origin))

    async def sign_in(self, token: str = ANA) -> Browser:
        """Exchange a token for a session."""
        await self.post("sign-in", token=token)
        assert self.page.status == 303, self.page.body
        return self

    async def act(self, name: str, about: str, why: str = "a reason") -> HtmlPage:
        """Look at what an act would do, and send its form."""
        await self.get(f"acts/{name}", about=about)
        return await self.post(f"acts/{name}", about=about, form=self.form(), why=why)

    def form(self) -> str:
        """Return the hidden token of the page that is open."""
        found = re.search(r'name="form" value="([^"]+)"', self.page.body)
        assert found, self.page.body
        return unescape(found[1])

    async def _ask(self, visit: Visit) -> HtmlPage:
        self.page = await self.world.console.answer(replace(visit, cookies=self.cookie, languages=self.languages))
        if "Set-Cookie" in self.page.headers:
            self.cookie = self.page.headers["Set-Cookie"].partition(";")[0]
        return self.page
