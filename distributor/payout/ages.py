"""
Ages that are alarms by themselves, whatever the reason: what waits, what is open, who no longer looks.

Pure: rows in, facts out. A trouble in words nobody foresaw still grows old, also where a clock that ran
far ahead wrote its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from distributor.model import OpenTransaction, Order, Transaction, TransactionStatus
from distributor.payout.catalogue import (
    BACKUP_OLD,
    CLOCK_WRONG,
    ORDER_WAITING_LONG,
    SETTLEMENT_SILENT,
    SLOTS_STUCK,
    SWEEP_MISSING,
    TRANSACTION_OPEN_LONG,
    WATCH_MISSING,
)
from distributor.payout.order_names import order_names
from distributor.settings.use_cases import AgeSettings
from distributor.state import MonitorState, SettlementLook, Waiting
from distributor.units import Wei, format_gwei
from foundation.alarms.model import Fact
from foundation.clock import UnixMs, elapsed_ms
from foundation.tablestore.leases import TERM_MS_MAX

WATCHED_MS_MAX = 900_000
"""What the watch saw longer ago says nothing any more."""
BACKUP_MS_MAX = 26 * 3_600_000
"""A backup a day, and two hours for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowAges:
    """What one look at the rows saw."""

    now: UnixMs
    waiting: Waiting
    oldest: Sequence[Order]
    """The order that has waited longest, if one waits."""
    opened: Sequence[OpenTransaction]
    monitor: MonitorState
    look: SettlementLook


def clock_facts(ahead_ms: int | None, now: UnixMs) -> Sequence[Fact]:
    """
    Return the fact that this machine's clock and the storage service's are further apart than the longest lease.

    From there on no lease of this machine is believed by another, and requests signed now look old or new.
    """
    if ahead_ms is None or abs(ahead_ms) <= TERM_MS_MAX:
        return []
    way = "ahead of" if ahead_ms > 0 else "behind"
    detail = f"This machine's clock is {abs(ahead_ms) // 1000} s {way} the storage service's."
    return [Fact(code=CLOCK_WRONG, subject="", detail=detail, since_ms=now)]


def age_facts(seen: RowAges, ages: AgeSettings) -> Sequence[Fact]:
    """Return what is too old, each with the time from which on it was."""
    return [
        *_waiting(seen, ages),
        *_open(seen, ages),
        *_slots(seen, ages),
        *_settlement(seen, ages),
        *(_sweep(seen, ages) or _watch(seen)),
        *_backup(seen),
    ]


def _waiting(seen: RowAges, ages: AgeSettings) -> Sequence[Fact]:
    waiting = seen.waiting
    detail = f"{waiting.reason}: {waiting.detail}" if waiting.reason else ""
    return [
        Fact(code=ORDER_WAITING_LONG, subject=str(order.key), detail=detail, since_ms=order.received_ms)
        for order in seen.oldest
        if elapsed_ms(order.received_ms, seen.now) > ages.waiting_ms
    ]


def _open(seen: RowAges, ages: AgeSettings) -> Sequence[Fact]:
    return [
        Fact(
            code=TRANSACTION_OPEN_LONG,
            subject=_nonce(each.transaction, seen),
            detail=_about(each, seen.monitor, ages),
            since_ms=each.transaction.bound_ms,
        )
        for each in seen.opened
        if elapsed_ms(each.transaction.bound_ms, seen.now) > ages.open_ms
    ]


def _nonce(transaction: Transaction, seen: RowAges) -> str:
    """Return the nonce's name; with its operator where another one has the same nonce open."""
    again = sum(each.transaction.nonce == transaction.nonce for each in seen.opened) > 1
    return f"nonce {transaction.nonce} of {transaction.operator}" if again else f"nonce {transaction.nonce}"


