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
from distributor.model import OpenTransaction, Order
from distributor.payout.catalogue import ORDER_WAITING_LONG, TRANSACTION_OPEN_LONG
from distributor.payout.queue_facts import queue_facts
from distributor.ports import Queues
from distributor.state import MonitorState, Waiting
from foundation.alarms.model import Fact
from foundation.alarms.teller import Teller
from foundation.clock import Clock, UnixMs

HELD_MAX = 1_000
"""Held orders that are read in one look; a message counts no further."""
WAITING_MS_MAX = 900_000
OPEN_MS_MAX = 600_000
"""Older than this, a waiting order or an open transaction is an alarm by itself, whatever its reason."""
WATCHED_MS_MAX = 900_000
"""What the watch saw longer ago says nothing any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmSweep:
    """Use case: send alarms for conditions that persist. Runs each minute, after the sweep."""

    ledger: Ledger
    teller: Teller
    queues: Queues
    clock: Clock

    async def run(self) -> None:
        """Look at every fact once and tell what is due. Raises StoreUnavailable if nothing is known."""
        now = self.clock()
        in_rows, in_queues = await asyncio.gather(standing_facts(self.ledger, now), queue_facts(self.queues, now))
        await self.teller.run([*in_rows, *in_queues])


async def standing_facts(ledger: Ledger, now: UnixMs) -> Sequence[Fact]:
    """Return the conditions that have rows of their own. Raises StoreUnavailable."""
    held, waiting, page, opened, monitor_state = await asyncio.gather(
        ledger.held_orders(limit=HELD_MAX),
        ledger.service.why_waiting(),
        ledger.waiting(limit=1),
        ledger.open_transactions(),
        ledger.service.monitor_state(),
    )
    return [
        *(_held(order) for order in held),
        *_waiting(waiting, page.orders, now),
        *_open(opened, now),
        *_watched(monitor_state, now),
    ]


def _held(order: Order) -> Fact:
    return Fact(
        code=f"held_{order.hold_reason}", subject=str(order.key), detail=order.hold_detail, since_ms=order.updated_ms
    )


def _waiting(waiting: Waiting, oldest: Sequence[Order], now: UnixMs) -> Sequence[Fact]:
    """Return why orders wait, as long as one does, and the oldest where it has waited long."""
    if not oldest:
        return []
    facts = []
    if waiting.reason is not None:
        facts.append(
            Fact(code=f"waiting_{waiting.reason}", subject="", detail=waiting.detail, since_ms=waiting.since_ms)
        )
    order = oldest[0]
    if now - order.received_ms > WAITING_MS_MAX:
        detail = f"{waiting.reason}: {waiting.detail}" if waiting.reason else ""
        facts.append(Fact(code=ORDER_WAITING_LONG, subject=str(order.key), detail=detail, since_ms=order.received_ms))
    return facts


def _open(opened: Sequence[OpenTransaction], now: UnixMs) -> Sequence[Fact]:
    old = [each for each in opened if now - each.transaction.bound_ms > OPEN_MS_MAX]
    return [_open_long(each) for each in old]


def _open_long(each: OpenTransaction) -> Fact:
    transaction, attempt = each.transaction, each.attempts[-1]
    detail = (
        f"{attempt.tx_hash}, {transaction.status}, attempt {attempt.index}, nodes said {transaction.last_outcome}, "
        f"max fee {attempt.fees.max_fee_wei} wei, tip {attempt.fees.tip_wei} wei"
    )
    return Fact(
        code=TRANSACTION_OPEN_LONG,
        subject=f"nonce {transaction.nonce}",
        detail=detail,
        since_ms=transaction.bound_ms,
    )


def _watched(monitor_state: MonitorState, now: UnixMs) -> Sequence[Fact]:
    if now - monitor_state.watched_ms > WATCHED_MS_MAX:
        return []
    return [Fact(code=code, subject="", detail="", since_ms=now) for code in monitor_state.alarms]
