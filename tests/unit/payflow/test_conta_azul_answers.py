"""Answers are read as they were seen, in every shape, and refused where a receipt would be guessed."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.errors import ServiceError
from payflow.conta_azul import answers, responses
from payflow.errors import (
    ApiRefused,
    ApiUnavailable,
    PlanBlocked,
    RouteUnknown,
    TooManyRequests,
    Unauthorized,
    UnreadableAnswer,
)

BAIXA: dict[str, Any] = {
    "id": "b-1",
    "versao": 2,
    "id_parcela": "p-1",
    "data_pagamento": "2026-02-10",
    "valor_composicao": {"multa": 0, "juros": None, "valor_bruto": 1500.1, "desconto": 0, "taxa": 2.5},
    "metodo_pagamento": "PIX_PAGAMENTO_INSTANTANEO",
    "atualizado_em": "2026-02-10T10:02:11",
    "anexos": [{"id": "a", "nome": "recibo.pdf", "url": "https://x", "tipo_conteudo": "FILE", "tipo_anexo": "RECIBO"}],
}
ITEM: dict[str, Any] = {
    "id": "p-1",
    "descricao": None,
    "data_vencimento": "2026-02-10",
    "pago": 1500.1,
    "data_alteracao": "2026-02-10T10:02:11.101",
    "cliente": {"id": None, "nome": None},
}


def loaded(value: Any) -> Any:
    """Return *value* as it arrives."""
    return answers.exact_json(json.dumps(value).encode())


def test_a_payment_is_read() -> None:
    """Amounts in centavos, the attachment with its kind."""
    baixa = answers.baixa(loaded(BAIXA))

    assert (baixa.composition.gross, baixa.composition.fee, baixa.composition.interest) == (1500_10, 2_50, 0)
    assert (baixa.revision, baixa.attachments[0].is_file) == (2, True)


@pytest.mark.parametrize("missing", ["id", "id_parcela", "data_pagamento", "valor_composicao"])
def test_a_payment_that_lacks_something_is_refused(missing: str) -> None:
    """Never half a payment."""
    with pytest.raises(UnreadableAnswer):
        answers.baixa(loaded({name: value for name, value in BAIXA.items() if name != missing}))


def test_a_payment_without_an_amount_is_refused() -> None:
    """A null is no zero: nobody gets a receipt over R$ 0,00."""
    with pytest.raises(UnreadableAnswer):
        answers.baixa(loaded({**BAIXA, "valor_composicao": {"valor_bruto": None}}))


@pytest.mark.parametrize("bad", ["", "a/b", "a b", "ç", "x" * 101])
def test_an_id_that_would_change_the_path_is_refused(bad: str) -> None:
    """It goes into addresses and row keys."""
    with pytest.raises(UnreadableAnswer):
        answers.baixa(loaded({**BAIXA, "id": bad}))


def test_a_detail_may_lack_almost_everything() -> None:
    """Event, customer, payments, attachments: all may be null."""
    bare = answers.read_instalment(loaded({"id": "p-1", "evento": None, "baixas": None}))
    expense = answers.read_instalment(
        loaded({"id": "p-1", "evento": {"tipo": "DESPESA"}, "cliente": {"id": "c", "nome": "A"}})
    )

    assert (bare.baixas, bare.is_income, bare.customer) == ((), True, None)
    assert not expense.is_income
    assert expense.customer is not None


def test_a_payment_of_a_detail_belongs_to_it() -> None:
    """Where the payment does not say so itself."""
    nested = {name: value for name, value in BAIXA.items() if name != "id_parcela"}

    detail = answers.read_instalment(loaded({"id": "p-9", "baixas": [nested]}))

    assert detail.baixas[0].instalment == "p-9"


def test_a_list_may_be_null_and_a_customer_too() -> None:
    """Both were seen."""
    page = answers.read_page(loaded({"itens_totais": None, "itens": [ITEM, {**ITEM, "cliente": None}]}))

    assert page.total == 2
    assert {item.customer.id for item in page.items} == {""}
    assert answers.read_page(loaded({"itens": None})).items == ()


@pytest.mark.parametrize("answer", [[], "x", None, {"itens": {}}, {"itens": [1]}])
def test_what_is_no_page_is_refused(answer: Any) -> None:
    """An empty page is a fact; this is not one."""
    with pytest.raises(UnreadableAnswer):
        answers.read_page(loaded(answer))


def test_addresses_are_split_and_not_judged() -> None:
    """Commas and semicolons part them."""
    person = answers.read_customer(
        loaded(
            {
                "id": "c",
                "email": "a@x.example, b@x.example;;",
                "documento": "123.456.789-09",
                "contato_cobranca_faturamento": {"emails": ["f@x.example", None]},
                "outros_contatos": [{"nome": "Zé", "email": "z@x.example"}],
                "tipo_pessoa": "Jurídica",
            }
        )
    )

    assert person.emails == ("a@x.example", "b@x.example")
    assert (person.document, person.billing_emails) == ("12345678909", ("f@x.example",))
    assert person.other_contacts == (("Zé", "z@x.example"),)
    assert person.is_company


def test_an_account_is_read() -> None:
    """Its id is the tenant's."""
    account = answers.account(loaded({"id_empresa": 7, "documento": "12.345.678/0001-95", "email": None}))

    assert (account.company, account.document, account.email) == ("7", "12345678000195", "")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """A page of a proxy, half an answer, a nest without end."""
    with pytest.raises(UnreadableAnswer):
        answers.exact_json(body)


