"""
The frame of a console: who comes in, and which forms act.

Nothing but the style sheet and the sign-in is shown to who is not signed in. A page that is only opened changes
nothing: each act is a form that was shown with its dry run, to an operator, in the session that sends it, from our
own address, about a row that has not changed since (``forms``). What the pages show, and what acts do, is the app's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from foundation import logs
from foundation.clock import Clock
from foundation.console.acting import Act, Brake, ConsoleApp, Order, Sorry, Told
from foundation.console.forms import Forms, Purpose
from foundation.console.sessions import WHOLE_MS, Session, Sessions
from foundation.console.settings import ConsoleSettings
from foundation.console.visit import Visit
from foundation.errors import ServiceError
from foundation.http.handler import ANSWER_S_MAX
from foundation.http.html import HtmlPage, cookie_in
from foundation.sentences import N_

COOKIE: Final = "__Host-console"
"""``__Host-``: set by this host alone, over TLS, for the whole host."""
ROOT: Final = "/console"
PAGE_S: Final = 0.5
"""Kept back for the page that says that nothing came in time."""
_BROKEN: Final = 500
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
_OFF = N_("The console is off: no personal token is set.")
_NOT_YOURS = N_("Your role may look and not act.")
_FOREIGN = N_("The form did not come from this console. Nothing was done.")
_STALE = N_("What you saw has changed, the form is too old, or it was used before. Nothing was done. Look again.")
_GONE = N_("You are signed out. Nothing was done. Sign in and look again.")
_NOWHERE = N_("There is no such page.")
_UNKNOWN_TOKEN = N_("This is nobody's token.")
TOO_OFTEN = N_("Too many attempts from your address. Wait a minute.")
_LATE = N_("This took too long, and whether it was done is not known: look again before you repeat it.")
_NO_FORM = N_("The form cannot be read. Nothing was done.")
_NO_WHY = N_("Say why: the words stand in the audit trail.")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """
    Answers browsers.

    Args:
        settings: Who may come in.
        app: What is inside.
        clock: The time.
        brake: Slows who guesses; None where nothing counts: a token of 32 bytes is not guessed.
        answer_s: An answer takes no longer, seconds.
    """

    settings: ConsoleSettings
    app: ConsoleApp
    clock: Clock
    brake: Brake | None = None
    answer_s: float = ANSWER_S_MAX

    async def answer(self, visit: Visit) -> HtmlPage:
        """Return the page; what is refused, or does not answer now, is a page that says so."""
        known: list[Session] = []
        try:
            async with asyncio.timeout(self.answer_s - PAGE_S):
                session = await self._session(visit)
                known += [session] if session else []
                with self.app.speaking(_language(visit, known)):
                    return await self._answer(visit, session)
        except TimeoutError:
            return self._instead(visit, known, 503, _LATE)
        except Sorry as error:
            return self._instead(visit, known, error.status, error.text)
        except ServiceError as error:
            logs.warning(_log, "console_unavailable", cause=type(error).__name__, detail=str(error))
            with self.app.speaking(_language(visit, known)):
                status, text = self.app.why_not(error)
            return self._instead(visit, known, status, text)

    async def _session(self, visit: Visit) -> Session | None:
        """Return whose session the cookie bears; without one the ledger, which knows the epoch, is not asked."""
        cookie = cookie_in(visit.cookies, COOKIE)
        return (await self._sessions()).read(cookie) if cookie and self.settings.people else None

    def _instead(self, visit: Visit, known: Sequence[Session], status: int, text: str) -> HtmlPage:
        """Return a page that says what went wrong, in the language of who is known to ask."""
        return self._message(known[0] if known else None, _language(visit, known), status, text)

    async def _answer(self, visit: Visit, session: Session | None) -> HtmlPage:
        if visit.path == "style.css":
            return self.app.pages.style()
        if not self.settings.people:
            raise Sorry(404, _OFF)
        if visit.form is None:
            raise Sorry(400, _NO_FORM)
        if visit.path == "sign-in":
            return await self._sign_in(visit)
        if session is None and visit.method == "POST":
            raise Sorry(401, _GONE)
        if session is None:
            return self.app.pages.redirect(f"{ROOT}/sign-in")
        return await self._inside(visit, session)

    async def _inside(self, visit: Visit, session: Session) -> HtmlPage:
        place, _slash, rest = visit.path.partition("/")
        match place, visit.method:
            case "acts", "POST" if rest in self.app.acts:
                return await self._act(self.app.acts[rest], visit, session)
            case "language" | "sign-out", "POST":
                self._same_origin(visit)
                return self._language(visit, session) if place == "language" else self._sign_out()
            case "acts", "GET" | "HEAD" if rest in self.app.acts:
                return await self._ask(self.app.acts[rest], visit.query.get("about", ""), session)
            case _, "GET" | "HEAD":
                return await self._look(visit, session)
        raise Sorry(404, _NOWHERE)

    async def _look(self, visit: Visit, session: Session) -> HtmlPage:
        shown = await self.app.look(visit, session)
        if shown is None:
            raise Sorry(404, _NOWHERE)
        return self._page(session, shown.template, status=shown.status, **shown.values)

    # signing in ------------------------------------------------------------------------------------

    async def _sign_in(self, visit: Visit) -> HtmlPage:
        if visit.method != "POST":
            return self._sign_in_page(visit, 200, "")
        self._same_origin(visit)
        client = await self.brake.check(visit.forwarded_for) if self.brake else ""
        session = (await self._sessions()).sign_in(visit.said("token").strip(), visit.language)
        if session is None:
            if self.brake:
                await self.brake.penalize(client)
            logs.warning(_log, "console_sign_in_refused", client=client)
            return self._sign_in_page(visit, 403, self._say(visit.language, _UNKNOWN_TOKEN))
        logs.info(_log, "console_signed_in", name=session.name, role=str(session.role))
        return self.app.pages.redirect(ROOT, cookie=self._cookie(session))

    def _sign_in_page(self, visit: Visit, status: int, wrong: str) -> HtmlPage:
        return self.app.pages.page("sign_in.html", visit.language, status=status, wrong=wrong, session=None, root=ROOT)

    def _sign_out(self) -> HtmlPage:
        return self.app.pages.redirect(f"{ROOT}/sign-in", cookie=f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}")

    def _language(self, visit: Visit, session: Session) -> HtmlPage:
        chosen = "pt" if visit.said("to") == "pt" else "en"
        return self.app.pages.redirect(ROOT, cookie=self._cookie(replace(session, language=chosen)))

    # acting ----------------------------------------------------------------------------------------

    async def _ask(self, act: Act, about: str, session: Session, wrong: str = "") -> HtmlPage:
        """Show what *act* would do, and the form that does it."""
        self._may(session)
        purpose = Purpose(act.name, about, await self.app.version(act.name, about))
        dry = await self.app.run(Order(act=act.name, about=about, by=session.name, why="-", apply=False))
        token = self._forms.token(session, purpose)
        return self._page(
            session,
            "act.html",
            status=422 if wrong else 200,
            act=act,
            about=about,
            dry=dry,
            token=token,
            wrong=self._say(session.language, wrong),
        )

    async def _act(self, act: Act, visit: Visit, session: Session) -> HtmlPage:
        """Do *act*, if the form is this session's, from here, about what the person saw."""
        self._same_origin(visit)
        self._may(session)
        about, why = visit.said("about"), visit.said("why").strip()
        purpose = Purpose(act.name, about, await self.app.version(act.name, about))
        if not self._forms.allows(visit.said("form"), session, purpose):
            raise Sorry(409, _STALE)
        if not why:
            return await self._ask(act, about, session, _NO_WHY)
        # Before it acts: what storage does although its answer comes too late is in no audit trail.
        logs.info(_log, "console_act_begins", act=act.name, about=about, by=session.name)
        told = await self.app.run(Order(act=act.name, about=about, by=session.name, why=why, apply=True))
        logs.info(_log, "console_act", act=act.name, about=about, by=session.name, refused=bool(told.refused))
        return self._done(session, act, about, told)

    def _done(self, session: Session, act: Act, about: str, told: Told) -> HtmlPage:
        status = 503 if told.unknown else 409 if told.refused else 200
        return self._page(session, "done.html", status=status, act=act, about=about, told=told)

    def _may(self, session: Session) -> None:
        if not session.may_act:
            raise Sorry(403, _NOT_YOURS)

    def _same_origin(self, visit: Visit) -> None:
        """Refuse a form that another site sent: a browser says where a form comes from, and pages cannot change it."""
        if visit.origin.lower() != self.settings.url:
            logs.warning(_log, "console_form_foreign", origin=visit.origin[:200])
            raise Sorry(403, _FOREIGN)

    # pages -----------------------------------------------------------------------------------------

    def _say(self, language: str, text: str) -> str:
        return self.app.pages.messages(language).gettext(text) if text else ""

    def _page(self, session: Session, template: str, *, status: int = 200, **values: Any) -> HtmlPage:
        return self.app.pages.page(
            template,
            session.language,
            status=status,
            cookie=self._cookie(session),
            session=session,
            root=ROOT,
            acts=self.app.acts,
            **values,
        )

    def _message(self, session: Session | None, language: str, status: int, text: str) -> HtmlPage:
        cookie = self._cookie(session) if session else ""
        # One torn row may keep the first page shut, and the brake is on it.
        may = session and session.may_act and status >= _BROKEN
        return self.app.pages.page(
            "message.html",
            language,
            status=status,
            cookie=cookie,
            session=session,
            root=ROOT,
            text=self._say(language, text),
            acts=[self.app.acts[name] for name in self.app.brakes] if may else [],
        )

    def _cookie(self, session: Session) -> str:
        return f"{COOKIE}={self._cookies.cookie(session)}; Max-Age={WHOLE_MS // 1000}; {_ATTRIBUTES}"

    @property
    def _cookies(self) -> Sessions:
        """What writes a session that was read; who is in it was decided by then."""
        return Sessions(keys=self.settings.keys, people=self.settings.people, clock=self.clock)

    async def _sessions(self) -> Sessions:
        """Return the sessions of now: those from before everybody was signed out are over. Raises StoreUnavailable."""
        return replace(self._cookies, epoch=await self.app.epoch())

    @property
    def _forms(self) -> Forms:
        return Forms(keys=self.settings.keys, clock=self.clock)


def _language(visit: Visit, known: Sequence[Session]) -> str:
    """Return the language of the session, or what the browser asks for."""
    return "pt" if (known[0].language if known else visit.language) == "pt" else "en"
