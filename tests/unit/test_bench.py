"""The benchmark's own arithmetic, and its pages: what they show is what the last run found."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from bench import charts, counter, figures, report
from bench.run import Result
from bench.targets import Target, targets


@pytest.mark.parametrize("path", sorted(report.files(Result.read(report.FIGURES))), ids=lambda path: path.name)
def test_pages_and_charts_are_those_of_the_last_run(path: Path) -> None:
    """A figure that was corrected by hand, or a sentence of one language alone, is found here."""
    assert path.read_text("utf-8") == report.files(Result.read(report.FIGURES))[path]


def test_every_target_has_its_words_in_both_languages() -> None:
    """A target without a sentence would end the run when all is measured."""
    names = [each.name for each in targets(Result.read(report.FIGURES))]

    assert len(names) == len(set(names)) == 11
    assert all(set(words.targets) == set(names) for words in report.PAGES.values())


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
