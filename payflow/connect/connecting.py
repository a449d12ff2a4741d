"""
From an invitation to a connected company.

1. The invitation's page begins with a button: a link that is only opened, by a mail scanner too, changes nothing.
2. The button stores a sign-in: the hash of ``state`` and of a cookie, so that the answer is taken only from the
   browser that asked (a stranger's sign-in cannot be slipped to a clinic).
3. The answer consumes the state before the code is exchanged: of two answers, one is worked. A reload shows what
   came of it.
4. What signed in must be what was invited: the document of the invitation, or the company that reconnects.
5. The clinic's send log becomes this ledger's; it may be another deployment's, and then nothing is stored.
6. Company, then token: rescue, row (see ``tokens``). A reconnection keeps the company's history.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol
from urllib.parse import urlencode

from foundation import logs
from foundation.clock import Clock, UnixMs
from foundation.errors import Contention, Rejected, ServiceError
from payflow.connect.grants import Authorization, Grant
from payflow.connect.tokens import Tokens
from payflow.connection import Invitation, SignIn
from payflow.errors import ServedElsewhere
from payflow.ledger.lane import LaneLedger
from payflow.ledger.oauth import OAuthLedger, new_secret, secret_digest
from payflow.model import Account, CompanyId
from payflow.state import Company, CompanyStatus

_log = logging.getLogger(__name__)

INVITATION_MS: Final = 24 * 3_600_000
SIGN_IN_MS: Final = 10 * 60_000
SCOPE: Final = "openid profile aws.cognito.signin.user.admin"
_STAYS: Final = frozenset({CompanyStatus.PAUSED, CompanyStatus.CONFIRM, CompanyStatus.ELSEWHERE})
"""A reconnection does not end a pause, nor what the operator has to confirm."""
_WAITS: Final = frozenset({CompanyStatus.CONFIRM, CompanyStatus.ELSEWHERE})
"""Connected, and yet the operator has to do something first."""


class ConnectOutcome(StrEnum):
    """What came of a sign-in."""

    CONNECTED = "connected"
    CONFIRM = "confirm"
    """Connected; nothing is sent before the operator has confirmed the company."""
    DENIED = "denied"
    """The person, or Conta Azul, said no."""
    WRONG_COMPANY = "wrong_company"
    ELSEWHERE = "elsewhere"
    """Another deployment serves this clinic. Nothing was stored."""
    FAILED = "failed"
    """No answer from Conta Azul, or a code that was used up."""
    WORKING = "working"
    """The answer is being worked, perhaps by a process that died: to be begun again."""


class NoSuchInvitation(Rejected):
    """The invitation does not exist or has expired."""


class NoSuchSignIn(Rejected):
    """The sign-in does not exist, has expired, or belongs to another browser."""


class Partitions(Protocol):
    """What belongs to one company."""

    def lane(self, company: CompanyId) -> LaneLedger: ...

    def tokens(self, company: CompanyId) -> Tokens: ...

    async def claim(self, company: CompanyId) -> None:
        """Make this the deployment that serves the company. Raises ServedElsewhere, SendLogUnavailable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BegunSignIn:
    """Where the browser goes, and the cookie it takes along."""

    location: str
    cookie: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthorizationResponse:
    """What comes back from Conta Azul, by way of the browser."""

    state: str = field(repr=False)
    cookie: str = field(repr=False)
    code: str = field(default="", repr=False)
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connecting:
    """The use case."""

    oauth: OAuthLedger
    partitions: Partitions
    server: Authorization
    account_of: Callable[[str], Awaitable[Account]]
    """Asks which company an access token belongs to."""
    clock: Clock
    authorize_url: str
    client_id: str
    redirect_uri: str

    async def invite(self, *, document: str = "", company: str = "", by: str) -> str:
        """Store an invitation for 24 hours; return its secret, which is nowhere else."""
        secret = new_secret()
        await self.oauth.add_invitation(
            Invitation(
                digest=secret_digest(secret),
                document=document,
                company=company,
                expires_ms=UnixMs(self.clock() + INVITATION_MS),
                made_by=by,
            )
        )
        return secret

    async def check(self, secret: str) -> Invitation:
        """Return the invitation. Raises NoSuchInvitation."""
        found = await self.oauth.invitation(secret_digest(secret))
        if found is None or found.expires_ms <= self.clock():
            raise NoSuchInvitation
        return found

    async def begin(self, secret: str) -> BegunSignIn:
        """Store a sign-in; return where it goes on. Raises NoSuchInvitation."""
        invitation, state, cookie = await self.check(secret), new_secret(), new_secret()
        await self.oauth.write_sign_in(
            SignIn(
                digest=secret_digest(state),
                invitation=invitation.digest,
                browser=secret_digest(cookie),
                expires_ms=UnixMs(self.clock() + SIGN_IN_MS),
            )
        )
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": state,
        }
        return BegunSignIn(location=f"{self.authorize_url}?{urlencode(query)}", cookie=cookie)

    async def finish(self, back: AuthorizationResponse) -> ConnectOutcome:
        """
        Work the answer once; a reload gets the same outcome.

        Raises:
            NoSuchSignIn: Unknown, expired, or another browser's.
        """
        found = await self.oauth.sign_in(secret_digest(back.state))
        if found is None or not hmac.compare_digest(found.browser, secret_digest(back.cookie)):
            raise NoSuchSignIn
        if found.result:
            return ConnectOutcome(found.result)
        if found.expires_ms <= self.clock():
            raise NoSuchSignIn
        try:
            consumed = await self.oauth.write_sign_in(replace(found, result=ConnectOutcome.WORKING))
        except Contention:
            return ConnectOutcome.WORKING
        outcome, company = await self._work(consumed, back)
        office = company.id if company and company.contact else ""
        await self.oauth.write_sign_in(replace(consumed, result=outcome, office=office))
        return outcome

    async def office(self, back: AuthorizationResponse) -> str:
        """Return which company's office has a page, of a sign-in that ``finish`` has worked; empty if none has."""
        found = await self.oauth.sign_in(secret_digest(back.state))
        return found.office if found else ""

    async def _work(self, sign_in: SignIn, back: AuthorizationResponse) -> tuple[ConnectOutcome, Company | None]:
        invitation = await self.oauth.invitation(sign_in.invitation)
        if back.error or not back.code or invitation is None:
            return ConnectOutcome.DENIED, None
        try:
            grant = await self.server.exchange(back.code)
            account = await self.account_of(grant.access)
            if not _is_invited(invitation, account):
                return ConnectOutcome.WRONG_COMPANY, None
            await self.partitions.claim(account.company)
            company = await self._connect(invitation, account, grant)
        except ServedElsewhere as other:
            logs.error(_log, "served_elsewhere", where=other.where)
            return ConnectOutcome.ELSEWHERE, None
        except ServiceError as error:  # of Conta Azul or of the ledger: the person begins again
            logs.warning(_log, "connect_failed", error=type(error).__name__)
            return ConnectOutcome.FAILED, None
        return ConnectOutcome.CONFIRM if company.status in _WAITS else ConnectOutcome.CONNECTED, company

    async def _connect(self, invitation: Invitation, account: Account, grant: Grant) -> Company:
        """Store entry, company, token: a token without a company is nobody's, and a change of keys goes by entries."""
        lane, tokens = self.partitions.lane(account.company), self.partitions.tokens(account.company)
        await lane.entries.lower(account.company, self.clock())
        known = await lane.read_company()
        company = await lane.write_company(self._again(known, account) if known else self._new(invitation, account))
        await tokens.save(grant, above=await tokens.highest_generation())
        await lane.entries.lower(account.company, self.clock(), company.status)
        return company

    def _new(self, invitation: Invitation, account: Account) -> Company:
        now = self.clock()
        return Company(
            id=account.company,
            status=CompanyStatus.ACTIVE if invitation.document else CompanyStatus.CONFIRM,
            document=account.document,
            name=account.trade_name or account.legal_name,
            contact=account.email,
            connected_ms=now,
            baseline_ms=now,
            status_ms=now,
        )

    def _again(self, known: Company, account: Account) -> Company:
        status = known.status if known.status in _STAYS else CompanyStatus.ACTIVE
        if (
            known.status is CompanyStatus.DISCONNECTED
        ):  # another deployment may have mailed since: `resume` asks the log
            status = CompanyStatus.ELSEWHERE
        name = account.trade_name or account.legal_name
        return replace(known, status=status, name=name, document=account.document, status_ms=self.clock())


def _is_invited(invitation: Invitation, account: Account) -> bool:
    if invitation.company and invitation.company != account.company:
        return False
    return not invitation.document or invitation.document == account.document