@pytest.mark.parametrize(
    ("status", "body", "raised"),
    [
        (401, b"", Unauthorized),
        (403, b'{"status_conta":"END_TRIAL"}', PlanBlocked),
        (403, b'{"message":"no"}', ApiRefused),
        (403, b"<html>", ApiRefused),
        (404, b'{"error":"no route"}', RouteUnknown),
        (429, b"", TooManyRequests),
        (400, b"<html>", ApiRefused),
        (500, b"", ApiUnavailable),
        (302, b"", ApiUnavailable),
        (204, b"", ApiUnavailable),
    ],
)
def test_each_status_has_its_meaning(status: int, body: bytes, raised: type[Exception]) -> None:
    """One line of the table each."""
    with pytest.raises(raised) as caught:
        responses.read_response(status, {}, body)

    assert type(caught.value) is raised


def test_gone_is_an_empty_404() -> None:
    """And JSON is JSON."""
    assert responses.read_response(404, {}, b" ") is None
    assert responses.read_response(200, {}, b"[]") == []


@pytest.mark.parametrize(("said", "seconds"), [("", 10), ("5", 5), ("0", 1), ("9999", 120), ("soon", 10), ("²", 10)])
def test_retry_after_is_believed_within_limits(said: str, seconds: float) -> None:
    """No answer may stop a lane for a day."""
    assert responses.retry_after_s(said) == seconds


@given(st.binary(max_size=200), st.sampled_from([200, 204, 301, 400, 401, 403, 404, 429, 500, 503]))
def test_no_response_is_an_unknown_error(body: bytes, status: int) -> None:
    """Whatever arrives is an answer or one of our errors."""
    with contextlib.suppress(ServiceError):
        responses.read_response(status, {}, body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*BAIXA, *ITEM, "itens", "items", "baixas", "email"]), inner, max_size=6)
    ),
    max_leaves=12,
)


@given(
    _JSON,
    st.sampled_from(
        [answers.read_page, answers.baixa, answers.read_instalment, answers.read_customer, answers.account]
    ),
)
def test_every_answer_is_read_or_refused(value: Any, reader: Any) -> None:
    """No shape of JSON raises anything but UnreadableAnswer."""
    with contextlib.suppress(UnreadableAnswer):
        reader(loaded(value))
