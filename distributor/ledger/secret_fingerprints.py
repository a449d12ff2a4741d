"""
The fingerprint of a shop's secret: what the ledger keeps instead of the secret, which is in no row, log or alarm.

scrypt makes each guess cost 16 MiB and some 50 ms, so a reader of the table does not find a weak secret
by trying; the ledger's own salt makes the same secret look different in another ledger. A process computes
each fingerprint once.

Source: RFC 7914 (scrypt); N = 2**14, r = 8 are its example for interactive use.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1
_BYTES, _ID_DIGITS = 16, 16

Name = TypeVar("Name")


def fingerprint(secret: str, salt: bytes) -> str:
    """Return the fingerprint of *secret* as 32 hex digits."""
    return hashlib.scrypt(
        secret.encode(), salt=salt, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, maxmem=64 * 2**20, dklen=_BYTES
    ).hex()


def secret_id(fingerprint: str) -> str:
    """Return what a person and a row's key call a secret: made of its fingerprint, which stays in the rows."""
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:_ID_DIGITS]


@dataclass(frozen=True, kw_only=True)
class SecretFingerprints:
    """The fingerprints of this ledger, computed off the event loop and kept for the life of the process."""

    salt: Callable[[], Awaitable[bytes]] = field(repr=False)
    """The ledger's salt; read once."""
    _known: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    async def of(self, secret: str) -> str:
        """Return the fingerprint of *secret*. Raises StoreUnavailable while the salt cannot be read."""
        if secret not in self._known:
            async with self._lock:
                await self._compute(secret)
        return self._known[secret]

    async def _compute(self, secret: str) -> None:
        if secret not in self._known:  # another request may have computed it while this one waited for the lock
            salt = await self.salt()
            self._known[secret] = await asyncio.to_thread(fingerprint, secret, salt)

    async def of_all(self, secrets: Mapping[Name, str]) -> Mapping[Name, str]:
        """Return the fingerprint of each secret, under its name."""
        return {name: await self.of(secret) for name, secret in secrets.items()}
