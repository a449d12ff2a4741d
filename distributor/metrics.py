"""
Use case: the state of the payouts as metrics, from the ledger, so that every instance answers the same.

A label is a chain, an operator, a state, a code or a severity; never an id, a wallet, a hash or a text.
The answer is kept for 15 seconds. A scrape costs about 15 round trips to the table, one for each
operator and two for each open transaction, side by side, and asks no node.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from distributor.ledger import Ledger
from distributor.model import Address, OpenTransaction
from distributor.state import PAID_WITHIN_S, MonitorState, Stats
from foundation.alarms.register import Register
from foundation.clock import Clock, UnixMs
from foundation.metrics import CONTENT_TYPE, Exposition, MetricKind

KEPT_MS = 15_000
COUNTED_MAX = 1_000
"""Waiting and held orders are counted up to here."""
_NATIVE_DECIMALS = 18


def _kind(name: str, kind: str, meaning: str, *labels: str) -> MetricKind:
    return MetricKind(name=f"ballx_{name}", kind=kind, meaning=meaning, labels=("chain", *labels))  # type: ignore[arg-type]  # one of the three words


KINDS: Mapping[str, MetricKind] = {
    kind.name: kind
    for kind in (
        _kind("orders", "gauge", "Orders that are not paid, by state; counted up to 1000.", "state"),
        _kind(
            "shop_orders",
            "gauge",
            "Orders of a shop that wait or are held; counted up to 1000 in all.",
            "shop",
            "state",
        ),
        _kind("oldest_waiting_seconds", "gauge", "Age of the order that has waited longest; 0 if none waits."),
        _kind("waiting_reason", "gauge", "1 for the reason why orders wait.", "code"),
        _kind("paused", "gauge", "1 while payouts are paused or halted, by state.", "state"),
        _kind("transactions_open", "gauge", "Transactions that are not final, by state.", "operator", "state"),
        _kind(
            "oldest_open_seconds", "gauge", "Age of the oldest transaction that is not final; 0 if none.", "operator"
        ),
        _kind("alarm", "gauge", "1 for each alarm that holds, as the last sweep saw it.", "code", "severity"),
        _kind("sweep_age_seconds", "gauge", "Time since the last sweep; it runs each minute."),
        _kind("watch_age_seconds", "gauge", "Time since balances were last looked at; every five minutes."),
        _kind(
            "backup_age_seconds", "gauge", "Time since the last good backup was begun, or since there should be one."
        ),
        _kind("reserve_tokens", "gauge", "Tokens in the reserve, as last watched."),
        _kind("allowance_tokens", "gauge", "Tokens the authority may draw, as last watched."),
        _kind("committed_tokens", "gauge", "Tokens bound and not final."),
        _kind("gas_pol", "gauge", "Coin of the first operator, as last watched."),
        _kind(
            "payouts_left", "gauge", "Payouts that coin covers, at what they cost so far; absent before the first one."
        ),
        _kind("lane_gas_pol", "gauge", "Coin of each operator that pays, as last watched.", "operator"),
        _kind(
            "lane_payouts_left",
            "gauge",
            "Payouts that the coin of each operator covers, at what they cost so far; absent before the first one.",
            "operator",
        ),
        _kind("head_block", "gauge", "Newest block, as last watched."),
        _kind("finalized_block", "gauge", "Newest final block, as last watched."),
        _kind("callbacks", "gauge", "What shops are to be told, by state; counted up to 1000.", "state"),
        _kind("orders_paid_total", "counter", "Orders paid and final.", "operator"),
        _kind("tokens_paid_total", "counter", "Tokens paid and final.", "operator"),
        _kind("transactions_final_total", "counter", "Transactions closed.", "operator"),
        _kind("gas_used_total", "counter", "Gas of the transactions closed.", "operator"),
        _kind("gas_cost_pol_total", "counter", "Coin spent on gas by the transactions closed.", "operator"),
        _kind("time_to_paid_seconds", "histogram", "From the receipt of an order to its finality.", "operator"),
    )
}
"""Every metric there is. Totals are stored with each closing and never fall; the other ones are states."""


@dataclass(slots=True)
class _Memory:
    text: bytes = b""
    scraped_ms: UnixMs = UnixMs(0)


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Read the ledger and write it as metrics."""

    ledger: Ledger
    register: Register
    clock: Clock
    chain_id: int
    decimals: int
    _memory: _Memory = field(default_factory=_Memory, init=False, repr=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)

    @property
    def content_type(self) -> str:
        return CONTENT_TYPE

    async def text(self) -> bytes:
        """Return the metrics of at most 15 seconds ago. Raises StoreUnavailable."""
        async with self._lock:
            if not 0 <= self.clock() - self._memory.scraped_ms < KEPT_MS:
                self._memory.text = (await self._scrape()).text()
                self._memory.scraped_ms = self.clock()
            return self._memory.text

    async def _scrape(self) -> Exposition:
        shown = Exposition(KINDS)
        monitor = await self.ledger.service.monitor_state()
        self._watched(shown, monitor)
        await asyncio.gather(
            self._orders(shown), self._work(shown, monitor), self._alarms(shown), self._call_backs(shown)
        )
        return shown

    async def _orders(self, shown: Exposition) -> None:
        page, (waits, held), waiting, pause = await asyncio.gather(
            self.ledger.waiting(limit=1),
            self.ledger.service.line_lengths(limit=COUNTED_MAX),
            self.ledger.service.why_waiting(),
            self.ledger.admin.pause_state(),
        )
        now = self.clock()
        oldest = min((order.received_ms for order in page.orders), default=now)
        for state, by_shop in (("waiting", waits), ("held", held)):
            self._add(shown, "orders", by_shop.total(), state)
            for shop, count in sorted(by_shop.items()):
                self._add(shown, "shop_orders", count, shop, state)
        self._add(shown, "oldest_waiting_seconds", _seconds(oldest, now))
        self._add(shown, "paused", pause.paused, "paused")
        self._add(shown, "paused", pause.halted, "halted")
        if page.orders and waiting.reason is not None:
            self._add(shown, "waiting_reason", 1, str(waiting.reason))

    async def _work(self, shown: Exposition, monitor: MonitorState) -> None:
        operators = sorted(await self.ledger.signs.next_nonces())
        opened = await self.ledger.open_transactions()
        stats = await asyncio.gather(*(self.ledger.stats(operator) for operator in operators))
        self._add(shown, "orders", sum(len(each.transaction.orders) for each in opened), "bound")
        for operator, totals in zip(operators, stats, strict=True):
            self._open(shown, operator, [each for each in opened if each.transaction.operator == operator])
            self._totals(shown, operator, totals)
        self._left(shown, monitor, stats)
        state = await self.ledger.binding_state(operators[0]) if operators else None
        if state is not None:
            self._add(shown, "committed_tokens", _float(state.committed_units, self.decimals))

    def _left(self, shown: Exposition, monitor: MonitorState, stats: Sequence[Stats]) -> None:
        """Count what every instance counts alike: what payouts have cost, never what the settings would allow."""
        paid, cost_wei = sum(each.orders_paid for each in stats), sum(each.gas_cost_wei for each in stats)
        if monitor.watched_ms and paid and cost_wei:
            each_wei = max(1, cost_wei // paid)
            self._add(shown, "payouts_left", monitor.gas_wei // each_wei)
            for operator, gas_wei in monitor.gas_of_lanes.items():
                self._add(shown, "lane_payouts_left", gas_wei // each_wei, operator)

    def _open(self, shown: Exposition, operator: Address, opened: Sequence[OpenTransaction]) -> None:
        for state, count in sorted(Counter(str(each.transaction.status) for each in opened).items()):
            self._add(shown, "transactions_open", count, operator, state)
        now = self.clock()
        oldest = min((each.transaction.bound_ms for each in opened), default=now)
        self._add(shown, "oldest_open_seconds", _seconds(oldest, now), operator)

    def _totals(self, shown: Exposition, operator: Address, totals: Stats) -> None:
        self._add(shown, "orders_paid_total", totals.orders_paid, operator)
        self._add(shown, "tokens_paid_total", _float(totals.paid_units, self.decimals), operator)
        self._add(shown, "transactions_final_total", totals.transactions, operator)
        self._add(shown, "gas_used_total", totals.gas_used, operator)
        self._add(shown, "gas_cost_pol_total", _float(totals.gas_cost_wei, _NATIVE_DECIMALS), operator)
        counts = totals.paid_within or (0,) * (len(PAID_WITHIN_S) + 1)
        took_s = (totals.paid_ms_sum or 0) / 1_000
        name = "ballx_time_to_paid_seconds"
        shown.add_distribution(name, PAID_WITHIN_S, counts, took_s, str(self.chain_id), operator)

    async def _alarms(self, shown: Exposition) -> None:
        for notification in await self.register.standing():
            severity = self.register.catalogue.find(notification.code).severity.name.lower()
            self._add(shown, "alarm", 1, notification.code, severity)

    def _watched(self, shown: Exposition, monitor: MonitorState) -> None:
        now = self.clock()
        self._add(shown, "sweep_age_seconds", _seconds(monitor.swept_ms, now))
        self._add(shown, "watch_age_seconds", _seconds(monitor.watched_ms, now))
        if monitor.backup_ms is not None:
            self._add(shown, "backup_age_seconds", _seconds(monitor.backup_ms, now))
        self._add(shown, "reserve_tokens", _float(monitor.reserve_units, self.decimals))
        self._add(shown, "allowance_tokens", _float(monitor.allowance_units, self.decimals))
        self._add(shown, "gas_pol", _float(monitor.gas_wei, _NATIVE_DECIMALS))
        for operator, gas_wei in monitor.gas_of_lanes.items():
            self._add(shown, "lane_gas_pol", _float(gas_wei, _NATIVE_DECIMALS), operator)
        self._add(shown, "head_block", monitor.head_number)
        self._add(shown, "finalized_block", monitor.finalized_number)

    async def _call_backs(self, shown: Exposition) -> None:
        """Announced ones belong to no shop yet; those of a stopped address wait for a person."""
        announced, due, stopped = await self.ledger.call_backs.lengths(limit=COUNTED_MAX)
        self._add(shown, "callbacks", announced, "announced")
        self._add(shown, "callbacks", due, "due")
        self._add(shown, "callbacks", stopped, "stopped_addresses")

    def _add(self, shown: Exposition, name: str, value: float, *labels: str) -> None:
        shown.add(f"ballx_{name}", value, str(self.chain_id), *labels)


def _seconds(since: UnixMs, now: UnixMs) -> float:
    return max(0, now - since) / 1_000


def _float(units: int, decimals: int) -> float:
    """Return an amount as the text format has numbers; for charts, never for books."""
    return float(Decimal(units).scaleb(-decimals))
