"""The map from a file: CSV with ``,`` or ``;``, as spreadsheets write it. A row that is refused says why."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from payflow.model import CustomerId
from payflow.recipients.addresses import is_placeholder, normalized
from payflow.recipients.choice import name_key

ROWS_MAX: Final = 20_000
_KEYS: Final = {"id": "id", "cliente_id": "id", "customer_id": "id", "nome": "name", "name": "name", "cliente": "name"}
_ADDRESS: Final = frozenset({"email", "e-mail", "endereco", "endereço"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapped:
    """What a file maps, and what it could not: (line, reason)."""

    by_customer: Mapping[CustomerId, tuple[str, ...]] = field(default_factory=dict)
    by_name: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: Sequence[tuple[int, str]] = ()


def read_map(text: str) -> Mapped:
    """
    Return the map that *text* holds; its first line names the columns ``id`` or ``nome``, and ``email``.

    Several lines of one id are several addresses of that customer. Several addresses of one name may be those of
    several people: none is mapped.
    """
    lines = text.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}").rstrip("\r\n").split("\n")
    try:
        rows = list(csv.reader(lines[: ROWS_MAX + 1], delimiter=_delimiter(lines), strict=True))
    except csv.Error as error:
        return Mapped(refused=[(1, f"the quotes of this file do not match, nothing is mapped: {error}")])
    columns = [_column(cell) for cell in rows[0]] if rows else []
    if "email" not in columns or not {"id", "name"} & set(columns):
        return Mapped(refused=[(1, "the first line does not name the columns id or nome, and email")])
    if any(columns.count(column) > 1 for column in ("id", "name", "email")):
        return Mapped(refused=[(1, "two columns are named as the id, the name or the e-mail")])
    return _mapped(columns, rows[1:], too_many=len(lines) > ROWS_MAX + 1)


def _mapped(columns: Sequence[str], rows: Sequence[Sequence[str]], *, too_many: bool) -> Mapped:
    ids: dict[CustomerId, tuple[str, ...]] = {}
    names: dict[str, list[tuple[int, str]]] = {}
    refused = [(ROWS_MAX + 2, f"only {ROWS_MAX} lines are read")] if too_many else []
    for number, row in enumerate(rows, start=2):
        cells = {column: cell.strip() for column, cell in zip(columns, row, strict=False) if column}
        address = normalized(cells.get("email", ""))
        if reason := "more cells than columns" if any(row[len(columns) :]) else _refusal(cells, address):
            refused.append((number, reason))
        elif cells.get("id"):
            customer = CustomerId(cells["id"])
            ids[customer] = (*ids.get(customer, ()), address)
        else:
            names.setdefault(name_key(cells["name"]), []).append((number, address))
    by_name, doubtful = _one_each(names)
    return Mapped(by_customer=ids, by_name=by_name, refused=sorted([*refused, *doubtful]))


def _one_each(
    names: Mapping[str, Sequence[tuple[int, str]]],
) -> tuple[Mapping[str, tuple[str, ...]], Sequence[tuple[int, str]]]:
    """Return the names with one address, and the lines of those with several."""
    found: dict[str, tuple[str, ...]] = {}
    refused: list[tuple[int, str]] = []
    for name, lines in names.items():
        if len({address.casefold() for _, address in lines}) == 1:
            found[name] = (lines[0][1],)
        else:
            refused += [(number, "this name has several addresses: map it by id") for number, _ in lines]
    return found, refused


def _refusal(cells: Mapping[str, str], address: str) -> str:
    if not any(cells.values()):
        return "the line is empty"
    if not address:
        return "the e-mail is not an address"
    if is_placeholder(address):
        return "the e-mail is a placeholder"
    return "" if cells.get("id") or cells.get("name") else "neither id nor nome"


def _column(cell: str) -> str:
    word = cell.strip().casefold()
    return "email" if word in _ADDRESS else _KEYS.get(word, "")


def _delimiter(lines: Sequence[str]) -> str:
    return ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
