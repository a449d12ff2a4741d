"""``history ORDER``: everything that happened to one order, with who decided it and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from distributor.cli.common_arguments import order_argument
from distributor.cli.context import DONE, CommandContext, CommandRefused
from distributor.cli.declared import Command
from distributor.cli.language import N_, _
from distributor.ledger import Ledger
from distributor.ledger.audit_words import prefixes_of, prefixes_of_nonce
from distributor.model import Attempt, Order, OrderKey, Transaction
from distributor.settings.use_cases import StatusSettings
from distributor.status import rfc3339, shown
from distributor.units import format_gwei, format_units
from foundation.alarms.model import Fact, Notification
from foundation.clock import UnixMs
from foundation.tablestore.ports import AuditTrail, Value


async def history(context: CommandContext) -> int:
    """Show an order's way: what the ledger has of it, its attempts, the decisions about it, its alarms."""
    settings = await context.begin(StatusSettings)
    ledger, key = await context.ledger(), context.options.order
    order = await ledger.order(key)
    decisions = await decisions_about(_audit(await context.parts.tables()), key, order)
    if order is None and not decisions:
        raise CommandRefused(_("The ledger has no order {order}.").format(order=key))
    context.answer(
        {
            "order": str(key),
            "status": shown(order) if order else None,
            "amount": format_units(order.amount_units, settings.decimals) if order else None,
            "wallet": order.wallet if order else None,
            "received_at": rfc3339(order.received_ms) if order else None,
            "updated_at": rfc3339(order.updated_ms) if order else None,
            "transaction": await _transaction(ledger, order) if order else None,
            "attempts": await _attempts(ledger, order) if order else [],
            "decisions": decisions,
            "alarms": await _alarms(context, key),
        }
    )
    return DONE


async def decisions_about(audit: AuditTrail, key: OrderKey, order: Order | None) -> Sequence[Mapping[str, Any]]:
    """Return what the audit trail has of an order and of the nonce it is bound to, the oldest first."""
    prefixes = list(prefixes_of(key))
    if order is not None and order.operator is not None and order.nonce is not None:
        prefixes += prefixes_of_nonce(order.operator, order.nonce)
    found = [_entry(prefix, values) for prefix in prefixes for values in await audit.recorded(prefix)]
    return sorted(found, key=lambda entry: entry["at"] or "")


def _entry(prefix: str, values: Mapping[str, Value]) -> dict[str, Any]:
    at_ms = values.get("at_ms")
    return {
        "at": rfc3339(UnixMs(int(at_ms))) if isinstance(at_ms, int) else None,
        "what": prefix.partition(":")[0],
        "by": values.get("by"),
        "why": values.get("why") or _because(values),
        "was": values.get("was"),
    }


def _because(values: Mapping[str, Value]) -> str | None:
    """Return why the service itself did it."""
    return ": ".join(str(values[name]) for name in ("reason", "detail") if values.get(name)) or None


async def _transaction(ledger: Ledger, order: Order) -> Mapping[str, Any] | None:
    if order.operator is None or order.nonce is None:
        return {"last": order.paid_hash} if order.paid_hash else None
    found = await ledger.transaction(order.operator, order.nonce)
    return _bound(found) if found else {"operator": order.operator, "nonce": order.nonce, "hash": order.paid_hash}


def _bound(transaction: Transaction) -> Mapping[str, Any]:
    return {
        "operator": transaction.operator,
        "nonce": transaction.nonce,
        "status": str(transaction.status),
        "bound_at": rfc3339(transaction.bound_ms),
        "hash": transaction.mined_hash,
        "block": transaction.block_number,
        "witnesses": transaction.witnesses,
    }


async def _attempts(ledger: Ledger, order: Order) -> list[Mapping[str, Any]]:
    if order.operator is None or order.nonce is None:
        return []
    return [_attempt(each) for each in await ledger.attempts(order.operator, order.nonce)]


def _attempt(attempt: Attempt) -> Mapping[str, Any]:
    return {
        "attempt": attempt.index,
        "kind": str(attempt.kind),
        "signed_at": rfc3339(attempt.signed_ms),
        "transaction": attempt.tx_hash,
        "max_fee_gwei": format_gwei(attempt.fees.max_fee_wei),
        "tip_gwei": format_gwei(attempt.fees.tip_wei),
    }


async def _alarms(context: CommandContext, key: OrderKey) -> list[Mapping[str, Any]]:
    """Return the alarms that named the order: those that persist, and those that were sent."""
    register = await context.parts.register()
    return [*_noted(await register.facts(), str(key)), *_notified((await register.notifications()).values(), str(key))]


def _noted(facts: Iterable[Fact], subject: str) -> list[Mapping[str, Any]]:
    return [
        {"alarm": fact.code, "since": rfc3339(fact.since_ms), "state": "noted", "detail": fact.detail}
        for fact in facts
        if fact.subject == subject
    ]


def _notified(notifications: Iterable[Notification], subject: str) -> list[Mapping[str, Any]]:
    return [
        {"alarm": each.code, "since": rfc3339(each.since_ms), "state": str(each.state), "detail": each.seen_by}
        for each in notifications
        if subject in each.subjects
    ]


def _audit(tables: Any) -> AuditTrail:
    audit: AuditTrail = tables.audit
    return audit


COMMANDS = (
    Command(
        name="history",
        summary=N_("show what happened to one order, and who decided it"),
        description=N_(
            "Show an order's attempts, the alarms that named it, and every decision about it: what, when, who and why."
        ),
        run=history,
        arguments=order_argument,
    ),
)
