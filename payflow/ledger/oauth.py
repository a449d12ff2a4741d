"""Who signs in: invitations and sign-ins, found by the hash of what only the browser knows; the office's pages."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.codec import Codec
from foundation.tablestore.ports import UNSTORED, Rows
from payflow.access import Access
from payflow.connection import Invitation, SignIn
from payflow.ledger import keys
from payflow.model import CompanyId

WRITES_MAX: Final = 5
T = TypeVar("T")


def new_secret() -> str:
    """Return 32 random bytes as text for an address or a cookie."""
    return secrets.token_urlsafe(32)


def secret_digest(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class OAuthLedger:
    """The partition ``oauth``."""

    rows: Rows
    codec: Codec

    async def invitation(self, hashed: str) -> Invitation | None:
        row = await self.rows.get(keys.invitation(hashed))
        return self.codec.decode(Invitation, row) if row else None

    async def sign_in(self, hashed: str) -> SignIn | None:
        row = await self.rows.get(keys.sign_in(hashed))
        return self.codec.decode(SignIn, row) if row else None

    async def add_invitation(self, invitation: Invitation) -> None:
        write = AtomicWrite()
        write.put(keys.invitation(invitation.digest), self.codec.encode(invitation), UNSTORED)
        await commit(self.rows, write, marker_row=keys.invitation(invitation.digest))

    async def write_sign_in(self, sign_in: SignIn) -> SignIn:
        """Store a sign-in over the one it was read as; return it as stored. Raises Contention."""
        key, write = keys.sign_in(sign_in.digest), AtomicWrite()
        write.put(key, self.codec.encode(sign_in), sign_in.version)
        versions = await commit(self.rows, write, marker_row=key)
        return replace(sign_in, version=version_of(versions, key))

    async def access(self, company: CompanyId) -> Access:
        """Return what is known of a company's page; nothing yet when nobody asked for a code."""
        row = await self.rows.get(keys.access(company))
        return self.codec.decode(Access, row) if row else Access()

    async def write_access(self, company: CompanyId, access: Access) -> Access:
        """Store *access* over the one it was read as; return it as stored. Raises Contention."""
        key, write = keys.access(company), AtomicWrite()
        write.put(key, self.codec.encode(access), access.version)
        versions = await commit(self.rows, write, marker_row=key)
        return replace(access, version=version_of(versions, key))

    async def change_access(self, company: CompanyId, change: Callable[[Access], tuple[Access, T] | None]) -> T | None:
        """
        Store what *change* makes of a company's row, on its version, and return what it says.

        None, and nothing is stored, where it makes nothing. Raises Contention after five writes of others.
        """
        for _ in range(WRITES_MAX):
            changed = change(await self.access(company))
            if changed is None:
                return None
            try:
                await self.write_access(company, changed[0])
            except Contention:
                continue
            return changed[1]
        raise Contention(f"the page of company {company} is written without a pause")
