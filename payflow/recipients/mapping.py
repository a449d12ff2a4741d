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


def read(text: str) -> Mapped:
    """Return the map that *text* holds; its first line names the columns ``id`` or ``nome``, and ``email``."""
    lines = text.lstrip("\N{ZERO WIDTH NO-BREAK SPACE}").splitlines()
    rows = list(csv.reader(lines[: ROWS_MAX + 1], delimiter=_delimiter(lines)))
    columns = [_column(cell) for cell in rows[0]] if rows else []
    if "email" not in columns or not {"id", "name"} & set(columns):
        return Mapped(refused=[(1, "the first line does not name the columns id or nome, and email")])
    return _mapped(columns, rows[1:], too_many=len(lines) > ROWS_MAX + 1)


def _mapped(columns: Sequence[str], rows: Sequence[Sequence[str]], *, too_many: bool) -> Mapped:
    ids: dict[CustomerId, tuple[str, ...]] = {}
    names: dict[str, tuple[str, ...]] = {}
    refused = [(ROWS_MAX + 2, f"only {ROWS_MAX} lines are read")] if too_many else []
    for number, row in enumerate(rows, start=2):
        cells = {column: cell.strip() for column, cell in zip(columns, row, strict=False) if column}
        address = normalized(cells.get("email", ""))
        if reason := _refusal(cells, address):
            refused.append((number, reason))
        elif cells.get("id"):
            customer = CustomerId(cells["id"])
            ids[customer] = (*ids.get(customer, ()), address)
        else:
            key = name_key(cells["name"])
            names[key] = (*names.get(key, ()), address)
    return Mapped(by_customer=ids, by_name=names, refused=refused)


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
