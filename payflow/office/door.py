"""
How an office comes in: a one-time code, mailed to the contact of its company.

1. A browser asks, by a button: a link that is only opened, by a mail scanner too, changes nothing. It gets a cookie,
   and the ask is stored with the cookie's digest. The answer is the same for every address, known or not, and
   takes as long, so that nobody learns which companies there are.
2. A worker makes the code, stores its blind index, and then mails it: a stranger reads no code in the rows.
3. The code opens for the browser that asked for it, once, within ten minutes and five tries. It is taken out of the
   row, on the row's version, before anybody is signed in: of two posts with one code, one finds it.
4. A session is a signed cookie of one company. It ends by time, when the contact changes, and when the operator raises
   the row's epoch.

Codes are bounded by company: six an hour, twenty a day. Who knows a company's id can use them up, and mail the contact
so often; they cannot guess one code in a hundred million within the tries.
"""

from __future__ import annotations

import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from foundation import logs
from foundation.clock import Clock, Sleep, UnixMs
from foundation.console.sessions import ConsoleSession, Role, Sessions, TokenHolder
from payflow.access import Access, Ask
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.ledger.oauth import OAuthLedger, secret_digest
from payflow.model import CompanyId
from payflow.state import Company, CompanyStatus

CODE_MS: Final = 10 * 60_000
DIGITS: Final = 8
TRIES_MAX: Final = 5
ASKS_MAX: Final = 5
"""Browsers of one company that may wait for a code at the same time."""
AGAIN_MS: Final = 60_000
"""The same browser asks again: its code is on the way."""
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
AN_HOUR, A_DAY = 6, 20
EVEN_MS: Final = 1_000
"""What asking takes, for every address, known or not."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class OfficeSignIn:
    """The use case. Every method raises StoreUnavailable; one that writes raises Contention after five tries."""

    oauth: OAuthLedger
    entries: Entries
    lane: Callable[[CompanyId], LaneLedger]
    keys: list[str]
    """What signs sessions, the newest first."""
    clock: Clock
    sleep: Sleep

    @staticmethod
    def is_id(asked: str) -> bool:
        """Say whether *asked* can be a company's id: letters, digits, ``-`` and ``_`` alone."""
        return _ID.fullmatch(asked) is not None

    async def company(self, asked: str) -> Company | None:
        """Return the company that *asked* names and that has an office; None for every other text."""
        if not self.is_id(asked) or await self.entries.get(CompanyId(asked)) is None:
            return None
        found = await self.lane(CompanyId(asked)).read_company()
        return found if found and found.contact and found.status is not CompanyStatus.DISCONNECTED else None

    async def sessions(self, company: Company) -> Sessions:
        """Return the sessions of a company: those of another contact, or of an epoch before, are none."""
        epoch = (await self.oauth.access(company.id)).epoch
        token = f"{epoch}\0{company.contact}"
        person = TokenHolder(name=company.id, role=Role.OPERATOR, token=token)
        return Sessions(keys=self.keys, people={company.id: person}, clock=self.clock)

    async def ask(self, asked: str, browser: str) -> bool:
        """Store that *browser* wants a code; say whether there is one to mail. Takes a second for everybody."""
        began_ms = self.clock()
        company = await self.company(asked)
        wanted = (
            await self.oauth.change_access(company.id, lambda access: self._asked(access, browser)) if company else None
        )
        if company and wanted is None:
            logs.warning(_log, "office_code_not_asked", company=company.id)
        await self.sleep(max(0, EVEN_MS - (self.clock() - began_ms)) / 1000)
        return wanted is not None

    async def mail_codes(self, company: CompanyId, post: Callable[[Company, str], Awaitable[bool]]) -> int:
        """Make a code for each browser that waits for one, and mail it; return how many the mail server took."""
        found, taken = await self.company(company), 0
        while found and (code := await self._next_code(found.id)):
            taken += await post(found, code)
        return taken

    async def enter(self, company: Company, browser: str, code: str, language: str) -> ConsoleSession | None:
        """Return a new session, if *code* is the one that was mailed for this *browser*; it is used up then."""
        right = await self.oauth.change_access(
            company.id, lambda access: self._tried(company.id, access, browser, code)
        )
        if not right:
            logs.warning(_log, "office_sign_in_refused", company=company.id)
            return None
        logs.info(_log, "office_signed_in", company=company.id)
        sessions = await self.sessions(company)
        return sessions.begin(sessions.people[company.id], language)

    # Inside ------------------------------------------------------------------------------------------

    async def _next_code(self, company: CompanyId) -> str:
        """Store the index of a new code for the next browser that waits; return the code, empty when none waits."""
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
        return code if await self.oauth.change_access(company, lambda access: self._made(company, access, code)) else ""

    def _asked(self, access: Access, browser: str) -> tuple[Access, bool] | None:
        now, mine = self.clock(), secret_digest(browser)
        recent = tuple(at for at in access.asked if now - at < DAY_MS)
        this_hour = sum(now - at < HOUR_MS for at in recent)
        waits = [ask for ask in access.asks if ask.browser == mine and now - ask.asked_ms < AGAIN_MS]
        if waits or this_hour >= AN_HOUR or len(recent) >= A_DAY:
            return None
        others = tuple(ask for ask in self._open(access) if ask.browser != mine)
        asks = (*others[-ASKS_MAX + 1 :], Ask(browser=mine, asked_ms=now))
        return replace(access, asks=asks, asked=(*recent, now)), True

    def _made(self, company: CompanyId, access: Access, code: str) -> tuple[Access, bool] | None:
        asks = self._open(access)
        waits = next((ask for ask in asks if not ask.code), None)
        if waits is None:
            return None
        name = self._name(company, waits.browser, code)
        ready = replace(waits, code=name, expires_ms=UnixMs(self.clock() + CODE_MS))
        return replace(access, asks=tuple(ready if ask is waits else ask for ask in asks)), True

    def _tried(self, company: CompanyId, access: Access, browser: str, code: str) -> tuple[Access, bool] | None:
        mine = secret_digest(browser)
        found = next((ask for ask in self._open(access) if ask.browser == mine and ask.code), None)
        if found is None or found.tries >= TRIES_MAX:
            return None
        right = hmac.compare_digest(found.code, self._name(company, mine, code))
        others = tuple(ask for ask in access.asks if ask != found)
        kept = others if right else (*others, replace(found, tries=found.tries + 1))
        return replace(access, asks=kept), right

    def _open(self, access: Access) -> tuple[Ask, ...]:
        """Return the asks whose time is not over: that of the code, or that to make one."""
        now = self.clock()
        return tuple(ask for ask in access.asks if now < (ask.expires_ms or ask.asked_ms + CODE_MS))

    def _name(self, company: CompanyId, browser: str, code: str) -> str:
        return self.lane(company).index.of(f"office code|{company}|{browser}|{code}")
