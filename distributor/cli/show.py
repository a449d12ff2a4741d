"""``show``: the whole service on one page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from distributor.cli.desk import DONE, Desk
from distributor.ledger import Ledger
from distributor.ledger.archive import Archive
from distributor.model import OpenTransaction, OrderStatus
from distributor.settings import Use
from distributor.standing import SETTLEMENT_LEASE
from distributor.status import rfc3339
from distributor.units import format_units
from foundation.clock import UnixMs

WAITING_SHOWN_MAX = 20
_NATIVE_DECIMALS = 18


async def show(desk: Desk) -> int:
    """Show whose ledger it is, what stops it, what is in flight, and what was seen last."""
    settings = await desk.begin(Use.STATUS)
    ledger, archive = await desk.ledger(), await desk.archive()
    identity, control = await ledger.identity(), await ledger.control()
    desk.answer(
        {
            "identity": asdict(identity) if identity else None,
            "paused": {"by": control.paused_by, "why": control.paused_why} if control.paused else None,
            "halted": {"by": control.halted_by, "why": control.halted_why} if control.halted else None,
            "waiting": await _waiting(ledger),
            "held": [str(order.key) async for order in archive.held()],
            "operators": await _operators(ledger, archive, settings.token_decimals),
            "open_transactions": [_open(each) for each in await ledger.open_transactions()],
            "last_sweep": await _watched(ledger, settings.token_decimals),
            "leases": await _leases(desk, ledger, archive),
        }
    )
    return DONE


async def _waiting(ledger: Ledger) -> dict[str, Any]:
    why = await ledger.why_waiting()
    page = await ledger.waiting(limit=WAITING_SHOWN_MAX)
    return {
        "reason": str(why.reason) if why.reason else None,
        "detail": why.detail,
        "since": _time(why.since_ms),
        "orders": [str(order.key) for order in page.orders if order.status is OrderStatus.RECEIVED],
        "more": bool(page.after),
    }


async def _operators(ledger: Ledger, archive: Archive, decimals: int) -> list[dict[str, Any]]:
    shown = []
    for operator in await archive.operators():
        books, stats = await ledger.books(operator), await ledger.stats(operator)
        shown.append(
            {
                "operator": operator,
                "next_nonce": books.next_nonce if books else None,
                "transactions": stats.transactions,
                "orders_paid": stats.orders_paid,
                "paid": format_units(stats.paid_units, decimals),
                "gas": format_units(stats.gas_cost_wei, _NATIVE_DECIMALS),
            }
        )
    return shown


def _open(opened: OpenTransaction) -> dict[str, Any]:
    transaction = opened.transaction
    return {
        "operator": transaction.operator,
        "nonce": transaction.nonce,
        "status": str(transaction.status),
        "attempts": transaction.attempts,
        "orders": [str(key) for key in transaction.orders],
        "transaction": transaction.mined_hash or opened.attempts[-1].tx_hash,
    }


async def _watched(ledger: Ledger, decimals: int) -> dict[str, Any]:
    watch = await ledger.watch()
    return {
        "swept": _time(watch.swept_ms),
        "watched": _time(watch.watched_ms),
        "head": watch.head_number,
        "finalized": watch.finalized_number,
        "reserve": format_units(watch.reserve_units, decimals),
        "allowance": format_units(watch.allowance_units, decimals),
        "gas": format_units(watch.gas_wei, _NATIVE_DECIMALS),
        "alarms": list(watch.alarms),
    }


async def _leases(desk: Desk, ledger: Ledger, archive: Archive) -> list[dict[str, Any]]:
    names = [SETTLEMENT_LEASE, *(f"distribution:{operator}" for operator in await archive.operators())]
    found = [await ledger.lease(name) for name in names]
    now_ms = desk.clock()
    return [
        {"lease": lease.name, "holder": lease.holder, "until": _time(lease.until_ms), "alive": lease.is_alive(now_ms)}
        for lease in found
        if lease is not None
    ]


def _time(moment_ms: UnixMs) -> str | None:
    return rfc3339(moment_ms) if moment_ms else None
