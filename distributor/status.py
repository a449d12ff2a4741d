"""
Use case: show the status of an order.

What is shown is what the ledger proves: ``received, submitted, mined, paid, held, cancelled``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from distributor.ledger import Ledger
from distributor.model import (
    AttemptKind,
    HoldReason,
    OpenTransaction,
    Order,
    OrderKey,
    OrderStatus,
    TransactionStatus,
)
from distributor.order_ids import can_be_an_order
from distributor.payout import rounds
from distributor.payout.catalogue import CATALOGUE, WORK_NOT_RUNNING
from distributor.reasons import HELD, NEWER_WORD, WAITING
from distributor.units import format_units
from foundation.alarms.register import Register
from foundation.clock import UnixMs

Document = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """Describe orders; needs the ledger alone, and what is in it of the alarms."""

    ledger: Ledger
    register: Register
    decimals: int

    async def of(self, key: OrderKey) -> Document | None:
        """Return the order's document, None when the ledger has no such order. Raises StoreUnavailable."""
        order = await self.ledger.order(key) if can_be_an_order(key) else None
        return await self.describe(await self.ledger.shop_orders.home(order)) if order is not None else None

    async def describe(self, order: Order) -> Document:
        """Return the document of *order*, as it was just read. Raises StoreUnavailable."""
        carrier = await self._carrier(order)
        if carrier is None and order.status is OrderStatus.BOUND:
            # 1. we read the order; 2. settlement closed its transaction; 3. we found it final:
            # the order as that same group wrote it says how it ended.
            order = await self.ledger.order(order.key) or order
        return {
            **_asked(order, self.decimals),
            **_carried(order, carrier),
            "waiting": await self._waiting() if order.status is OrderStatus.RECEIVED else None,
            "held": _held(order.hold_reason, order.hold_detail) if order.hold_reason else None,
            "received_at": rfc3339(order.received_ms),
            "updated_at": rfc3339(order.updated_ms),
        }

    async def _carrier(self, order: Order) -> OpenTransaction | None:
        """Return the open transaction the order is bound to."""
        if order.operator is None or order.nonce is None or order.status is not OrderStatus.BOUND:
            return None
        transaction, attempts = await asyncio.gather(
            self.ledger.transaction(order.operator, order.nonce), self.ledger.attempts(order.operator, order.nonce)
        )
        if transaction is None or transaction.status is TransactionStatus.FINAL:
            return None
        return OpenTransaction(transaction=transaction, attempts=tuple(attempts))

    async def _waiting(self) -> Document | None:
        """
        Return why orders wait now, for the whole service; None while nothing stops them.

        While no round runs, that is the reason; what the last round found is in its detail.
        """
        waiting, notifications = await asyncio.gather(self.ledger.service.why_waiting(), self.register.notifications())
        if rounds.none_runs(notifications.values()):
            said = CATALOGUE.find(WORK_NOT_RUNNING).texts["en"]
            return {
                "reason": WORK_NOT_RUNNING,
                "summary": said.summary,
                "action": said.action,
                "detail": rounds.found_last(waiting),
                "since": rfc3339(notifications[WORK_NOT_RUNNING].since_ms),
            }
        if waiting.reason is None:
            return None
        summary, action = WAITING.get(waiting.reason, NEWER_WORD)
        return {
            "reason": str(waiting.reason),
            "summary": summary,
            "action": action,
            "detail": waiting.detail,
            "since": rfc3339(waiting.since_ms),
        }


def shown(order: Order, carrier: OpenTransaction | None = None) -> str:
    """Return the status as users see it: an assigned order shows how far its transaction is."""
    if order.status is not OrderStatus.BOUND:
        return str(order.status)
    mined = carrier is not None and carrier.transaction.status is TransactionStatus.MINED
    return "mined" if mined else "submitted"


def rfc3339(time: UnixMs) -> str:
    """Return *time* as text in UTC, to the millisecond."""
    whole = datetime.fromtimestamp(time // 1000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time % 1000:03d}Z"


def _asked(order: Order, decimals: int) -> Document:
    return {
        "order_id": order.order_id,
        "source": order.source,
        "wallet": order.wallet,
        "amount": format_units(order.amount_units, decimals),
        "amount_units": str(order.amount_units),
        "tipo": order.tipo,
        "reason": order.reason,
        "ref_id": order.ref_id,
    }


def _carried(order: Order, carrier: OpenTransaction | None) -> Document:
    """Return what the chain has of it: the transaction that is mined or paid, else the latest one handed to a node."""
    block = carrier.transaction.block_number if carrier else order.paid_block
    return {
        "status": shown(order, carrier),
        "transaction_hash": _latest_hash(carrier) if carrier else order.paid_hash,
        "operator": order.operator,
        "nonce": order.nonce,
        "block": block,
    }


def _latest_hash(carrier: OpenTransaction) -> str:
    """Return the hash an explorer shows it under; a cancellation in flight is not it."""
    paying = [attempt.tx_hash for attempt in carrier.attempts if attempt.kind is AttemptKind.PAY]
    return carrier.transaction.mined_hash or paying[-1]


def _held(reason: HoldReason, detail: str) -> Document:
    summary, action = HELD.get(reason, NEWER_WORD)
    return {"reason": str(reason), "summary": summary, "action": action, "detail": detail}
