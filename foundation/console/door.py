"""
How a person comes into the console, and goes: by a personal token, by a link that signs in once, or by Entra ID.

A page that is only opened signs nobody in: each way is a form from our own address. A mail program or a scanner that
opens a link uses nothing up.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from foundation import logs
from foundation.clock import Clock, UnixMs
from foundation.console.acting import Brake, ConsoleApp, Sorry
from foundation.console.entra import PrincipalRefused, PrincipalUnreadable
from foundation.console.sessions import WHOLE_MS, ConsoleSession, Sessions, TokenHolder
from foundation.console.settings import ConsoleSettings
from foundation.console.visit import Visit
from foundation.http.html import HtmlPage, cookie_in
from foundation.sentences import N_

COOKIE: Final = "__Host-console"
"""``__Host-``: set by this host alone, over TLS, for the whole host."""
ROOT: Final = "/console"
STYLE: Final = "style.css"
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Lax"
NOWHERE = N_("There is no such page.")
_FOREIGN = N_("The form did not come from this console. Nothing was done.")
_UNREADABLE = N_("The platform's word about who signed in cannot be read. Sign in again, or tell who runs the console.")
_NO_ROLE = N_("You are signed in with Entra ID, and have no role of this console. Who runs it can give you one.")
_UNKNOWN_TOKEN = N_("This is nobody's token.")
_LINK_OVER = N_("This link was used, or is older than ten minutes. Sign in with your token.")

UseLink = Callable[[UnixMs], Awaitable[bool]]
"""Stores that links made until then are used up; False: they were before. Over all instances."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsoleSignIn:
    """Signs people in and out, and knows who is in."""

    settings: ConsoleSettings
    app: ConsoleApp
    clock: Clock
    brake: Brake | None = None
    use_link: UseLink | None = None
    """None: there are no links that sign in."""

    def people(self, visit: Visit) -> Mapping[str, TokenHolder]:
        """
        Return who may be signed in here: everybody with a token, or only the person the platform names.

        Not both: one human would be two people, and could approve what they asked for themselves.

        Raises:
            Sorry: The platform was asked, and names nobody who may come in.
        """
        entra = self.settings.entra_id
        if visit.path == STYLE or visit.principal is None or entra is None:
            return self.settings.people
        try:
            person = entra.person(visit.principal)
        except (PrincipalUnreadable, PrincipalRefused) as error:
            logs.warning(_log, "console_principal_refused", cause=type(error).__name__, detail=str(error))
            unreadable = isinstance(error, PrincipalUnreadable)
            raise Sorry(401 if unreadable else 403, _UNREADABLE if unreadable else _NO_ROLE) from None
        return {person.name: person}

    async def session(self, visit: Visit) -> ConsoleSession | None:
        """Return whose session the cookie bears; without one the ledger, which knows the epoch, is not asked."""
        cookie, people = cookie_in(visit.cookies, COOKIE), self.people(visit)
        return (await self._sessions(people)).read(cookie) if cookie and people else None

    async def sign_in(self, visit: Visit) -> HtmlPage:
        """Show the way in, or let the person in who sent it. Raises Sorry, StoreUnavailable."""
        if visit.method != "POST":
            return self._page(visit)
        self.same_origin(visit)
        if visit.principal is not None:
            return await self._named(visit)
        client = await self._client(visit)
        sessions = await self._sessions(self.people(visit))
        session = sessions.sign_in(visit.said("token").strip(), visit.language)
        if session is None:
            return await self._refused(visit, client, _UNKNOWN_TOKEN)
        return self._signed_in(session, "token")

    async def follow_link(self, visit: Visit) -> HtmlPage:
        """
        Show the button of a link that signs in, or sign in by it: once, on whichever instance.

        1. Two who have the link press the button at the same time, on two instances.
        2. Each stores that the link is used, before anybody is signed in; the write of one is the later one, and is
           refused for the version it read.
        """
        if self.use_link is None:
            raise Sorry(404, NOWHERE)
        if visit.method != "POST":
            return self._page(visit, "link.html", link=visit.query.get("by", ""))
        self.same_origin(visit)
        client = await self._client(visit)
        sessions = await self._sessions(self.people(visit))
        invitation = sessions.invited(visit.said("by"))
        if invitation is None or not await self.use_link(invitation.made_ms):
            return await self._refused(visit, client, _LINK_OVER)
        return self._signed_in(sessions.begin(invitation.person, visit.language), "link")

    def sign_out(self) -> HtmlPage:
        """Take the cookie from this browser."""
        return self.app.pages.redirect(f"{ROOT}/sign-in", cookie=f"{COOKIE}=; Max-Age=0; {_ATTRIBUTES}")

    def cookie(self, session: ConsoleSession) -> str:
        """Return the cookie of *session*, used now; who is in it was decided by then."""
        return f"{COOKIE}={self._nobody.cookie(session)}; Max-Age={WHOLE_MS // 1000}; {_ATTRIBUTES}"

    def same_origin(self, visit: Visit) -> None:
        """Refuse a form that another site sent: a browser says where a form comes from, and pages cannot change it."""
        if visit.origin.lower() != self.settings.url:
            logs.warning(_log, "console_form_foreign", origin=visit.origin[:200])
            raise Sorry(403, _FOREIGN)

    async def _named(self, visit: Visit) -> HtmlPage:
        """Begin a session of the person the platform names; they pressed the button that says so."""
        people = self.people(visit)
        (person,) = people.values()
        return self._signed_in((await self._sessions(people)).begin(person, visit.language), "entra")

    def _signed_in(self, session: ConsoleSession, how: str) -> HtmlPage:
        logs.info(_log, "console_signed_in", name=session.name, role=str(session.role), how=how)
        return self.app.pages.redirect(ROOT, cookie=self.cookie(session))

    async def _client(self, visit: Visit) -> str:
        """Return the name under which refused sign-ins are counted. Raises Sorry after too many."""
        return await self.brake.check(visit.forwarded_for) if self.brake else ""

    async def _refused(self, visit: Visit, client: str, wrong: str) -> HtmlPage:
        if self.brake:
            await self.brake.penalize(client)
        logs.warning(_log, "console_sign_in_refused", client=client)
        return self._page(visit, status=403, wrong=self.app.pages.messages(visit.language).gettext(wrong))

    def _page(self, visit: Visit, template: str = "sign_in.html", *, status: int = 200, **values: str) -> HtmlPage:
        named = "" if visit.principal is None else next(iter(self.people(visit)), "")
        shown = {"wrong": "", "named": named, **values}
        return self.app.pages.page(template, visit.language, status=status, session=None, root=ROOT, **shown)

    @property
    def _nobody(self) -> Sessions:
        return Sessions(keys=self.settings.keys, people={}, clock=self.clock)

    async def _sessions(self, people: Mapping[str, TokenHolder]) -> Sessions:
        """Return the sessions of now: those from before everybody was signed out are over. Raises StoreUnavailable."""
        return replace(self._nobody, people=people, epoch=await self.app.epoch())
