"""
What the looks that come again and again cost over many finished orders: sweep, watch, settlement, the console's pages.

The app's own use cases on a real node, over a ledger in memory that holds so many finished orders and counts what it is
asked. What a look asks and computes must not grow with the orders that are done.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from bench.ground import Ground
from bench.history import BATCH, RowsWithHistory, finished, next_nonce
from bench.shop import posts
from devstack.console import StepFailed
from devstack.contracts import Devchain
from distributor.console.charts import charts_page
from distributor.console.desk import Desk
from distributor.console.views import Views
from distributor.payout_wiring import PayoutWiring
from distributor.resources import Resources
from distributor.webhook.authentication import WebhookRequest
from distributor.wiring import Container
from foundation.clock import system_clock

if TYPE_CHECKING:
    from foundation.tablestore.azure_tables import Tables

SIZES = (100, 100_000)
ROUNDS = 7
_BLOCKS = 4
"""One that has the transaction, two until it is final, and one more."""
Act = Callable[[], Awaitable[object]]


async def _nothing() -> None:
    """Need nothing before a look."""


class _Look(NamedTuple):
    """What is measured, and what must be done before each time."""

    act: Act
    before: Act = _nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class LookCost:
    """What one look takes in a service with so many finished orders."""

    name: str
    orders: int
    """Finished ones."""
    requests: int
    """Reads, scans and groups that the ledger's table would be asked."""
    rows: int
    """Rows that the scans hand over."""
    cpu_ms: float
    """Of the process, without what the rows in memory take; the least of some rounds."""


def measure(ground: Ground, orders: int, rounds: int = ROUNDS) -> list[LookCost]:
    """Look at a ledger with so many finished *orders*, on the node of *ground*, from now on mined by hand."""
    chain = Devchain(ground.deployment)
    chain.rpc("evm_setIntervalMining", 0)
    chain.rpc("anvil_setNonce", ground.deployment.operator, hex(next_nonce(orders)))
    chain.mine_to_finality()
    try:
        return asyncio.run(_over(ground, chain, orders, rounds))
    finally:
        gc.unfreeze()


class _OverMemory(Resources):
    """The app's real parts, but for the ledger's rows."""

    rows: RowsWithHistory

    async def tables(self) -> Tables:
        return replace(await super().tables(), rows=cast("Any", self.rows))


async def _over(ground: Ground, chain: Devchain, orders: int, rounds: int) -> list[LookCost]:
    rows = await _filled(ground, orders)
    service = _service(ground, rows)
    try:
        gc.collect()
        gc.freeze()  # a table's rows are no part of the app's memory: the collector must not walk them
        looks = await _looks(service, ground, chain, orders)
        return [await _cost(name, look, rows, orders, rounds) for name, look in looks.items()]
    finally:
        await service.aclose()


def _service(ground: Ground, rows: RowsWithHistory) -> Container:
    service = Container(dict(ground.settings), clock=system_clock)
    parts = _OverMemory(dict(ground.settings), clock=system_clock)
    parts.rows = rows
    service.parts, service.payouts = parts, PayoutWiring(parts, clock=system_clock, holder="bench")
    return service


async def _filled(ground: Ground, orders: int) -> RowsWithHistory:
    """Return the ledger that ``init`` made, and the history."""
    parts = Resources(dict(ground.settings), clock=system_clock)
    try:
        made = await (await parts.tables()).rows.scan("!", "~", limit=1_000)
    finally:
        await parts.aclose()
    history = finished(orders, ground.deployment.operator, system_clock())
    return RowsWithHistory(({row.key: dict(row.values) for row in made} | dict(history)).items())


async def _looks(service: Container, ground: Ground, chain: Devchain, orders: int) -> Mapping[str, _Look]:
    desk, alarms = Desk(parts=service.parts, clock=system_clock), await service.alarm_sweep()
    views, sweep, watch = Views(desk=desk), await service.sweep(), await service.payouts.balance_monitor()
    distribution, settlement = await service.payouts.distribution(), await service.payouts.settlement()
    intake, batches = await service.intake(), count()

    async def swept() -> None:
        await sweep.run()
        await alarms.run()

    async def bound() -> None:
        for post in posts(f"settled-{orders}-{next(batches)}", BATCH, ground.settings["WEBHOOK_SECRET"]):
            headers = {"content-type": "application/json", "x-wp-signature": post.signature}
            await intake.accept(WebhookRequest(headers=headers, body=post.body))
        await distribution.drain()

    async def settled() -> None:
        for _ in range(_BLOCKS):
            chain.mine()
            await settlement.turn()
        if await intake.ledger.any_open():
            raise StepFailed(f"a batch was not final after {_BLOCKS} blocks", ground.log)

    return {
        "sweep": _Look(swept),
        "watch": _Look(watch.run),
        "settlement": _Look(settled, before=bound),
        "home": _Look(views.home),
        "orders": _Look(lambda: views.orders({})),
        "charts": _Look(lambda: charts_page(desk)),
    }


async def _cost(name: str, look: _Look, rows: RowsWithHistory, orders: int, rounds: int) -> LookCost:
    """Look once for what a process does once, then some times; the requests are those of the last time."""
    taken = list[float]()
    asked = handed_over = 0
    for _ in range(rounds + 1):
        await look.before()
        asked, handed_over, began = rows.asked, rows.handed_over, time.process_time() - rows.own_cpu_s
        await look.act()
        taken.append(time.process_time() - rows.own_cpu_s - began)
    return LookCost(
        name=name,
        orders=orders,
        requests=rows.asked - asked,
        rows=rows.handed_over - handed_over,
        cpu_ms=min(taken[1:]) * 1000,
    )
