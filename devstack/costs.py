"""
What a month in Azure costs: ``python3 -m devstack.costs --orders 1000 --apps both``.

A formula over public list prices, for the sizes that infra/ deploys. The platform's own calls to storage are counted.
No price is asked for over the network: they are written down here, with where and when they were read.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

HOURS, MINUTES = 730, 43_800
"""Of a month, as Azure's own calculator counts it."""
SECONDS = HOURS * 3600
SWEEP_S, TELL_S, LOOK_S = 1, 1, 2
"""
Billed seconds of a sweep (a start is billed as one second at least), of a turn of the Distributor that tells the shops,
and of one look of settlement with its start.
"""
HTTP_S, DISTRIBUTE_S, FOLLOW_S, MAIL_S = 1, 2, 12, 8
"""Billed seconds of an order: its webhook, the round that binds it, five blocks until it is final; its receipt."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """
    List prices in USD.

    East US, read in November 2026 from stored copies of azure.microsoft.com/pricing/details/functions, …/monitor,
    …/storage/queues, …/storage/tables and …/storage/blobs. Which call is of which kind:
    learn.microsoft.com/azure/storage/blobs/map-rest-apis-transaction-categories.
    """

    demand_gb_s: Decimal = Decimal("0.000026")
    ready_gb_s: Decimal = Decimal("0.000004")
    """An always-ready instance while it waits."""
    ready_busy_gb_s: Decimal = Decimal("0.000016")
    executions_million: Decimal = Decimal("0.40")
    free_gb_s: int = 100_000
    """A month and subscription, on demand only."""
    free_executions: int = 250_000
    rule: Decimal = Decimal("1.50")
    """An alert rule on the log that looks every five minutes."""
    log_gb: Decimal = Decimal("2.30")
    free_log_gb: int = 5
    queue_10000: Decimal = Decimal("0.004")
    table_10000: Decimal = Decimal("0.00036")
    blob_10000: Decimal = Decimal("0.0044")
    """A call that neither reads nor writes a whole blob: the leases of the host."""


EAST_US = Prices()
BRAZIL_SOUTH = replace(EAST_US, demand_gb_s=Decimal("0.000037"), ready_gb_s=Decimal("0.000005"))
"""The two prices that were seen; all others are those of East US."""
REGIONS = {"eastus": EAST_US, "brazilsouth": BRAZIL_SOUTH}


@dataclass(frozen=True, kw_only=True)
class Size:
    """What is deployed: the parameters of infra/main.bicep, and one app or both."""

    memory_mb: int = 512
    always_ready: int = 1
    apps: int = 1
    """1: the Distributor. 2: PayFlow beside it, of which nothing needs to be always ready."""
    rules: int = 2
    """Alert rules of one app."""

    @property
    def gb(self) -> Decimal:
        return Decimal(self.memory_mb) / 1024


@dataclass(frozen=True, kw_only=True)
class Month:
    """The lines of a bill, in USD."""

    always_ready: Decimal
    on_demand: Decimal
    alerts: Decimal
    storage: Decimal
    logs: Decimal

    @property
    def total(self) -> Decimal:
        return self.always_ready + self.on_demand + self.alerts + self.storage + self.logs


def month(orders: int, size: Size, prices: Prices, *, stuck: bool = False) -> Month:
    """
    Return what a month costs.

    Args:
        orders: Paid orders; with both apps, as many receipts.
        size: What is deployed.
        prices: Of the region.
        stuck: A transaction stands still, or every node is away, for the whole month.
    """
    looks = MINUTES if stuck else 0
    http_s = HTTP_S * orders
    queued_s = (DISTRIBUTE_S + FOLLOW_S + MAIL_S * (size.apps - 1)) * orders + LOOK_S * looks
    demand_s = (SWEEP_S * size.apps + TELL_S) * MINUTES + queued_s + (0 if size.always_ready else http_s)
    executions = MINUTES * (size.apps + 1) + looks + (3 + size.apps - 1) * orders
    busy = size.gb * http_s * prices.ready_busy_gb_s if size.always_ready else Decimal(0)
    return Month(
        always_ready=size.gb * SECONDS * size.always_ready * prices.ready_gb_s + busy,
        on_demand=max(Decimal(0), size.gb * demand_s - prices.free_gb_s) * prices.demand_gb_s
        + Decimal(max(0, executions - prices.free_executions)) / 1_000_000 * prices.executions_million,
        alerts=prices.rule * size.rules * size.apps,
        storage=_storage(orders, looks, size, prices),
        logs=max(Decimal(0), _log_gb(orders, looks, size) - prices.free_log_gb) * prices.log_gb,
    )


def _storage(orders: int, looks: int, size: Size, prices: Prices) -> Decimal:
    """
    Count the calls to storage, our own and the platform's.

    Taken for the platform: the scaler of the app looks at each of its queues (four of the Distributor, two of PayFlow)
    every ten seconds; an instance renews its lease every eight. Ours: a sweep makes 16 calls to tables and 4 to queues,
    a turn that tells the shops 2 to tables, an order 70 and 12.
    """
    queues = 4 + 2 * (size.apps - 1)
    hosts = size.always_ready + size.apps  # and the one that the sweep keeps awake
    queue_calls = queues * SECONDS // 10 + 4 * MINUTES * size.apps + 12 * orders + 4 * looks
    table_calls = (16 * size.apps + 2) * MINUTES + 70 * orders + 12 * looks
    blob_calls = hosts * SECONDS // 8 + 4 * orders
    calls = queue_calls * prices.queue_10000 + table_calls * prices.table_10000 + blob_calls * prices.blob_10000
    return calls / 10_000


def _log_gb(orders: int, looks: int, size: Size) -> Decimal:
    """About 4 KB for a run of a function with its lines, 30 KB for an order, and 1 KB for each write that is logged."""
    return Decimal((6 * size.apps + 4) * MINUTES + 40 * orders + 6 * looks) / 1_000_000


def day_of_flood(instances: int, size: Size, prices: Prices) -> Decimal:
    """Return what 24 hours cost in which every instance that the app may have is busy."""
    return size.gb * 86_400 * instances * prices.demand_gb_s


def table(prices: Prices) -> str:
    """Return the table of docs/costs.md."""
    rows = [
        ("idle, as deployed: 512 MB, one always ready", month(0, Size(), prices)),
        ("the same, 1000 orders", month(1_000, Size(), prices)),
        ("the same, 10000 orders", month(10_000, Size(), prices)),
        ("idle, a transaction stuck all month", month(0, Size(), prices, stuck=True)),
        ("idle, none always ready (test.bicepparam)", month(0, Size(always_ready=0), prices)),
        ("idle, 2048 MB, one always ready", month(0, Size(memory_mb=2048), prices)),
        ("idle, both apps", month(0, Size(apps=2), prices)),
        ("both apps, 1000 orders", month(1_000, Size(apps=2), prices)),
    ]
    head = f"{'USD a month':42} {'ready':>7} {'demand':>7} {'alerts':>7} {'storage':>7} {'logs':>7} {'total':>7}"
    return "\n".join([head, *(f"{name:42} {_line(each)}" for name, each in rows)])


def _line(bill: Month) -> str:
    parts = (bill.always_ready, bill.on_demand, bill.alerts, bill.storage, bill.logs, bill.total)
    return " ".join(f"{part:7.2f}" for part in parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or the bill of one number of orders."""
    asked = argparse.ArgumentParser(
        prog="python3 -m devstack.costs", description="What a month in Azure costs, in USD."
    )
    asked.add_argument("--orders", type=int, help="paid orders of a month; without it, the table of docs/costs.md")
    asked.add_argument("--apps", choices=["one", "both"], default="one", help="the Distributor, or PayFlow as well")
    asked.add_argument("--memory", type=int, choices=[512, 2048, 4096], default=512, help="MB of an instance")
    asked.add_argument("--always-ready", type=int, default=1, help="instances for HTTP that are always warm")
    asked.add_argument("--region", choices=sorted(REGIONS), default="eastus", help="whose list prices")
    chosen = asked.parse_args(arguments)
    prices = REGIONS[chosen.region]
    if chosen.orders is None:
        print(table(prices))
        return
    size = Size(memory_mb=chosen.memory, always_ready=chosen.always_ready, apps=2 if chosen.apps == "both" else 1)
    bill = month(chosen.orders, size, prices)
    for name, usd in (*vars(bill).items(), ("total", bill.total)):
        print(f"{name.replace('_', ' '):14} {usd:8.2f} USD")


if __name__ == "__main__":
    main()