def _about(each: OpenTransaction, monitor: MonitorState, ages: AgeSettings) -> str:
    """Say which orders, what was sent, what the nodes said, and the price beside market and ceilings, in gwei."""
    transaction, attempt = each.transaction, each.attempts[-1]
    market = f"{_gwei(monitor.market_base_wei)} + {_gwei(monitor.market_tip_wei)}"
    return (
        f"orders {order_names(transaction)}; {attempt.tx_hash}, {transaction.status}, attempt {attempt.index + 1}; "
        f"nodes said {transaction.last_outcome or 'nothing'}; offers {_gwei(attempt.fees.max_fee_wei)} gwei, tip "
        f"{_gwei(attempt.fees.tip_wei)}; market {market}; ceilings {_gwei(ages.fees.max_fee_wei)}, tip "
        f"{_gwei(ages.fees.max_tip_wei)}"
    )


def _gwei(wei: int | None) -> Decimal | str:
    return "unknown" if wei is None else format_gwei(Wei(wei))


def _slots(seen: RowAges, ages: AgeSettings) -> Sequence[Fact]:
    """Every slot of an operator taken while an order waits, and the last one was taken long ago: no nonce moves."""
    flying = [each.transaction for each in seen.opened if each.transaction.status is not TransactionStatus.MINED]
    operators = sorted({transaction.operator for transaction in flying}) if seen.oldest else []
    by_operator = ([each for each in flying if each.operator == operator] for operator in operators)
    return [fact for mine in by_operator if len(mine) >= ages.lane.max_in_flight for fact in _stuck(mine, seen, ages)]


def _stuck(flying: Sequence[Transaction], seen: RowAges, ages: AgeSettings) -> Sequence[Fact]:
    since_ms = max(transaction.bound_ms for transaction in flying)
    lowest = min(transaction.nonce for transaction in flying)
    detail = f"In flight: {len(flying)}. The lowest is nonce {lowest}; order {seen.oldest[0].key} waits."
    stuck = elapsed_ms(since_ms, seen.now) > ages.slots_ms
    return [Fact(code=SLOTS_STUCK, subject=f"nonce {lowest}", detail=detail, since_ms=since_ms)] if stuck else []


def _settlement(seen: RowAges, ages: AgeSettings) -> Sequence[Fact]:
    """Something is open, and no look at all of it has succeeded for minutes."""
    if not seen.opened:
        return []
    first = min((each.transaction for each in seen.opened), key=lambda transaction: transaction.bound_ms)
    since_ms = max(seen.look.looked_ms, first.bound_ms)
    if elapsed_ms(since_ms, seen.now) <= ages.settlement_ms:
        return []
    oldest = f"nonce {first.nonce} of order {order_names(first)}"
    detail = f"Open transactions: {len(seen.opened)}. The oldest is {oldest}."
    return [Fact(code=SETTLEMENT_SILENT, subject="", detail=detail, since_ms=since_ms)]


def _sweep(seen: RowAges, ages: AgeSettings) -> Sequence[Fact]:
    """The sweep has not run for minutes; in a system where it never ran, not since there was work."""
    began = [order.received_ms for order in seen.oldest] + [each.transaction.bound_ms for each in seen.opened]
    last_ms = seen.monitor.swept_ms or min(began, default=seen.now)
    missing = elapsed_ms(last_ms, seen.now) > ages.sweep_ms
    return [Fact(code=SWEEP_MISSING, subject="", detail="", since_ms=last_ms)] if missing else []


def _watch(seen: RowAges) -> Sequence[Fact]:
    """The sweep runs, and the watch that is part of it has not finished for three of its times."""
    watched_ms = seen.monitor.watched_ms
    missing = watched_ms and elapsed_ms(watched_ms, seen.now) > WATCHED_MS_MAX
    return [Fact(code=WATCH_MISSING, subject="", detail="", since_ms=watched_ms)] if missing else []


def _backup(seen: RowAges) -> Sequence[Fact]:
    """The last good backup is too old; where there never was one, the first sweep says since when."""
    since_ms, name = seen.monitor.backup_ms, seen.monitor.backup_name
    if since_ms is None or elapsed_ms(since_ms, seen.now) <= BACKUP_MS_MAX:
        return []
    detail = f"The last good one is {name}." if name else "There was never one."
    return [Fact(code=BACKUP_OLD, subject="", detail=detail, since_ms=since_ms)]
