"""What limits the payouts: the rows are counted on the ledger itself, the rest is arithmetic on published limits."""

from __future__ import annotations

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
MEASURED = Measured(cpu_ms=Decimal(20), gas_alone=118_000, gas_in_batch=66_000)


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
    assert limits(1).all == limits(1).pool
    assert limits(30).all == limits(30).partition
    assert limits(1).pool.quantize(Decimal("0.1")) == Decimal("9.1")
    assert 120 < limits(30).partition < 140
    assert limits(30, Rows(read=0)).partition > limits(30).partition


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
