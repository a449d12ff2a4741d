"""
The console: which page answers which address, to whom.

Nothing but the style sheet and the sign-in is shown to who is not signed in. A page that is only opened changes
nothing: each act is a form that was shown with its dry run, to an operator, in the session that sends it, from our
own address, about a row that has not changed since (``foundation.console.forms``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from distributor.cli.argument_types import order_key
from distributor.cli.language import N_, Code, _, speaking
from distributor.cli.language import messages as messages_of
from distributor.console.acts import ACTS, About, Act
from distributor.console.desk import Desk, Told, why_not
from distributor.console.filters import FILTERS, TEMPLATES
from distributor.console.views import Views
from distributor.console.visit import Visit
from distributor.errors import RateLimited
from distributor.order_ids import can_be_an_order
from distributor.resources import Resources
from distributor.webhook.rate_limiter import RateLimiter
from foundation import logs
from foundation.clock import Clock
from foundation.console.forms import Forms, Purpose
from foundation.console.pages import Pages
from foundation.console.sessions import WHOLE_MS, Session, Sessions
from foundation.console.settings import ConsoleSettings
from foundation.errors import ServiceError
from foundation.http.handler import ANSWER_S_MAX
from foundation.http.html import HtmlPage, cookie_in

COOKIE: Final = "__Host-console"
"""``__Host-``: set by this host alone, over TLS, for the whole host."""
ROOT: Final = "/console"
_PAGE_S: Final = 0.5
"""Kept back for the page that says that nothing came in time."""
_BROKEN: Final = 500
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
_PAGES: Final = Pages(templates=TEMPLATES, messages=messages_of, filters=FILTERS)
_OFF = N_("The console is off: no personal token is set.")
_NOT_YOURS = N_("Your role may look and not act.")
_FOREIGN = N_("The form did not come from this console. Nothing was done.")
_STALE = N_("What you saw has changed, the form is too old, or it was used before. Nothing was done. Look again.")
_GONE = N_("You are signed out. Nothing was done. Sign in and look again.")
_NOWHERE = N_("There is no such page.")
_UNKNOWN_TOKEN = N_("This is nobody's token.")
_TOO_OFTEN = N_("Too many attempts from your address. Wait a minute.")
_LATE = N_("This took too long, and whether it was done is not known: look again before you repeat it.")
_NO_FORM = N_("The form cannot be read. Nothing was done.")
_NO_WHY = N_("Say why: the words stand in the audit trail.")

_log = logging.getLogger(__name__)


class _Sorry(ServiceError):
    """The page says why, and what to do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Console:
    """Answers browsers."""

    settings: ConsoleSettings
    parts: Resources
    rate_limiter: RateLimiter
    clock: Clock

    async def answer(self, visit: Visit) -> HtmlPage:
        """Return the page; what is refused, or does not answer now, is a page that says so."""
        known: list[Session] = []
        try:
            async with asyncio.timeout(ANSWER_S_MAX - _PAGE_S):
                session = await self._session(visit)
                known += [session] if session else []
                with speaking(_language(visit, known)):
                    return await self._answer(visit, session)
        except TimeoutError:
            return self._instead(visit, known, 503, _LATE)
        except _Sorry as error:
            return self._instead(visit, known, error.status, str(error))
        except RateLimited:
            return self._instead(visit, known, 429, _TOO_OFTEN)
        except ServiceError as error:
            logs.warning(_log, "console_unavailable", cause=type(error).__name__, detail=str(error))
            with speaking(_language(visit, known)):
                status, text = why_not(error)
            return self._instead(visit, known, status, text)

    async def _session(self, visit: Visit) -> Session | None:
        """Return whose session the cookie bears; without one the ledger, which knows the epoch, is not asked."""
        cookie = cookie_in(visit.cookies, COOKIE)
        return (await self._sessions()).read(cookie) if cookie and self.settings.people else None

    def _instead(self, visit: Visit, known: Sequence[Session], status: int, text: str) -> HtmlPage:
        """Return a page that says what went wrong, in the language of who is known to ask."""
        with speaking(language := _language(visit, known)):
            return self._message(known[0] if known else None, language, status, _(text))

    async def _answer(self, visit: Visit, session: Session | None) -> HtmlPage:
        if visit.path == "style.css":
            return _PAGES.style()
        if not self.settings.people:
            raise _Sorry(404, _(_OFF))
        if visit.form is None:
            raise _Sorry(400, _(_NO_FORM))
        if visit.path == "sign-in":
            return await self._sign_in(visit)
        if session is None and visit.method == "POST":
            raise _Sorry(401, _(_GONE))
        if session is None:
            return _PAGES.redirect(f"{ROOT}/sign-in")
        return await self._inside(visit, session)

    async def _inside(self, visit: Visit, session: Session) -> HtmlPage:
        place, _slash, rest = visit.path.partition("/")
        match place, visit.method:
            case "acts", "POST" if rest in ACTS:
                return await self._act(ACTS[rest], visit, session)
            case "language" | "sign-out", "POST":
                self._same_origin(visit)
                return self._language(visit, session) if place == "language" else self._sign_out()
            case _, "GET" | "HEAD":
                return await self._look(place, rest, visit, session)
        raise _Sorry(404, _(_NOWHERE))

    async def _look(self, place: str, rest: str, visit: Visit, session: Session) -> HtmlPage:
        """Return a page that is only looked at."""
        match place:
            case "":
                return self._page(session, "home.html", **await self._views.home())
            case "orders":
                shown = await self._views.orders(visit.query)
                return self._page(session, "orders.html", status=400 if shown["wrong"] else 200, **shown)
            case "order":
                return await self._order(visit, session)
            case "acts" if rest in ACTS:
                return await self._ask(ACTS[rest], visit.query.get("about", ""), session)
        raise _Sorry(404, _(_NOWHERE))

    # signing in ------------------------------------------------------------------------------------

    async def _sign_in(self, visit: Visit) -> HtmlPage:
        if visit.method != "POST":
            return self._sign_in_page(visit, 200, "")
        self._same_origin(visit)
        client = await self.rate_limiter.check(visit.forwarded_for)
        session = (await self._sessions()).sign_in(visit.said("token").strip(), visit.language)
        if session is None:
            await self.rate_limiter.penalize(client)
            logs.warning(_log, "console_sign_in_refused", client=client)
            return self._sign_in_page(visit, 403, _(_UNKNOWN_TOKEN))
        logs.info(_log, "console_signed_in", name=session.name, role=str(session.role))
        return _PAGES.redirect(ROOT, cookie=self._cookie(session))

    def _sign_in_page(self, visit: Visit, status: int, wrong: str) -> HtmlPage:
        return _PAGES.page("sign_in.html", visit.language, status=status, wrong=wrong, session=None, root=ROOT)

    def _sign_out(self) -> HtmlPage:
        return _PAGES.redirect(f"{ROOT}/sign-in", cookie=f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}")

    def _language(self, visit: Visit, session: Session) -> HtmlPage:
        chosen = "pt" if visit.said("to") == "pt" else "en"
        return _PAGES.redirect(ROOT, cookie=self._cookie(replace(session, language=chosen)))

    # looking ---------------------------------------------------------------------------------------

    async def _order(self, visit: Visit, session: Session) -> HtmlPage:
        asked = visit.query.get("id", "").strip()
        shown = await self._views.order(asked) if asked else None
        if shown is None:
            raise _Sorry(404, _("The ledger has no order {order}.").format(order=asked))
        return self._page(session, "order.html", **shown)

    # acting ----------------------------------------------------------------------------------------

    async def _ask(self, act: Act, about: str, session: Session, wrong: str = "") -> HtmlPage:
        """Show what *act* would do, and the form that does it."""
        self._may(session)
        options = act.asked(about)
        purpose = Purpose(act.name, about, await self._version(act, about))
        dry = await self._desk.run(act.run, {**options, "apply": False, "by": session.name, "why": "-"})
        token = self._forms.token(session, purpose)
        return self._page(
            session,
            "act.html",
            status=422 if wrong else 200,
            act=act,
            about=about,
            dry=dry,
            token=token,
            wrong=wrong,
        )

    async def _act(self, act: Act, visit: Visit, session: Session) -> HtmlPage:
        """Do *act*, if the form is this session's, from here, about what the person saw."""
        self._same_origin(visit)
        self._may(session)
        about, why = visit.said("about"), visit.said("why").strip()
        purpose = Purpose(act.name, about, await self._version(act, about))
        if not self._forms.allows(visit.said("form"), session, purpose):
            raise _Sorry(409, _(_STALE))
        if not why:
            return await self._ask(act, about, session, _(_NO_WHY))
        options = {**act.asked(about), "apply": True, "by": session.name, "why": why}
        # Before it acts: what storage does although its answer comes too late is in no audit trail.
        logs.info(_log, "console_act_begins", act=act.name, about=about, by=session.name)
        told = await self._desk.run(act.run, options)
        logs.info(_log, "console_act", act=act.name, about=about, by=session.name, refused=bool(told.refused))
        return self._done(session, act, about, told)

    def _done(self, session: Session, act: Act, about: str, told: Told) -> HtmlPage:
        status = 503 if told.unknown else 409 if told.refused else 200
        return self._page(session, "done.html", status=status, act=act, about=about, told=told)

    async def _version(self, act: Act, about: str) -> str:
        """Return what the thing that *act* is about looks like now; another text once anybody has written it."""
        if act.about is About.PAYOUTS:
            return (await (await self.parts.ledger()).admin.pause_state()).version.etag
        if act.about is About.ALARM:
            told = (await (await self.parts.register()).notifications()).get(about)
            return f"{told.since_ms} {told.seen_by} {told.state}" if told else ""
        key = order_key(about)
        if not can_be_an_order(key):
            raise _Sorry(404, _("The ledger has no order {order}.").format(order=about))
        found = await (await self.parts.ledger()).shop_orders.find(key)
        return found.version.etag if found else ""

    def _may(self, session: Session) -> None:
        if not session.may_act:
            raise _Sorry(403, _(_NOT_YOURS))

    def _same_origin(self, visit: Visit) -> None:
        """Refuse a form that another site sent: a browser says where a form comes from, and pages cannot change it."""
        if visit.origin.lower() != self.settings.url:
            logs.warning(_log, "console_form_foreign", origin=visit.origin[:200])
            raise _Sorry(403, _(_FOREIGN))

    # pages -----------------------------------------------------------------------------------------

    def _page(self, session: Session, template: str, *, status: int = 200, **values: Any) -> HtmlPage:
        return _PAGES.page(
            template,
            session.language,
            status=status,
            cookie=self._cookie(session),
            session=session,
            root=ROOT,
            acts=ACTS,
            **values,
        )

    def _message(self, session: Session | None, language: str, status: int, text: str) -> HtmlPage:
        cookie = self._cookie(session) if session else ""
        # One torn row may keep the first page shut, and the brake is on it.
        brakes = [ACTS["pause"], ACTS["halt"]] if session and session.may_act and status >= _BROKEN else []
        return _PAGES.page(
            "message.html", language, status=status, cookie=cookie, session=session, root=ROOT, text=text, acts=brakes
        )

    def _cookie(self, session: Session) -> str:
        return f"{COOKIE}={self._cookies.cookie(session)}; Max-Age={WHOLE_MS // 1000}; {_ATTRIBUTES}"

    @property
    def _cookies(self) -> Sessions:
        """What writes a session that was read; who is in it was decided by then."""
        return Sessions(keys=self.settings.keys, people=self.settings.people, clock=self.clock)

    async def _sessions(self) -> Sessions:
        """Return the sessions of now: those from before everybody was signed out are over. Raises StoreUnavailable."""
        switch = await (await self.parts.ledger()).admin.pause_state()
        return replace(self._cookies, epoch=switch.console_epoch or 0)

    @property
    def _forms(self) -> Forms:
        return Forms(keys=self.settings.keys, clock=self.clock)

    @property
    def _desk(self) -> Desk:
        return Desk(parts=self.parts, clock=self.clock)

    @property
    def _views(self) -> Views:
        return Views(desk=self._desk)


def _language(visit: Visit, known: Sequence[Session]) -> Code:
    """Return the language of the session, or what the browser asks for."""
    return "pt" if (known[0].language if known else visit.language) == "pt" else "en"
