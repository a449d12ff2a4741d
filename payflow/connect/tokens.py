"""
The rotating refresh token of one company: renewed by one, lost by none.

Every renewal ends the refresh token it was asked with, so a new one that is lost costs the clinic a new sign-in. The
rules and their names are those of the model (P3):

1. The row is marked on the version it was read with, and only then the server is asked. The mark spares requests; a
   stale one is passed over.
2. An answer that is lost is asked for again at once, by the same worker: the old token may have a grace.
3. A new token goes to the rescue in the second account, then to the row (R3-4): a restore of the table never goes
   back a generation.
4. A newer generation is always saved, even if the row changed, and ends ``needs_reconnect`` (R3-1).
5. ``invalid_grant`` is no proof: row and rescue are read again first; a higher generation in either is taken, never a
   lower one (R3-3). Only the second refusal, a minute later, and only if the row is as our own mark left it, becomes
   ``needs_reconnect``, in one group with the token (R3-2).
6. Also while ``needs_reconnect`` is set, a rescue of a higher generation is taken (R3-5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

from foundation.clock import Clock, UnixMs
from foundation.errors import Contention, Transient
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.ports import UNSTORED, Rows
from payflow.connect.grants import Authorization, Grant, InvalidGrant
from payflow.connection import Token
from payflow.errors import ApiUnavailable, Unauthorized
from payflow.ledger import keys
from payflow.ledger.lane import LaneLedger
from payflow.state import Company, CompanyStatus

RENEW_MS: Final = 30 * 60_000
"""A token is renewed when it has less time left than this."""
USABLE_MS: Final = 60_000
"""An access token with less is not begun with."""
MARK_MS: Final = 120_000
"""A mark older than this is stale: its worker is gone."""
BELIEVED_MS: Final = 60_000
"""Between the first ``invalid_grant`` and the one that is believed."""
TRIES_MAX: Final = 20


@dataclass(slots=True)
class Tokens:
    """The ``AccessTokens`` of one company, over all instances."""

    ledger: LaneLedger
    rescue: Rows
    """The company's partition in the second account; its row ``token`` is the rescue."""
    server: Authorization
    clock: Clock
    tell: Callable[[str], None] = lambda _: None
    """Called with ``needs_reconnect`` when that begins, with ``rescue_unreachable`` when a rescue is not stored."""
    _kept: Token | None = field(default=None, repr=False)
    """The token as this lane saw it last, so that not each request reads the table."""

    async def current(self) -> str:
        """
        Return an access token that has some time left; renew it when that is little.

        Raises:
            Unauthorized: The clinic has to sign in again, and the last access token has ended.
            Transient: It cannot be renewed now, and the last one has ended.
        """
        if self._kept is None or self._kept.expires_ms - self.clock() <= RENEW_MS:
            self._kept = await self._newest()
        if self._kept and self._kept.expires_ms - self.clock() > RENEW_MS:
            return self._kept.access
        try:
            return await self.renew()
        except (Transient, Unauthorized):
            token = await self._newest()
            if token and token.expires_ms - self.clock() > USABLE_MS:
                return token.access
            raise

    async def renewed(self, refused: str) -> str:
        """Return another access token than *refused*. Raises Unauthorized or Transient when there is none now."""
        self._kept = None
        token = await self._newest()
        if token and token.access != refused:
            return token.access
        return await self.renew()

    async def renew(self) -> str:
        """
        Renew the token; return the new access token, or that of another worker who did.

        Raises:
            Unauthorized: Not connected, or ``needs_reconnect``.
            Contention: Another worker is at it.
            ApiUnavailable: No answer; the mark becomes stale, and the same token is asked with again.
        """
        token = await self._newest()
        if token is None or await self._needs_reconnect():
            raise Unauthorized
        if token.refused_ms and self.clock() - token.refused_ms < BELIEVED_MS:
            raise ApiUnavailable("Conta Azul refused the refresh token a moment ago; it is asked once more soon.")
        marked = await self._mark(token)
        try:
            grant = await self._ask(marked.refresh)
        except InvalidGrant:
            return await self._refused(marked)
        return (await self.save(grant, above=marked.generation)).access

    async def save(self, grant: Grant, *, above: int) -> Token:
        """Store a grant as the generation after *above*: in the rescue first, then in the row (R3-4, R3-1)."""
        token = Token(
            generation=above + 1,
            access=grant.access,
            refresh=grant.refresh,
            expires_ms=UnixMs(self.clock() + grant.expires_s * 1000),
            saved_ms=self.clock(),
        )
        await self._put_rescue(token)
        return await self._take(token)

    async def highest_generation(self) -> int:
        """Return the highest generation there is anywhere: a reconnection takes the one above it."""
        row, rescue = await self.ledger.read_token(), await self._rescue()
        return max(token.generation if token else 0 for token in (row, rescue))

    # Inside ------------------------------------------------------------------------------------------

    async def _newest(self) -> Token | None:
        """Return the token; a rescue of a higher generation is taken into the row first (R3-3, R3-5)."""
        row = await self.ledger.read_token()
        if row and row.expires_ms - self.clock() > RENEW_MS and not await self._needs_reconnect():
            return row  # in good order: the second account is not asked
        rescue = await self._rescue()
        if rescue and (row is None or rescue.generation > row.generation):
            return await self._take(rescue)
        return row

    async def _needs_reconnect(self) -> bool:
        company = await self.ledger.read_company()
        return company is not None and company.status is CompanyStatus.NEEDS_RECONNECT

    async def _mark(self, token: Token) -> Token:
        """Mark the row on the version it was read with. Raises Contention if another worker's mark is fresh."""
        now = self.clock()
        if token.refreshing and 0 <= now - token.refreshing_ms < MARK_MS:
            raise Contention("another worker renews the token")
        return await self._write(replace(token, refreshing=uuid4().hex, refreshing_ms=now))

    async def _ask(self, refresh: str) -> Grant:
        try:
            return await self.server.refresh(refresh)
        except ApiUnavailable:  # the server may have done it: its grace, if it has one, is short
            return await self.server.refresh(refresh)

    async def _refused(self, marked: Token) -> str:
        """Return another worker's access token; else remember the refusal, and believe the second (R3-2)."""
        newest = await self._newest()
        if newest and newest.generation > marked.generation:
            return newest.access
        now = self.clock()
        ended = replace(marked, refreshing="", refreshing_ms=UnixMs(0), refused_ms=marked.refused_ms or now)
        if not marked.refused_ms:
            await self._write(ended)
            raise ApiUnavailable("Conta Azul refused the refresh token; it is asked once more in a minute.")
        company = await self.ledger.read_company()
        lost = replace(company, status=CompanyStatus.NEEDS_RECONNECT, status_ms=now) if company else None
        await self._write(ended, company=lost)
        self.tell(CompanyStatus.NEEDS_RECONNECT)
        raise Unauthorized

    async def _take(self, token: Token) -> Token:
        """Write *token* over any lower generation, and end ``needs_reconnect`` with it (R3-1)."""
        for _ in range(TRIES_MAX):
            row, company = await self.ledger.read_token(), await self.ledger.read_company()
            if row and row.generation >= token.generation:
                return row
            fresh = replace(token, refreshing="", refused_ms=UnixMs(0), version=row.version if row else UNSTORED)
            try:
                return await self._write(fresh, company=_connected(company, self.clock()))
            except Contention:
                continue
        raise Contention("the token's row is written without a pause")

    async def _write(self, token: Token, *, company: Company | None = None) -> Token:
        write = AtomicWrite()
        write.put(keys.TOKEN, self.ledger.codec.encode(token), token.version)
        if company:
            write.put(keys.COMPANY, self.ledger.codec.encode(company), company.version)
        versions = await commit(self.ledger.rows, write, marker_row=keys.TOKEN)
        return replace(token, version=version_of(versions, keys.TOKEN))

    async def _rescue(self) -> Token | None:
        row = await self.rescue.get(keys.TOKEN)
        return self.ledger.codec.decode(Token, row) if row else None

    async def _put_rescue(self, token: Token) -> None:
        """Store the rescue unless a higher generation is there. Unreachable: the row is written all the same."""
        for _ in range(TRIES_MAX):
            try:
                found = await self._rescue()
                if found and found.generation >= token.generation:
                    return
                write = AtomicWrite()
                version = found.version if found else UNSTORED
                write.put(keys.TOKEN, self.ledger.codec.encode(token), version)
                await commit(self.rescue, write, marker_row=keys.TOKEN)
            except Contention:
                continue
            except Transient:
                self.tell("rescue_unreachable")
            return


def _connected(company: Company | None, now: UnixMs) -> Company | None:
    """Return the company's row without ``needs_reconnect``; None when there is nothing to write."""
    if company is None or company.status is not CompanyStatus.NEEDS_RECONNECT:
        return None
    return replace(company, status=CompanyStatus.ACTIVE, status_ms=now)
