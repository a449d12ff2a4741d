"""The cancellations of a fence: kept before a node sees them, so that a later look knows them as ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.model import Address, Attempt
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, Rows
from foundation.tablestore.queries import past

GROUP_ROWS = 50
"""Cancellations kept in one group."""
FENCE_ROWS_MAX = 10_000
"""A bound on one operator's cancellations, of all fences there ever were."""


@dataclass(frozen=True, slots=True)
class FenceRows:
    """One row for each nonce of a fence: the cancellation that was signed last. Raises StoreUnavailable."""

    rows: Rows

    async def of(self, operator: Address) -> Mapping[int, Attempt]:
        """Return what fences have signed for *operator*, by nonce."""
        prefix = keys.fence_of(operator)
        found = await self.rows.scan(prefix, past(prefix), limit=FENCE_ROWS_MAX)
        return {attempt.nonce: attempt for attempt in (decode(Attempt, row) for row in found)}

    async def keep(self, attempts: Sequence[Attempt]) -> None:
        """Keep *attempts*, each in the place of an earlier one of its nonce."""
        for first in range(0, len(attempts), GROUP_ROWS):
            group = AtomicWrite()
            part = attempts[first : first + GROUP_ROWS]
            for attempt in part:
                key = keys.fence(attempt.operator, attempt.nonce)
                row = await self.rows.get(key)
                group.put(key, encode(attempt), row.version if row else UNSTORED)
            await commit(self.rows, group, marker_row=keys.fence(part[0].operator, part[0].nonce))
