"""
Charts without a script: bars or lines as SVG, made on the server, each with its numbers as a table.

A page hands a ``Chart`` to the macro ``figure`` of ``charts.html``, which escapes every text. All that is drawn is in
attributes and classes: the pages' policy allows no ``style=``. A chart has its own coordinates and is scaled to the
width there is. A value is an int or a Decimal of any size; a day about which nothing is known has None: no bar, and a
gap in a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import Final

from foundation.errors import require

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 56, 334, 10, 164
"""The edges of the drawing inside the picture: room at the left for the levels, below for the days."""
_GAP: Final = Decimal("0.25")
"""The part of a day's width that stays free between two days with bars."""
_SERIES_MAX: Final = 3
"""So many can be distinguished without colours: whole, dashed, dotted."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PREFIXES: Final = ("", "k", "M", "G", "T", "P")

Value = int | Decimal


class ChartKind(StrEnum):
    """How the values are drawn."""

    BARS = "bars"
    LINES = "lines"


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One value, and the words for it in the table; a value below zero is drawn as zero."""

    value: Value | None
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A horizontal line, and the text beside it."""

    value: Value
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """Values over the days, in the order of the chart's labels; its name is the heading of a column."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """
    One chart, its texts in the reader's language.

    Raises:
        InvariantBroken: The name is no id of a page, or a series has another number of points than there are labels.
    """

    name: str
    """Distinguishes it from the other charts of its page: a-z, 0-9 and ``-``."""
    title: str
    summary: str
    """A sentence that says what the picture shows, for people who do not see it."""
    across: str
    """What the labels are, such as "Day"."""
    labels: Sequence[str]
    series: Sequence[Series]
    shape: ChartKind = ChartKind.BARS
    levels: Sequence[Level] = ()
    """The lines to draw, the lowest first, where round numbers would be wrong."""

    def __post_init__(self) -> None:
        require(bool(_NAME.fullmatch(self.name)), f"{self.name!r} cannot name a chart")
        require(0 < len(self.series) <= _SERIES_MAX, f"chart {self.name} needs 1 to {_SERIES_MAX} series")
        for each in self.series:
            require(
                len(each.points) == len(self.labels), f"series {each.name!r} of {self.name} has not a point a label"
            )

    @property
    def rows(self) -> Sequence[tuple[str, Sequence[str]]]:
        """Return the table: a label, and the words of each series."""
        return [(label, [each.points[at].text for each in self.series]) for at, label in enumerate(self.labels)]

    @property
    def empty(self) -> bool:
        """Say whether nothing is known of any day."""
        return all(point.value is None for each in self.series for point in each.points)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A rectangle of one value."""

    x: str
    y: str
    width: str
    height: str
    series: int
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Dot:
    """Where a line has a value."""

    x: str
    y: str
    series: int
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Polyline:
    """An unbroken run of a line: at least two values."""

    points: str
    series: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AxisLabel:
    """A text at an edge, and the place it belongs to."""

    at: str
    text: str
    anchor: str = "end"


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """What the picture consists of, in its own coordinates."""

    bars: Sequence[Bar]
    lines: Sequence[Polyline]
    dots: Sequence[Dot]
    levels: Sequence[AxisLabel]
    days: Sequence[AxisLabel]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    bottom: int = BOTTOM


def drawn(chart: Chart) -> Drawing:
    """Return the picture of *chart*."""
    levels = chart.levels or round_levels(_highest(chart))
    scale = _Scale(top=max([*(Decimal(each.value) for each in levels), _highest(chart)]), count=len(chart.labels))
    bars = list(_bars(chart, scale)) if chart.shape is ChartKind.BARS else []
    lines = list(_lines(chart, scale)) if chart.shape is ChartKind.LINES else []
    dots = list(_dots(chart, scale)) if chart.shape is ChartKind.LINES else []
    marks = [AxisLabel(at=_text(scale.y(each.value)), text=each.text) for each in levels]
    return Drawing(bars=bars, lines=lines, dots=dots, levels=marks, days=list(_days(chart)))


