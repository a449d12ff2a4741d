"""
How a value is written in a row: which column holds which field, and of what kind it is.

Column names are written out: a field may be renamed, a stored row stays readable. Amounts are decimal
texts, because a uint256 does not fit a table's Int64; other numbers are native. None leaves its column
out. A column that this code does not know travels with the version of the row, and is written back.
A value that cannot be read is never guessed at: InvariantBroken names the row and the column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from foundation.errors import InvariantBroken, require
from foundation.tablestore.ports import Row, Value

OWNER = "owner"
"""The column that names the group which last wrote a row."""
VERSION = "version"
"""The field that holds a row's version; it is no column."""
UINT256_MAX = 2**256 - 1

_T = TypeVar("_T")


class _Required:
    """Marks a column without which a row cannot be read."""


REQUIRED = _Required()


@dataclass(frozen=True, slots=True)
class FieldKind:
    """How one kind of field is stored; ``read`` raises ValueError if the stored value is impossible."""

    stored: type[Value]
    write: Callable[[Any], Value]
    read: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Column:
    """One column and the field it holds; a row without the column has the value *missing* there."""

    name: str
    kind: FieldKind
    field: str
    missing: object = REQUIRED


@dataclass(frozen=True, slots=True)
class Record:
    """All columns of a type, and its fields that are types of their own: their columns are in the same row."""

    type: Callable[..., Any]
    columns: tuple[Column, ...]
    parts: Mapping[str, Record] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The names of all columns, those of its parts included."""
        return frozenset(each.name for each in self.columns).union(*(part.names for part in self.parts.values()))

    @property
    def versioned(self) -> bool:
        return VERSION in _fields(self.type)

    def encode(self, value: object) -> dict[str, Value]:
        """Return the columns of *value*."""
        read = ((column, getattr(value, column.field)) for column in self.columns)
        columns = {column.name: column.kind.write(what) for column, what in read if what is not None}
        for name, part in self.parts.items():
            columns |= part.encode(getattr(value, name))
        return columns

    def decode(self, row: Row) -> Any:
        """
        Return the value a row holds, with the row's version where the type has one.

        Raises:
            InvariantBroken: A column is missing, of another kind, or holds an impossible value.
        """
        values: dict[str, Any] = {column.field: _value(row, column) for column in self.columns}
        values |= {name: part.decode(row) for name, part in self.parts.items()}
        if self.versioned:
            known = self.names | {OWNER}
            kept = {name: value for name, value in row.values.items() if name not in known}
            values[VERSION] = replace(row.version, kept=kept)
        return self.type(**values)


class Codec:
    """
    The records of one ledger, by type.

    Raises InvariantBroken at once if a record forgets a field of its type, or invents one.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = {record.type: record for record in records}
        for record in self._records.values():
            _check(record)

    @property
    def columns(self) -> Mapping[str, frozenset[str]]:
        """The names of the columns of each record, by the name of its type."""
        return {kind.__name__: record.names for kind, record in self._records.items()}

    def encode(self, value: object) -> dict[str, Value]:
        """Return the columns of *value*."""
        return self._records[type(value)].encode(value)

    def decode(self, kind: Callable[..., _T], row: Row) -> _T:
        """Return the *kind* a row holds. Raises InvariantBroken if a column is missing or impossible."""
        value: _T = self._records[kind].decode(row)
        return value


# Kinds of columns ------------------------------------------------------------------------------------


def text(name: str, field: str = "", *, missing: object = REQUIRED) -> Column:
    """Return a column for a text."""
    return Column(name, _TEXT, field or name, missing)


def number(name: str, field: str = "", *, missing: object = REQUIRED) -> Column:
    """Return a column for a whole number that fits 64 bits: a count, a time, a block."""
    return Column(name, _NUMBER, field or name, missing)


def amount(name: str, field: str = "", *, missing: object = REQUIRED) -> Column:
    """Return a column for money: a whole number up to 2**256 - 1, stored as decimal text."""
    return Column(name, _AMOUNT, field or name, missing)


def flag(name: str, field: str = "", *, missing: object = REQUIRED) -> Column:
    """Return a column for a yes or no."""
    return Column(name, _FLAG, field or name, missing)


def binary(name: str, field: str = "", *, missing: object = REQUIRED) -> Column:
    """Return a column for bytes."""
    return Column(name, _BINARY, field or name, missing)


def lines(name: str, field: str = "", *, missing: object = REQUIRED) -> Column:
    """Return a column for a tuple of texts without line breaks, one to a line."""
    return Column(name, _LINES, field or name, missing)


def word(name: str, words: type[StrEnum], field: str = "", *, missing: object = REQUIRED) -> Column:
    """Return a column for one of an enumeration's words."""
    return Column(name, FieldKind(str, lambda member: str(member.value), words), field or name, missing)


def joined(items: tuple[object, ...]) -> str:
    """Return *items* as text, one to a line."""
    return "\n".join(map(str, items))


def split(stored: str) -> tuple[str, ...]:
    """Return the lines of a text that ``joined`` wrote."""
    return tuple(stored.split("\n")) if stored else ()


def _amount(stored: str) -> int:
    if not (stored.isascii() and stored.isdecimal() and int(stored) <= UINT256_MAX):
        raise ValueError("no amount")
    return int(stored)


_TEXT = FieldKind(str, str, str)
_NUMBER = FieldKind(int, int, int)
_AMOUNT = FieldKind(str, str, _amount)
_FLAG = FieldKind(bool, bool, bool)
_BINARY = FieldKind(bytes, bytes, bytes)
_LINES = FieldKind(str, joined, split)


# Inside ----------------------------------------------------------------------------------------------


def _value(row: Row, column: Column) -> object:
    value = row.values.get(column.name)
    if value is None and column.missing is not REQUIRED:
        return column.missing
    if type(value) is not column.kind.stored:
        raise _broken(row, column, f"is missing or no {column.kind.stored.__name__}")
    try:
        return column.kind.read(value)
    except ValueError as error:
        raise _broken(row, column, f"cannot be read: {error}") from None


def _broken(row: Row, column: Column, trouble: str) -> InvariantBroken:
    return InvariantBroken(f"ledger row {row.key}: column {column.name} {trouble}")


def _fields(kind: Any) -> frozenset[str]:
    return frozenset(each.name for each in fields(kind)) if is_dataclass(kind) else frozenset(kind._fields)


def _check(record: Record) -> None:
    written = {column.field for column in record.columns} | set(record.parts)
    wanted = _fields(record.type) - {VERSION}
    name = getattr(record.type, "__name__", "?")
    require(written == wanted, f"record {name}: columns and fields differ in {sorted(written ^ wanted)}")
