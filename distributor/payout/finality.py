"""
What is final must stay: one look, at each observation, at the newest block anything was closed in.

A chain that takes blocks back takes the newest first, so the newest one stands for all below it. A
node that shows another block there has broken its promise or serves a fork; either way orders that
are called paid may not be, and nothing more is bound until a person has looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from distributor.chain_types import ChainSnapshot
from distributor.ledger import Ledger
from distributor.model import Address
from distributor.payout import alarms
from distributor.ports import Alarms
from distributor.state import Stats
from foundation.errors import Contention

NewestClosings = Mapping[Address, Stats]
"""Of each operator, where its newest transaction was closed."""


async def newest_closings(ledger: Ledger, operators: Sequence[Address]) -> NewestClosings:
    """Return what must still be on the chain."""
    return dict(zip(operators, await asyncio.gather(*map(ledger.stats, operators)), strict=True))


def blocks_of(known: NewestClosings) -> set[int]:
    """Return the numbers of the blocks to observe."""
    return {stats.final_number for stats in known.values() if stats.final_number is not None}


async def check_still_final(ledger: Ledger, told: Alarms, known: NewestClosings, snapshot: ChainSnapshot) -> None:
    """
    Pause and alarm where a closed transaction's block is another one now.

    Pause first, forget last: a crash in between repeats it. It is forgotten so that a person who has
    looked may resume; the next closing begins to watch its own block.
    """
    for operator, stats in known.items():
        there = None if stats.final_number is None else snapshot.canonical.get(stats.final_number)
        if there in {None, stats.final_hash}:
            continue
        alarm = alarms.finality_violated(operator, stats, snapshot)
        await ledger.pause("finality", alarm.summary)
        await told.raise_(alarm)
        try:
            await ledger.forget_final(operator, stats)
        except Contention:
            return  # another transaction was closed meanwhile: the next look is at that one's block
