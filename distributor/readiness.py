"""
Use case: say whether an order that came now would be paid.

The chain itself is asked as little as possible: what the payout asks before it binds is asked by the
watch, every five minutes, and its answer is in the ledger.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from distributor.ledger import Ledger
from distributor.payout.catalogue import QUEUES_UNAVAILABLE, WORK_NOT_RUNNING
from distributor.payout.preflight import not_ours
from distributor.payout.queue_facts import queue_facts
from distributor.ports import Heads, Queues
from distributor.state import Identity
from foundation.alarms.register import Register
from foundation.clock import Clock, UnixMs, elapsed_ms
from foundation.http.readiness import ReadinessFrame, ReadinessProbe, ReadinessReport, StandingAlarms

SWEEP_AGE_MS_MAX = 180_000
"""The sweep runs each minute: three missed ones are no accident."""
WAITING_AGE_MS_MAX = 900_000
OPEN_AGE_MS_MAX = 600_000
HEAD_AGE_MS_MAX = 120_000
"""A chain that shows no new block for two minutes has stalled, or its nodes have."""
_SHOP = re.compile(r"^(WEBHOOK_SECRET(?:_PREVIOUS)?__).+")
_WAITING = "waiting_"


@dataclass(slots=True)
class _Head:
    number: int = -1
    seen_ms: UnixMs = UnixMs(0)
    """When the newest block was first seen here."""


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """
    Check settings, secrets, ledger, switch, nodes, sweep, waiting and open work, and the alarms that hold.

    The parts are opened by callables: what cannot be opened is a failed check, not a failed answer.
    """

    wrong_settings: Callable[[], Awaitable[Sequence[str]]]
    """Names of the settings, secrets among them, that some use case misses."""
    identity: Callable[[], Awaitable[Identity]]
    """The identity the settings mean; an empty ``ledger_id`` accepts any."""
    ledger: Callable[[], Awaitable[Ledger]]
    nodes: Callable[[], Awaitable[Heads]]
    queues: Callable[[], Awaitable[Queues]]
    register: Callable[[], Awaitable[Register]]
    clock: Clock
    _head: _Head = field(default_factory=_Head, init=False, repr=False)

    async def report(self) -> ReadinessReport:
        """Return the state of at most ten seconds ago, within three seconds; never raises for what it checks."""
        return await self._frame.report()

    @cached_property
    def _frame(self) -> ReadinessFrame:
        return ReadinessFrame(
            parts=[
                ReadinessProbe(
                    name="ledger",
                    checks=("ledger", "sweep", "waiting", "open", "switch", "payable", "identity"),
                    ask=self._ledger,
                ),
                ReadinessProbe(name="node", checks=("node", "chain", "head"), ask=self._nodes),
                ReadinessProbe(name="queues", checks=("work",), ask=self._work),
            ],
            wrong_settings=self._settings,
            standing=self._standing,
            clock=self.clock,
        )

    async def _settings(self) -> Sequence[str]:
        """Return the names that are wrong; a shop's own setting is named without the shop."""
        return sorted({_SHOP.sub(r"\1<SOURCE>", name) for name in await self.wrong_settings()})

    async def _standing(self) -> StandingAlarms:
        register = await self.register()
        codes = [notification.code for notification in await register.standing()]
        return StandingAlarms(codes=codes, blocking=[code for code in codes if register.catalogue.find(code).blocks])

    async def _work(self) -> Mapping[str, bool]:
        """Tell whether somebody takes the wake-ups; a function that is off leaves them where they are."""
        found = await queue_facts(await self.queues(), self.clock())
        return {"work": all(fact.code not in (WORK_NOT_RUNNING, QUEUES_UNAVAILABLE) for fact in found)}

    async def _ledger(self) -> Mapping[str, bool]:
        ledger = await self.ledger()
        found, monitor, page, opened, pause, waiting = await asyncio.gather(
            ledger.identity(),
            ledger.service.monitor_state(),
            ledger.waiting(limit=1),
            ledger.open_transactions(),
            ledger.admin.pause_state(),
            ledger.service.why_waiting(),
        )
        now_ms = self.clock()
        stopped = [code for code in monitor.alarms if code.startswith(_WAITING)]
        return {
            "ledger": True,
            "sweep": elapsed_ms(monitor.swept_ms, now_ms) <= SWEEP_AGE_MS_MAX,
            "waiting": all(elapsed_ms(order.received_ms, now_ms) <= WAITING_AGE_MS_MAX for order in page.orders),
            "open": all(elapsed_ms(each.transaction.bound_ms, now_ms) <= OPEN_AGE_MS_MAX for each in opened),
            "switch": not pause.paused,
            "payable": not stopped and not (page.orders and waiting.reason is not None),
            "identity": not_ours(found, await self.identity()) is None,
        }

    async def _nodes(self) -> Mapping[str, bool]:
        heads = await (await self.nodes()).heads()
        chain_id = (await self.identity()).chain_id
        ours = [head.number for head in heads if head.chain_id == chain_id]
        return {"node": bool(heads), "chain": bool(ours), "head": bool(ours) and self._moves(max(ours))}

    def _moves(self, number: int) -> bool:
        """Tell whether the chain grows: a newer block than ever seen here, or one seen not long ago."""
        head, now_ms = self._head, self.clock()
        if number > head.number:
            head.number, head.seen_ms = number, now_ms
        return now_ms - head.seen_ms <= HEAD_AGE_MS_MAX
