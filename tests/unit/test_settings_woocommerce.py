"""The settings of the WooCommerce route, and that nothing else needs them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from distributor.settings import Use, load, problems
from foundation.errors import ConfigurationError

GOOD = {
    "CHAIN_ID": "137",
    "WOO_TOKENS_PER_UNIT": "0.05",
    "WOO_CURRENCY": "BRL",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
}


def test_a_rate_and_its_currency_are_enough() -> None:
    """Completed orders, and the field our plug-in writes, are what most shops have."""
    settings = load(GOOD, Use.WOOCOMMERCE)

    assert (settings.woo_tokens_per_unit, settings.woo_currency) == (Decimal("0.05"), "BRL")
    assert (settings.woo_paid_statuses, settings.woo_wallet_meta) == (frozenset({"completed"}), "_ballx_wallet")
    assert settings.woo_amount_meta is None


def test_a_field_needs_no_currency() -> None:
    """The shop already said tokens."""
    settings = load(
        {**GOOD, "WOO_TOKENS_PER_UNIT": "", "WOO_CURRENCY": "", "WOO_AMOUNT_META": "tokens"}, Use.WOOCOMMERCE
    )

    assert (settings.woo_amount_meta, settings.woo_tokens_per_unit, settings.woo_currency) == ("tokens", None, None)


def test_statuses_are_a_list() -> None:
    """Spaces and a comma at the end do no harm."""
    settings = load({**GOOD, "WOO_PAID_STATUSES": "completed, em-rota,"}, Use.WOOCOMMERCE)

    assert settings.woo_paid_statuses == {"completed", "em-rota"}


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("WOO_PAID_STATUSES", ",", "WOO_PAID_STATUSES must be statuses"),
        ("WOO_PAID_STATUSES", "wc-completed", "as WooCommerce's REST interface shows them"),
        ("WOO_PAID_STATUSES", "Completed", "must be statuses"),
        ("WOO_WALLET_META", "x" * 256, "at most 255"),
        ("WOO_WALLET_META", "two\nlines", "custom field"),
        ("WOO_TOKENS_PER_UNIT", "0", "more than 0"),
        ("WOO_TOKENS_PER_UNIT", "-1", "more than 0"),
        ("WOO_TOKENS_PER_UNIT", "0,05", "a number of tokens"),
        ("WOO_TOKENS_PER_UNIT", "1e3", "a number of tokens"),
        ("WOO_CURRENCY", "R$", "a currency code"),
        ("WOO_CURRENCY", "", "WOO_CURRENCY must be set with WOO_TOKENS_PER_UNIT"),
        ("WOO_AMOUNT_META", "tokens", "WOO_AMOUNT_META must not be set together with WOO_TOKENS_PER_UNIT"),
    ],
)
def test_what_would_pay_a_wrong_amount_is_refused(name: str, value: str, wrong: str) -> None:
    """Two amounts, a rate for any currency, or a number nobody meant."""
    with pytest.raises(ConfigurationError) as refused:
        load({**GOOD, name: value}, Use.WOOCOMMERCE)

    assert wrong in str(refused.value)


@pytest.mark.parametrize("use", [use for use in Use if use is not Use.WOOCOMMERCE])
def test_no_other_use_case_looks_at_them(use: Use) -> None:
    """A shop's wrong rate must not stop orders at the plain webhook, nor payouts."""
    wrong = {**GOOD, "WOO_TOKENS_PER_UNIT": "many", "WOO_CURRENCY": "?", "WOO_PAID_STATUSES": "?"}

    assert [problem for problem in problems(wrong, use, {}) if problem.setting.startswith("WOO_")] == []
