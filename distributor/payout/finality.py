"""
What is final must stay: one look, at each observation, at the newest block anything was closed in.

A chain that takes blocks back takes the newest first, so the newest one vouches for all below it. A node
that shows another block there has broken its promise or serves a fork. In that turn nothing is closed, and
the node is distrusted. Where a second node still has the block, the first one is wrong and no more. Where a
second one shows another block too, or the sight lasts for a minute, orders that are called paid may not be:
the payouts are paused until a person has looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distributor.chain_types import ChainSnapshot
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.model import Address, Hash
from distributor.payout import alarms, node_alarms
from distributor.payout.witnesses import by_provider
from distributor.ports import Alarms, Chain
from distributor.state import Stats
from foundation.clock import Clock, UnixMs, elapsed_ms
from foundation.errors import Contention

PATIENCE_MS = 60_000
"""How long one node may dispute a closed block before payouts are paused."""

NewestClosings = Mapping[Address, Stats]
"""Of each operator, where its newest transaction was closed."""


async def newest_closings(ledger: Ledger, operators: Sequence[Address]) -> NewestClosings:
    """Return what must still be on the chain."""
    return dict(zip(operators, await asyncio.gather(*map(ledger.stats, operators)), strict=True))


def blocks_of(known: NewestClosings) -> set[int]:
    """Return the numbers of the blocks to observe."""
    return {stats.final_number for stats in known.values() if stats.final_number is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What a look found: whether anything may be closed on what was seen, and which node to ask instead."""

    violated: bool
    instead: str = ""
    """A node that still has the blocks, once the first has been wrong in an earlier look."""


@dataclass(frozen=True, kw_only=True)
class StillFinal:
    """Look whether closed blocks are still there, and ask a second node where they are not."""

    ledger: Ledger
    chain: Chain
    alarms: Alarms
    clock: Clock

    async def check(self, known: NewestClosings, snapshot: ChainSnapshot) -> Looked:
        """
        Distrust the node, pause and alarm where a closed transaction's block is another one now.

        Pause first, forget last: a crash in between repeats it. It is forgotten so that a person who has
        looked may resume; the next closing begins to watch its own block.
        """
        gone = {
            operator: stats
            for operator, stats in known.items()
            if stats.final_number is not None
            and snapshot.canonical.get(stats.final_number) not in {None, stats.final_hash}
        }
        if not gone:
            return Looked(violated=False)
        now_ms = self.clock()
        noted = await self.ledger.doubts.distrust(snapshot.node, snapshot.head.number, "a final block was another one")
        node, there = await self._second(snapshot.node, sorted(blocks_of(gone)))
        wrong = [await self._judge(each, gone[each], snapshot, (node, there), noted.since_ms) for each in gone]
        before = noted.since_ms < now_ms
        return Looked(violated=True, instead=node if before and all(wrong) else "")

    async def _judge(
        self,
        operator: Address,
        stats: Stats,
        snapshot: ChainSnapshot,
        second: tuple[str, Mapping[int, Hash]],
        since_ms: UnixMs,
    ) -> bool:
        """Return whether the first node is wrong, as a second one shows; pause where it is right, or for too long."""
        node, canonical = second
        there = canonical.get(stats.final_number or 0)
        if there == stats.final_hash:
            await self.alarms.raise_(node_alarms.final_block_disputed(stats, snapshot.node, node))
            return True
        if there is not None or elapsed_ms(since_ms, self.clock()) >= PATIENCE_MS:
            await self._pause(operator, stats, snapshot)
        return False

    async def _pause(self, operator: Address, stats: Stats, snapshot: ChainSnapshot) -> None:
        alarm = alarms.finality_violated(operator, stats, snapshot)
        await self.ledger.admin.pause("finality", alarm.summary)
        await self.alarms.raise_(alarm)
        try:
            await self.ledger.forget_final(operator, stats)
        except Contention:
            return  # another transaction was closed meanwhile: the next look is at that one's block

    async def _second(self, first: str, numbers: Sequence[int]) -> tuple[str, Mapping[int, Hash]]:
        """Return the blocks as a node of another provider has them, and which node that is; nothing where none says."""
        for nodes in by_provider(self.chain.nodes, first=first)[1:]:
            for node in nodes:
                try:
                    return node, (await self.chain.snapshot([], [], numbers, node=node)).canonical
                except (ChainUnavailable, WrongChain):
                    continue
        return "", {}
