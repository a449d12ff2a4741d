"""
A mail to the office when something waits for it: at most one a day, on a working day, while an office is open.

The timer asks each minute and is answered each ten, so that a company costs few reads. The mail is marked when it is
tried, and again when the mail server took it: one that was not taken is tried again after half an hour.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from foundation import logs
from foundation.clock import Clock, UnixMs
from foundation.errors import InvariantBroken
from payflow.access import Access
from payflow.conta_azul.values import SAO_PAULO
from payflow.model import CompanyId
from payflow.office import views
from payflow.office.door import OfficeSignIn
from payflow.office.language import PORTUGUESE, messages
from payflow.office.letters import changed
from payflow.office.words import WAITING_DOCUMENT
from payflow.state import After, Company, CompanyStatus

FROM_HOUR, UNTIL_HOUR = 8, 20
EACH_MIN: Final = 10
RETRY_MS: Final = 30 * 60_000
_SATURDAY: Final = 5
_FLAGS: Final = frozenset({str(After.CHANGED), str(After.UNDONE)})

_log = logging.getLogger(__name__)

Post = Callable[[Company, Mapping[str, int], Sequence[str]], Awaitable[bool]]
"""
Mails a company how many receipts wait, by the titles of their reasons, and what changed of those that were mailed.

It says whether the mail server took it.
"""
CHANGES_MAX: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Digests:
    """The use case. Every method raises StoreUnavailable."""

    door: OfficeSignIn
    clock: Clock

    async def due(self) -> Sequence[CompanyId]:
        """Return the companies whose office is to be told now."""
        moment = _local(self.clock())
        if moment.minute % EACH_MIN or not _is_open(moment):
            return []
        entries = await self.door.entries.all()
        return [entry.company for entry in entries if await self._is_due(entry.company)]

    async def mail(self, company: CompanyId, post: Post) -> bool:
        """Tell the office of *company*, if it is due; say whether the mail server took the mail."""
        waits = await self._waits(company) if _is_open(_local(self.clock())) else None
        if waits is None or not await self.door.oauth.change_access(company, self._tried):
            return False
        if not await post(*waits):
            return False
        await self.door.oauth.change_access(company, lambda access: (replace(access, digest_ms=self.clock()), True))
        return True

    # Inside ------------------------------------------------------------------------------------------

    async def _is_due(self, company: CompanyId) -> bool:
        """Say whether an office is to be told; of a company whose row cannot be read it is not, and that is logged."""
        try:
            return await self._waits(company) is not None
        except InvariantBroken as error:
            logs.error(_log, "row_unreadable", company=company, detail=str(error))
            return False

    async def _waits(self, company: CompanyId) -> tuple[Company, Mapping[str, int], Sequence[str]] | None:
        """Return a company and what waits for its office; None if nothing does, or if it has been told."""
        if self._tried(await self.door.oauth.access(company)) is None:
            return None
        found = await self.door.company(company)
        if found is None or found.status is CompanyStatus.CONFIRM:
            return None
        sections = (await views.office_backlog(self.door.lane(company))).sections
        said = messages(PORTUGUESE).gettext
        counts = {said(one.words.title): len(one.receipts) for one in sections if one.key != WAITING_DOCUMENT}
        changes = [changed(one.receipt) for each in sections if each.key in _FLAGS for one in each.receipts]
        return (found, counts, changes[:CHANGES_MAX]) if counts else None

    def _tried(self, access: Access) -> tuple[Access, bool] | None:
        """Return the row with this try in it; None if today's digest went out, or was tried a moment ago."""
        now = self.clock()
        told_today = _local(access.digest_ms).date() == _local(now).date()
        if told_today or now - access.digest_tried_ms < RETRY_MS:
            return None
        return replace(access, digest_tried_ms=now), True


def _local(at_ms: UnixMs) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, SAO_PAULO)


def _is_open(moment: datetime) -> bool:
    return moment.weekday() < _SATURDAY and FROM_HOUR <= moment.hour < UNTIL_HOUR
