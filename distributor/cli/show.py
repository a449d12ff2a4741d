"""``show``: the whole service on one page, the one line to read first at the top."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any, NamedTuple

from distributor.cli.amounts import NATIVE_DECIMALS, tokens
from distributor.cli.context import DONE, REFUSED, CommandContext
from distributor.cli.declared import Command
from distributor.cli.headline import Headline, Situation, State, age, headline
from distributor.cli.language import N_, _, detail
from distributor.ledger import Ledger, keys
from distributor.ledger.opened import Unreadable
from distributor.ledger.rebuild_store import RebuildStore
from distributor.model import OpenTransaction, Order, OrderStatus
from distributor.payout.catalogue import WORK_NOT_RUNNING
from distributor.payout.lane import SCHEMA_LEVEL
from distributor.payout.rounds import found_last, none_runs, queues_off
from distributor.payout.sweep import payouts_left
from distributor.settings.chain import FeeSettings
from distributor.settings.shops import CapSettings
from distributor.settings.use_cases import StatusSettings
from distributor.state import SETTLEMENT_LEASE, MonitorState, Stats
from distributor.status import rfc3339
from distributor.units import Wei
from foundation.alarms.model import AlarmState, Notification
from foundation.clock import UnixMs
from foundation.errors import ConfigurationError
from foundation.version import version

WAITING_SHOWN_MAX = 20
_SUBJECTS_SHOWN_MAX = 10


class Glance(NamedTuple):
    """What is looked at first: whether orders are paid, and what waits for a person."""

    headline: Headline
    held: list[str]
    standing: list[Notification]


class Overview(NamedTuple):
    """The whole service on one page: the line to read first, and what ``show`` answers."""

    headline: Headline
    document: dict[str, Any]


async def show(context: CommandContext) -> int:
    """Show whether it pays, what stops it, what is in flight, and what was seen last; --check: only whether."""
    settings = await context.begin(StatusSettings)
    held = await _held(await context.rebuild_store())
    if context.options.check:
        return _checked(context, await _glance(context, held))
    shown = await overview(context, held, settings.decimals)
    context.headline(shown.headline.line, shown.headline.action)
    context.answer(shown.document)
    return DONE


async def overview(context: CommandContext, held: list[str], decimals: int, *, more: bool = False) -> Overview:
    """Return the whole service on one page, with the *held* orders; *more*: they are not all that are held."""
    ledger, rebuild_store = await context.ledger(), await context.rebuild_store()
    seen = await _glance(context, held, more=more)
    identity, pause_state = await ledger.identity(), await ledger.admin.pause_state()
    document = {
        "headline": asdict(seen.headline),
        "version": version(),
        "schema": {"ledger": await ledger.schema_level(), "known": SCHEMA_LEVEL},
        "identity": asdict(identity) if identity else None,
        "paused": {"by": pause_state.paused_by, "why": pause_state.paused_why} if pause_state.paused else None,
        "halted": {"by": pause_state.halted_by, "why": pause_state.halted_why} if pause_state.halted else None,
        "waiting": await _waiting(context, ledger, seen),
        "today": await _today(context, ledger, rebuild_store),
        "held": seen.held,
        "operators": await _operators(ledger, rebuild_store, decimals),
        "open_transactions": [_open(each, context.clock()) for each in await ledger.open_transactions()],
        "alarms": [_notified(notification) for notification in seen.standing],
        "last_sweep": await _watched(context, ledger, decimals),
        "backup": _backup(await ledger.service.monitor_state()),
        "leases": await _leases(context, ledger, rebuild_store),
    }
    return Overview(seen.headline, document)


async def _glance(context: CommandContext, held: list[str], *, more: bool = False) -> Glance:
    standing = [each for each in (await context.notifications()).values() if each.state is AlarmState.STANDS]
    return Glance(await _headline(context, await context.ledger(), held, standing, more=more), held, standing)


async def _held(rebuild_store: RebuildStore) -> list[str]:
    """Return the names of the held orders; one whose row cannot be read is named last."""
    torn = list[Unreadable]()
    held = [str(order.key) async for order in rebuild_store.held(torn)]
    return held + [row.key.removeprefix(keys.HELD) for row in torn]


def _arguments(command: argparse.ArgumentParser) -> None:
    """Add what only ``show`` takes."""
    command.add_argument(
        "--check", action="store_true", help=_("for cron: one line, and exit code 1 unless all is well")
    )


def _checked(context: CommandContext, seen: Glance) -> int:
    """Answer in one line; 0 only where payouts go on and nothing waits for a person."""
    well = seen.headline.state is State.PAYING and not seen.held and not seen.standing
    if context.options.json:
        context.answer({"headline": asdict(seen.headline), "ok": well})
    else:
        context.headline(seen.headline.line, seen.headline.action)
    return DONE if well else REFUSED


async def _headline(
    context: CommandContext, ledger: Ledger, held: list[str], standing: list[Notification], *, more: bool
) -> Headline:
    page = await ledger.waiting(limit=1)
    return headline(
        Situation(
            identity=await ledger.identity(),
            pause_state=await ledger.admin.pause_state(),
            waiting=await ledger.service.why_waiting(),
            oldest_ms=page.orders[0].received_ms if page.orders else None,
            held=len(held),
            held_more=more,
            alarms={notification.code for notification in standing if notification.missed_ms is None},
            monitor=await ledger.service.monitor_state(),
            now=context.clock(),
            off=queues_off(standing),
        )
    )


async def _waiting(context: CommandContext, ledger: Ledger, seen: Glance) -> dict[str, Any]:
    """Return why orders wait; while no round runs that is not what the last one found."""
    why = await ledger.service.why_waiting()
    reason = str(why.reason) if why.reason else None
    if none_runs(seen.standing):
        return await _waiting_for(context, ledger, WORK_NOT_RUNNING, detail(found_last(why)), why.since_ms)
    return await _waiting_for(context, ledger, reason, detail(why.detail), why.since_ms)


async def _waiting_for(
    context: CommandContext, ledger: Ledger, reason: str | None, why: str, since_ms: UnixMs
) -> dict[str, Any]:
    page = await ledger.waiting(limit=WAITING_SHOWN_MAX)
    orders = [order for order in page.orders if order.status is OrderStatus.RECEIVED]
    return {
        "reason": reason,
        "detail": why,
        "since": _time(since_ms),
        "oldest": _oldest(orders, context.clock()),
        "orders": [str(order.key) for order in orders],
        "more": bool(page.after),
    }


def _oldest(orders: list[Order], now: UnixMs) -> str | None:
    return f"{orders[0].key}, {age(orders[0].received_ms, now)}" if orders else None


async def _today(context: CommandContext, ledger: Ledger, rebuild_store: RebuildStore) -> dict[str, Any]:
    """Return what was bound in this UTC day, and the cap; None where it is off or its setting cannot be read."""
    operators = await rebuild_store.operators()
    state = await ledger.binding_state(operators[0]) if operators else None
    try:
        caps = await context.parts.settings(CapSettings)
    except ConfigurationError as error:
        return {"bound": None, "cap": None, "detail": str(error)}
    cap, bound = caps.caps.day_units, state.spent.units if state else 0
    return {
        "bound": tokens(bound, caps.decimals),
        "cap": tokens(cap, caps.decimals) if cap is not None else None,
        "committed": tokens(state.committed_units, caps.decimals) if state else None,
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
                "paid": tokens(stats.paid_units, decimals),
                "gas": tokens(stats.gas_cost_wei, NATIVE_DECIMALS),
            }
        )
    return shown


def _notified(notification: Notification) -> dict[str, Any]:
    """Return an active alarm, and when it was last sent; "not yet" while no target has taken it."""
    return {
        "alarm": notification.code,
        "since": _time(notification.since_ms),
        "told": _time(notification.sent_ms) if notification.sent_ms and notification.sent is not None else _("not yet"),
        "times": notification.number,
        "seen_by": notification.seen_by or None,
        "about": list(notification.subjects[:_SUBJECTS_SHOWN_MAX]),
    }


def _open(opened: OpenTransaction, now: UnixMs) -> dict[str, Any]:
    transaction = opened.transaction
    return {
        "operator": transaction.operator,
        "nonce": transaction.nonce,
        "status": str(transaction.status),
        "attempts": transaction.attempts,
        "orders": [str(key) for key in transaction.orders],
        "transaction": transaction.mined_hash or opened.attempts[-1].tx_hash,
        "age": age(transaction.bound_ms, now),
    }


async def _watched(context: CommandContext, ledger: Ledger, decimals: int) -> dict[str, Any]:
    """Return what the sweep saw; what it has not seen yet is no zero."""
    monitor = await ledger.service.monitor_state()
    unseen = None if context.options.json else _("not seen yet")
    seen = {
        "head": monitor.head_number,
        "finalized": monitor.finalized_number,
        "reserve": tokens(monitor.reserve_units, decimals),
        "allowance": tokens(monitor.allowance_units, decimals),
        "gas": tokens(monitor.gas_wei, NATIVE_DECIMALS),
        "payouts_left": await _payouts_left(context, ledger, monitor.gas_wei),
    }
    lanes = [
        {
            "operator": operator,
            "gas": tokens(gas_wei, NATIVE_DECIMALS),
            "payouts_left": await _payouts_left(context, ledger, gas_wei),
        }
        for operator, gas_wei in monitor.gas_of_lanes.items()
    ]
    return {
        "swept": _time(monitor.swept_ms) or unseen,
        "watched": _time(monitor.watched_ms) or unseen,
        **(seen if monitor.watched_ms else dict.fromkeys(seen, unseen)),
        **({"lanes": lanes} if len(lanes) > 1 else {}),
        "alarms": list(monitor.alarms),
    }


def _backup(monitor: MonitorState) -> dict[str, str | None] | None:
    """Return the last good backup; None where there never was one."""
    if monitor.backup_name is None or monitor.backup_ms is None:
        return None
    return {"name": monitor.backup_name, "begun": rfc3339(monitor.backup_ms)}


async def _payouts_left(context: CommandContext, ledger: Ledger, gas_wei: Wei) -> int | None:
    """Return how many payouts that gas covers, at what they have cost so far; None where the limits cannot be read."""
    try:
        fees = await context.parts.settings(FeeSettings)
    except ConfigurationError:
        return None
    totals = [await ledger.stats(operator) for operator in await (await context.rebuild_store()).operators()]
    stats = Stats(
        orders_paid=sum(each.orders_paid for each in totals),
        gas_cost_wei=Wei(sum(each.gas_cost_wei for each in totals)),
    )
    return payouts_left(gas_wei, stats, Wei(fees.gas_limit * fees.max_fee_wei))


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


COMMANDS = (
    Command(
        name="show",
        summary=N_("show the whole service on one page"),
        description=N_(
            "Show whether orders are paid, what stops them, what is in flight, and what was last seen. With --check "
            "only the first line, for cron: exit code 0 while orders are paid, nothing is held and no alarm persists."
        ),
        run=show,
        arguments=_arguments,
    ),
)
