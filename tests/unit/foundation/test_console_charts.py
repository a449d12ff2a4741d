"""A chart is drawn on the server, says the same in a table, and shows what it is given, whatever the numbers are."""

from __future__ import annotations

import gettext
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from foundation.console.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, ChartKind, Level, Point, Series, compact, drawn
from foundation.console.pages import Pages
from foundation.errors import InvariantBroken

SCRIPT = "<script>alert(1)</script>"


def series(name: str, values: Sequence[int | Decimal | None]) -> Series:
    """Return one series of *values*."""
    return Series(name=name, points=[Point(value=each, text="-" if each is None else f"{each} t") for each in values])


def chart(*all_series: Series, shape: ChartKind = ChartKind.BARS, levels: Sequence[Level] = ()) -> Chart:
    """Return a chart of as many days as the first series has points."""
    labels = [f"2026-11-{day + 1:02}" for day in range(len(all_series[0].points))]
    return Chart(
        name="orders",
        title="Orders a day",
        summary="Thirty days.",
        across="Day",
        labels=labels,
        series=all_series,
        shape=shape,
        levels=levels,
    )


def page(tmp_path: Path, shown: Chart) -> str:
    """Return the figure as a browser gets it."""
    tmp_path.joinpath("page.html").write_text('{% from "charts.html" import figure with context %}{{ figure(chart) }}')
    pages = Pages(templates=tmp_path, messages=lambda _language: gettext.NullTranslations())
    return pages.page("page.html", "en", chart=shown).body


def test_bars_are_as_high_as_their_values() -> None:
    """The round number above the highest value is the top; an unknown day has no bar, and a zero one without height."""
    bars = drawn(chart(series("Orders", [5, None, 10, 0]))).bars

    assert [bar.height for bar in bars] == [f"{(BOTTOM - TOP) / 2:.2f}", f"{BOTTOM - TOP:.2f}", "0.00"]
    assert [bar.words for bar in bars][:2] == ["2026-11-01, Orders: 5 t", "2026-11-03, Orders: 10 t"]
    assert all(float(bar.x) >= LEFT and float(bar.x) + float(bar.width) <= RIGHT for bar in bars)


def test_bars_of_two_series_stand_beside_each_other() -> None:
    """None covers another."""
    bars = drawn(chart(series("Paid", [1, 1]), series("Held", [2, 2]))).bars
    spans = sorted((float(bar.x), float(bar.x) + float(bar.width)) for bar in bars)

    assert all(first[1] <= second[0] + 0.011 for first, second in pairwise(spans))
    assert [bar.series for bar in bars] == [1, 1, 2, 2]


def test_a_line_has_a_gap_where_nothing_is_known() -> None:
    """A day alone between two gaps is a dot without a line."""
    picture = drawn(chart(series("p50", [1, 2, None, 3, None, 4, 4]), shape=ChartKind.LINES))

    assert [len(line.points.split()) for line in picture.lines] == [2, 2]
    assert len(picture.dots) == 5
    assert picture.bars == []


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([0, 0, 0], ["0"]),
        ([None, None], ["0"]),
        ([], ["0"]),
        ([1], ["0", "0.5", "1"]),
        ([7], ["0", "4", "8"]),
        ([999], ["0", "500", "1k"]),
        ([Decimal("0.003")], ["0", "0.002", "0.004"]),
        ([10**24], ["0", "5E23", "1E24"]),
        ([-4], ["0"]),
    ],
)
def test_the_levels_are_round_numbers(values: list[int | Decimal | None], levels: list[str]) -> None:
    """For every size, one day, no day, zeros alone."""
    assert [mark.text for mark in drawn(chart(series("Orders", values))).levels] == levels


def test_a_huge_value_and_a_small_one_fit_one_picture() -> None:
    """No number leaves the picture, and nothing is rounded by a float on its way into the table."""
    shown = chart(series("Tokens", [2 * 10**24, 10**24 + 1, 1, -1]), shape=ChartKind.LINES)

    assert [float(dot.y) for dot in drawn(shown).dots] == [TOP, (TOP + BOTTOM) / 2, BOTTOM, BOTTOM]
    assert shown.rows[1] == ("2026-11-02", ["1000000000000000000000001 t"])


