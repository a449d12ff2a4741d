"""
An answer as lines of text: names and values, and a table for each list of things alike.

On a terminal a table that is wider than it becomes one paragraph for each row, so that no line is folded over the next.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distributor.cli.amounts import Amount

_NONE = "-"


def answer_lines(document: Mapping[str, Any], indent: str = "", *, columns: int | None = None) -> Iterator[str]:
    """Yield the lines of *document*, names in one column; no wider than *columns* where a terminal has so many."""
    width = max((len(name) for name in document), default=0) + 1
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}:"
            yield from answer_lines(value, f"{indent}  ", columns=columns)
        elif isinstance(value, Sequence) and not isinstance(value, str) and value:
            yield f"{indent}{name}:"
            yield from (f"{indent}  {line}" for line in _listed(value, columns and columns - len(indent) - 2))
        else:
            yield from _folded(f"{indent}{name + ':':<{width}} ", _text(value), columns)


def _listed(values: Sequence[Any], columns: int | None) -> Iterator[str]:
    """Yield a table with a heading for mappings, or paragraphs where it is too wide; plain values one a line."""
    if not isinstance(values[0], Mapping):
        yield from map(_text, values)
        return
    names = list(values[0])
    cells = [names, *([_text(value[name]) for name in names] for value in values)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if columns is not None and sum(widths) + 2 * (len(widths) - 1) > columns:
        yield from _paragraphs(names, cells[1:], columns)
        return
    for row in cells:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _paragraphs(names: Sequence[str], rows: Sequence[Sequence[str]], columns: int) -> Iterator[str]:
    """Yield the first value of each row by itself, the others under it by their names; what is empty is left out."""
    width = max(map(len, names)) + 1
    for first, *others in rows:
        yield first
        for name, value in zip(names[1:], others, strict=True):
            if value != _NONE:
                yield from _folded(f"  {name + ':':<{width}} ", value, columns)


def _folded(head: str, value: str, columns: int | None) -> Iterator[str]:
    """Yield *value* behind *head*, on further lines under itself where the terminal ends."""
    room = None if columns is None else columns - len(head)
    parts = textwrap.wrap(value, room, break_long_words=False, break_on_hyphens=False) if room and room > 0 else [value]
    for part in parts or [""]:
        yield f"{head}{part}"
        head = " " * len(head)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value)) or _NONE
    if isinstance(value, Amount):
        return value.grouped
    return _NONE if value is None or value in ("", {}) else str(value)
