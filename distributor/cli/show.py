"""``show``: the whole service on one page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from distributor.cli.context import DONE, CommandContext
from distributor.ledger import Ledger
from distributor.ledger.rebuild_store import RebuildStore
from distributor.model import OpenTransaction, OrderStatus
from distributor.settings.use_cases import StatusSettings
from distributor.state import SETTLEMENT_LEASE
from distributor.status import rfc3339
from distributor.units import format_units
from foundation.alarms.model import AlarmState, Told
from foundation.clock import UnixMs

WAITING_SHOWN_MAX = 20
_NATIVE_DECIMALS = 18
_SUBJECTS_SHOWN_MAX = 10


async def show(context: CommandContext) -> int:
    """Show whose ledger it is, what stops it, what is in flight, and what was seen last."""
    settings = await context.begin(StatusSettings)
    ledger, rebuild_store = await context.ledger(), await context.rebuild_store()
    identity, pause_state = await ledger.identity(), await ledger.admin.pause_state()
    context.answer(
        {
            "identity": asdict(identity) if identity else None,
            "paused": {"by": pause_state.paused_by, "why": pause_state.paused_why} if pause_state.paused else None,
            "halted": {"by": pause_state.halted_by, "why": pause_state.halted_why} if pause_state.halted else None,
            "waiting": await _waiting(ledger),
            "held": [str(order.key) async for order in rebuild_store.held()],
            "operators": await _operators(ledger, rebuild_store, settings.decimals),
            "open_transactions": [_open(each) for each in await ledger.open_transactions()],
            "alarms": [_told(told) for told in (await context.told()).values() if told.state is AlarmState.STANDS],
            "last_sweep": await _watched(ledger, settings.decimals),
            "leases": await _leases(context, ledger, rebuild_store),
        }
    )
    return DONE


async def _waiting(ledger: Ledger) -> dict[str, Any]:
    why = await ledger.service.why_waiting()
    page = await ledger.waiting(limit=WAITING_SHOWN_MAX)
    return {
        "reason": str(why.reason) if why.reason else None,
        "detail": why.detail,
        "since": _time(why.since_ms),
        "orders": [str(order.key) for order in page.orders if order.status is OrderStatus.RECEIVED],
        "more": bool(page.after),
    }


async def _operators(ledger: Ledger, rebuild_store: RebuildStore, decimals: int) -> list[dict[str, Any]]:
    shown = []
    for operator in await rebuild_store.operators():
        binding_state, stats = await ledger.binding_state(operator), await ledger.stats(operator)
        shown.append(
            {
                "operator": operator,
                "next_nonce": binding_state.next_nonce if binding_state else None,
                "transactions": stats.transactions,
                "orders_paid": stats.orders_paid,
                "paid": format_units(stats.paid_units, decimals),
                "gas": format_units(stats.gas_cost_wei, _NATIVE_DECIMALS),
            }
        )
    return shown


def _told(told: Told) -> dict[str, Any]:
    """Return what stands, and when it was last told; "not yet" while no target has taken it."""
    return {
        "alarm": told.code,
        "since": _time(told.since_ms),
        "told": _time(told.told_ms) if told.told_ms and told.told is not None else "not yet",
        "times": told.number,
        "seen_by": told.seen_by or None,
        "about": list(told.subjects[:_SUBJECTS_SHOWN_MAX]),
    }


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
    monitor_state = await ledger.service.monitor_state()
    return {
        "swept": _time(monitor_state.swept_ms),
        "watched": _time(monitor_state.watched_ms),
        "head": monitor_state.head_number,
        "finalized": monitor_state.finalized_number,
        "reserve": format_units(monitor_state.reserve_units, decimals),
        "allowance": format_units(monitor_state.allowance_units, decimals),
        "gas": format_units(monitor_state.gas_wei, _NATIVE_DECIMALS),
        "alarms": list(monitor_state.alarms),
    }


async def _leases(context: CommandContext, ledger: Ledger, rebuild_store: RebuildStore) -> list[dict[str, Any]]:
    names = [SETTLEMENT_LEASE, *(f"distribution:{operator}" for operator in await rebuild_store.operators())]
    found = [await ledger.leases.find(name) for name in names]
    now_ms = context.clock()
    return [
        {"lease": lease.name, "holder": lease.holder, "until": _time(lease.until_ms), "alive": lease.is_alive(now_ms)}
        for lease in found
        if lease is not None
    ]


def _time(moment_ms: UnixMs) -> str | None:
    return rfc3339(moment_ms) if moment_ms else None
