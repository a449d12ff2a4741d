"""How a clinic lets PayFlow ask Conta Azul: invitation, sign-in, and the token that comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from foundation.clock import UnixMs
from foundation.tablestore.ports import UNSTORED, Version


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """The connection of one company. Every renewal gives a new refresh token and ends the old one."""

    generation: int
    """Rises with each renewal and each reconnection; a higher one is always the right one."""
    access: str = field(repr=False)
    """Sealed in the row."""
    refresh: str = field(repr=False)
    """Sealed in the row."""
    expires_ms: UnixMs
    """When the access token ends."""
    refreshing: str = ""
    """The mark of the worker that asks for a renewal; it spares requests and is not what keeps the token."""
    refreshing_ms: UnixMs = UnixMs(0)
    refused_ms: UnixMs = UnixMs(0)
    """When Conta Azul first called this refresh token invalid; 0 if it never did."""
    saved_ms: UnixMs = UnixMs(0)
    """When this generation came; 0 in rows of versions that did not store it."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Invitation:
    """A link for one clinic to connect with; only its hash is stored."""

    digest: str
    document: str
    """The CNPJ or CPF that must sign in, digits only; empty: the operator confirms afterwards. Sealed in the row."""
    company: str
    """``id_empresa`` that must sign in again, for a reconnection; empty for a new company."""
    expires_ms: UnixMs
    made_by: str
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """One sign-in that was begun: its ``state``, the browser it belongs to, and what came of it."""

    digest: str
    invitation: str
    """Digest of its invitation."""
    browser: str
    """Digest of the cookie that was given to the browser."""
    expires_ms: UnixMs
    result: str = ""
    """Empty until the state is consumed, which happens before the code is exchanged."""
    office: str = ""
    """``id_empresa`` of the company that was connected, if its office has a page; empty in rows of versions before."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)
