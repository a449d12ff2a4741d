"""
The answers' JSON. Field names are the real ones; three vocabularies of status are in use at once [D][F].

A number of money is a JSON number with two decimals [D][F]; a moment has microseconds and no offset in production
[F], where the specification's sample shows ``Z`` [?].
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from devstack.conta_azul.books import Books, File, Person

FILTERS = frozenset({"PERDIDO", "RECEBIDO", "EM_ABERTO", "RENEGOCIADO", "RECEBIDO_PARCIAL", "ATRASADO"})
"""``status`` of a query and ``status_traduzido`` of an answer [D]."""
_LISTED = {
    "RECEBIDO": "ACQUITTED",
    "EM_ABERTO": "PENDING",
    "ATRASADO": "OVERDUE",
    "RECEBIDO_PARCIAL": "PARTIAL",
}
"""``status`` of a list's item: English [F]."""
_DETAILED = {"RECEBIDO": "QUITADO", "EM_ABERTO": "PENDENTE"}
"""``status`` of the detail: PENDENTE is EM_ABERTO, QUITADO is RECEBIDO, the others as in the filter [D][F]."""


def money(centavos: int) -> float:
    """Return a sum as the API writes it: a JSON number with at most two decimals."""
    return round(centavos / 100, 2)


def moment(at: datetime) -> str:
    """Return a moment as production writes it."""
    return at.isoformat()


def status(state: dict[str, Any], today: date) -> str:
    """Return the filter's word for an instalment."""
    if state["paid"] >= state["total"] > 0:
        return "RECEBIDO"
    if state["paid"]:
        return "RECEBIDO_PARCIAL"
    return "ATRASADO" if state["due"] < today else "EM_ABERTO"


def list_item(state: dict[str, Any], word: str, *, old_key: bool) -> dict[str, Any]:
    """Return an item of a search: no payments, no address, no attachments [F]."""
    centres = "centros_custo" if old_key else "centros_de_custo"  # the first in the specification, the other [F]
    return {
        "id": state["id"],
        "descricao": state["description"],
        "data_vencimento": state["due"].isoformat(),
        "data_competencia": state["created"].date().isoformat(),
        "status": _LISTED.get(word, word),
        "status_traduzido": word,
        "total": money(state["total"]),
        "pago": money(state["paid"]),
        "nao_pago": money(max(0, state["total"] - state["paid"])),
        "data_criacao": moment(state["created"]),
        "data_alteracao": moment(state["changed"]),
        "categorias": [{"id": "1d4c", "nome": "Serviços"}],
        centres: [{"id": "77aa", "nome": "Clínica"}],
        "cliente": _customer(state["customer"]),
    }


def detail(state: dict[str, Any], word: str, address: Any) -> dict[str, Any]:
    """Return an instalment with its payments. ``cliente`` is left out: whether the real one has it is not known [?]."""
    return {
        "id": state["id"],
        "versao": 1,
        "indice": 1,
        "status": _DETAILED.get(word, word),
        "valor_pago": money(state["paid"]),
        "nao_pago": money(max(0, state["total"] - state["paid"])),
        "data_vencimento": state["due"].isoformat(),
        "descricao": state["description"],
        "valor_composicao": _composition({"gross": state["total"], "net": state["total"]}),
        "data_alteracao": moment(state["changed"]),
        "evento": {
            "id": "e-" + state["id"],
            "tipo": "DESPESA" if state["expense"] else "RECEITA",
            "data_competencia": state["created"].date().isoformat(),
            "referencia": {"id": None, "origem": "LANCAMENTO_FINANCEIRO"},
            "rateio": [],
        },
        "fatura": None,
        "baixas": [payment(found, address) for found in state["payments"]],
        "anexos": [_file(file, state["id"], address) for file in state["files"]],
        "solicitacoes_cobrancas": [],
    }


def payment(state: dict[str, Any], address: Any) -> dict[str, Any]:
    """Return a *baixa* [F]."""
    digital = next((file.id for file in state["files"] if file.kind == "RECIBO_DIGITAL"), None)
    return {
        "id": state["id"],
        "versao": state["revision"],
        "id_parcela": state["parcela"],
        "data_pagamento": state["paid_on"].isoformat(),
        "valor_composicao": _composition(state),
        "conta_financeira": {"id": "b1", "nome": "Itaú"},
        "metodo_pagamento": state["method"],
        "origem": "LANCAMENTO_FINANCEIRO",
        "id_recibo_digital": digital,
        "id_reconciliacao": None,
        "id_solicitacao_cobranca": None,
        "id_referencia": None,
        "tipo_evento_financeiro": "RECEITA",
        "nsu": None,
        "observacao": None,
        "atualizado_em": moment(state["updated"]),
        "anexos": [_file(file, state["parcela"], address) for file in state["files"]],
    }


def account(books: Books) -> dict[str, Any]:
    """Return the company of a token [F]."""
    return {
        "id_empresa": books.company,
        "documento": books.document,
        "razao_social": books.name,
        "nome_fantasia": books.name,
        "data_fundacao": None,
        "email": books.email,
    }


def person(found: Person, *, whole: bool) -> dict[str, Any]:
    """Return a customer; only the single one shows the billing contact [F]."""
    answer: dict[str, Any] = {
        "id": found.id,
        "nome": found.name,
        "nome_empresa": None,
        "documento": found.document or None,
        "email": found.email or None,
        "telefone": None,
        "tipo_pessoa": "Jurídica" if found.is_company else "Física",
        "perfis": ["Cliente"],
        "ativo": found.active,
    }
    if whole:
        answer["outros_contatos"] = [{"nome": name, "email": email} for name, email in found.other_contacts]
        answer["contato_cobranca_faturamento"] = {"emails": found.billing_emails, "whatsapp": None}
    return answer


def _customer(found: Person | None) -> dict[str, Any] | None:
    """Both fields may be null: an internal entry [P]."""
    return {"id": found.id, "nome": found.name} if found else {"id": None, "nome": None}


def _composition(state: dict[str, Any]) -> dict[str, Any]:
    return {
        "multa": money(state.get("fine", 0)),
        "juros": money(state.get("interest", 0)),
        "valor_bruto": money(state["gross"]),
        "desconto": money(state.get("discount", 0)),
        "taxa": money(state.get("fee", 0)),
        "valor_liquido": money(state["net"]),
    }


def _file(file: File, parcela: str, address: Any) -> dict[str, Any]:
    return {
        "id": file.id,
        "versao": 0,
        "nome": file.name,
        "descricao": None,
        "url": file.address or address(file.id),
        "tipo_conteudo": file.content_type,
        "tipo_anexo": file.kind,
        "referencia": None,
        "id_parcela": parcela,
    }
