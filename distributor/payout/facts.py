"""
Conditions that persist, read from the rows of the facts: held orders, why orders wait, ages, what the watch saw.

A fact is sent from its own row, so nothing that raises an alarm can forget it, and a crash between
fact and alarm loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from distributor.ledger import Ledger, keys
from distributor.ledger.binding import WaitingPage
from distributor.ledger.call_backs import Announced
from distributor.ledger.call_records import CallAddress, StopReason
from distributor.ledger.opened import Opened, Unreadable
from distributor.ledger.records import Ahead
from distributor.model import Order
from distributor.payout.ages import WATCHED_MS_MAX, RowAges, age_facts, clock_facts
from distributor.payout.catalogue import CATALOGUE, LEDGER_BEHIND, ROW_UNREADABLE
from distributor.payout.catalogue_call_backs import CALL_BACKS_GONE, CALL_BACKS_SILENT, CALL_BACKS_STOPPED
from distributor.payout.ledger_age import PATIENCE_MS
from distributor.payout.queue_facts import queue_facts
from distributor.ports import Queues
from distributor.settings.use_cases import AgeSettings
from distributor.state import MonitorState, SettlementLook, Waiting
from foundation.alarms.model import Fact
from foundation.alarms.notifier import Notifier
from foundation.clock import Clock, UnixMs, elapsed_ms
from foundation.errors import InvariantBroken

T = TypeVar("T")

ANNOUNCED_MAX = 10
"""The first announcements are read: the oldest that can be read says how long nobody has looked."""
UNANNOUNCED_MS_MAX = 600_000
HELD_MAX = 1_000
"""Held orders that are read in one look; a message counts no further."""
LOOK_MS = 60_000
"""How often a process looks for a dead sweep beside its own work: as often as the sweep itself would run."""
_PARTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmSweep:
    """Use case: send alarms for conditions that persist. Runs each minute, after the sweep."""

    ledger: Ledger
    notifier: Notifier
    queues: Queues
    clock: Clock
    ages: AgeSettings
    clock_ahead_ms: Callable[[], int | None] = lambda: None
    """How far this machine's clock is ahead of the storage service's, milliseconds; None: not known."""

    async def run(self) -> None:
        """Look at every fact once and send what is due. Raises StoreUnavailable if nothing is known."""
        now = self.clock()
        in_rows, in_queues = await asyncio.gather(
            standing_facts(self.ledger, now, self.ages), queue_facts(self.queues, now)
        )
        await self.notifier.run([*in_rows, *in_queues, *clock_facts(self.clock_ahead_ms(), now)])

    async def run_for_a_dead_sweep(self) -> None:
        """
        Do the sweep's sending of alarms where it has not run for minutes; called by drains and settlement.

        Raises:
            StoreUnavailable: Nothing is known.
        """
        monitor_state = await self.ledger.service.monitor_state()
        if elapsed_ms(monitor_state.swept_ms, self.clock()) > self.ages.sweep_ms:
            await self.run()


@dataclass(frozen=True, kw_only=True, slots=True)
class StandIn:
    """Looks beside other work whether the sweep is dead; a queue full of messages costs one look a minute."""

    clock: Clock
    alarm_sweep: Callable[[], Awaitable[AlarmSweep]]
    """Built at each look, so that a wrongly set target is not kept."""
    _looked: list[UnixMs] = field(default_factory=list, init=False, repr=False)
    """When this process looked last."""

    async def run(self) -> None:
        """
        Send alarms where the sweep has not run for minutes; at most once a minute.

        Raises:
            ConfigurationError: A target of alarms is set wrongly.
            StoreUnavailable: Nothing is known; the next look is a minute away.
        """
        now = self.clock()
        if self._looked and 0 <= now - self._looked[-1] < LOOK_MS:
            return
        self._looked[:] = [now]
        await (await self.alarm_sweep()).run_for_a_dead_sweep()


async def standing_facts(ledger: Ledger, now: UnixMs, ages: AgeSettings) -> Sequence[Fact]:
    """
    Return the conditions that have rows of their own.

    A row that cannot be read is a condition itself, and hides none of the others.

    Raises:
        StoreUnavailable: Nothing is known.
    """
    torn = list[Fact]()

    async def read(reading: Awaitable[T], otherwise: T) -> T:
        try:
            return await reading
        except InvariantBroken as error:
            torn.append(_torn("", str(error), now))
            return otherwise

    nothing = WaitingPage(orders=(), after="")
    held, waiting, page, opened, monitor, look = await asyncio.gather(
        read(ledger.held_orders(limit=HELD_MAX), nothing),
        read(ledger.service.why_waiting(), Waiting()),
        read(ledger.waiting(limit=1), nothing),
        read(ledger.opened(), Opened(transactions=(), unreadable=())),
        read(ledger.service.monitor_state(), MonitorState()),
        read(ledger.service.settlement_look(), SettlementLook()),
    )
    ahead = await read(ledger.signs.noted(), None)
    addresses = await read(ledger.call_backs.addresses(), list[CallAddress]())
    passed = await read(ledger.guard_rows.passed(), list[Unreadable | Order]())
    announced, _ = await ledger.call_backs.announced(limit=ANNOUNCED_MAX)
    reasons = [_reason(waiting)] if page.orders and waiting.reason is not None else []
    seen = RowAges(now=now, waiting=waiting, oldest=page.orders, opened=opened.transactions, monitor=monitor, look=look)
    return [
        *(_held(order) for order in held.orders),
        *(_torn(row.key, row.why, now) for part in (held, page, opened) for row in part.unreadable),
        *(_passed(each, now) for each in passed),
        *torn,
        *reasons,
        *_behind(ahead, now),
        *age_facts(seen, ages),
        *_watched(monitor, now),
        *(_stopped(address) for address in addresses if address.stopped is not None),
        *_unannounced(announced, now),
    ]


def _torn(key: str, why: str, now: UnixMs) -> Fact:
    return Fact(code=ROW_UNREADABLE, subject=key, detail=why, since_ms=now)


def _passed(order: Unreadable | Order, now: UnixMs) -> Fact:
    """Say which order the guard has paid and this version cannot touch; no round meets its record again."""
    if isinstance(order, Unreadable):
        return _torn(order.key, order.why, now)
    word = order.status if not order.status.is_known else order.hold_reason
    why = f"Order {order.key} has a newer version's word, {word}, and the guard has recorded its payment."
    return _torn(keys.order_row(order.key), why, now)


def _held(order: Order) -> Fact:
    return Fact(
        code=f"held_{order.hold_reason}", subject=str(order.key), detail=order.hold_detail, since_ms=order.updated_ms
    )


def _stopped(address: CallAddress) -> Fact:
    """Say which shop is not told any more, and what its address answered last; never the address."""
    code = CALL_BACKS_GONE if address.stopped is StopReason.GONE else CALL_BACKS_STOPPED
    since_ms = address.stopped_ms if address.stopped_ms is not None else UnixMs(0)
    return Fact(code=code, subject=address.source, detail=f"The last answer was: {address.answer}.", since_ms=since_ms)


def _unannounced(announced: Sequence[Announced | Unreadable], now: UnixMs) -> Sequence[Fact]:
    """The turn that tells the shops takes each announcement within a minute or two, whether or not a shop is told."""
    first = next((each for each in announced if isinstance(each, Announced)), None)
    if first is None or elapsed_ms(first.said.at_ms, now) < UNANNOUNCED_MS_MAX:
        return []
    order = first.said.events[0].key
    detail = f"The oldest is about order {order}."
    return [Fact(code=CALL_BACKS_SILENT, subject="", detail=detail, since_ms=first.said.at_ms)]


def _reason(waiting: Waiting) -> Fact:
    return Fact(code=f"waiting_{waiting.reason}", subject="", detail=waiting.detail, since_ms=waiting.since_ms)


def _behind(ahead: Ahead | None, now: UnixMs) -> Sequence[Fact]:
    """The sign that paused the payouts stays until a person resumes, also where no round looks any more."""
    if ahead is None or elapsed_ms(ahead.since_ms, now) < PATIENCE_MS:
        return []
    return [Fact(code=LEDGER_BEHIND, subject="", detail=ahead.detail, since_ms=ahead.since_ms)]


def _watched(monitor_state: MonitorState, now: UnixMs) -> Sequence[Fact]:
    if elapsed_ms(monitor_state.watched_ms, now) > WATCHED_MS_MAX:
        return []
    lines = [line.split("\t", 2) for line in monitor_state.found or ()]
    found = {(code, subject): detail for code, subject, detail in (line for line in lines if len(line) == _PARTS)}
    bare = {(code, ""): "" for code in monitor_state.alarms if code not in {known for known, _ in found}}
    return [
        Fact(code=code, subject=subject, detail=CATALOGUE.find(code).beside_summary(detail), since_ms=now)
        for (code, subject), detail in (found | bare).items()
        if code in monitor_state.alarms  # an older version that watched since left the words as they were
    ]
