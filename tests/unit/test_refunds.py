"""What is left of an order's total after its refunds, on the route of a stock WooCommerce."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from distributor.webhook.refunds import REFUNDS_LOOKED_BACK, before, kept
from distributor.webhook.woocommerce import NotPaidKind
from tests.unit.test_woocommerce import IN_META, WALLET, amount, an_order, not_paid, paid


def refund(total: Any, number: int = 1) -> dict[str, Any]:
    """A refund as the REST interface shows it."""
    return {"id": number, "reason": "", "total": total}


@pytest.mark.parametrize(
    ("total", "refunds", "left"),
    [
        ("29.35", [], "29.35"),
        ("29.35", ["-9.35"], "20"),
        ("29.35", ["-9.35", "-0.01"], "19.99"),
        ("29.35", ["-0.00"], "29.35"),
        ("0.3", ["-0.1", "-0.1"], "0.1"),
        ("1", ["-2"], "0"),
    ],
)
def test_refunds_are_subtracted_exactly(total: str, refunds: list[str], left: str) -> None:
    """Never below nothing, and no float on the way."""
    assert kept(Decimal(total), [Decimal(one) for one in refunds]) == Decimal(left)


def test_an_order_refunded_before_its_completion_pays_what_was_kept() -> None:
    """As the plugin does; it was paid in full before."""
    whole, less = paid(an_order(total="29.35")), paid(an_order(total="29.35", refunds=[refund("-9.35")]))

    assert less.amount_units * Decimal("29.35") == whole.amount_units * Decimal(20)
    assert paid(an_order(total="29.35", refunds=None)).amount_units == whole.amount_units
    assert paid(an_order(total="29.35", refunds={"1": refund("-9.35")})).amount_units == less.amount_units


def test_an_order_refunded_whole_pays_nothing() -> None:
    """It may stay in the status completed for a moment."""
    not_paid(an_order(total="10", refunds=[refund("-10.00")]), NotPaidKind.IGNORED, "nothing_to_pay")


@pytest.mark.parametrize(
    "refunds",
    [
        *([refund(None)], [refund("")], [refund("5.00")], [{"id": 1}], [{"total": "-1"}], ["-1"], "none", 7),
        [refund("-1"), refund("R$ 2")],
    ],
)
def test_a_refund_without_an_amount_holds_the_order(refunds: Any) -> None:
    """The full sum would be too much: a person looks."""
    not_paid(an_order(refunds=refunds), NotPaidKind.UNPAYABLE, "refund_without_amount")


def test_tokens_that_the_shop_wrote_itself_are_paid_as_written() -> None:
    """The plugin does the same: who writes an amount knows of the refunds."""
    written, refunded = an_order(WALLET, amount("7")), an_order(WALLET, amount("7"), refunds=[refund("-1")])

    assert paid(refunded, IN_META).amount_units == paid(written, IN_META).amount_units


def test_only_so_many_refunds_are_looked_back_at() -> None:
    """The work for one delivery has a bound."""
    refunds = [Decimal(-1)] * 1_000

    assert before(Decimal(1_000), [Decimal(-1), Decimal(-2)]) == [Decimal(1_000), Decimal(999)]
    assert before(Decimal(1_000), refunds) == [Decimal(left) for left in range(REFUNDS_LOOKED_BACK, 0, -1)]
