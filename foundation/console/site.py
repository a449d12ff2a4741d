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
from functools import partial
from typing import Any, Final

from foundation import logs
from foundation.clock import Clock
from foundation.console.acting import NO_WHY, STALE, ActButton, ActOutcome, ActRequest, Brake, ConsoleApp, Sorry
from foundation.console.bulk import Bulk, BulkApp
from foundation.console.door import COOKIE, NOWHERE, ROOT, STYLE, ConsoleSignIn, UseLink
from foundation.console.forms import Forms, Purpose
from foundation.console.sessions import ConsoleSession
from foundation.console.settings import ConsoleSettings
from foundation.console.visit import Visit
from foundation.errors import ServiceError
from foundation.http.handler import ANSWER_S_MAX
from foundation.http.html import HtmlPage
from foundation.sentences import N_

__all__ = ["COOKIE", "ROOT", "Site"]
PAGE_S: Final = 0.5
"""Kept back for the page that says that nothing came in time."""
_BROKEN: Final = 500
_OFF = N_("The console is off: no personal token is set.")
_NOT_YOURS = N_("Your role may look and not act.")
_GONE = N_("You are signed out. Nothing was done. Sign in and look again.")
TOO_OFTEN = N_("Too many attempts from your address. Wait a minute.")
_LATE = N_("This took too long, and whether it was done is not known: look again before you repeat it.")
_NO_FORM = N_("The form cannot be read. Nothing was done.")

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
        use_link: Uses a link up that signs in once; None where there are none.
        answer_s: An answer takes no longer, seconds.
        bulk: Acts about many things at once; None where there are none.
    """

    settings: ConsoleSettings
    app: ConsoleApp
    clock: Clock
    brake: Brake | None = None
    use_link: UseLink | None = None
    answer_s: float = ANSWER_S_MAX
    bulk: BulkApp | None = None

    async def answer(self, visit: Visit) -> HtmlPage:
        """Return the page; what is refused, or does not answer now, is a page that says so."""
        known: list[ConsoleSession] = []
        try:
            async with asyncio.timeout(self.answer_s - PAGE_S):
                session = await self._door.session(visit)
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

    def _instead(self, visit: Visit, known: Sequence[ConsoleSession], status: int, text: str) -> HtmlPage:
        """Return a page that says what went wrong, in the language of who is known to ask."""
        return self._message(known[0] if known else None, _language(visit, known), status, text)

    async def _answer(self, visit: Visit, session: ConsoleSession | None) -> HtmlPage:
        if visit.path == STYLE:
            return self.app.pages.style()
        if not self._door.people(visit):
            raise Sorry(404, _OFF)
        if visit.form is None:
            raise Sorry(400, _NO_FORM)
        if visit.path in ("sign-in", "link"):
            return await (self._door.sign_in(visit) if visit.path == "sign-in" else self._door.follow_link(visit))
        if session is None and visit.method == "POST":
            raise Sorry(401, _GONE)
        if session is None:
            return self.app.pages.redirect(f"{ROOT}/sign-in")
        return await self._inside(visit, session)

    async def _inside(self, visit: Visit, session: ConsoleSession) -> HtmlPage:
        place, _slash, rest = visit.path.partition("/")
        match place, visit.method:
            case "acts", "POST" if rest in self.app.acts:
                return await self._act(self.app.acts[rest], visit, session)
            case "bulk", "GET" | "HEAD" | "POST" if self.bulk:
                return await self._bulk(self.bulk, rest, visit, session)
            case "language" | "sign-out", "POST":
                self._door.same_origin(visit)
                return self._language(visit, session) if place == "language" else self._door.sign_out()
            case "acts", "GET" | "HEAD" if rest in self.app.acts:
                return await self._ask(self.app.acts[rest], visit.query.get("about", ""), session)
            case _, "GET" | "HEAD":
                return await self._look(visit, session)
        raise Sorry(404, NOWHERE)

    async def _look(self, visit: Visit, session: ConsoleSession) -> HtmlPage:
        shown = await self.app.look(visit, session)
        if shown is None:
            raise Sorry(404, NOWHERE)
        return self._page(session, shown.template, status=shown.status, **shown.values)

    def _language(self, visit: Visit, session: ConsoleSession) -> HtmlPage:
        chosen = "pt" if visit.said("to") == "pt" else "en"
        return self.app.pages.redirect(ROOT, cookie=self._door.cookie(replace(session, language=chosen)))

    # acting ----------------------------------------------------------------------------------------

    async def _ask(self, act: ActButton, about: str, session: ConsoleSession, wrong: str = "") -> HtmlPage:
        """Show what *act* would do, and the form that does it."""
        self._may(session)
        purpose = Purpose(act.name, about, await self.app.version(act.name, about))
        dry = await self.app.run(ActRequest(act=act.name, about=about, by=session.name, why="-", apply=False))
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

    async def _act(self, act: ActButton, visit: Visit, session: ConsoleSession) -> HtmlPage:
        """Do *act*, if the form is this session's, from here, about what the person saw."""
        self._door.same_origin(visit)
        self._may(session)
        about, why = visit.said("about"), visit.said("why").strip()
        purpose = Purpose(act.name, about, await self.app.version(act.name, about))
        if not self._forms.allows(visit.said("form"), session, purpose):
            raise Sorry(409, STALE)
        if not why:
            return await self._ask(act, about, session, NO_WHY)
        # Before it acts: what storage does although its answer comes too late is in no audit trail.
        logs.info(_log, "console_act_begins", act=act.name, about=about, by=session.name)
        outcome = await self.app.run(ActRequest(act=act.name, about=about, by=session.name, why=why, apply=True))
        logs.info(_log, "console_act", act=act.name, about=about, by=session.name, refused=bool(outcome.refused))
        return self._done(session, act, about, outcome)

    def _done(self, session: ConsoleSession, act: ActButton, about: str, outcome: ActOutcome) -> HtmlPage:
        status = 503 if outcome.unknown else 409 if outcome.refused else 200
        return self._page(session, "done.html", status=status, act=act, about=about, outcome=outcome)

    async def _bulk(self, app: BulkApp, name: str, visit: Visit, session: ConsoleSession) -> HtmlPage:
        """Show what an act would do to many things, or do it to those of its form."""
        if visit.method == "POST":
            self._door.same_origin(visit)
        self._may(session)
        say = partial(self._say, session.language)
        shown = await Bulk(app=app, forms=self._forms, session=session, say=say).answer(name, visit)
        return self._page(session, shown.template, status=shown.status, **shown.values)

    def _may(self, session: ConsoleSession) -> None:
        if not session.may_act:
            raise Sorry(403, _NOT_YOURS)

    # pages -----------------------------------------------------------------------------------------

    def _say(self, language: str, text: str) -> str:
        return self.app.pages.messages(language).gettext(text) if text else ""

    def _page(self, session: ConsoleSession, template: str, *, status: int = 200, **values: Any) -> HtmlPage:
        return self.app.pages.page(
            template,
            session.language,
            status=status,
            cookie=self._door.cookie(session),
            session=session,
            root=ROOT,
            acts=self.app.acts,
            **values,
        )

    def _message(self, session: ConsoleSession | None, language: str, status: int, text: str) -> HtmlPage:
        cookie = self._door.cookie(session) if session else ""
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

    @property
    def _door(self) -> ConsoleSignIn:
        return ConsoleSignIn(
            settings=self.settings, app=self.app, clock=self.clock, brake=self.brake, use_link=self.use_link
        )

    @property
    def _forms(self) -> Forms:
        return Forms(keys=self.settings.keys, clock=self.clock)


def _language(visit: Visit, known: Sequence[ConsoleSession]) -> str:
    """Return the language of the session, or what the browser asks for."""
    return "pt" if (known[0].language if known else visit.language) == "pt" else "en"
