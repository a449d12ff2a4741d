"""
The addresses that are the service's own, by the ledger: its operators, and what it once paid through or from.

No customer has one of them. Tokens sent to a hot key or to a guard of before are not lost, and no order was
meant to be paid there: it is a mistake, or somebody who wants to see what happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.records import FormerParty
from distributor.ledger.signs import OPERATORS_MAX
from distributor.model import Address
from distributor.state import Identity
from foundation.clock import Clock, UnixMs
from foundation.errors import InvariantBroken
from foundation.tablestore.atomic import AtomicWrite
from foundation.tablestore.ports import Rows
from foundation.tablestore.queries import past

KEPT_MS = 60_000
"""For how long what was read is believed: operators and contracts change a few times in a ledger's life."""


async def former_parties(rows: Rows) -> Sequence[FormerParty]:
    """Return what the identity once named, by kind and address; a row that cannot be read is left out."""
    found = []
    for row in await rows.scan(keys.FORMER, past(keys.FORMER), limit=OPERATORS_MAX):
        try:
            found.append(decode(FormerParty, row))
        except InvariantBroken:  # a newer version's: its key still names the address, see ``OwnAddresses``
            continue
    return found


async def keep_former(rows: Rows, group: AtomicWrite, before: Identity, after: Identity, now: UnixMs) -> None:
    """Let *group*, which changes the identity, also keep each address that leaves it."""
    for kind in ("guard", "authority", "reserve", "token"):
        address: Address | None = getattr(before, kind)
        if address is None or address == getattr(after, kind):
            continue
        key = keys.former(kind, address)
        if await rows.get(key) is None:
            group.insert(key, encode(FormerParty(kind=kind, address=address, at_ms=now)))


@dataclass(slots=True)
class OwnAddresses:
    """Read at most once a minute in each process. Raises StoreUnavailable."""

    rows: Rows
    clock: Clock
    _known: frozenset[Address] = field(default=frozenset(), init=False)
    _read_ms: UnixMs | None = field(default=None, init=False)

    async def all(self) -> frozenset[Address]:
        """Return every operator there ever was, and every former guard, authority, reserve and token."""
        now = self.clock()
        if self._read_ms is None or not 0 <= now - self._read_ms < KEPT_MS:
            operators, former = await asyncio.gather(self._keys(keys.NONCES), self._keys(keys.FORMER))
            self._known, self._read_ms = frozenset({*operators, *former}), now
        return self._known

    async def _keys(self, prefix: str) -> Sequence[Address]:
        """Return the addresses by the rows' keys alone: what is in a row may be a newer version's."""
        rows = await self.rows.scan(prefix, past(prefix), limit=OPERATORS_MAX)
        return [Address(row.key.rpartition(":")[2]) for row in rows]
