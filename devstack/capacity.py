"""
What limits the payouts, and what a month of them costs in gas: ``python3 -m devstack.capacity``.

Computed, not measured: from the rows that an order writes (a test counts them), the gas of a payout and the processor
time and the requests of an order in ``docs/benchmarks.json``, and the limits that the platforms publish.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from pathlib import Path

from devstack import costs, paths

FIGURES = paths.ROOT / "docs" / "benchmarks.json"
ORDERS_MAX = 30
IN_FLIGHT = 16
"""Transactions of one operator in a pool: what one account is sure to keep (Bor, ``accountslots``)."""
ACCOUNT_REQUESTS_S = 20_000
"""Of one storage account. Source: learn.microsoft.com/azure/storage/common/scalability-targets-standard-account"""
RATES = (1, 10, 100, 1_000)
PARTITION_ENTITIES_S = 2_000
"""Of one partition of a table. Source: learn.microsoft.com/azure/storage/tables/scalability-targets"""
BLOCK_S, BLOCK_GAS = Decimal("1.75"), 140_000_000
"""Polygon since May 2026. Source: github.com/maticnetwork/Polygon-Improvement-Proposals, PIP-86."""
CORES_OF_512_MB = Decimal("0.25")
"""Source: learn.microsoft.com/azure/azure-functions/flex-consumption-plan#instance-sizes"""
_GWEI = Decimal(10) ** 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Rows that are written; a row that is removed counts as well."""

    of_an_order: int = 10
    """Stored with its places in the line and in the index (6), bound with its wallet's total (3), closed (1)."""
    of_a_transaction: int = 16
    """Bound (7), submitted (1), mined (1), closed (6), its announcement dropped (1) where no shop is told."""
    read: int = 5
    """Of an order: its place in the line, itself twice, its wallet's total, its reference."""

    def written(self, size: int) -> Decimal:
        """Return the rows that an order writes in a transaction of *size* orders."""
        return self.of_an_order + Decimal(self.of_a_transaction) / size


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What a run of the benchmark found of one order in the largest batch run."""

    cpu_ms: Decimal
    gas_alone: int
    """Of a payout through the guard to a new holder, alone in its transaction."""
    gas_in_batch: int
    storage_requests: Decimal = Decimal(0)
    """Of an order, to tables and queues; the host's own polls are among them."""
    rpc_requests: Decimal = Decimal(0)

    @classmethod
    def read(cls, figures: Path = FIGURES) -> Measured:
        found = json.loads(figures.read_text("utf-8"))
        batch = max(found["batch"], key=lambda each: int(each["orders"]))
        guarded = sorted((each for each in found["gas"] if each["guarded"]), key=lambda each: int(each["size"]))
        return cls(
            cpu_ms=Decimal(str(batch["app_cpu_s"])) / batch["orders"] * 1000,
            gas_alone=guarded[0]["new_holder"],
            gas_in_batch=guarded[-1]["new_holder"],
            storage_requests=Decimal(batch["requests"]["table"] + batch["requests"]["queue"]) / batch["orders"],
            rpc_requests=Decimal(batch["requests"]["rpc"]) / batch["orders"],
        )

    def gas_each(self, size: int) -> int:
        """
        Return the gas of one payout to a new holder in a transaction of *size* orders.

        Raises:
            ValueError: No figure of this size: a payout is alone in its transaction or in a full batch.
        """
        if size not in (1, ORDERS_MAX):
            raise ValueError(f"no gas of {size} orders in a transaction is known")
        return self.gas_alone if size == 1 else self.gas_in_batch


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The most orders per second that each part takes, alone."""

    partition: Decimal
    pool: Decimal
    """Of one operator."""
    block: Decimal

    @property
    def all(self) -> Decimal:
        return min(self.partition, self.pool, self.block)


def limits(size: int, measured: Measured, rows: Rows | None = None) -> Limits:
    """
    Return what limits transactions of *size* orders.

    A block is filled by the gas that is used: what a transaction leaves of its limit is room for the next one
    (``returnGas`` in github.com/ethereum/go-ethereum, core/state_transition.go).
    """
    known = rows or Rows()
    return Limits(
        partition=PARTITION_ENTITIES_S / (known.written(size) + known.read),
        pool=IN_FLIGHT * size / BLOCK_S,
        block=BLOCK_GAS // measured.gas_each(size) / BLOCK_S,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What a rate of orders takes, in transactions of one size."""

    lanes: int
    """Operators, each with the places of its own in a pool."""
    partitions: int
    """More than one is more than there is: see the page."""
    blocks: Decimal
    """Share of the gas of every block; above 1 the chain has no room."""
    account: Decimal
    """Share of the requests that a storage account takes."""
    instances: int
    """Of 512 MB."""
    rpc_s: Decimal
    """Requests a second to a node."""

    @property
    def first(self) -> str:
        """Return what stops first as it is built: one partition, blocks for itself, and as many lanes as are bought."""
        if self.blocks > 1:
            return "blocks"
        return "partition" if self.partitions > 1 else "account" if self.account > 1 else "-"


