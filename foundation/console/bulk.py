"""
One act about many things at once: those of the list that was shown, and only as they were then.

The list is in the form itself, signed: what each thing was called, and which version its row had. So a thing that
comes later is not touched, and one that has changed since is left alone and named. The person types how many there
are, says why, and gets an answer for each. A form acts once: its use is noted before anything is done, and everything
it changed has another version since.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from foundation import logs
from foundation.console.acting import NO_WHY, STALE, ActButton, ActRequest, Shown, Sorry
from foundation.console.door import NOWHERE
from foundation.console.forms import Forms, Purpose
from foundation.console.sessions import ConsoleSession
from foundation.console.visit import Visit
from foundation.sentences import N_

ITEMS_MAX: Final = 25
"""So many fit a form, and are done within an answer's time."""
BEGIN_S: Final = 4.0
"""What is not begun by then is left for another form: the answer is due, and one that has begun takes its time too."""
_AT_ONCE: Final = 5
_VERSION_DIGITS: Final = 16
_WRONG_COUNT: Final = N_("The number is not that of the list. Nothing was done. Look at the list again.")

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkItem:
    """One thing of the list, and what its dry run says; refused: it is shown, and is not part of the form."""

    subject: str
    version: str
    says: str
    refused: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Items:
    """The list, at most ``ITEMS_MAX`` long; *more*: there are others behind it."""

    items: Sequence[BulkItem]
    more: bool

    @property
    def frozen(self) -> Mapping[str, str]:
        """Return what the form is about: each thing with a digest of its version."""
        return {each.subject: version_digest(each.version) for each in self.items if not each.refused}


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkOutcome:
    """What became of one thing."""

    subject: str
    says: str
    done: bool


class BulkApp(Protocol):
    """What an app brings. Every method raises Sorry, and StoreUnavailable."""

    @property
    def acts(self) -> Mapping[str, ActButton]: ...

    async def items(self, act: str, about: str, by: str, after: str) -> Items:
        """Return what *act* would be about, behind the thing *after*, each with its dry run."""

    async def use(self, form: str, order: ActRequest, count: int) -> bool:
        """Note that *form* is used; False where it was used before."""

    async def run(self, order: ActRequest, frozen: Mapping[str, str]) -> Sequence[BulkOutcome]:
        """Do the act to each thing of *frozen* whose version still has that digest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bulk:
    """The two pages of an act about many things; who may act was decided before."""

    app: BulkApp
    forms: Forms
    session: ConsoleSession
    say: Callable[[str], str]
    """Translates for the person."""

    async def answer(self, name: str, visit: Visit) -> Shown:
        """Return the list with its form, or what became of each thing."""
        if name not in self.app.acts:
            raise Sorry(404, NOWHERE)
        if visit.method == "POST":
            return await self._act(self.app.acts[name], visit)
        return await self._ask(self.app.acts[name], visit.query.get("about", ""), visit.query.get("after", ""))

    async def _ask(self, act: ActButton, about: str, after: str, wrong: str = "") -> Shown:
        found = await self.app.items(act.name, about, self.session.name, after)
        frozen = found.frozen
        purpose = Purpose(_to_many(act), about, json.dumps(frozen))
        values = {
            "act": act,
            "about": about,
            "after": after,
            "found": found,
            "count": len(frozen),
            "token": self.forms.token(self.session, purpose) if frozen else "",
            "wrong": self.say(wrong) if wrong else "",
        }
        return Shown(template="bulk.html", values=values, status=422 if wrong else 200)

    async def _act(self, act: ActButton, visit: Visit) -> Shown:
        about, why, form = visit.said("about"), visit.said("why").strip(), visit.said("form")
        version = self.forms.version_in(form, self.session, _to_many(act), about)
        if version is None:
            raise Sorry(409, STALE)
        frozen: Mapping[str, str] = json.loads(version)
        if not why:
            return await self._ask(act, about, visit.said("after"), NO_WHY)
        if visit.said("count").strip() != str(len(frozen)):
            return await self._ask(act, about, visit.said("after"), _WRONG_COUNT)
        order = ActRequest(act=act.name, about=about, by=self.session.name, why=why, apply=True)
        if not await self.app.use(hashlib.sha256(form.encode()).hexdigest(), order, len(frozen)):
            raise Sorry(409, STALE)
        logs.info(_log, "console_bulk_begins", act=act.name, about=about, by=order.by, subjects=",".join(frozen))
        outcomes = await self.app.run(order, frozen)
        done = sum(each.done for each in outcomes)
        logs.info(_log, "console_bulk", act=act.name, about=about, by=order.by, done=done, of=len(outcomes))
        values = {"act": act, "about": about, "outcomes": outcomes, "done": done}
        return Shown(template="bulk_done.html", values=values, status=200 if done else 409)


def version_digest(version: str) -> str:
    """Return what a form keeps of a version: enough to notice another one."""
    return hashlib.sha256(version.encode()).hexdigest()[:_VERSION_DIGITS]


async def each_in_time(
    subjects: Sequence[str], do: Callable[[str], Awaitable[_T]], late: Callable[[str], _T]
) -> Sequence[_T]:
    """Do *do* about each of *subjects*, a few side by side, and *late* about those that cannot begin in time."""
    loop, gate = asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE)
    until = loop.time() + BEGIN_S

    async def one(subject: str) -> _T:
        async with gate:
            return late(subject) if loop.time() > until else await do(subject)

    return await asyncio.gather(*map(one, subjects))


def _to_many(act: ActButton) -> str:
    """Return what a form to many things is signed for: the form of the same act to one thing is another."""
    return f"{act.name} to many"
