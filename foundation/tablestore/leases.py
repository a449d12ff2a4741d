"""
Advisory leases: they spare hosts the contention; conditional writes stay the guard.

A lease is a row. Its end is a time of the holder's clock, so it is never believed beyond the longest
term anybody asks for: a clock that runs an hour ahead would else stop all work for an hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from foundation.clock import Clock, UnixMs
from foundation.errors import Contention, require
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.codec import Codec, Record, number, text
from foundation.tablestore.ports import UNSTORED, Rows, Version

TERM_MS_MAX = 120_000
"""The longest term of any lease; a row that ends later than this from now was written by a wrong clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Work that one holder does alone until *until_ms*, unless it renews."""

    name: str
    holder: str
    until_ms: UnixMs
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    def is_alive(self, now: UnixMs) -> bool:
        """Say whether the holder is believed: not ended, and not longer than any term is."""
        return now < self.until_ms <= now + TERM_MS_MAX


LEASE = Record(Lease, (text("name"), text("holder"), number("until_ms")))
_CODEC = Codec([LEASE])


def lease_key(name: str) -> str:
    """Return the key of the lease *name*."""
    return f"lease:{name}"


@dataclass(frozen=True, slots=True)
class Leases:
    """Who does what, by name; a lease ends by itself when its holder is gone."""

    rows: Rows
    clock: Clock

    async def find(self, name: str) -> Lease | None:
        """Return the lease as it was last written, alive or not."""
        row = await self.rows.get(lease_key(name))
        return _CODEC.decode(Lease, row) if row else None

    async def acquire(self, name: str, holder: str, *, ttl_ms: int) -> Lease | None:
        """Return the lease; None while another holder's is alive."""
        found = await self.find(name)
        if found and found.holder != holder and found.is_alive(self.clock()):
            return None
        lease = replace(found, holder=holder) if found else Lease(name=name, holder=holder, until_ms=UnixMs(0))
        return await self.renew(lease, ttl_ms=ttl_ms)

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease | None:
        """Return the lease with new time; None if another holder has taken it."""
        require(0 < ttl_ms <= TERM_MS_MAX, f"lease {lease.name} is asked for {ttl_ms} ms")
        return await self._keep(replace(lease, until_ms=UnixMs(self.clock() + ttl_ms)))

    async def release(self, lease: Lease) -> None:
        """
        End a lease early, unless it was lost already.

        It is read anew: its holder may have renewed it since *lease*, and a release that is refused for
        that would leave every other process waiting until it ends by itself.
        """
        found = await self.find(lease.name)
        if found is not None and found.holder == lease.holder:
            await self._keep(replace(found, until_ms=UnixMs(0)))

    async def _keep(self, lease: Lease) -> Lease | None:
        key = lease_key(lease.name)
        write = AtomicWrite()
        write.put(key, _CODEC.encode(lease), lease.version)
        try:
            versions = await commit(self.rows, write, marker_row=key)
            return replace(lease, version=version_of(versions, key))
        except Contention:
            return None
