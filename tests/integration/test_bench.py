"""The short run of the benchmark: what it counts, each figure a ratio of counts within the run, none of times."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.run import Result
from devstack import paths
from devstack.servers import child

GIVEN_UP_AFTER_S = 600.0


@pytest.fixture(scope="module")
def result(azurite: object, tmp_path_factory: pytest.TempPathFactory) -> Result:  # noqa: ARG001 -- skips without Node
    """The figures of ``python -m bench --quick``, which proves each order paid once before it says any."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "bench", "--quick", "--out", str(folder / "figures.json")]
    environment = {**os.environ, "PYTHONPATH": str(paths.ROOT)}
    with child("bench", command, log=folder / "bench.log", environment=environment) as run:
        code = run.process.wait(GIVEN_UP_AFTER_S)
    assert code == 0, Path(folder / "bench.log").read_text("utf-8")
    return Result.read(folder / "figures.json")


def test_a_batch_asks_the_node_far_less_than_the_script(result: Result) -> None:
    """The script asks more than twenty times for an order; so few orders as these share the looks of few blocks."""
    assert result.batch[0].each("rpc") < result.script.each("rpc") / 20
    assert result.single[0].each("rpc") < result.script.each("rpc") / 5


def test_a_batch_binds_thirty_orders_to_a_transaction(result: Result) -> None:
    """As many as wait together; single mode never two."""
    assert result.batch[0].transactions < result.batch[0].orders / 5
    assert result.single[0].transactions == result.single[0].orders


def test_an_order_of_a_batch_costs_less_storage_than_a_single_one(result: Result) -> None:
    """Groups, and what is looked at once for all orders of a transaction."""
    assert result.batch[0].each("table") < result.single[0].each("table") / 1.5


def test_a_webhook_asks_its_table_once(result: Result) -> None:
    """The rest of the requests are the process's first looks at what it keeps, a handful however many orders come."""
    assert result.webhook[0].table_requests < result.webhook[0].requests * 1.25


def test_gas_falls_with_the_size_of_the_batch(result: Result) -> None:
    """Within the design's bounds, and a batch of thirty through the guard costs about what a plain payout costs."""
    plain, one, thirty = result.gas
    assert thirty.new_holder <= one.new_holder * 0.60
    assert thirty.existing_holder <= one.existing_holder * 0.52
    assert thirty.new_holder <= plain.new_holder * 1.02


def test_two_operators_share_the_orders(result: Result) -> None:
    """More orders wait than one operator's sixteen slots take: both pay, each order once and alone."""
    (lanes,) = result.lanes
    assert (lanes.lanes, lanes.operators) == (2, 2)
    assert lanes.transactions == lanes.orders


def test_a_look_asks_the_same_over_many_finished_orders(result: Result) -> None:
    """Fifty times the finished orders: no more requests to the table; the list alone shows and counts more of them."""
    few, many = ({look.name: look for look in result.finished if look.orders == orders} for orders in (100, 5_000))
    assert {name: look.requests for name, look in many.items() if look.requests > few[name].requests * 1.1} == {}
    assert all(look.rows <= few[name].rows * 1.1 for name, look in many.items() if name != "orders")
