"""Advisory leases: they spare hosts the contention; conditional writes stay the guard."""

from __future__ import annotations

from dataclasses import dataclass, replace

from distributor.errors import Contention
from distributor.ledger import keys
from distributor.ledger.groups import Group, commit, version_of
from distributor.ledger.readings import find
from distributor.ledger.rows import write
from distributor.ports import Clock, Rows
from distributor.standing import Lease
from distributor.units import UnixMs


@dataclass(frozen=True, slots=True)
class Leases:
    """Who does what, by name; a lease ends by itself when its holder is gone."""

    rows: Rows
    clock: Clock

    async def find(self, name: str) -> Lease | None:
        return await find(self.rows, Lease, keys.lease(name))

    async def acquire(self, name: str, holder: str, *, ttl_ms: int) -> Lease | None:
        """Return the lease; None while another holder's is alive."""
        found = await self.find(name)
        if found and found.holder != holder and found.until_ms > self.clock():
            return None
        lease = replace(found, holder=holder) if found else Lease(name=name, holder=holder, until_ms=UnixMs(0))
        return await self.renew(lease, ttl_ms=ttl_ms)

    async def renew(self, lease: Lease, *, ttl_ms: int) -> Lease | None:
        """Return the lease with new time; None when another holder has taken it."""
        return await self._keep(replace(lease, until_ms=UnixMs(self.clock() + ttl_ms)))

    async def release(self, lease: Lease) -> None:
        """
        End a lease early, unless it was lost already.

        It is read anew: whoever holds it may have renewed it since *lease*, and a release that is
        refused for that would leave every other process waiting until it ends by itself.
        """
        found = await self.find(lease.name)
        if found is not None and found.holder == lease.holder:
            await self._keep(replace(found, until_ms=UnixMs(0)))

    async def _keep(self, lease: Lease) -> Lease | None:
        key = keys.lease(lease.name)
        group = Group()
        group.put(key, write(lease), lease.version)
        try:
            versions = await commit(self.rows, group, witness=key)
            return replace(lease, version=version_of(versions, key))
        except Contention:
            return None