def round_levels(highest: Decimal) -> Sequence[Level]:
    """Return zero, a half and the whole of the next round number at or above *highest*; zero alone for nothing."""
    if highest <= 0:
        return [Level(value=0, text="0")]
    unit = Decimal(1).scaleb(highest.adjusted())
    top = next(each * unit for each in (1, 2, 4, 6, 8, 10) if each * unit >= highest)
    return [Level(value=each, text=compact(each)) for each in (Decimal(0), top / 2, top)]


def compact(value: Value) -> str:
    """Return a number in few characters, such as 1.5M; above 999P with its power of ten."""
    number = Decimal(value)
    power = max(0, number.adjusted() // 3) if number else 0
    if power >= len(_PREFIXES):
        return f"{number:.1E}".replace(".0E+", "E").replace("E+", "E")
    short = number.scaleb(-3 * power).quantize(Decimal("0.01")) if power else number
    return f"{short.normalize():f}{_PREFIXES[power]}"


def _highest(chart: Chart) -> Decimal:
    known = (point.value for each in chart.series for point in each.points if point.value is not None)
    return max((Decimal(each) for each in known), default=Decimal(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    """Turns a label's place and a value into coordinates."""

    top: Decimal
    count: int

    @property
    def day(self) -> Decimal:
        return Decimal(RIGHT - LEFT) / max(1, self.count)

    def x(self, at: int) -> Decimal:
        """Return the middle of the day *at*."""
        return LEFT + self.day * (at + Decimal("0.5"))

    def y(self, value: Value) -> Decimal:
        part = max(Decimal(0), Decimal(value)) / self.top if self.top > 0 else Decimal(0)
        return BOTTOM - part * (BOTTOM - TOP)


def _known(chart: Chart) -> Iterator[tuple[int, int, Value, str]]:
    """Yield series, place, value and words of each value that is known."""
    for number, series in enumerate(chart.series):
        for at, (label, point) in enumerate(zip(chart.labels, series.points, strict=True)):
            if point.value is not None:
                yield number, at, point.value, f"{label}, {series.name}: {point.text}"


def _bars(chart: Chart, scale: _Scale) -> Iterator[Bar]:
    width = scale.day * (1 - _GAP) / len(chart.series)
    for number, at, value, words in _known(chart):
        left, y = scale.x(at) - scale.day * (1 - _GAP) / 2 + width * number, scale.y(value)
        yield Bar(
            x=_text(left), y=_text(y), width=_text(width), height=_text(BOTTOM - y), series=number + 1, words=words
        )


def _dots(chart: Chart, scale: _Scale) -> Iterator[Dot]:
    for number, at, value, words in _known(chart):
        yield Dot(x=_text(scale.x(at)), y=_text(scale.y(value)), series=number + 1, words=words)


def _lines(chart: Chart, scale: _Scale) -> Iterator[Polyline]:
    for number, series in enumerate(chart.series):
        for there, run in groupby(enumerate(series.points), key=lambda each: each[1].value is not None):
            places = [f"{_text(scale.x(at))},{_text(scale.y(point.value or 0))}" for at, point in run]
            if there and len(places) > 1:
                yield Polyline(points=" ".join(places), series=number + 1)


def _days(chart: Chart) -> Iterator[AxisLabel]:
    """Yield the first and the last label, each within the picture; the last alone where there is one day."""
    last = len(chart.labels) - 1
    if last > 0:
        yield AxisLabel(at=str(LEFT), text=chart.labels[0], anchor="start")
    if last >= 0:
        yield AxisLabel(at=str(RIGHT), text=chart.labels[last], anchor="end")


def _text(coordinate: Decimal) -> str:
    """Return a coordinate to a hundredth."""
    return f"{coordinate:.2f}"


FILTERS: Final[dict[str, Callable[[Chart], Drawing]]] = {"drawn": drawn}
"""What the macro needs of the pages' environment."""
