"""
The API's answers, read into nouns.

What is known not to be constant is read both ways: null lists, a missing customer, ``centros_custo``. What a receipt
depends on and cannot be read raises UnreadableAnswer: nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from foundation.json_depth import nests_deeper
from payflow.conta_azul.values import centavos, iso_date, moment_ms
from payflow.errors import UnreadableAnswer
from payflow.model import (
    Account,
    Attachment,
    Baixa,
    BaixaId,
    CompanyId,
    Composition,
    Customer,
    CustomerId,
    InstalmentDetail,
    InstalmentId,
    ListedInstalment,
    Person,
)

_Noun = TypeVar("_Noun")
Json = Mapping[str, Any]

DEPTH_MAX = 64
"""Open objects and arrays of an answer; the real ones nest five deep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalmentPage:
    """One page of a search."""

    items: tuple[ListedInstalment, ...]
    total: int
    """``itens_totais``: a hint, other listings count wrongly."""


def exact_json(body: bytes) -> Any:
    """Return JSON with exact numbers. Raises UnreadableAnswer for a page, or half an answer."""
    try:
        text = body.decode("utf-8")
        if nests_deeper(text, DEPTH_MAX):
            raise UnreadableAnswer(f"the answer is nested more than {DEPTH_MAX} deep")
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except ValueError:
        raise UnreadableAnswer("the answer is no JSON") from None


def read_page(answer: Any) -> InstalmentPage:
    """Return a page of instalments; ``itens`` is null where nothing matches."""
    found = _object(answer)
    items = tuple(_listed(item) for item in _list(found.get("itens")))
    total = found.get("itens_totais")
    return InstalmentPage(items=items, total=total if isinstance(total, int) else len(items))


def read_instalment(answer: Any) -> InstalmentDetail:
    """Return an instalment with its payments."""
    return _read(_instalment, _object(answer))


def baixa(answer: Any) -> Baixa:
    """Return one payment."""
    return _read(_baixa, _object(answer))


def account(answer: Any) -> Account:
    """Return the company of the token."""
    return _read(_account, _object(answer))


def read_customer(answer: Any) -> Person:
    """Return a customer."""
    return _read(_person, _object(answer))


def people(answer: Any) -> tuple[Person, ...]:
    """Return the customers of one page; ``items`` is null where nothing matches."""
    return tuple(_read(_person, _object(item)) for item in _list(_object(answer).get("items")))


def _listed(item: Any) -> ListedInstalment:
    return _read(_listed_instalment, _object(item))


def _listed_instalment(item: Json) -> ListedInstalment:
    return ListedInstalment(
        id=InstalmentId(_id(item)),
        changed=_text(item.get("data_alteracao")),
        paid=centavos(item.get("pago")),
        customer=_customer(item.get("cliente")) or Customer(id=CustomerId(""), name=""),
        description=_text(item.get("descricao")),
        due_on=iso_date(item["data_vencimento"]),
    )


def _instalment(found: Json) -> InstalmentDetail:
    event = _object(found.get("evento") or {})
    return InstalmentDetail(
        id=InstalmentId(_id(found)),
        baixas=tuple(_baixa({"id_parcela": found["id"], **_object(item)}) for item in _list(found.get("baixas"))),
        attachments=_attachments(found),
        is_income=event.get("tipo", "RECEITA") == "RECEITA",
        customer=_customer(found.get("cliente")),
    )


def _baixa(found: Json) -> Baixa:
    return Baixa(
        id=BaixaId(_id(found)),
        instalment=InstalmentId(_id(found, "id_parcela")),
        revision=int(found.get("versao") or 0),
        paid_on=iso_date(found["data_pagamento"]),
        composition=_composition(_object(found["valor_composicao"])),
        method=_text(found.get("metodo_pagamento")),
        updated_ms=moment_ms(found.get("atualizado_em")),
        attachments=_attachments(found),
    )


def _composition(found: Json) -> Composition:
    if found["valor_bruto"] is None:  # never a receipt over R$ 0,00 because a field was empty
        raise UnreadableAnswer("a payment has no amount")
    return Composition(
        gross=centavos(found["valor_bruto"]),
        fine=centavos(found.get("multa")),
        interest=centavos(found.get("juros")),
        discount=centavos(found.get("desconto")),
        fee=centavos(found.get("taxa")),
    )


def _attachments(found: Json) -> tuple[Attachment, ...]:
    return tuple(_attachment(_object(item)) for item in _list(found.get("anexos")))


def _attachment(item: Json) -> Attachment:
    return Attachment(
        id=_id(item),
        name=_text(item.get("nome")),
        url=_text(item.get("url")),
        kind=_text(item.get("tipo_anexo")),
        is_file=item.get("tipo_conteudo") == "FILE",
    )


def _account(found: Json) -> Account:
    return Account(
        company=CompanyId(_id(found, "id_empresa")),
        document=_digits(found.get("documento")),
        legal_name=_text(found.get("razao_social")),
        trade_name=_text(found.get("nome_fantasia")),
        email=_text(found.get("email")),
    )


def _person(found: Json) -> Person:
    billing = _object(found.get("contato_cobranca_faturamento") or {})
    others = [_object(contact) for contact in _list(found.get("outros_contatos"))]
    return Person(
        id=CustomerId(_id(found)),
        name=_text(found.get("nome")),
        document=_digits(found.get("documento")),
        emails=_addresses(found.get("email")),
        billing_emails=tuple(_text(address) for address in _list(billing.get("emails")) if address),
        other_contacts=tuple((_text(contact.get("nome")), _text(contact.get("email"))) for contact in others),
        is_company=found.get("tipo_pessoa") == "Jurídica",
    )


def _customer(found: Any) -> Customer | None:
    if found is None:
        return None
    customer = _object(found)
    return Customer(id=CustomerId(_text(customer.get("id"))), name=_text(customer.get("nome")))


# What the pieces must be -----------------------------------------------------------------------------


def _read(reader: Callable[[Json], _Noun], found: Json) -> _Noun:
    try:
        return reader(found)
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableAnswer(f"the answer lacks what it must have ({type(error).__name__})") from None


def _object(value: Any) -> Json:
    if not isinstance(value, Mapping):
        raise UnreadableAnswer("the answer is no object")
    return value


def _list(value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise UnreadableAnswer("the answer has no list")
    return value or []


def _id(found: Json, name: str = "id") -> str:
    """Return an id that a path and a row key take. Raises KeyError, ValueError."""
    value = str(found[name])
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", value):
        raise ValueError("no id")
    return value


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _digits(value: Any) -> str:
    return re.sub(r"\D", "", _text(value))


def _addresses(value: Any) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[,;]", _text(value)) if part.strip())


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
