"""
What rests on one node's word, and which nodes contradicted themselves: rows, so that every host knows.

A node that is distrusted closes nothing by itself. It is trusted again after ``TRUSTED_AFTER_BLOCKS`` more
blocks of its own, or when a person resumes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from distributor.ledger import keys
from distributor.ledger.columns import decode, encode
from distributor.ledger.records import Distrust, Slot
from distributor.model import Transaction
from foundation.clock import Clock
from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Rows
from foundation.tablestore.queries import past

TRUSTED_AFTER_BLOCKS = 100
GOES_ON_MS = 900_000
"""Looks this far apart are of one contradiction: with nothing open, the chain is looked at every five minutes."""
ROWS_MAX = 100
"""A bound on what one look reads: nodes are few, and what rests on one word is looked at again in pages."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Keep and read doubts. Raises StoreUnavailable."""

    rows: Rows
    clock: Clock

    async def distrusted(self) -> Mapping[str, Distrust]:
        """Return the nodes that contradicted themselves, by label."""
        found = await self.rows.scan(keys.DISTRUST, past(keys.DISTRUST), limit=ROWS_MAX)
        return {each.node: each for each in (decode(Distrust, row) for row in found)}

    async def distrust(self, node: str, head_number: int, why: str) -> Distrust:
        """Note that *node* contradicts itself at that head, since the first of the looks in a row that saw it."""
        before, now_ms = (await self.distrusted()).get(node), self.clock()
        goes_on = before is not None and now_ms - before.seen_ms <= GOES_ON_MS
        since_ms = before.since_ms if before is not None and goes_on else now_ms
        noted = Distrust(node=node, head_number=head_number, why=why, since_ms=since_ms, seen_ms=now_ms)
        group = AtomicWrite()
        if before is None:
            group.insert(keys.distrust(node), encode(noted))
        else:
            group.replace(keys.distrust(node), encode(noted), before.version)
        with suppress(Contention):  # another host saw it as well
            await commit(self.rows, group, marker_row=keys.distrust(node))
        return noted

    async def forget(self) -> None:
        """Trust every node again, as a person who has looked says."""
        found = await self.distrusted()
        if not found:
            return
        group = AtomicWrite()
        for node in found:
            group.delete(keys.distrust(node))
        with suppress(Contention):  # another person was first
            await commit(self.rows, group, marker_row=keys.distrust(next(iter(found))))

    async def unwitnessed(self) -> Sequence[Slot]:
        """Return the closed transactions that rest on one node's word, the lowest nonces first."""
        found = await self.rows.scan(keys.UNWITNESSED, past(keys.UNWITNESSED), limit=ROWS_MAX)
        return [decode(Slot, row) for row in found]

    async def witnessed(self, transaction: Transaction, witnesses: int) -> None:
        """Keep that a second provider shows the same; Contention when another worker wrote it since."""
        key = keys.transaction(transaction.operator, transaction.nonce)
        group = AtomicWrite()
        group.replace(key, encode(replace(transaction, witnesses=witnesses)), transaction.version)
        group.delete(keys.unwitnessed(transaction.operator, transaction.nonce))
        await commit(self.rows, group, marker_row=key)

    async def give_up(self, slot: Slot) -> None:
        """Look at the closing of *slot* no more: an alarm was raised, and payouts are paused."""
        group = AtomicWrite()
        group.delete(keys.unwitnessed(*slot))
        with suppress(Contention):  # another host has done it
            await commit(self.rows, group, marker_row=keys.unwitnessed(*slot))


def is_distrusted(noted: Distrust | None, head_number: int) -> bool:
    """Say whether what was noted of a node still holds at its head."""
    return noted is not None and head_number < noted.head_number + TRUSTED_AFTER_BLOCKS
