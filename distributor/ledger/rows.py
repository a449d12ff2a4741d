"""
How a noun is written in a row: a column for each field, named in ``columns``, of the kind its type asks for.

Token units and wei are decimal texts, because a uint256 does not fit a table's Int64; other
numbers are native. None leaves its column out. ``version`` is the row's ETag and no column. What
cannot be read back is never guessed at: InvariantBroken names the row and the column.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from distributor.errors import InvariantBroken
from distributor.ledger.columns import COLUMNS
from distributor.model import Address, Hash, OrderKey, Version
from distributor.ports import Row, Value
from distributor.units import UINT256_MAX, TokenUnits, UnixMs, Wei

OWNER = "owner"
"""The column that names the group which last wrote a row."""

_Noun = TypeVar("_Noun")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of field is stored; ``read`` raises ValueError for what no such field can be."""

    stored: type[Value]
    write: Callable[[Any], Value]
    read: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class _Column:
    field: str
    name: str
    kind: _Kind
    optional: bool


@dataclass(frozen=True, slots=True)
class _Shape:
    """The columns of a noun, and the fields that are nouns themselves: their columns stand in the same row."""

    columns: tuple[_Column, ...]
    parts: Mapping[str, Callable[..., object]]
    versioned: bool


def write(noun: Any) -> dict[str, Value]:
    """Return the columns of a noun."""
    kind: Callable[..., object] = type(noun)
    shape, values = _shape(kind), dict[str, Value]()
    for column in shape.columns:
        value = getattr(noun, column.field)
        if value is not None:
            values[column.name] = column.kind.write(value)
    for name in shape.parts:
        values |= write(getattr(noun, name))
    return values


def read(noun: Callable[..., _Noun], row: Row) -> _Noun:
    """
    Return the noun a row holds, with the row's version where the noun carries one.

    Raises:
        InvariantBroken: A column is missing, of another kind, or holds what the field cannot be.
    """
    shape = _shape(noun)
    fields: dict[str, Any] = {column.field: _value(row, column) for column in shape.columns}
    fields |= {name: read(part, row) for name, part in shape.parts.items()}
    if shape.versioned:
        fields["version"] = row.version
    return noun(**fields)


def _value(row: Row, column: _Column) -> object:
    value = row.values.get(column.name)
    if value is None and column.optional:
        return None
    if type(value) is not column.kind.stored:
        raise _broken(row, column, f"is missing or no {column.kind.stored.__name__}")
    try:
        return column.kind.read(value)
    except ValueError as error:
        raise _broken(row, column, f"cannot be read: {error}") from None


def _broken(row: Row, column: _Column, trouble: str) -> InvariantBroken:
    return InvariantBroken(f"ledger row {row.key}: column {column.name} {trouble}")


# What the types ask for --------------------------------------------------------------------------


@cache
def _shape(noun: Callable[..., object]) -> _Shape:
    hints: Mapping[str, Any] = get_type_hints(noun)
    parts = {name: hints[name] for name in hints if dataclasses.is_dataclass(hints[name])}
    stored = (field for field in hints if field not in parts and hints[field] is not Version)
    columns = [_column(COLUMNS[noun][field], field, hints[field]) for field in stored]
    return _Shape(tuple(columns), parts, versioned=Version in hints.values())


def _column(name: str, field: str, hint: Any) -> _Column:
    optional = NoneType in get_args(hint)
    (kind,) = set(get_args(hint)) - {NoneType} if optional else {hint}
    return _Column(field, name, _kind(kind), optional)


def _kind(hint: Any) -> _Kind:
    if get_origin(hint) is tuple:
        return _LISTS[get_args(hint)[0]]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _Kind(str, lambda word: str(word.value), hint)
    return _KINDS[hint]


def _amount(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= UINT256_MAX):
        raise ValueError("no amount")
    return int(text)


def _lines(items: tuple[object, ...]) -> str:
    return "\n".join(map(str, items))


def _strings(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n")) if text else ()


def _order_keys(text: str) -> tuple[OrderKey, ...]:
    pairs = (line.partition(":") for line in _strings(text))
    return tuple(OrderKey(source, order_id) for source, _, order_id in pairs)


_TEXT = _Kind(str, str, str)
_NUMBER = _Kind(int, int, int)
_AMOUNT = _Kind(str, str, _amount)
_KINDS: Mapping[object, _Kind] = {
    str: _TEXT,
    Address: _TEXT,
    Hash: _TEXT,
    int: _NUMBER,
    UnixMs: _NUMBER,
    TokenUnits: _AMOUNT,
    Wei: _AMOUNT,
    bool: _Kind(bool, bool, bool),
    bytes: _Kind(bytes, bytes, bytes),
}
_LISTS: Mapping[object, _Kind] = {str: _Kind(str, _lines, _strings), OrderKey: _Kind(str, _lines, _order_keys)}
