"""
What is stuck in the queues: messages that nobody takes, and those that lie in a poison queue.

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
from foundation.queue_ages import Oldest

UNTAKEN_MS_MAX = 480_000
"""A wake-up is taken within seconds: one that nobody took for so long has no function behind it."""
WAKE_MS_MAX = 900_000
"""A wake-up that was taken by a host that was killed comes back after ten minutes: this is longer."""
FUNCTIONS = {DISTRIBUTIONS: "distribute", SETTLEMENTS: "settlement"}
"""The function behind each queue."""


async def queue_facts(queues: Queues, now: UnixMs) -> Sequence[Fact]:
    """Return the active alarms of the queues; that they cannot be asked is one too."""
    names = (DISTRIBUTIONS, SETTLEMENTS)
    try:
        looked = await asyncio.gather(*(_of(queues, name, now) for name in names))
    except StoreUnavailable as error:
        return [Fact(code=QUEUES_UNAVAILABLE, subject="", detail=str(error), since_ms=now)]
    return [fact for facts in looked for fact in facts]


async def _of(queues: Queues, name: str, now: UnixMs) -> Sequence[Fact]:
    oldest, poisoned = await asyncio.gather(queues.oldest(name), queues.count(name + POISON))
    facts = []
    since = _not_taken_since(oldest, now)
    if since is not None:
        detail = f"The function `{FUNCTIONS[name]}` does not run."
        facts.append(Fact(code=WORK_NOT_RUNNING, subject=name, detail=detail, since_ms=since))
    if poisoned:
        detail = f"{poisoned} messages"
        facts.append(Fact(code=POISON_WAITING, subject=name + POISON, detail=detail, since_ms=now))
    return facts


def _not_taken_since(oldest: Oldest, now: UnixMs) -> UnixMs | None:
    """Return since when nobody takes what lies in a queue; None while somebody may."""
    limits = ((oldest.put_ms, WAKE_MS_MAX), (oldest.untaken_ms, UNTAKEN_MS_MAX))
    return min((put_ms for put_ms, limit_ms in limits if put_ms is not None and now - put_ms > limit_ms), default=None)
