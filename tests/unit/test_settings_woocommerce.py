"""The settings of the WooCommerce route, and that nothing else needs them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from distributor.settings import ALL
from distributor.settings.shops import WooCommerceSettings
from foundation.errors import ConfigurationError
from foundation.settings.groups import SettingsGroup
from foundation.settings.reading import problems, read_group

GOOD = {
    "CHAIN_ID": "137",
    "WOO_TOKENS_PER_UNIT": "0.05",
    "WOO_CURRENCY": "BRL",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
}


def test_a_rate_and_its_currency_are_enough() -> None:
    """Completed orders, and the field our plug-in writes, are what most shops have."""
    settings = read_group(WooCommerceSettings, GOOD)

    assert (settings.tokens_per_unit, settings.currency) == (Decimal("0.05"), "BRL")
    assert (settings.paid_statuses, settings.wallet_meta) == (frozenset({"completed"}), "_ballx_wallet")
    assert settings.amount_meta is None


def test_a_field_needs_no_currency() -> None:
    """The shop already said tokens."""
    settings = read_group(
        WooCommerceSettings, {**GOOD, "WOO_TOKENS_PER_UNIT": "", "WOO_CURRENCY": "", "WOO_AMOUNT_META": "tokens"}
    )

    assert (settings.amount_meta, settings.tokens_per_unit, settings.currency) == ("tokens", None, None)


def test_statuses_are_a_list() -> None:
    """Spaces and a comma at the end do no harm."""
    settings = read_group(WooCommerceSettings, {**GOOD, "WOO_PAID_STATUSES": "completed, em-rota,"})

    assert settings.paid_statuses == {"completed", "em-rota"}


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
        read_group(WooCommerceSettings, {**GOOD, name: value})

    assert wrong in str(refused.value)


@pytest.mark.parametrize("use", [use for use in ALL if use is not WooCommerceSettings])
def test_no_other_use_case_looks_at_them(use: type[SettingsGroup]) -> None:
    """A shop's wrong rate must not stop orders at the plain webhook, nor payouts."""
    wrong = {**GOOD, "WOO_TOKENS_PER_UNIT": "many", "WOO_CURRENCY": "?", "WOO_PAID_STATUSES": "?"}

    assert [problem for problem in problems(use, wrong, {}) if problem.setting.startswith("WOO_")] == []
