"""
The sign that the chain knows more of our operators than the ledger: the nonces, and what was noted.

The noted sign is a row, so that it stays when a pool forgets what it showed; a person's ``resume``
removes it. A cause that stopped the payouts once is a row as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.queries import find_record
from distributor.ledger.records import Ahead, NextNonce
from distributor.model import Address
from distributor.state import WaitingReason
from foundation.clock import Clock
from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Rows
from foundation.tablestore.queries import past

OPERATORS_MAX = 1_000
"""A bound on the operators one ledger has ever had."""


@dataclass(frozen=True, slots=True)
class Signs:
    """Read the next nonces, and keep the sign. Raises StoreUnavailable."""

    rows: Rows
    clock: Clock

    async def next_nonces(self) -> Mapping[Address, int]:
        """Return the next nonce of every operator there ever was, retired ones too."""
        found = await self.rows.scan(keys.NONCES, past(keys.NONCES), limit=OPERATORS_MAX)
        return {Address(row.key.removeprefix(keys.NONCES)): decode(NextNonce, row).next for row in found}

    async def noted(self) -> Ahead | None:
        """Return the sign that was seen first and not answered by a person yet."""
        return await find_record(self.rows, Ahead, keys.AHEAD)

    async def note(self, reason: WaitingReason, detail: str) -> Ahead:
        """Keep the sign; one that is noted already stays, with its time."""
        group = AtomicWrite()
        group.insert(keys.AHEAD, encode(Ahead(reason=reason, detail=detail, since_ms=self.clock())))
        with suppress(Contention):  # another host saw it first
            await commit(self.rows, group, marker_row=keys.AHEAD)
        return await self.noted() or Ahead(reason=reason, detail=detail, since_ms=self.clock())

    async def forget(self) -> None:
        """Remove the sign; nothing happens where none is noted."""
        if await self.noted() is None:
            return
        group = AtomicWrite()
        group.delete(keys.AHEAD)
        with suppress(Contention):  # another person was first
            await commit(self.rows, group, marker_row=keys.AHEAD)

    async def stopped(self, subject: str) -> bool:
        """Say whether the payouts were stopped for *subject* before."""
        return await self.rows.get(keys.stop(subject)) is not None

    async def note_stop(self, subject: str) -> None:
        """Remember that the payouts were stopped for *subject*."""
        group = AtomicWrite()
        group.insert(keys.stop(subject), {"at_ms": self.clock()})
        with suppress(Contention):  # another host was first
            await commit(self.rows, group, marker_row=keys.stop(subject))
