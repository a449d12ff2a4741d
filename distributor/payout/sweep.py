"""
Use case: wake what stalled, and watch what payouts need.

The sweep is cheap and never touches the chain; the watch, every fifth minute, does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from distributor.chain_types import PreBindSnapshot
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.ledger.opened import Unreadable
from distributor.model import Address, TransactionStatus
from distributor.payout import finality, order_indexing
from distributor.payout.alarms import row_unreadable
from distributor.payout.preflight import Obstacle, outside_trouble
from distributor.payout.recheck import Recheck
from distributor.payout.shop_registration import ShopRegistration
from distributor.ports import Alarm, Alarms, Chain, Heads
from distributor.reasons import unknown_operator, waiting_alarm
from distributor.settings.chain import FeeSettings
from distributor.settings.shops import ThresholdSettings
from distributor.state import SETTLEMENT_LEASE, MonitorState, Stats, WaitingReason
from distributor.units import TokenUnits, Wei, format_units
from foundation import logs
from foundation.clock import Clock, elapsed_ms
from foundation.errors import Contention

LINE_ORDERS = 64
"""As far as the watch looks along the backlog for rows that cannot be read; rounds look further."""
WATCH_EVERY_MS = 300_000
FINALITY_LAG_BLOCKS_MAX = 128
"""Polygon finalizes a block some seconds after it is made; four minutes behind the head is a stall."""
FOUND_MAX = 40
"""Alarms of one watch that are kept in words: a column holds 32,768 characters."""
_WORDS_MAX = 300
_NATIVE_DECIMALS = 18

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wakes:
    """Which queues get a message, and whether the watch is due."""

    distribute: bool
    settle: bool
    monitor: bool
    index: bool = False
    """Whether orders that an older version stored are still to be indexed."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The timer's work: a lost message costs a minute, never an order."""

    ledger: Ledger
    clock: Clock

    async def run(self) -> Wakes:
        """Return what to wake, and note that the sweep ran."""
        page, opened, lease, monitor_state = await asyncio.gather(
            self.ledger.waiting(limit=1),
            self.ledger.any_open(),
            self.ledger.leases.find(SETTLEMENT_LEASE),
            self.ledger.service.monitor_state(),
        )
        now_ms = self.clock()
        followed = lease is not None and lease.is_alive(now_ms)
        wakes = Wakes(
            distribute=bool(page.orders),
            settle=opened and not followed,
            monitor=elapsed_ms(monitor_state.watched_ms, now_ms) >= WATCH_EVERY_MS,
        )
        swept = order_indexing.swept(monitor_state, now_ms)
        wakes = replace(wakes, index=swept.index_place is not None)
        try:
            await self.ledger.service.save_monitor_state(swept)
        except Contention:
            logs.info(_log, "sweep_conflict")
        return wakes


