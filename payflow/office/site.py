"""
The office's page: which page answers which address, to whom.

The frame is the console's (``foundation.console``, decision 65): a page that is only opened changes nothing, and every
form must come from our own address. Who is signed in sees one company; everything else is not there for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from foundation import logs
from foundation.clock import Clock
from foundation.console.pages import Pages
from foundation.console.sessions import WHOLE_MS, Session
from foundation.errors import ServiceError
from foundation.http.handler import ANSWER_S_MAX
from foundation.http.html import HtmlPage, cookie_in
from payflow.ledger.lane import LaneLedger
from payflow.ledger.oauth import new_secret
from payflow.model import CompanyId
from payflow.office import views
from payflow.office.door import CODE_MS, Door
from payflow.office.filters import FILTERS
from payflow.office.language import N_, PORTUGUESE
from payflow.office.language import messages as messages_of
from payflow.state import Company

COOKIE: Final = "__Host-office"
ASK_COOKIE: Final = "__Host-office-ask"
"""``__Host-``: set by this host alone, over TLS, for the whole host."""
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"
_PAGE_S: Final = 0.5
"""Kept back for the page that says that nothing came in time."""
_PAGES: Final = Pages(templates=Path(__file__).with_name("templates"), messages=messages_of, filters=FILTERS)
_FOREIGN = N_("The form did not come from this page. Nothing was done.")
_GONE = N_("You are signed out. Nothing was done. Ask for a new code.")
_NOWHERE = N_("There is no such page.")
_NO_FORM = N_("The form cannot be read. Nothing was done.")
_LATE = N_("This took too long, and whether it was done is not known: look again before you repeat it.")
_AWAY = N_("The service does not answer now. Nothing is lost; try again in a minute.")
_WRONG_CODE = N_("This code is not valid: it is wrong, too old, used, or was asked for in another browser.")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """A request of a browser."""

    method: str
    company: str
    """As the address has it."""
    page: str = ""
    """Behind the company, without slashes at its ends."""
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, Sequence[str]] | None = field(default_factory=dict)
    """None: what was sent is no form of this page."""
    cookies: str = ""
    origin: str = ""

    def said(self, name: str) -> str:
        """Return a field of the form, without white space at its ends; empty if it is not there."""
        return next(iter((self.form or {}).get(name, ())), "").strip()


class _Sorry(ServiceError):
    """The page says why, and what to do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True, kw_only=True, slots=True)
