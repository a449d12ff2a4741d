"""
The office's page: which page answers which address, and who may see it.

The frame is the console's (``foundation.console``, decision 65): a page that is only opened changes nothing, and every
form must come from our own address. Who is signed in sees one company; everything else is not there for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from foundation import logs
from foundation.clock import Clock
from foundation.errors import ServiceError
from foundation.http.handler import ANSWER_S_MAX
from foundation.http.html import HtmlPage, cookie_in
from payflow.delivery.manual_actions import ManualActions
from payflow.ledger.oauth import new_secret
from payflow.model import CompanyId
from payflow.office.door import CODE_MS, OfficeSignIn
from payflow.office.inside import Inside, Unrecorded
from payflow.office.language import N_, PORTUGUESE
from payflow.office.language import messages as messages_of
from payflow.office.visits import ASK_COOKIE, ATTRIBUTES, COOKIE, PAGES, Guest, OfficeRefusal, OfficeVisit
from payflow.state import Company

_PAGE_S: Final = 0.5
"""Kept back for the page that says that nothing came in time."""
_FOREIGN = N_("The form did not come from this page. Nothing was done.")
_GONE = N_("You are signed out. Nothing was done. Ask for a new code.")
_NO_FORM = N_("The form cannot be read. Nothing was done.")
_LATE = N_("This took too long, and whether it was done is not known: look again before you repeat it.")
_AWAY = N_("The service does not answer now. Nothing is lost; try again in a minute.")
_WRONG_CODE = N_("This code is not valid: it is wrong, too old, used, or was asked for in another browser.")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class OfficeSite:
    """Answers browsers."""

    door: OfficeSignIn
    origin: str
    """Where forms must come from."""
    wake: Callable[[str], None]
    """Wakes the worker that mails a company's codes."""
    actions: Callable[[CompanyId, str, Unrecorded], Awaitable[ManualActions]]
    invite: Callable[[CompanyId, str], Awaitable[str]]
    clock: Clock

    async def answer(self, visit: OfficeVisit) -> HtmlPage:
        """Return the page; what is refused, or does not answer now, is a page that says so."""
        guest: Guest | None = None
        try:
            async with asyncio.timeout(ANSWER_S_MAX - _PAGE_S):
                company = await self.door.company(visit.company)
                guest = await self._guest(visit, company)
                return await self._answer(visit, company, guest)
        except TimeoutError:
            return _message(visit, guest, 503, _LATE)
        except OfficeRefusal as error:
            return _message(visit, guest, error.status, error.text)
        except ServiceError as error:
            logs.warning(_log, "office_unavailable", cause=type(error).__name__, detail=str(error))
            return _message(visit, guest, 503, _AWAY)

    async def _guest(self, visit: OfficeVisit, company: Company | None) -> Guest | None:
        cookie = cookie_in(visit.cookies, COOKIE)
        if company is None or not cookie:
            return None
        sessions = await self.door.sessions(company)
        session = sessions.read(cookie)
        if session is None:
            return None
        lane, now = self.door.lane(company.id), self.clock()
        return Guest(visit=visit, company=company, session=session, sessions=sessions, lane=lane, now=now)

    async def _answer(self, visit: OfficeVisit, company: Company | None, guest: Guest | None) -> HtmlPage:
        if visit.page == "style.css":
            return PAGES.style()
        if visit.form is None:
            raise OfficeRefusal(400, _NO_FORM)
        if visit.method == "POST":
            self._same_origin(visit)
        if visit.page in ("code", "enter") and visit.method == "POST":
            return await (self._code(visit) if visit.page == "code" else self._enter(visit, company))
        if guest is None and visit.method == "POST":
            raise OfficeRefusal(401, _GONE)
        if guest is None:
            return _door(visit) if not visit.page else PAGES.redirect(visit.root)
        inside = Inside(
            guest=guest, oauth=self.door.oauth, keys=self.door.keys, actions=self.actions, invite=self.invite
        )
        return await inside.answer()

    # coming in -------------------------------------------------------------------------------------

    async def _code(self, visit: OfficeVisit) -> HtmlPage:
        """Let a code be mailed; the answer is the same whether or not there is anybody to mail it to."""
        browser = cookie_in(visit.cookies, ASK_COOKIE) or new_secret()
        if await self.door.ask(visit.company, browser):
            self.wake(visit.company)
        cookie = f"{ASK_COOKIE}={browser}; Max-Age={2 * CODE_MS // 1000}; {ATTRIBUTES}"
        return _door(visit, asked=True, cookie=cookie)

    async def _enter(self, visit: OfficeVisit, company: Company | None) -> HtmlPage:
        browser, code = cookie_in(visit.cookies, ASK_COOKIE), "".join(visit.said("code").split())
        session = await self.door.enter(company, browser, code, PORTUGUESE) if company and browser else None
        if company is None or session is None:
            return _door(visit, status=403, asked=True, wrong=_WRONG_CODE)
        sessions, lane = await self.door.sessions(company), self.door.lane(company.id)
        guest = Guest(visit=visit, company=company, session=session, sessions=sessions, lane=lane, now=self.clock())
        return PAGES.redirect(visit.root, cookie=guest.cookie)

    def _same_origin(self, visit: OfficeVisit) -> None:
        """Refuse a form that another site sent: a browser says where a form comes from, and pages cannot change it."""
        if visit.origin.lower() != self.origin:
            logs.warning(_log, "office_form_foreign", origin=visit.origin[:200])
            raise OfficeRefusal(403, _FOREIGN)


def _door(visit: OfficeVisit, *, status: int = 200, asked: bool = False, wrong: str = "", cookie: str = "") -> HtmlPage:
    return PAGES.page(
        "door.html",
        PORTUGUESE,
        status=status,
        cookie=cookie,
        session=None,
        root=visit.root,
        asked=asked,
        wrong=wrong,
    )


def _message(visit: OfficeVisit, guest: Guest | None, status: int, text: str) -> HtmlPage:
    language = guest.session.language if guest else PORTUGUESE
    return PAGES.page(
        "message.html",
        language,
        status=status,
        session=guest.session if guest else None,
        company=guest.company if guest else None,
        root=visit.root,
        text=messages_of(language).gettext(text),
        acts=(),
    )
