"""Bars, as SVG that needs no library and is readable on a light page and a dark one."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

_WIDTH, _LABELS, _VALUES, _BAR, _GAP, _TOP = 720, 220, 90, 22, 8, 40
_INK, _FILL = "#777", "#3b82c4"


def bars(title: str, rows: Sequence[tuple[str, float]], unit: str) -> str:
    """Return a chart with one bar for each of *rows*, the largest as long as there is room."""
    most = max((value for _, value in rows), default=0.0) or 1.0
    height = _TOP + len(rows) * (_BAR + _GAP)
    drawn = "\n".join(_bar(index, row, most, unit) for index, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'font-family="sans-serif" font-size="13" fill="{_INK}">\n'
        f"<title>{escape(title)}</title>\n"
        f'<text x="0" y="18" font-size="15" font-weight="bold">{escape(title)}</text>\n'
        f"{drawn}\n</svg>\n"
    )


def _bar(index: int, row: tuple[str, float], most: float, unit: str) -> str:
    label, value = row
    top = _TOP + index * (_BAR + _GAP)
    long = max(1.0, value / most * (_WIDTH - _LABELS - _VALUES))
    middle = top + _BAR * 0.7
    return (
        f'<text x="0" y="{middle:.0f}">{escape(label)}</text>'
        f'<rect x="{_LABELS}" y="{top}" width="{long:.0f}" height="{_BAR}" fill="{_FILL}"/>'
        f'<text x="{_LABELS + long + 6:.0f}" y="{middle:.0f}">{number(value)} {escape(unit)}</text>'
    )


def number(value: float) -> str:
    """Return three digits that say something: 6,543; 65.4; 0.0654."""
    if value >= 1000:  # noqa: PLR2004 -- from here on a fraction says nothing
        return f"{value:,.0f}"
    return f"{value:.3g}"
