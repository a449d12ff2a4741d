"""What limits the payouts: the rows are counted on the ledger itself, the rest is arithmetic on published limits."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from devstack import capacity, paths
from devstack.capacity import Measured, Rows, limits
from distributor.ledger import Ledger
from distributor.ledger.call_backs import Announced
from foundation.tablestore.memory import MemoryRows
from tests.factories import IDENTITY, NOW_MS, OPERATOR, an_address, an_order
from tests.fakes.bench import Bench, a_closing, bind, binding
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit

PAGES = [paths.ROOT / "docs" / "costs.md", paths.ROOT / "docs" / "pt-BR" / "costs.md"]
MEASURED = Measured(
    cpu_ms=Decimal(20),
    gas_alone=118_000,
    gas_in_batch=66_000,
    storage_requests=Decimal(5),
    rpc_requests=Decimal("0.05"),
)


@pytest.mark.parametrize("size", [1, 7, 30])
async def test_an_order_writes_the_rows_that_are_counted(size: int) -> None:
    """From its arrival until it is paid, each to a wallet of its own; a submission and a block are a row each."""
    rows, clock, audit = MemoryRows(), FrozenClock(NOW_MS), ListAudit()
    bench = Bench(ledger=Ledger(rows, audit, clock=clock), rows=rows, audit=audit, clock=clock)
    await bench.ledger.admin.initialise(IDENTITY, OPERATOR, 7)
    written: list[str] = []
    rows.on_done = lambda group, _: written.extend(write.key for write in group)

    ids = [f"ORD{n}" for n in range(size)]
    orders = [
        (await bench.ledger.insert(an_order(name, wallet=an_address(f"{n}")))).order for n, name in enumerate(ids)
    ]
    _, bound = await bind(bench.ledger, await bench.binding_state(), orders, *binding(7, orders))
    submitted = await bench.ledger.update(bound)
    mined = await bench.ledger.update(submitted)
    await bench.ledger.close(mined, a_closing(*ids))
    announced, _ = await bench.ledger.call_backs.announced(limit=10)
    await bench.ledger.call_backs.drop([each for each in announced if isinstance(each, Announced)])

    assert len(written) == round(size * Rows().written(size))


def test_a_batch_is_limited_by_the_partition_and_a_single_order_by_the_pool() -> None:
    """So more operators help single orders, and more partitions batches."""
    assert limits(1, MEASURED).all == limits(1, MEASURED).pool
    assert limits(30, MEASURED).all == limits(30, MEASURED).partition
    assert limits(1, MEASURED).pool.quantize(Decimal("0.1")) == Decimal("9.1")
    assert 120 < limits(30, MEASURED).partition < 140
    assert limits(30, MEASURED, Rows(read=0)).partition > limits(30, MEASURED).partition


@pytest.mark.parametrize(
    ("rate", "size", "lanes", "partitions", "first"),
    [
        (1, 1, 1, 1, "-"),
        (10, 1, 2, 1, "-"),
        (100, 1, 11, 2, "partition"),
        (1_000, 1, 110, 16, "blocks"),
        (100, 30, 1, 1, "-"),
        (1_000, 30, 4, 8, "partition"),
    ],
)
def test_a_rate_needs_lanes_and_partitions(rate: int, size: int, lanes: int, partitions: int, first: str) -> None:
    """Lanes are bought; a second partition and a fuller block are not to be had."""
    found = capacity.needs(rate, size, MEASURED)

    assert (found.lanes, found.partitions, found.first) == (lanes, partitions, first)


def test_a_storage_account_and_a_node_are_asked_by_what_was_measured() -> None:
    """Five requests an order: 1,000 a second are a quarter of an account; a node is asked once for twenty."""
    found = capacity.needs(1_000, 30, MEASURED)

    assert (found.account, found.rpc_s, found.instances) == (Decimal("0.25"), Decimal(50), 80)
    assert replace(found, partitions=1, account=Decimal(2)).first == "account"
    assert capacity.limits(30, MEASURED).block == 140_000_000 // 66_000 / capacity.BLOCK_S


def test_instances_grow_with_the_orders() -> None:
    """20 ms an order: fifty a second are one core, four quarters."""
    assert [capacity.instances(rate, MEASURED) for rate in (1, 10, 50, 100)] == [1, 1, 4, 8]


def test_gas_is_exact() -> None:
    """In units of POL, of figures that were measured."""
    assert capacity.gas_pol(1_000, 1, MEASURED, Decimal(50)) == Decimal("5.9")
    assert capacity.gas_pol(1_000, 30, MEASURED, Decimal(50)) == Decimal("3.3")
    with pytest.raises(ValueError, match="no gas of 7 orders"):
        capacity.gas_pol(1, 7, MEASURED, Decimal(50))


@pytest.mark.parametrize("page", PAGES, ids=["en", "pt-BR"])
def test_the_pages_show_what_it_prints(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a new run of the benchmark as well."""
    capacity.main([])

    assert f"```text\n{capsys.readouterr().out}```" in page.read_text("utf-8")


def test_the_instances_of_a_rate_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Where they are asked for."""
    capacity.main(["--orders-per-s", "10"])

    assert "instances of 512 MB for 10 orders/s" in capsys.readouterr().out
