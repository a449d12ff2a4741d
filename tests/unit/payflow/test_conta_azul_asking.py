"""How Conta Azul is asked: paths, parameters, pace."""

from __future__ import annotations

from datetime import date

import pytest

from foundation.clock import UnixMs
from payflow.conta_azul.limiter import Limiter
from payflow.conta_azul.routes import FAMILIES, Search, customer_path
from payflow.model import BaixaId, CustomerId, InstalmentId
from tests.fakes.conta_azul import Time

DUE = (date(2025, 1, 1), date(2027, 1, 1))


def test_each_family_has_its_paths() -> None:
    """As the documentation writes them."""
    old, new = FAMILIES["eventos-financeiros"], FAMILIES["financeiro"]

    assert old.instalment(InstalmentId("p")) == "/v1/financeiro/eventos-financeiros/parcelas/p"
    assert old.baixa(BaixaId("b")) == "/v1/financeiro/eventos-financeiros/parcelas/baixa/b"
    assert new.instalment(InstalmentId("p")) == "/v1/financeiro/parcelas/p"
    assert new.baixa(BaixaId("b")) == "/v1/financeiro/baixas/b"
    assert customer_path(CustomerId("c")) == "/v1/pessoas/c"


def test_a_search_always_names_its_due_dates() -> None:
    """They are required; the others only where they are wanted."""
    query = dict(Search(due=DUE).query())

    assert query == {
        "pagina": "1",
        "tamanho_pagina": "500",
        "data_vencimento_de": "2025-01-01",
        "data_vencimento_ate": "2027-01-01",
    }


def test_bounds_of_change_and_payment_are_added() -> None:
    """Local text without an offset, and plain dates."""
    query = dict(Search(due=DUE, changed=(UnixMs(0), UnixMs(1000)), paid=DUE).query())

    assert (query["data_alteracao_de"], query["data_alteracao_ate"]) == ("1969-12-31T21:00:00", "1969-12-31T21:00:01")
    assert (query["data_pagamento_de"], query["data_pagamento_ate"]) == ("2025-01-01", "2027-01-01")


def test_requests_are_spaced_evenly() -> None:
    """Six a second, and never a burst: not at the start either."""
    time = Time()
    limiter = Limiter(time)

    waits = [limiter.reserve() for _ in range(12)]

    assert waits == pytest.approx([(at + 1) / 6 for at in range(12)])


def test_a_pause_saves_nothing_up() -> None:
    """After an hour of silence there is one request at once, and then the pace."""
    time = Time()
    limiter = Limiter(time)
    time.now_s += 3600

    assert [limiter.reserve(), limiter.reserve()] == pytest.approx([0, 1 / 6])


def test_the_minute_rules_where_it_is_slower() -> None:
    """60 a minute are one a second, whatever a second allows."""
    time = Time()
    limiter = Limiter(time, per_second=6, per_minute=60)
    limiter.reserve()

    assert limiter.reserve() == pytest.approx(2)


def test_a_429_stops_and_then_halves_the_rate() -> None:
    """For ten minutes."""
    time = Time()
    limiter = Limiter(time)
    limiter.refused(30)

    assert [limiter.reserve(), limiter.reserve()] == pytest.approx([30, 30 + 2 / 6])
    time.now_s += 601
    assert [limiter.reserve(), limiter.reserve()] == pytest.approx([0, 1 / 6])