def test_levels_may_be_given() -> None:
    """A chart of classes of time has words at its levels, and its top is the highest of them."""
    levels = [Level(value=0, text="15 s"), Level(value=4, text="5 min")]
    picture = drawn(chart(series("p50", [2]), shape=ChartKind.LINES, levels=levels))

    assert [(mark.text, float(mark.at)) for mark in picture.levels] == [("15 s", BOTTOM), ("5 min", TOP)]
    assert float(picture.dots[0].y) == (TOP + BOTTOM) / 2


def test_a_value_above_the_given_levels_stays_in_the_picture() -> None:
    """The top moves up with it."""
    picture = drawn(chart(series("p50", [8]), shape=ChartKind.LINES, levels=[Level(value=4, text="4")]))

    assert float(picture.dots[0].y) == TOP


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12, "12"),
        (1500, "1.5k"),
        (1_000_000, "1M"),
        (Decimal("0.25"), "0.25"),
        (2 * 10**15, "2P"),
        (10**18, "1E18"),
        (15 * 10**24, "1.5E25"),
    ],
)
def test_a_number_beside_a_level_is_short(value: int | Decimal, text: str) -> None:
    """So that it fits beside the picture."""
    assert compact(value) == text


def test_the_labels_say_where_it_begins_and_ends() -> None:
    """One day has one label."""
    assert [mark.text for mark in drawn(chart(series("a", [1, 2, 3]))).days] == ["2026-11-01", "2026-11-03"]
    assert [mark.text for mark in drawn(chart(series("a", [1]))).days] == ["2026-11-01"]


def test_who_does_not_see_reads_title_words_and_table(tmp_path: Path) -> None:
    """The picture names its title and its description; the table has a row a day and a heading a series."""
    body = page(tmp_path, chart(series("Paid", [1, None]), series("Held", [2, 3])))
    root = ET.fromstring(body)  # noqa: S314 -- ours, and it shows that every element is closed
    picture = root.find("svg")

    assert picture is not None
    names = picture.attrib["aria-labelledby"].split()
    assert [each.attrib.get("id") for each in picture[:2]] == names
    assert [each.text for each in root.iter("th")] == ["Day", "Paid", "Held", "2026-11-01", "2026-11-02"]
    assert [each.text for each in root.iter("td")] == ["1 t", "2 t", "-", "3 t"]
    assert [each.tail for each in root.iterfind("ul/li/svg")] == ["Paid", "Held"]


def test_nothing_of_a_chart_needs_a_style_or_a_script(tmp_path: Path) -> None:
    """The policy of the pages forbids both."""
    body = page(tmp_path, chart(series("p50", [1, 2]), shape=ChartKind.LINES))

    assert not re.search(r"style\s*=|<script|\son[a-z]+\s*=", body)
    assert "<polyline" in body


def test_every_text_is_escaped(tmp_path: Path) -> None:
    """A name of a shop in a chart stays a name."""
    shown = Chart(
        name="x",
        title=SCRIPT,
        summary=SCRIPT,
        across=SCRIPT,
        labels=[SCRIPT],
        series=[Series(name=SCRIPT, points=[Point(value=1, text=SCRIPT)])] * 2,
        levels=[Level(value=1, text=SCRIPT)],
    )
    body = page(tmp_path, shown)

    assert "<script" not in body
    assert "&lt;script&gt;" in body


def test_a_chart_without_a_value_says_so(tmp_path: Path) -> None:
    """No empty picture, no table of dashes."""
    body = page(tmp_path, chart(series("Orders", [None, None])))

    assert "Nothing to draw yet." in body
    assert "<svg" not in body


@pytest.mark.parametrize("name", ["", "Orders", 'a" onload="x', "a b", "a" * 33])
def test_a_name_that_is_no_id_is_refused(name: str) -> None:
    """It becomes part of the page's ids."""
    with pytest.raises(InvariantBroken, match="cannot name a chart"):
        Chart(name=name, title="", summary="", across="", labels=[], series=[series("a", [])])


def test_a_series_that_does_not_fit_its_labels_is_refused() -> None:
    """A value under the wrong day is worse than no chart."""
    with pytest.raises(InvariantBroken, match="has not a point a label"):
        Chart(name="x", title="", summary="", across="", labels=["a"], series=[series("a", [1, 2])])
    with pytest.raises(InvariantBroken, match="needs 1 to 3 series"):
        Chart(name="x", title="", summary="", across="", labels=["a"], series=[])
