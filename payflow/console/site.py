"""PayFlow's console: which page answers which address; who comes in and which forms act is the frame's."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from foundation import logs
from foundation.console import charts
from foundation.console.acting import ActButton, ActOutcome, ActRequest, Shown
from foundation.console.pages import Pages
from foundation.console.sessions import ConsoleSession
from foundation.console.settings import ConsoleSettings
from foundation.console.site import Site
from foundation.console.visit import Visit
from foundation.errors import ConfigurationError, InvariantBroken, Rejected, ServiceError
from foundation.http.html import HtmlPage
from foundation.tablestore.dry import DryRows
from payflow.console import dry_run
from payflow.console.acts import ACTS, double_mail_warning
from payflow.console.parts import Parts
from payflow.console.subjects import Name, Subject, subject_of
from payflow.console.views import Views
from payflow.mail.formats import masked_address
from payflow.office.filters import FILTERS
from payflow.office.language import N_, messages

PAGES: Final = Pages(
    templates=Path(__file__).with_name("templates"),
    messages=messages,
    filters={**FILTERS, **charts.FILTERS, "masked": masked_address},
)
_UNCONFIGURED = N_("The service is not configured: {what}")
_BROKEN = N_("A row cannot be read: {what} `verify` lists the rows that disagree.")
_AWAY = N_("Storage does not answer now: {what} Try again.")
_NOT_POSSIBLE = N_("This is not possible now: {what}.")
_UNRECORDED = N_("The second account did not take the record: a restore would not know of it.")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Console:
    """Answers browsers."""

    settings: ConsoleSettings
    parts: Parts

    async def answer(self, visit: Visit) -> HtmlPage:
        """Return the page; what is refused, or does not answer now, is a page that says so."""
        app = Receipts(parts=self.parts, language=[visit.language])
        return await Site(settings=self.settings, app=app, clock=self.parts.clock).answer(visit)


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipts:
    """``ConsoleApp``: the pages and acts of the receipts."""

    parts: Parts
    language: list[str]
    """One: what is spoken now."""

    @property
    def pages(self) -> Pages:
        return PAGES

    @property
    def acts(self) -> Mapping[str, ActButton]:
        return ACTS

    @property
    def brakes(self) -> Sequence[str]:
        """None: each act is about a company, and a broken page does not say which."""
        return ()

    def speaking(self, language: str) -> AbstractContextManager[None]:
        """See ``ConsoleApp``."""
        self.language[:] = [language]
        return nullcontext()

    def why_not(self, error: ServiceError) -> tuple[int, str]:
        """See ``ConsoleApp``."""
        if isinstance(error, ConfigurationError):
            return 503, self._say(_UNCONFIGURED).format(what=error)
        if isinstance(error, InvariantBroken):
            return 500, self._say(_BROKEN).format(what=error)
        return 503, self._say(_AWAY).format(what=error)

    async def epoch(self) -> int:
        """See ``ConsoleApp``: everybody is signed out by another CONSOLE_KEY alone."""
        return 0

    async def look(self, visit: Visit, session: ConsoleSession) -> Shown | None:
        """See ``ConsoleApp``."""
        views = Views(parts=self.parts, language=session.language, say=self._say)
        reads: Mapping[str, Callable[[Mapping[str, str]], Awaitable[Mapping[str, Any]]]] = {
            "": views.home,
            "company": views.company,
            "receipts": views.receipts,
            "receipt": views.receipt,
            "sender": views.sender,
            "machinery": views.machinery,
        }
        if visit.path not in reads:
            return None
        return Shown(template=f"{visit.path or 'home'}.html", values=await reads[visit.path](visit.query))

    async def version(self, act: str, about: str) -> str:
        """See ``ConsoleApp``."""
        return (await self._subject(act, about)).version

    async def run(self, order: ActRequest) -> ActOutcome:
        """See ``ConsoleApp``: the action itself; before it the same action, on rows that take nothing."""
        subject, unrecorded = await self._subject(order.act, order.about), list[str]()
        why = order.why if order.apply else ""
        actions = await self.parts.actions(
            subject.company.id, order.by, lambda: unrecorded.append(self._say(_UNRECORDED)), why
        )
        dry, kept = dry_run.dry(actions, subject)
        try:
            await ACTS[order.act].do(actions if order.apply else dry, subject)
        except Rejected as error:
            return ActOutcome(refused=self._say(_NOT_POSSIBLE).format(what=error))
        except ServiceError as error:
            logs.warning(_log, "console_act_failed", act=order.act, cause=type(error).__name__)
            return ActOutcome(refused=self.why_not(error)[1], unknown=order.apply)
        said = [*unrecorded] if order.apply else self._would(order.act, subject, kept)
        return ActOutcome(said=tuple(said))

    # Inside ------------------------------------------------------------------------------------------

    def _would(self, act: str, subject: Subject, kept: DryRows) -> Sequence[str]:
        """Return what an act would do, and how it might mail a payer twice."""
        said = list(dry_run.sentences(subject.lane, kept, self._say))
        careful = double_mail_warning(act, subject)
        return [*said, self._say(careful)] if careful else said

    async def _subject(self, act: str, about: str) -> Subject:
        name = Name.read(about)
        name = name if ACTS[act].about_receipt else Name(name.company, None)
        return await subject_of(self.parts.entries, self.parts.lane(name.company), name)

    def _say(self, text: str) -> str:
        return messages(self.language[0]).gettext(text)
