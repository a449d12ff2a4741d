"""The benchmark's own arithmetic, and its pages: what they show is what the last run found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from bench import charts, counter, figures, reading, report
from bench.finished import LookCost
from bench.history import RowsWithHistory, finished, next_nonce
from bench.run import Result
from bench.targets import Target, largest, targets
from bench.words import EN, Words
from distributor.ledger import Ledger
from distributor.model import OrderKey, OrderStatus
from distributor.order_list import OrderList
from distributor.order_query import OrderQuery
from tests.factories import NOW_MS, OPERATOR
from tests.fakes.clock import FrozenClock
from tests.fakes.rows import ListAudit


@pytest.mark.parametrize("path", sorted(report.files(Result.read(report.FIGURES))), ids=lambda path: path.name)
def test_pages_and_charts_are_those_of_the_last_run(path: Path) -> None:
    """A figure that was corrected by hand, or a sentence of one language alone, is found here."""
    assert path.read_text("utf-8") == report.files(Result.read(report.FIGURES))[path]


def whole() -> Result:
    """The last run, and what it may not have measured."""
    found = Result.read(report.FIGURES)
    batch = largest(found.batch)
    lanes = replace(batch, name=f"batch-{batch.orders}-2-lanes", lanes=2, seconds_to_final=batch.seconds_to_final / 2)
    return replace(
        found,
        lanes=[lanes],
        waiting=replace(batch, name="batch-1000-of-10000", waiting=10_000),
        finished=[
            LookCost(name=name, orders=orders, requests=7, rows=2, cpu_ms=orders / 100)
            for name in EN.looks
            for orders in (100, 200)
        ],
    )


def test_every_target_has_its_words_in_both_languages() -> None:
    """A target without a sentence would end the run when all is measured."""
    names = [each.name for each in targets(whole())]

    assert len(names) == len(set(names)) == 13
    assert all(set(words.targets) == set(names) for words in report.PAGES.values())


def test_a_run_of_before_has_no_target_that_it_did_not_measure() -> None:
    """Its figures stay readable: a page can be written again from them."""
    old = replace(whole(), finished=(), waiting=None, lanes=())

    assert {each.name for each in targets(whole())} - {each.name for each in targets(old)} == {
        "finished_sweep",
        "finished_settlement",
    }


def test_what_grows_with_finished_orders_is_found() -> None:
    """The dearest against the cheapest of one look, by the number of orders."""
    (sweep,) = [each for each in targets(whole()) if each.name == "finished_sweep"]

    assert (sweep.measured, sweep.met) == (2, False)


@pytest.mark.parametrize("words", report.PAGES.values(), ids=["en", "pt-BR"])
def test_the_page_shows_lanes_waiting_orders_and_finished_ones(words: Words) -> None:
    """Where they were measured; where not, the reading names what is missing."""
    page = report.page(whole(), words)

    assert "| batch-1000-2-lanes | 1000 |" in page
    assert "| batch-1000-of-10000 | 1000 |" in page
    assert all(f"| {look} | 200 | 7 | 2 | 2 |" in page for look in words.looks.values())
    assert words.reading["missing"] not in page
    assert words.reading["missing_lanes"] in report.page(replace(whole(), lanes=()), words)


READINGS = [
    ({"busy_before": 0.1}, {"quiet"}, {"shared"}),
    ({"busy_before": 2.0}, {"shared"}, {"quiet"}),
    ({"in_a_block": 15.9}, {"batch_full", "single_full"}, {"batch_free", "single_free"}),
    ({"in_a_block": 5.0}, {"batch_free", "single_free"}, {"batch_full", "single_full"}),
    ({"behind_s": 0.1, "failed": 0}, {"kept_up"}, {"overrun"}),
    ({"behind_s": 9.0, "failed": 0}, {"overrun"}, {"kept_up"}),
    ({"behind_s": 0.1, "failed": 1}, {"overrun"}, {"kept_up"}),
    ({"requests": {"rpc": 5_000}}, {"rpc_single"}, set()),
    ({"requests": {"rpc": 0}}, set(), {"rpc_single"}),
]


@pytest.mark.parametrize("words", report.PAGES.values(), ids=["en", "pt-BR"])
@pytest.mark.parametrize(("figures", "said", "unsaid"), READINGS)
def test_the_reading_says_what_the_figures_show(
    words: Words, figures: dict[str, float], said: set[str], unsaid: set[str]
) -> None:
    """Both ways of each sentence that is true of some runs alone, in both languages."""

    def changed(found: Any) -> Any:
        known = {name: value for name, value in figures.items() if hasattr(found, name)}
        return replace(found, **known)

    result = changed(whole())
    lists = {name: [changed(each) for each in getattr(result, name)] for name in ("batch", "single", "webhook")}
    found = [name for name, _ in reading.points(replace(result, **lists))]

    assert said <= set(found)
    assert not unsaid & set(found)
    assert "{" not in reading.reading(result, words)


def test_a_missed_bound_is_explained() -> None:
    """By the run's own figures: what an order computes in both modes, and what the app holds of those that wait."""
    result = whole()
    hungry = [replace(each, app_cpu_s=1_000.0) for each in result.batch]
    assert result.waiting is not None
    large = replace(result.waiting, memory_mib=1_000.0)

    found = dict(reading.points(replace(result, batch=hungry, waiting=large)))
    sound = dict(reading.points(replace(result, batch=[replace(each, app_cpu_s=0.0) for each in result.batch])))

    assert (found["cpu_batch"]["before"], found["memory"]["held"]) == (65, 480)
    assert "cpu_batch" not in sound
    assert "memory" not in dict(reading.points(replace(result, waiting=None)))


