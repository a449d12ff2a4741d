"""
What a person who is signed in sees and does.

An act is shown first: which receipts, what it would do, and whether a payer might get a second mail. Its button carries
a token that is bound to the session, the act, the receipts with their rows' versions, and the address that was typed:
done once, the rows have other versions, and the same form does nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from foundation import logs
from foundation.console.forms import Forms, Purpose
from foundation.errors import Rejected, StoreUnavailable
from foundation.http.html import HtmlPage
from payflow.access import Access
from payflow.delivery.manual_actions import ManualActions
from payflow.ledger.oauth import OAuthLedger
from payflow.mail.formats import masked_address
from payflow.model import BaixaId, CompanyId
from payflow.office import acts, sent, views
from payflow.office.acts import ACTS, MARKED_MAX, ActResult, OfficeSubject
from payflow.office.language import N_, PORTUGUESE
from payflow.office.views import ReceiptView, Section
from payflow.office.visits import ATTRIBUTES, COOKIE, PAGES, Guest, OfficeRefusal
from payflow.office.words import MAILS, REASONS
from payflow.recipients.addresses import is_placeholder, normalized
from payflow.state import Company, CompanyStatus, DocumentPolicy, ReceiptState

_NOWHERE = N_("There is no such page.")
_NO_RECEIPT = N_("There is no such receipt.")
_NONE_MARKED = N_("Mark at least one receipt first. Nothing was done.")
_OF_ONE = N_("Mark receipts of one customer only. Nothing was done.")
_STALE = N_("What you saw has changed, the form is too old, or it was used before. Nothing was done. Look again.")
_NOT_NOW = N_("This is not possible now. Nothing was done.")
_UNKNOWN = N_("The service fell silent, and whether it was done is not known: look again before you repeat it.")
_NO_ADDRESS = N_("This is no e-mail address that can be used.")

Unrecorded = Callable[[], None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inside:
    """The pages and acts of one company's office."""

    guest: Guest
    oauth: OAuthLedger
    keys: Sequence[str]
    """What signs forms."""
    actions: Callable[[CompanyId, str, Unrecorded], Awaitable[ManualActions]]
    invite: Callable[[CompanyId, str], Awaitable[str]]
    """Makes an invitation to connect the company again; returns its secret."""

    async def answer(self) -> HtmlPage:
        """Return the page that is asked for. Raises Sorry, and StoreUnavailable."""
        visit = self.guest.visit
        match visit.page, visit.method:
            case "language", "POST":
                language = "en" if visit.said("to") == "en" else PORTUGUESE
                changed = replace(self.guest, session=replace(self.guest.session, language=language))
                return PAGES.redirect(visit.root, cookie=changed.cookie)
            case "sign-out", "POST":
                return PAGES.redirect(visit.root, cookie=f"{COOKIE}=; Max-Age=0; {ATTRIBUTES}")
            case "ask" | "do", "POST":
                return await (self._ask() if visit.page == "ask" else self._do())
            case "" | "sent" | "receipt", "GET" | "HEAD":
                return await self._look(visit.page)
        raise OfficeRefusal(404, _NOWHERE)

    # looking ---------------------------------------------------------------------------------------

    async def _look(self, page: str) -> HtmlPage:
        guest = self.guest
        match page:
            case "":
                possible = acts.of_company(guest.company, await self._access())
                waiting = await views.office_backlog(guest.lane)
                return guest.page(
                    "home.html", waiting=waiting, possible=possible, acts=ACTS, may=acts.may, offered=self._offered
                )
            case "sent":
                search = guest.visit.query.get("q", "").strip()[:100]
                found = await sent.ended(guest.lane, guest.now, search)
                return guest.page("sent.html", found=found, search=search, days=sent.DAYS)
        item = await views.item(guest.lane, BaixaId(guest.visit.query.get("id", "")))
        if item is None:
            raise OfficeRefusal(404, _NO_RECEIPT)
        key = views.key_of(item.receipt)
        names = REASONS[key].acts if key else _ENDED_ACTS.get(item.receipt.state, ())
        possible = [name for name in names if acts.may(name, item, guest.now)]
        return guest.page("receipt.html", item=item, words=REASONS.get(key), possible=possible, acts=ACTS, mails=MAILS)

    # acting ----------------------------------------------------------------------------------------

    async def _ask(self) -> HtmlPage:
        """Show what an act would do, and the form that does it."""
        name, act, items, address = await self._asked()
        token = self._forms.token(self.guest.session, self._purpose(name, items, address))
        typed = self.guest.visit.said("address")
        wrong = _NO_ADDRESS if act.wants_address and typed and not address else ""
        return self.guest.page(
            "ask.html",
            status=422 if wrong else 200,
            name=name,
            act=act,
            items=items,
            twice=acts.warns(name, items),
            address=address,
            typed=typed or _known(items),
            wants=act.wants_address and not address,
            wrong=wrong,
            token=token,
        )

    async def _do(self) -> HtmlPage:
        """Do an act, if the form is this session's, about what the person saw."""
        name, act, items, address = await self._asked()
        if act.wants_address and not address:
            raise OfficeRefusal(400, _NO_ADDRESS)
        if not self._forms.allows(
            self.guest.visit.said("form"), self.guest.session, self._purpose(name, items, address)
        ):
            raise OfficeRefusal(409, _STALE)
        logs.info(_log, "office_act_begins", act=name, company=self.guest.company.id, receipts=len(items))
        unrecorded = list[str]()
        actions = await self.actions(self.guest.company.id, self._by, lambda: unrecorded.append(name))
        try:
            if act.about is OfficeSubject.COMPANY:
                return await self._do_company(name, actions)
            done = await acts.do(name, items, address, actions)
        except StoreUnavailable:
            raise OfficeRefusal(503, _UNKNOWN) from None
        except Rejected:
            raise OfficeRefusal(409, _NOT_NOW) from None
        count = sum(result is ActResult.DONE for _, result in done.results)
        return self.guest.page(
            "did.html", status=200 if count else 409, act=act, done=done, count=count, unrecorded=bool(unrecorded)
        )

    async def _do_company(self, name: str, actions: ManualActions) -> HtmlPage:
        company, access, root = self.guest.company, await self._access(), self.guest.visit.root
        if name not in acts.of_company(company, access):
            raise OfficeRefusal(409, _NOT_NOW)
        match name:
            case "pause":
                after = await actions.set_status(company, CompanyStatus.PAUSED)
                began_ms = after.status_ms
                await self.oauth.change_access(company.id, lambda found: (replace(found, paused_ms=began_ms), True))
            case "resume":
                await actions.set_status(company, CompanyStatus.ACTIVE)
            case "own_documents":
                await actions.set_policy(company, DocumentPolicy.ERP_THEN_OWN)
            case _:
                secret = await self.invite(company.id, self._by)
                await actions.record(company.id, "reconnect")
                return PAGES.redirect(f"/connect/{secret}", cookie=self.guest.cookie)
        return PAGES.redirect(root, cookie=self.guest.cookie)

    # Inside ------------------------------------------------------------------------------------------

    async def _asked(self) -> tuple[str, acts.OfficeAct, Sequence[ReceiptView], str]:
        """Return which act is meant, about which receipts, and the address that was typed, empty if it is not one."""
        visit = self.guest.visit
        name = visit.said("act")
        if name not in ACTS:
            raise OfficeRefusal(404, _NOWHERE)
        act, items = ACTS[name], list[ReceiptView]()
        if act.about is not OfficeSubject.COMPANY:
            items = await self._marked()
        if act.about is OfficeSubject.CUSTOMER and len({item.receipt.customer for item in items}) > 1:
            raise OfficeRefusal(400, _OF_ONE)
        typed = normalized(visit.said("address")) if act.wants_address else ""
        return name, act, items, "" if typed and is_placeholder(typed) else typed

    async def _marked(self) -> list[ReceiptView]:
        """Return the receipts that were marked, or those of a whole reason, at most fifty."""
        visit = self.guest.visit
        if visit.said("all"):
            waiting = await views.office_backlog(self.guest.lane)
            of_reason = [
                one for section in waiting.sections if section.key == visit.said("reason") for one in section.receipts
            ]
            ids = [one.receipt.baixa for one in of_reason]
        else:
            ids = [BaixaId(text) for text in dict.fromkeys(visit.all("id"))]
        found = [await views.item(self.guest.lane, baixa) for baixa in ids[:MARKED_MAX]]
        if not found:
            raise OfficeRefusal(400, _NONE_MARKED)
        if None in found:
            raise OfficeRefusal(404, _NO_RECEIPT)
        return [item for item in found if item]

    def _purpose(self, name: str, items: Sequence[ReceiptView], address: str) -> Purpose:
        """Return what a form of this act is bound to: a row that was written since has another version."""
        versions = [item.receipt.version.etag for item in items] or [self.guest.company.version.etag]
        versions += [mail.version.etag for item in items for mail in item.mails]
        subject = json.dumps([self.guest.company.id, [item.receipt.baixa for item in items], address])
        return Purpose(name, subject, json.dumps(versions))

    def _offered(self, section: Section) -> Sequence[str]:
        """Return the acts of a reason that at least one of its receipts allows now."""
        now = self.guest.now
        return [name for name in section.words.acts if any(acts.may(name, item, now) for item in section.receipts)]

    async def _access(self) -> Access:
        return await self.oauth.access(self.guest.company.id)

    @property
    def _by(self) -> str:
        """Who acts, for the audit and the rows: the office, by its masked address."""
        return office_name(self.guest.company)

    @property
    def _forms(self) -> Forms:
        return Forms(keys=self.keys, clock=lambda: self.guest.now)


_ENDED_ACTS: Final[dict[str, tuple[str, ...]]] = {
    ReceiptState.SENT: ("resend", "correct"),
    ReceiptState.SKIPPED: ("release",),
    ReceiptState.COVERED: ("release",),
}
"""What can be done about a receipt that waits for nobody."""


def office_name(company: Company) -> str:
    """Return what an office is called in the audit."""
    return f"office {masked_address(company.contact)}"


def _known(items: Sequence[ReceiptView]) -> str:
    """Return the one address that these receipts were mailed to; empty if there is none, or several."""
    found = {mail.address for item in items for mail in item.mails if mail.address}
    return next(iter(found)) if len(found) == 1 else ""
