"""
What limits the payouts, and what a month of them costs in gas: ``python3 -m devstack.capacity``.

Computed, not measured: from the rows that an order writes (a test counts them), the gas of a payout and the processor
time of an order in ``docs/benchmarks.json``, and the limits that the platforms publish.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from pathlib import Path

from devstack import costs, paths
from distributor.payout.guard_calls import ITEM_GAS, gas_needed

FIGURES = paths.ROOT / "docs" / "benchmarks.json"
ORDERS_MAX = 30
IN_FLIGHT = 16
"""Transactions of one operator in a pool: what one account is sure to keep (Bor, ``accountslots``)."""
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

    @classmethod
    def read(cls, figures: Path = FIGURES) -> Measured:
        found = json.loads(figures.read_text("utf-8"))
        batch = max(found["batch"], key=lambda each: int(each["orders"]))
        guarded = sorted((each for each in found["gas"] if each["guarded"]), key=lambda each: int(each["size"]))
        return cls(
            cpu_ms=Decimal(str(batch["app_cpu_s"])) / batch["orders"] * 1000,
            gas_alone=guarded[0]["new_holder"],
            gas_in_batch=guarded[-1]["new_holder"],
        )


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


def limits(size: int, rows: Rows | None = None) -> Limits:
    """Return what limits transactions of *size* orders; a node packs a block by gas limits, not by gas that is used."""
    known = rows or Rows()
    return Limits(
        partition=PARTITION_ENTITIES_S / (known.written(size) + known.read),
        pool=IN_FLIGHT * size / BLOCK_S,
        block=BLOCK_GAS // gas_needed(ITEM_GAS, size) * size / BLOCK_S,
    )


def instances(orders_per_s: int, measured: Measured) -> int:
    """Return how many instances of 512 MB compute that many orders, webhook and payout together."""
    cores = orders_per_s * measured.cpu_ms / 1000
    return int((cores / CORES_OF_512_MB).to_integral_value(ROUND_UP))


def gas_pol(orders: int, size: int, measured: Measured, gwei: Decimal) -> Decimal:
    """
    Return what the gas of *orders* costs, in POL.

    Raises:
        ValueError: No figure of this size: a payout is alone in its transaction or in a full batch.
    """
    if size not in (1, ORDERS_MAX):
        raise ValueError(f"no gas of {size} orders in a transaction is known")
    each = measured.gas_alone if size == 1 else measured.gas_in_batch
    return orders * each * gwei / _GWEI


def tables(measured: Measured, gwei: Decimal) -> str:
    """Return the two tables of docs/costs.md."""
    lines = [f"{'orders/s, at most':26} {'partition':>10} {'pool':>8} {'block':>8}"]
    for size in (1, ORDERS_MAX):
        found = limits(size)
        lines.append(f"{size:3} in a transaction       {found.partition:10.0f} {found.pool:8.0f} {found.block:8.0f}")
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
