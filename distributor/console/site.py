"""The distributor's console: which page answers which address; who comes in and which forms act is the frame's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

from distributor.cli.argument_types import order_key
from distributor.cli.language import _, speaking
from distributor.cli.language import messages as messages_of
from distributor.console import call_backs
from distributor.console.acts import ACTS, About, Act
from distributor.console.charts import charts_page
from distributor.console.desk import Desk, why_not
from distributor.console.filters import FILTERS, TEMPLATES
from distributor.console.together import Together
from distributor.console.views import Views
from distributor.errors import RateLimited
from distributor.order_ids import can_be_an_order
from distributor.resources import Resources
from distributor.webhook.rate_limiter import RateLimiter
from foundation.clock import Clock, UnixMs
from foundation.console.acting import ActOutcome, ActRequest, Shown, Sorry
from foundation.console.pages import Pages
from foundation.console.sessions import ConsoleSession
from foundation.console.settings import ConsoleSettings
from foundation.console.site import COOKIE, ROOT, TOO_OFTEN, Site
from foundation.console.visit import Visit
from foundation.errors import ServiceError
from foundation.http.handler import ANSWER_S_MAX
from foundation.http.html import HtmlPage

__all__ = ["COOKIE", "ROOT", "Console"]
_VERSIONS: Final = {
    About.TELLING: call_backs.order_version,
    About.SHOP: call_backs.shop_version,
    About.SINCE: call_backs.time_version,
}
_PAGES: Final = Pages(templates=TEMPLATES, messages=messages_of, filters=FILTERS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Console:
    """Answers browsers."""

    settings: ConsoleSettings
    parts: Resources
    rate_limiter: RateLimiter
    clock: Clock

    async def answer(self, visit: Visit) -> HtmlPage:
        """Return the page; what is refused, or does not answer now, is a page that says so."""
        site = Site(
            settings=self.settings,
            app=Payouts(parts=self.parts, clock=self.clock),
            clock=self.clock,
            brake=_Brake(self.rate_limiter),
            use_link=self._use_link,
            answer_s=ANSWER_S_MAX,
            bulk=Together(desk=Desk(parts=self.parts, clock=self.clock)),
        )
        return await site.answer(visit)

    async def _use_link(self, made_ms: UnixMs) -> bool:
        return await (await self.parts.ledger()).console_sessions.use_link(made_ms)


@dataclass(frozen=True, kw_only=True, slots=True)
class Payouts:
    """``ConsoleApp``: the pages and acts of the payouts."""

    parts: Resources
    clock: Clock

    @property
    def pages(self) -> Pages:
        return _PAGES

    @property
    def acts(self) -> Mapping[str, Act]:
        return ACTS

    @property
    def brakes(self) -> Sequence[str]:
        return ("pause", "halt")

    def speaking(self, language: str) -> AbstractContextManager[None]:
        """See ``ConsoleApp``."""
        return speaking("pt" if language == "pt" else "en")

    def why_not(self, error: ServiceError) -> tuple[int, str]:
        """See ``ConsoleApp``."""
        return why_not(error)

    async def epoch(self) -> int:
        """See ``ConsoleApp``."""
        return (await (await self.parts.ledger()).admin.pause_state()).console_epoch or 0

    async def look(self, visit: Visit, session: ConsoleSession) -> Shown | None:
        """See ``ConsoleApp``."""
        views = Views(desk=self._desk)
        match visit.path.partition("/")[0]:
            case "":
                return Shown(template="home.html", values=await views.home())
            case "orders":
                shown = await views.orders(visit.query)
                return Shown(template="orders.html", values=shown, status=400 if shown["wrong"] else 200)
            case "held":
                return Shown(template="held.html", values=await views.held_for(visit.query.get("reason", "")))
            case "callbacks" | "charts" as place:
                return await self._beside(place, visit.query.get("shop", "").strip())
            case "order":
                return await self._order(views, visit.query.get("id", "").strip(), session.name)
            case _:
                return None

    async def version(self, act: str, about: str) -> str:
        """See ``ConsoleApp``."""
        meant = ACTS[act].about
        if meant is About.PAYOUTS:
            return (await (await self.parts.ledger()).admin.pause_state()).version.etag
        if meant is About.ALARM:
            told = (await (await self.parts.register()).notifications()).get(about)
            return f"{told.since_ms} {told.seen_by} {told.state}" if told else ""
        if meant in _VERSIONS:
            return await _VERSIONS[meant](await self.parts.ledger(), about)
        key = order_key(about)
        if not can_be_an_order(key):
            raise _no_order(about)
        found = await (await self.parts.ledger()).shop_orders.find(key)
        return found.version.etag if found else ""

    async def run(self, order: ActRequest) -> ActOutcome:
        """See ``ConsoleApp``: the command of the command line, with or without ``--apply``."""
        act = ACTS[order.act]
        options = {**act.asked(order.about), "apply": order.apply, "by": order.by, "why": order.why}
        return await self._desk.run(act.run, options)

    # Inside ------------------------------------------------------------------------------------------

    async def _beside(self, place: str, shop: str) -> Shown:
        """Return a page beside the orders: charts, or what *shop* was told."""
        if place == "charts":
            return Shown(template="charts_page.html", values=await charts_page(self._desk))
        return Shown(template="call_backs.html", values=await call_backs.page(self._desk, shop))

    async def _order(self, views: Views, asked: str, by: str) -> Shown:
        shown = await views.order(asked, by) if asked else None
        if shown is None:
            raise _no_order(asked)
        return Shown(template="order.html", values=shown)

    @property
    def _desk(self) -> Desk:
        return Desk(parts=self.parts, clock=self.clock)


@dataclass(frozen=True, slots=True)
class _Brake:
    """``Brake``: the limit by address that guards the webhook counts refused sign-ins too."""

    limiter: RateLimiter

    async def check(self, forwarded_for: str) -> str:
        with _as_a_page():
            return await self.limiter.check(forwarded_for)

    async def penalize(self, client: str) -> None:
        with _as_a_page():
            await self.limiter.penalize(client)


@contextmanager
def _as_a_page() -> Iterator[None]:
    try:
        yield
    except RateLimited:
        raise Sorry(429, TOO_OFTEN) from None


def _no_order(asked: str) -> Sorry:
    return Sorry(404, _("The ledger has no order {order}.").format(order=asked))