class _Guest:
    """Who is signed in, at which company."""

    company: Company
    session: Session
    lane: LaneLedger


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Answers browsers."""

    door: Door
    origin: str
    """Where forms must come from."""
    lane: Callable[[CompanyId], LaneLedger]
    wake: Callable[[str], None]
    """Wakes the worker that mails a company's codes."""
    clock: Clock

    async def answer(self, visit: Visit) -> HtmlPage:
        """Return the page; what is refused, or does not answer now, is a page that says so."""
        guest: _Guest | None = None
        try:
            async with asyncio.timeout(ANSWER_S_MAX - _PAGE_S):
                company = await self.door.company(visit.company)
                guest = await self._guest(visit, company)
                return await self._answer(visit, company, guest)
        except TimeoutError:
            return self._message(visit, guest, 503, _LATE)
        except _Sorry as error:
            return self._message(visit, guest, error.status, error.text)
        except ServiceError as error:
            logs.warning(_log, "office_unavailable", cause=type(error).__name__, detail=str(error))
            return self._message(visit, guest, 503, _AWAY)

    async def _guest(self, visit: Visit, company: Company | None) -> _Guest | None:
        cookie = cookie_in(visit.cookies, COOKIE)
        session = (await self.door.sessions(company)).read(cookie) if company and cookie else None
        return _Guest(company=company, session=session, lane=self.lane(company.id)) if company and session else None

    async def _answer(self, visit: Visit, company: Company | None, guest: _Guest | None) -> HtmlPage:
        if visit.page == "style.css":
            return _PAGES.style()
        if visit.form is None:
            raise _Sorry(400, _NO_FORM)
        if visit.method == "POST":
            self._same_origin(visit)
        if visit.page in ("code", "enter") and visit.method == "POST":
            return await (self._code(visit) if visit.page == "code" else self._enter(visit, company))
        if guest is None and visit.method == "POST":
            raise _Sorry(401, _GONE)
        if guest is None:
            return self._door(visit) if not visit.page else _PAGES.redirect(_root(visit))
        return await self._inside(visit, guest)

    async def _inside(self, visit: Visit, guest: _Guest) -> HtmlPage:
        match visit.page, visit.method:
            case "language", "POST":
                chosen = "en" if visit.said("to") == "en" else PORTUGUESE
                changed = replace(guest, session=replace(guest.session, language=chosen))
                return _PAGES.redirect(_root(visit), cookie=await self._cookie(changed))
            case "sign-out", "POST":
                return _PAGES.redirect(_root(visit), cookie=f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}")
            case "", "GET" | "HEAD":
                waiting = await views.waiting(guest.lane)
                return await self._page(visit, guest, "home.html", waiting=waiting)
        raise _Sorry(404, _NOWHERE)

    # coming in -------------------------------------------------------------------------------------

    async def _code(self, visit: Visit) -> HtmlPage:
        """Let a code be mailed; the answer is the same whether or not there is anybody to mail it to."""
        browser = cookie_in(visit.cookies, ASK_COOKIE) or new_secret()
        if await self.door.ask(visit.company, browser):
            self.wake(visit.company)
        cookie = f"{ASK_COOKIE}={browser}; Max-Age={2 * CODE_MS // 1000}; {_ATTRIBUTES}"
        return self._door(visit, asked=True, cookie=cookie)

    async def _enter(self, visit: Visit, company: Company | None) -> HtmlPage:
        browser, code = cookie_in(visit.cookies, ASK_COOKIE), "".join(visit.said("code").split())
        session = await self.door.enter(company, browser, code, PORTUGUESE) if company and browser else None
        if company is None or session is None:
            return self._door(visit, status=403, asked=True, wrong=_WRONG_CODE)
        guest = _Guest(company=company, session=session, lane=self.lane(company.id))
        return _PAGES.redirect(_root(visit), cookie=await self._cookie(guest))

    def _door(
        self, visit: Visit, *, status: int = 200, asked: bool = False, wrong: str = "", cookie: str = ""
    ) -> HtmlPage:
        return _PAGES.page(
            "door.html",
            PORTUGUESE,
            status=status,
            cookie=cookie,
            session=None,
            root=_root(visit),
            asked=asked,
            wrong=wrong,
        )

    def _same_origin(self, visit: Visit) -> None:
        """Refuse a form that another site sent: a browser says where a form comes from, and pages cannot change it."""
        if visit.origin.lower() != self.origin:
            logs.warning(_log, "office_form_foreign", origin=visit.origin[:200])
            raise _Sorry(403, _FOREIGN)

    # pages -----------------------------------------------------------------------------------------

    async def _page(self, visit: Visit, guest: _Guest, template: str, *, status: int = 200, **values: Any) -> HtmlPage:
        return _PAGES.page(
            template,
            guest.session.language,
            status=status,
            cookie=await self._cookie(guest),
            session=guest.session,
            company=guest.company,
            root=_root(visit),
            now=self.clock(),
            **values,
        )

    def _message(self, visit: Visit, guest: _Guest | None, status: int, text: str) -> HtmlPage:
        session = guest.session if guest else None
        language = session.language if session else PORTUGUESE
        company = guest.company if guest else None
        return _PAGES.page(
            "message.html",
            language,
            status=status,
            session=session,
            company=company,
            root=_root(visit),
            text=messages_of(language).gettext(text),
            acts=(),
        )

    async def _cookie(self, guest: _Guest) -> str:
        sessions = await self.door.sessions(guest.company)
        return f"{COOKIE}={sessions.cookie(guest.session)}; Max-Age={WHOLE_MS // 1000}; {_ATTRIBUTES}"


def _root(visit: Visit) -> str:
    """Return the address of the page; text that is no company's id is not repeated."""
    return f"/office/{visit.company if Door.is_id(visit.company) else '-'}"
