"""
What stands in the queues: messages that nobody takes, and those that lie in a poison queue.

The sweep looks at the queues themselves. A function that is off cannot say so, and the handler of a
poison queue never runs for a message that the host cannot decode.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from distributor.payout.catalogue import POISON_WAITING, QUEUES_UNAVAILABLE, WORK_NOT_RUNNING
from distributor.ports import Queues
from distributor.queue_names import DISTRIBUTIONS, POISON, SETTLEMENTS
from foundation.alarms.model import Fact
from foundation.clock import UnixMs
from foundation.errors import StoreUnavailable

WAKE_MS_MAX = 900_000
"""A wake-up is taken within seconds, and within ten minutes after its host was killed: this is longer."""


async def queue_facts(queues: Queues, now: UnixMs) -> Sequence[Fact]:
    """Return what stands in the queues; that they cannot be asked stands too."""
    names = (DISTRIBUTIONS, SETTLEMENTS)
    try:
        looked = await asyncio.gather(*(_of(queues, name, now) for name in names))
    except StoreUnavailable as error:
        return [Fact(code=QUEUES_UNAVAILABLE, subject="", detail=str(error), since_ms=now)]
    return [fact for facts in looked for fact in facts]


async def _of(queues: Queues, name: str, now: UnixMs) -> Sequence[Fact]:
    oldest, poisoned = await asyncio.gather(queues.oldest(name), queues.count(name + POISON))
    facts = []
    if oldest is not None and now - oldest > WAKE_MS_MAX:
        facts.append(Fact(code=WORK_NOT_RUNNING, subject=name, detail="", since_ms=oldest))
    if poisoned:
        detail = f"{poisoned} messages"
        facts.append(Fact(code=POISON_WAITING, subject=name + POISON, detail=detail, since_ms=now))
    return facts