def test_both_languages_have_every_point_of_the_reading() -> None:
    """And the same values in each."""
    fields = [
        {name: sorted(set(re.findall(r"{(\w+)}", text))) for name, text in words.reading.items()}
        for words in report.PAGES.values()
    ]

    assert fields[0] == fields[1]


def test_a_lane_run_is_set_beside_the_run_of_one_operator() -> None:
    """With as many orders in the same mode: half the time is twice the orders a second."""
    (found,) = [values for name, values in reading.points(whole()) if name == "lanes"]

    assert (found["lanes"], found["mode"], found["times"], found["places"]) == (2, "batch", "2", 32)


async def test_a_history_is_read_by_the_ledger_itself() -> None:
    """Seventy paid orders in three transactions, the newest first, and the next nonce behind them."""
    rows = RowsWithHistory(dict(finished(70, OPERATOR, NOW_MS)).items())
    ledger = Ledger(rows, ListAudit(), clock=FrozenClock(NOW_MS))

    page = await OrderList(ledger=ledger, decimals=18).page(OrderQuery.read({"limit": "5"}))
    last = await ledger.order(OrderKey("default", "finished-000069"))

    assert [found.order.order_id for found in page.orders] == [f"finished-{number:06d}" for number in range(69, 64, -1)]
    assert last is not None
    assert (last.status, last.nonce, next_nonce(70)) == (OrderStatus.PAID, 2, 3)
    assert rows.handed_over > 0
    assert rows.asked >= 2


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(name="x", bound=2, measured=2), True),
        (Target(name="x", bound=2, measured=2.1), False),
        (Target(name="x", bound=2, measured=2, at_least=True), True),
        (Target(name="x", bound=2, measured=1.9, at_least=True), False),
    ],
)
def test_a_target_is_met_at_its_bound(target: Target, met: bool) -> None:
    """In the direction that the figure has."""
    assert target.met is met


@pytest.mark.parametrize(
    ("method", "target", "body", "said"),
    [
        ("GET", "/a/ledger(PartitionKey='137',RowKey='order%3Adefault%3A7')", b"", "get order"),
        ("GET", f"/a/ledger()?$filter={quote('RowKey ge ' + chr(39) + 'opentx:' + chr(39))}", b"", "scan opentx"),
        ("POST", "/a/$batch", b'{"RowKey": "ref:1"}\r\nledger(RowKey=\'order:x\')', "group order ref"),
        ("GET", "/a/Tables", b"", "scan Tables"),
    ],
)
def test_a_request_to_a_table_is_named_by_its_rows(method: str, target: str, body: bytes, said: str) -> None:
    """Quoted keys as the client library sends them."""
    assert counter.of_table(method, target, body) == [said]


@pytest.mark.parametrize(
    ("method", "target", "said"),
    [
        ("GET", "/a/distributions/messages?numofmessages=16", "poll"),
        ("POST", "/a/distributions/messages", "put message"),
        ("DELETE", "/a/distributions/messages/7?popreceipt=x", "delete message"),
        ("PUT", "/a/distributions/messages/7?popreceipt=x", "extend message"),
        ("GET", "/a/distributions?comp=metadata", "get queue"),
    ],
)
def test_a_request_to_a_queue_is_named_by_what_it_does(method: str, target: str, said: str) -> None:
    """A poll is the host's, a put the app's."""
    assert counter.of_queue(method, target, b"") == [said]


def test_each_call_of_a_batch_is_counted() -> None:
    """One request, as many calls."""
    batch = b'[{"method": "eth_chainId"}, {"method":"eth_call","params":[]}]'

    assert counter.of_rpc("POST", "/", batch) == ["eth_chainId", "eth_call"]


@pytest.mark.parametrize(
    ("share", "found"), [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)], ids=str
)
def test_a_quantile_is_one_of_the_values(share: float, found: float) -> None:
    """The smallest that the share does not exceed."""
    assert figures.quantile([float(number) for number in range(100, 0, -1)], share) == found


def test_a_quantile_of_nothing_is_nothing() -> None:
    """No request, no time."""
    assert figures.quantile([], 0.95) == 0


def test_a_chart_is_xml_with_a_bar_for_each_row() -> None:
    """The longest bar is the largest value; what a label holds is text."""
    drawn = ET.fromstring(charts.bars("A & B", [("<one>", 2.0), ("two", 1.0), ("none", 0.0)], "orders/s"))  # noqa: S314 -- ours
    bars = [float(each.attrib["width"]) for each in drawn.iter("{http://www.w3.org/2000/svg}rect")]

    assert bars[0] == 2 * bars[1]
    assert "<one>" in [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert bars[2] == 1.0


@pytest.mark.parametrize(("value", "shown"), [(6543.2, "6,543"), (65.43, "65.4"), (0.06543, "0.0654"), (0.0, "0")])
def test_a_number_has_three_digits_that_say_something(value: float, shown: str) -> None:
    """Thousands are whole."""
    assert charts.number(value) == shown