def needs(orders_per_s: int, size: int, measured: Measured) -> Needs:
    """Return what *orders_per_s* take in transactions of *size* orders."""
    each = limits(size, measured)
    return Needs(
        lanes=_whole(orders_per_s / each.pool),
        partitions=_whole(orders_per_s / each.partition),
        blocks=orders_per_s / each.block,
        account=orders_per_s * measured.storage_requests / ACCOUNT_REQUESTS_S,
        instances=instances(orders_per_s, measured),
        rpc_s=orders_per_s * measured.rpc_requests,
    )


def _whole(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_UP))


def instances(orders_per_s: int, measured: Measured) -> int:
    """Return how many instances of 512 MB compute that many orders, webhook and payout together."""
    cores = orders_per_s * measured.cpu_ms / 1000
    return _whole(cores / CORES_OF_512_MB)


def gas_pol(orders: int, size: int, measured: Measured, gwei: Decimal) -> Decimal:
    """
    Return what the gas of *orders* costs, in POL.

    Raises:
        ValueError: As ``Measured.gas_each``.
    """
    return orders * measured.gas_each(size) * gwei / _GWEI


def tables(measured: Measured, gwei: Decimal) -> str:
    """Return the three tables of docs/costs.md."""
    lines = [f"{'orders/s, at most':26} {'partition':>10} {'pool':>8} {'block':>8}"]
    for size in (1, ORDERS_MAX):
        found = limits(size, measured)
        lines.append(f"{size:3} in a transaction       {found.partition:10.0f} {found.pool:8.0f} {found.block:8.0f}")
    columns = ("lanes", "partitions", "blocks", "account", "stops first")
    lines += ["", f"{'to pay so many a second':26}" + "".join(f" {name:>11}" for name in columns)]
    for size in (1, ORDERS_MAX):
        for rate in RATES:
            need = needs(rate, size, measured)
            cells = (need.lanes, need.partitions, f"{need.blocks:.0%}", f"{need.account:.1%}", need.first)
            lines.append(f"{rate:5,}, {size:2} in a transaction " + "".join(f" {cell:>11}" for cell in cells))
    lines += ["", f"{'in batches, a second':26} {'instances':>10} {'rpc':>8}"]
    for rate in RATES:
        need = needs(rate, ORDERS_MAX, measured)
        lines.append(f"{rate:5,} orders               {need.instances:10} {need.rpc_s:8.1f}")
    lines += ["", f"{'a month':26} {'Azure USD':>10} {'alone POL':>10} {'batch POL':>10}"]
    for orders in (1_000, 100_000, 10_000_000):
        azure = costs.month(orders, costs.Size(), costs.EAST_US).total
        alone, batch = (gas_pol(orders, size, measured, gwei) for size in (1, ORDERS_MAX))
        lines.append(f"{orders:<10,} orders          {azure:10,.2f} {alone:10,.0f} {batch:10,.0f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables for a price of gas."""
    asked = argparse.ArgumentParser(prog="python3 -m devstack.capacity", description=__doc__.splitlines()[1])
    asked.add_argument("--gwei", type=Decimal, default=Decimal(50), help="price of gas (50)")
    asked.add_argument("--orders-per-s", type=int, metavar="N", help="how many instances compute that many as well")
    chosen = asked.parse_args(arguments)
    measured = Measured.read()
    print(tables(measured, chosen.gwei))
    if chosen.orders_per_s:
        print(f"\n{instances(chosen.orders_per_s, measured)} instances of 512 MB for {chosen.orders_per_s} orders/s")


if __name__ == "__main__":
    main()
