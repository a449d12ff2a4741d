"""What the pages show. No reading grows with the years: each is a row, a bounded page of rows, or a bounded index."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from foundation.console.acting import Sorry
from foundation.errors import ConfigurationError, StoreUnavailable
from foundation.tablestore.leases import Leases
from foundation.version import version
from payflow.console import acts, queries
from payflow.console.charts import Say, charts
from payflow.console.parts import Parts
from payflow.console.subjects import NO_RECEIPT, Name, Subject, company_of_lane, subject_of
from payflow.console.words import STATES, STATUSES
from payflow.delivery.auditing import WHY
from payflow.ledger import backup, days, keys, listing, schema
from payflow.model import CompanyId
from payflow.office.words import MAILS
from payflow.progress import Entry
from payflow.state import Receipt, ReceiptState

COMPANIES_SHOWN: Final = 50
QUEUES: Final = ("payflow-lanes", "payflow-office")
_PROGRAM: Final = "python3 -m payflow"
_NOTIFIER: Final = "alarms"


@dataclass(frozen=True, kw_only=True, slots=True)
class Views:
    """The readings behind the pages, for one language."""

    parts: Parts
    language: str
    say: Say

    async def home(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the companies, a page of them, and the alarms that stand."""
        found = await self.parts.entries.page(query.get("after", ""), limit=COMPANIES_SHOWN)
        return {
            "companies": await asyncio.gather(*map(self._line, found)),
            "more": found[-1].company if len(found) == COMPANIES_SHOWN else "",
            "alarms": await self._alarms(),
            "statuses": STATUSES,
        }

    async def company(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return one company: its connection, its looks, what waits, its last backup, its thirty days."""
        now, name = self.parts.clock(), Name.read(query.get("id", ""))
        lane = self.parts.lane(name.company)
        company = await company_of_lane(self.parts.entries, lane)
        lease = await self._lease(lane.rows, f"lane:{company.id}")
        return {
            "company": company,
            "token": await lane.read_token(),
            "cursor": await lane.read_cursor(),
            "waiting": await lane.waiting(),
            "entry": await self.parts.entries.get(company.id),
            "backup_ms": await backup.noted(lane.rows),
            "lease": lease,
            "charts": charts(await days.last_days(lane, now), self.language, self.say),
            "possible": acts.possible(Subject(lane=lane, company=company), now),
            "lines": _company_lines(company.id),
            "statuses": STATUSES,
            "now": now,
        }

    async def receipts(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return a page of a company's receipts, the newest first; without a company only the search."""
        asked = queries.read_query(query)
        found = await self.parts.entries.page("", limit=COMPANIES_SHOWN)
        chosen = asked.fields["company"] or (found[0].company if len(found) == 1 else "")
        shown: dict[str, Any] = {
            "asked": {**asked.fields, "company": chosen},
            "companies": [entry.company for entry in found],
            "states": STATES,
            "receipts": [],
            "next": None,
            "whole": True,
        }
        if not chosen:
            return shown
        lane = self.parts.lane(Name.read(chosen).company)
        await company_of_lane(self.parts.entries, lane)
        page = await listing.receipt_page(lane, asked.wish)
        following = {**shown["asked"], "after": page.after} if page.after else None
        return shown | {
            "receipts": page.receipts,
            "next": {name: value for name, value in following.items() if value} if following else None,
            "whole": await listing.is_whole(lane),
        }

    async def receipt(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return one receipt: its payment, its document, its mails, and what was decided about it."""
        name = Name.read(f"{query.get('company', '')}:{query.get('id', '')}")
        found = await subject_of(self.parts.entries, self.parts.lane(name.company), name)
        if found.receipt is None:
            raise Sorry(404, NO_RECEIPT)
        return {
            "subject": found,
            "receipt": found.receipt,
            "name": f"{name.company}:{name.baixa}",
            "states": STATES,
            "mails": MAILS,
            "possible": acts.possible(found, self.parts.clock()),
            "decisions": await self._decisions(name),
            "lines": _receipt_lines(found.receipt),
        }

    async def sender(self, _: Mapping[str, str]) -> dict[str, Any]:
        """Return the mail account: slots, counts, who waits, and since when and why it has stopped."""
        desk, wrong = self.parts.bare_desk, ""
        try:
            desk = await self.parts.desk()
        except ConfigurationError as error:
            wrong = str(error)
        slots = [f"sender:{number}" for number in range(1, desk.limits.connections + 1)]
        return {
            "account": await desk.account(),
            "waiting": await desk.waiting(),
            "limits": desk.limits,
            "slots": [(slot, await self._lease(desk.rows, slot)) for slot in slots],
            "wrong": wrong,
            "lines": (f"{_PROGRAM} sender --probe-now",),
        }

    async def machinery(self, _: Mapping[str, str]) -> dict[str, Any]:
        """Return queues, the notifier's lease, version and installation."""
        names = [name for queue in QUEUES for name in (queue, f"{queue}-poison")]
        counts = await asyncio.gather(*map(self._count, names))
        register = self.parts.register
        return {
            "queues": dict(zip(names, counts, strict=True)),
            "environment": self.parts.environment,
            "ledger_id": self.parts.ledger_id,
            "version": version(),
            "level": await self.parts.level(),
            "known": schema.LEVEL,
            "lease": await self._lease(register.rows, _NOTIFIER),
            "alarms": await self._alarms(),
        }

    # Inside ------------------------------------------------------------------------------------------

    async def _line(self, entry: Entry) -> dict[str, Any]:
        lane = self.parts.lane(entry.company)
        company, token = await asyncio.gather(lane.read_company(), lane.read_token())
        return {"entry": entry, "company": company, "token": token}

    async def _alarms(self) -> Sequence[dict[str, Any]]:
        """Return the active alarms, as the last sweep saw them, the worst first, each with what to do."""
        register = self.parts.register
        return [
            {"told": told, "kind": (kind := register.catalogue.find(told.code)), "text": kind.texts[self._code]}
            for told in await register.standing()
        ]

    @property
    def _code(self) -> Any:
        return "pt" if self.language == "pt" else "en"

    async def _decisions(self, name: Name) -> Sequence[dict[str, Any]]:
        """Return who decided what about a payment, the oldest first."""
        found = await self.parts.decisions.recorded(keys.audit_prefix(name.company, str(name.baixa)))
        return [{**one, WHY: self.parts.opened(name.company, str(one[WHY])) if one.get(WHY) else ""} for one in found]

    async def _lease(self, rows: Any, name: str) -> Any:
        lease = await Leases(rows, self.parts.clock).find(name)
        return lease if lease and lease.is_alive(self.parts.clock()) else None

    async def _count(self, queue: str) -> int | None:
        """Return how many messages wait in a queue; None where the account does not say."""
        try:
            return await self.parts.waiting_messages(queue)
        except StoreUnavailable:
            return None


def _company_lines(company: CompanyId) -> Sequence[str]:
    """Return the commands for what is only on the command line, ready to copy."""
    return (
        f"{_PROGRAM} pause {company} --wait",
        f"{_PROGRAM} invite --company {company}",
        f"{_PROGRAM} backup {company} FILE",
        f"{_PROGRAM} disconnect {company}",
    )


def _receipt_lines(receipt: Receipt) -> Sequence[str]:
    """Return the commands that show a receipt in a terminal, and that take an address."""
    lines = [f"{_PROGRAM} show {receipt.company} {receipt.baixa}"]
    if receipt.state in (ReceiptState.SENT, ReceiptState.REFUSED):
        lines.append(f"{_PROGRAM} resend {receipt.company} {receipt.baixa} --to ADDRESS")
    if receipt.state is ReceiptState.SENT and not receipt.gone:
        lines.append(f"{_PROGRAM} resend {receipt.company} {receipt.baixa} --correction --reason WHY")
    return lines
