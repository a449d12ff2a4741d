"""
Conditions that persist, read from the rows of the facts: held orders, why orders wait, ages, what the watch saw.

A fact is told from its own row, so nothing that raises an alarm can forget it, and a crash between
fact and alarm loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from distributor.ledger import Ledger
from distributor.model import Order
from distributor.payout.ages import Seen, age_facts
from distributor.payout.queue_facts import queue_facts
from distributor.ports import Queues
from distributor.settings.use_cases import AgeSettings
from distributor.state import MonitorState, Waiting
from foundation.alarms.model import Fact
from foundation.alarms.teller import Teller
from foundation.clock import Clock, UnixMs, elapsed_ms

HELD_MAX = 1_000
"""Held orders that are read in one look; a message counts no further."""
WATCHED_MS_MAX = 900_000
"""What the watch saw longer ago says nothing any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmSweep:
    """Use case: send alarms for conditions that persist. Runs each minute, after the sweep."""

    ledger: Ledger
    teller: Teller
    queues: Queues
    clock: Clock
    ages: AgeSettings

    async def run(self) -> None:
        """Look at every fact once and send what is due. Raises StoreUnavailable if nothing is known."""
        now = self.clock()
        in_rows, in_queues = await asyncio.gather(
            standing_facts(self.ledger, now, self.ages), queue_facts(self.queues, now)
        )
        await self.teller.run([*in_rows, *in_queues])

    async def run_for_a_dead_sweep(self) -> None:
        """
        Do the sweep's work of telling where it has not run for minutes; called by drains and settlement.

        Raises:
            StoreUnavailable: Nothing is known.
        """
        monitor_state = await self.ledger.service.monitor_state()
        if elapsed_ms(monitor_state.swept_ms, self.clock()) > self.ages.sweep_ms:
            await self.run()


async def standing_facts(ledger: Ledger, now: UnixMs, ages: AgeSettings) -> Sequence[Fact]:
    """Return the conditions that have rows of their own. Raises StoreUnavailable."""
    held, waiting, page, opened, monitor_state, look = await asyncio.gather(
        ledger.held_orders(limit=HELD_MAX),
        ledger.service.why_waiting(),
        ledger.waiting(limit=1),
        ledger.open_transactions(),
        ledger.service.monitor_state(),
        ledger.service.settlement_look(),
    )
    reasons = [_reason(waiting)] if page.orders and waiting.reason is not None else []
    seen = Seen(now=now, waiting=waiting, oldest=page.orders, opened=opened, monitor=monitor_state, look=look)
    return [*(_held(order) for order in held), *reasons, *age_facts(seen, ages), *_watched(monitor_state, now)]


def _held(order: Order) -> Fact:
    return Fact(
        code=f"held_{order.hold_reason}", subject=str(order.key), detail=order.hold_detail, since_ms=order.updated_ms
    )


def _reason(waiting: Waiting) -> Fact:
    return Fact(code=f"waiting_{waiting.reason}", subject="", detail=waiting.detail, since_ms=waiting.since_ms)


def _watched(monitor_state: MonitorState, now: UnixMs) -> Sequence[Fact]:
    if now - monitor_state.watched_ms > WATCHED_MS_MAX:
        return []
    return [Fact(code=code, subject="", detail="", since_ms=now) for code in monitor_state.alarms]
