"""An answer as lines of text: names and values, and a table for each list of things alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distributor.cli.amounts import Amount

_NONE = "-"


def lines(document: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield the lines of *document*, names in one column."""
    width = max((len(name) for name in document), default=0) + 1
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}:"
            yield from lines(value, f"{indent}  ")
        elif isinstance(value, Sequence) and not isinstance(value, str) and value:
            yield f"{indent}{name}:"
            yield from (f"{indent}  {line}" for line in _listed(value))
        else:
            yield f"{indent}{name + ':':<{width}} {_text(value)}"


def _listed(values: Sequence[Any]) -> Iterator[str]:
    """Yield a table with a heading for mappings; plain values one a line."""
    if not isinstance(values[0], Mapping):
        yield from map(_text, values)
        return
    names = list(values[0])
    cells = [names, *([_text(value[name]) for name in names] for value in values)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_text, value)) or _NONE
    if isinstance(value, Amount):
        return value.grouped
    return _NONE if value is None or value in ("", {}) else str(value)
