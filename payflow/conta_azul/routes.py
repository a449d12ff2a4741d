"""
The two families of routes, and the query of a search.

The documentation has had both; which one a tenant's API serves is found by asking (``probe``), never assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from foundation.clock import UnixMs
from payflow.conta_azul.values import local_text
from payflow.model import BaixaId, CustomerId, InstalmentId

PAGE_SIZES: Final = (10, 20, 50, 100, 200, 500, 1000)
"""Any other is refused with 400."""
ACCOUNT: Final = "/v1/pessoas/conta-conectada"
PEOPLE: Final = "/v1/pessoas"


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """Where a family has its routes."""

    name: str
    search: str
    _instalment: str
    _baixa: str

    def instalment(self, instalment: InstalmentId) -> str:
        return self._instalment.format(instalment)

    def baixa(self, baixa: BaixaId) -> str:
        return self._baixa.format(baixa)


_EVENTS: Final = "/v1/financeiro/eventos-financeiros"
FAMILIES: Final[Mapping[str, Family]] = {
    "eventos-financeiros": Family(
        name="eventos-financeiros",
        search=f"{_EVENTS}/contas-a-receber/buscar",
        _instalment=f"{_EVENTS}/parcelas/{{}}",
        _baixa=f"{_EVENTS}/parcelas/baixa/{{}}",
    ),
    "financeiro": Family(
        name="financeiro",
        search="/v1/financeiro/contas-a-receber",
        _instalment="/v1/financeiro/parcelas/{}",
        _baixa="/v1/financeiro/baixas/{}",
    ),
}
"""The first was seen in production and is asked first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Which instalments, and which page of them. Every bound is inclusive."""

    due: tuple[date, date]
    """Required by the API."""
    page: int = 1
    page_size: int = 500
    changed: tuple[UnixMs, UnixMs] | None = None
    paid: tuple[date, date] | None = None

    def query(self) -> Sequence[tuple[str, str]]:
        """Return the parameters; a name the API does not know would be ignored, and everything returned."""
        asked = [
            ("pagina", str(self.page)),
            ("tamanho_pagina", str(self.page_size)),
            ("data_vencimento_de", self.due[0].isoformat()),
            ("data_vencimento_ate", self.due[1].isoformat()),
        ]
        if self.changed:
            asked += [
                ("data_alteracao_de", local_text(self.changed[0])),
                ("data_alteracao_ate", local_text(self.changed[1])),
            ]
        if self.paid:
            asked += [
                ("data_pagamento_de", self.paid[0].isoformat()),
                ("data_pagamento_ate", self.paid[1].isoformat()),
            ]
        return asked


def customer_path(customer: CustomerId) -> str:
    """Return where a customer is."""
    return f"{PEOPLE}/{customer}"
