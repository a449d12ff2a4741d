"""
The search for receivables: what it demands, what it refuses, what it ignores, and in which order it answers.

Parameters it does not know are ignored in silence [F]: a misspelt filter returns everything. The order cannot be
chosen (the enumeration in the specification is copied from another screen [?]) and moves with edits: pages shift
while they are read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from devstack.conta_azul import shapes
from devstack.conta_azul.books import Books

SIZES = (10, 20, 50, 100, 200, 500, 1000)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?")

Query = Sequence[tuple[str, str]]


class BadQuery(Exception):
    """The query is refused with 400."""


def receivables(books: Books, query: Query, *, order: str, old_key: bool) -> dict[str, Any]:
    """Return one page of instalments. Raises BadQuery."""
    page, size = paging(query)
    wanted = _Filter.read(query)
    today = books.local().date()
    states = [state for state in map(books.listed, books.parcelas.values()) if state and not state["expense"]]
    found = [state for state in states if wanted.matches(state, today)]
    found.sort(key=_order(order), reverse=order == "changed_desc")
    shown = found[(page - 1) * size : page * size]
    items = [shapes.list_item(state, shapes.status(state, today), old_key=old_key) for state in shown]
    return {"itens_totais": len(found), "itens": items, "totais": {}}


def paging(query: Query) -> tuple[int, int]:
    """Return page and size. Raises BadQuery: a page size outside the list is refused [D][F]."""
    page, size = _one(query, "pagina"), _one(query, "tamanho_pagina")
    if not size.isdigit() or int(size) not in SIZES:
        allowed = ", ".join(map(str, SIZES))
        raise BadQuery(f"O tamanho da página deve ser um dos seguintes valores: {allowed}")
    if not page.isdigit() or int(page) < 1:
        raise BadQuery("O parâmetro pagina é obrigatório e começa em 1")
    return int(page), int(size)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Filter:
    due: tuple[date, date] | None
    paid_on: tuple[date, date] | None
    changed: tuple[datetime, datetime] | None
    words: frozenset[str]

    @classmethod
    def read(cls, query: Query) -> _Filter:
        words = frozenset(value for name, value in query if name == "status")
        if not words <= shapes.FILTERS:
            raise BadQuery(f"status inválido: {', '.join(sorted(words - shapes.FILTERS))}")
        return cls(
            due=_span(query, "data_vencimento", required=True),
            paid_on=_span(query, "data_pagamento"),
            changed=_moments(query),
            words=words,
        )

    def matches(self, state: dict[str, Any], today: date) -> bool:
        return (
            _within(state["due"], self.due)
            and _within(state["changed"], self.changed)
            and (
                self.paid_on is None or any(_within(payment["paid_on"], self.paid_on) for payment in state["payments"])
            )
            and (not self.words or shapes.status(state, today) in self.words)
        )


def _span(query: Query, name: str, *, required: bool = False) -> tuple[date, date] | None:
    first, last = _one(query, f"{name}_de"), _one(query, f"{name}_ate")
    if not first and not last and not required:
        return None
    if not (_DATE.fullmatch(first) and _DATE.fullmatch(last)):
        raise BadQuery(f"{name}_de e {name}_ate são obrigatórios no formato AAAA-MM-DD")
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise BadQuery(f"{name}: {error}") from None


def _moments(query: Query) -> tuple[datetime, datetime] | None:
    """An offset or a ``Z`` is refused [F, measured on the change feed]; bounds are inclusive [?]."""
    first, last = _one(query, "data_alteracao_de"), _one(query, "data_alteracao_ate")
    if not first and not last:
        return None
    for value in (first, last):
        if value and not _MOMENT.fullmatch(value):
            raise BadQuery("data_alteracao deve estar no formato AAAA-MM-DDTHH:MM:SS, sem fuso horário")
    return datetime.fromisoformat(first or "0001-01-01T00:00:00"), datetime.fromisoformat(last or "9999-12-31T00:00:00")


def _within(value: Any, span: tuple[Any, Any] | None) -> bool:
    return span is None or span[0] <= value <= span[1]


def _one(query: Query, name: str) -> str:
    return next((value for found, value in query if found == name), "")


def _order(order: str) -> Any:
    if order == "id":
        return lambda state: state["id"]
    return lambda state: (state["changed"], state["id"])
