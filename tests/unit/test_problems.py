"""What a shop is answered for an error that passes."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from distributor.errors import ShopUnknown
from distributor.functions.problems import to_problem
from foundation.errors import ConfigurationError, StoreUnavailable


@pytest.mark.parametrize(
    ("error", "code", "again_s"),
    [
        (ShopUnknown(), "shop_unknown", "60"),
        (ConfigurationError("secret place"), "not_configured", "60"),
        (StoreUnavailable("secret place"), "ledger_unavailable", "5"),
    ],
)
def test_what_passes_is_sent_again(error: Exception, code: str, again_s: str) -> None:
    """503 and when; a shop that is refused with 4xx gives up."""
    problem = to_problem(error)

    assert (problem.status, problem.code) == (HTTPStatus.SERVICE_UNAVAILABLE, code)
    assert problem.headers == {"Retry-After": again_s}
    assert "secret place" not in problem.detail