@dataclass(frozen=True, kw_only=True)
class BalanceMonitor:
    """Look at reserve, allowance, gas, finality and nonce; raise each alarm once, when it begins."""

    ledger: Ledger
    chain: Chain
    alarms: Alarms
    clock: Clock
    operator: Address
    thresholds: ThresholdSettings
    limits: FeeSettings
    """What one payout may cost at most: the measure of gas where no payout has been closed yet."""
    recheck: Recheck
    """What was closed on one node's word."""
    obstacle: Callable[[], Awaitable[Obstacle | None]]
    """What would stop an order that came now, asked as the payout asks it."""
    heads: Heads
    """Every node of RPC_URL, each asked by itself."""
    others: Sequence[Address] = ()
    """Operators that pay at the same time, each in a lane of its own."""
    registration: ShopRegistration | None = None
    """Registers a rotated secret also while no order comes; None: not from here."""

    async def run(self) -> None:
        """
        Look once, raise what is new, and remember what persists.

        Raises:
            StoreUnavailable: Nothing is known; the next watch looks again.
        """
        if self.registration is not None and await self.ledger.identity() is not None:
            await self.registration.keep_up()
        monitor_state = await self.ledger.service.monitor_state()
        try:
            snapshot = await self.chain.pre_bind_snapshot(self.operator)
            await self._look_back()
            await self.recheck.run()
            seen = {each: await self.chain.pre_bind_snapshot(each) for each in self.others}
            others = [*await self._retiring(), *await self._low_gas_of(seen), *await self._silent_nodes()]
        except (ChainUnavailable, WrongChain) as error:
            trouble = outside_trouble(error)
            await self._conclude(monitor_state, [waiting_alarm(trouble.reason, trouble.detail)])
            return
        ongoing = await self._judge(snapshot, monitor_state)
        looked = replace(
            monitor_state,
            head_number=snapshot.head.number,
            finalized_number=snapshot.finalized_number or monitor_state.finalized_number,
            reserve_units=snapshot.reserve_units,
            allowance_units=snapshot.allowance_units,
            gas_wei=snapshot.gas_balance_wei,
            lane_gas=tuple(f"{who} {each.gas_balance_wei}" for who, each in {self.operator: snapshot, **seen}.items()),
            market_base_wei=snapshot.market.base_fee_wei,
            market_tip_wei=snapshot.market.tip_wei,
        )
        await self._conclude(looked, [*ongoing, *others])

    async def _retiring(self) -> Sequence[Alarm]:
        """Return an alarm for each operator of before whose coin no longer covers what it still has in the pools."""
        needed: dict[Address, int] = {}
        for each in (await self.ledger.opened()).transactions:
            retired = each.transaction.operator not in {self.operator, *self.others}
            if retired and each.transaction.status is not TransactionStatus.MINED:
                last = each.attempts[-1]
                needed.setdefault(each.transaction.operator, 0)
                needed[each.transaction.operator] += last.gas_limit * last.fees.max_fee_wei
        return [alarm for operator, wei in sorted(needed.items()) for alarm in await self._short(operator, Wei(wei))]

    async def _short(self, operator: Address, needed_wei: Wei) -> Sequence[Alarm]:
        has_wei = (await self.chain.pre_bind_snapshot(operator)).gas_balance_wei
        if has_wei >= needed_wei:
            return []
        has, needed = format_units(has_wei, _NATIVE_DECIMALS), format_units(needed_wei, _NATIVE_DECIMALS)
        summary = f"The retiring operator {operator} holds {has} POL, its open transactions may need {needed} POL."
        return [Alarm(code="retiring_gas_short", summary=summary, action="Send POL to that address.", subject=operator)]

    async def _silent_nodes(self) -> Sequence[Alarm]:
        """Return an alarm if a node of RPC_URL does not answer twice in a row; one of them is enough to pay."""
        for _ in range(2):
            answering = {head.place for head in await self.heads.heads()}
            silent = [node for place, node in enumerate(self.chain.nodes) if place not in answering]
            if not silent:
                return []
        named = ", ".join(silent)
        summary = f"{named}: silent, {len(silent)} of {len(self.chain.nodes)} nodes. Payouts go on by the others."
        return [Alarm(code="node_silent", summary=summary, action="Repair that node, or take it out of RPC_URL.")]

    async def _look_back(self) -> None:
        """See whether what was closed is still on the chain; settlement does so too, while anything is open."""
        closed = await finality.newest_closings(self.ledger, [self.operator, *self.others])
        numbers = sorted(finality.blocks_of(closed))
        if numbers:
            seen = await self.chain.snapshot([self.operator], [], numbers)
            looking = finality.StillFinal(ledger=self.ledger, chain=self.chain, alarms=self.alarms, clock=self.clock)
            await looking.check(closed, seen)

    async def _judge(self, snapshot: PreBindSnapshot, monitor_state: MonitorState) -> Sequence[Alarm]:
        binding_state = await self.ledger.binding_state(self.operator)
        if binding_state is None:
            return [waiting_alarm(WaitingReason.LEDGER_FOREIGN, unknown_operator(self.operator))]
        stats = await self.ledger.stats(self.operator)
        spendable_units = TokenUnits(snapshot.reserve_units - binding_state.committed_units)
        allowed_units = TokenUnits(snapshot.allowance_units - binding_state.committed_units)
        payouts = self._payouts(snapshot, stats)
        logs.info(
            _log,
            "watched",
            reserve_units=snapshot.reserve_units,
            allowance_units=snapshot.allowance_units,
            committed_units=binding_state.committed_units,
            gas_wei=snapshot.gas_balance_wei,
            payouts_left=payouts,
            head=snapshot.head.number,
            finalized=snapshot.finalized_number,
        )
        alarms = [
            *self._low("reserve", spendable_units, self.thresholds.low_reserve_units, "Move tokens to the reserve."),
            *self._low(
                "allowance", allowed_units, self.thresholds.low_allowance_units, "Approve more from the reserve."
            ),
            *self._low_gas(snapshot, payouts, self.operator),
            *self._finality(snapshot, monitor_state),
        ]
        alarms += [row_unreadable(each) for each in await self._unreadable()]
        if snapshot.nonce > binding_state.next_nonce:
            detail = f"The chain's next nonce is {snapshot.nonce}, the ledger's {binding_state.next_nonce}."
            alarms.append(waiting_alarm(WaitingReason.NONCE_AHEAD, detail))
        would_stop = await self.obstacle()
        if would_stop is not None and f"waiting_{would_stop.reason}" not in {alarm.code for alarm in alarms}:
            alarms.append(waiting_alarm(would_stop.reason, would_stop.detail))
        return alarms

    async def _unreadable(self) -> Sequence[Unreadable]:
        page = await self.ledger.waiting(limit=LINE_ORDERS)
        return [*(await self.ledger.opened()).unreadable, *page.unreadable]

    def _low(self, what: str, units: TokenUnits, floor: TokenUnits, action: str) -> Sequence[Alarm]:
        if units >= floor:
            return []
        decimals = self.thresholds.decimals
        left, least = format_units(units, decimals), format_units(floor, decimals)
        summary = f"The {what} is low: {left} tokens left beside what is committed, the threshold is {least}."
        return [Alarm(code=f"low_{what}", summary=summary, action=action)]

    def _low_gas(
        self, snapshot: PreBindSnapshot, payouts: int, operator: Address, subject: str = ""
    ) -> Sequence[Alarm]:
        if payouts >= self.thresholds.low_gas_payouts:
            return []
        balance = format_units(snapshot.gas_balance_wei, _NATIVE_DECIMALS)
        summary = f"The operator {operator} has gas for {payouts} more payouts ({balance} POL)."
        return [Alarm(code="low_gas", summary=summary, action="Send POL to the operator address.", subject=subject)]

    async def _low_gas_of(self, others: Mapping[Address, PreBindSnapshot]) -> Sequence[Alarm]:
        """Return an alarm for each further lane whose operator's coin is short, by what its own payouts have cost."""
        found = list[Alarm]()
        for operator, snapshot in others.items():
            payouts = self._payouts(snapshot, await self.ledger.stats(operator))
            found += self._low_gas(snapshot, payouts, operator, operator)
        return found

    def _payouts(self, snapshot: PreBindSnapshot, stats: Stats) -> int:
        at_most_wei = Wei(self.limits.gas_limit * self.limits.max_fee_wei)
        return payouts_left(snapshot.gas_balance_wei, stats, at_most_wei)

    def _finality(self, snapshot: PreBindSnapshot, monitor_state: MonitorState) -> Sequence[Alarm]:
        if self.recheck.policy.finality_depth is not None:
            return []
        finalized = snapshot.finalized_number
        oldest = max(monitor_state.finalized_number, snapshot.head.number - FINALITY_LAG_BLOCKS_MAX)
        if finalized is not None and finalized >= oldest:
            return []
        summary = (
            f"The finalized tag is {finalized} at head {snapshot.head.number}; it was {monitor_state.finalized_number}."
        )
        action = "Nothing becomes final and no order is called paid until it moves; check the network's status."
        return [Alarm(code="finality_stalled", summary=summary, action=action)]

    async def _conclude(self, monitor_state: MonitorState, ongoing: Sequence[Alarm]) -> None:
        for alarm in ongoing:
            if _is_new(alarm, monitor_state):
                await self.alarms.raise_(alarm)
        for code in set(monitor_state.alarms) - {alarm.code for alarm in ongoing}:
            logs.info(_log, "alarm_over", code=code)
        codes = tuple(sorted({alarm.code for alarm in ongoing}))
        found = tuple(_in_words(alarm) for alarm in ongoing[:FOUND_MAX])
        looked = replace(monitor_state, watched_ms=self.clock(), alarms=codes, found=found)
        try:
            await self.ledger.service.save_monitor_state(looked)
        except Contention:
            logs.info(_log, "watched_elsewhere")


def payouts_left(gas_wei: Wei, stats: Stats, at_most_wei: Wei) -> int:
    """Return how many more payouts the gas balance covers, by what payouts have cost so far."""
    known = stats.orders_paid > 0 and stats.gas_cost_wei > 0
    each_wei = max(1, stats.gas_cost_wei // stats.orders_paid) if known else at_most_wei
    return gas_wei // each_wei


def _is_new(alarm: Alarm, seen: MonitorState) -> bool:
    """Say whether the last look did not find it: of one code each subject is an alarm of its own, as far as kept."""
    found = [line.split("\t")[:2] for line in seen.found or ()]
    missing = [alarm.code, alarm.subject] not in found
    return alarm.code not in seen.alarms or (missing and 0 < len(found) < FOUND_MAX)


def _in_words(alarm: Alarm) -> str:
    """Return the alarm on one line: what is sent hourly says what the first message said."""
    return "\t".join(" ".join(part.split())[:_WORDS_MAX] for part in (alarm.code, alarm.subject, alarm.summary))
