"""A request of a browser, who it is, and the page that answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from foundation.clock import UnixMs
from foundation.console.pages import Pages
from foundation.console.sessions import WHOLE_MS, ConsoleSession, Sessions
from foundation.errors import ServiceError
from foundation.http.html import HtmlPage
from payflow.ledger.lane import LaneLedger
from payflow.office.door import OfficeSignIn
from payflow.office.filters import FILTERS
from payflow.office.language import messages as messages_of
from payflow.office.words import STATES
from payflow.state import Company

COOKIE: Final = "__Host-office"
ASK_COOKIE: Final = "__Host-office-ask"
"""``__Host-``: set by this host alone, over TLS, for the whole host."""
ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"
PAGES: Final = Pages(templates=Path(__file__).with_name("templates"), messages=messages_of, filters=FILTERS)


@dataclass(frozen=True, kw_only=True, slots=True)
class OfficeVisit:
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
        return next(iter(self.all(name)), "").strip()

    def all(self, name: str) -> Sequence[str]:
        """Return every field of that name."""
        return (self.form or {}).get(name, ())

    @property
    def root(self) -> str:
        """The address of the page; text that is no company's id is not repeated."""
        return f"/office/{self.company if OfficeSignIn.is_id(self.company) else '-'}"


class OfficeRefusal(ServiceError):
    """The page says why, and what to do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@dataclass(frozen=True, kw_only=True, slots=True)
class Guest:
    """Who is signed in, at which company; *visit* is what they ask now."""

    visit: OfficeVisit
    company: Company
    session: ConsoleSession
    sessions: Sessions
    lane: LaneLedger
    now: UnixMs

    @property
    def cookie(self) -> str:
        """The session, used now."""
        value = self.sessions.cookie(self.session)
        return f"{COOKIE}={value}; Max-Age={WHOLE_MS // 1000}; {ATTRIBUTES}"

    def page(self, template: str, *, status: int = 200, **values: Any) -> HtmlPage:
        """Return a page that renews the session."""
        return PAGES.page(
            template,
            self.session.language,
            status=status,
            cookie=self.cookie,
            session=self.session,
            company=self.company,
            root=self.visit.root,
            now=self.now,
            states=STATES,
            **values,
        )
