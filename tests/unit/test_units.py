"""Money in and out of text, exactly."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.units import (
    UINT256_MAX,
    TooManyDecimals,
    Wei,
    format_gwei,
    format_units,
    gwei_to_wei,
    token_units,
    token_units_at,
)
from foundation.clock import UnixMs, utc_day


@pytest.mark.parametrize(
    ("amount", "decimals", "units"),
    [("0", 18, 0), ("12.50", 18, 12_500_000_000_000_000_000), ("1e3", 6, 10**9), ("7", 0, 7), ("1E-18", 18, 1)],
)
def test_tokens_become_units(amount: str, decimals: int, units: int) -> None:
    """However the amount is written, it is the same whole number of units."""
    assert token_units(Decimal(amount), decimals) == units


def test_wei_are_the_units_of_gas_prices() -> None:
    """A gwei is a thousand million wei."""
    assert gwei_to_wei(Decimal("30.000000001")) == 30_000_000_001
    assert format_gwei(Wei(30_000_000_001)) == "30.000000001"
    with pytest.raises(TooManyDecimals, match="more than 9 decimals"):
        gwei_to_wei(Decimal("0.0000000001"))


@pytest.mark.parametrize("amount", ["1.5", "1e-200", "1." + "0" * 90 + "1", "0." + "3" * 170])
def test_nothing_is_rounded(amount: str) -> None:
    """What is finer than one unit is refused, however long it is."""
    with pytest.raises(TooManyDecimals):
        token_units(Decimal(amount), 0)


@pytest.mark.parametrize(
    ("rate", "total", "units"),
    [("1.5", "29.35", 44), ("0.99", "1", 0), ("1", "0.00", 0), ("0.1", "1e3", 100), ("0.001", "1e-50", 0)],
)
def test_what_a_total_is_worth_is_rounded_down(rate: str, total: str, units: int) -> None:
    """Never more than the rate says."""
    assert token_units_at(Decimal(rate), Decimal(total), 0) == units


@pytest.mark.parametrize("total", ["-1", "NaN", "sNaN", "Infinity", "1e78", "1." + "1" * 160])
def test_a_total_no_token_can_count_is_refused(total: str) -> None:
    """Below zero, no number, or too large; never an approximation."""
    with pytest.raises(ValueError, match=r"finite|digits|range"):
        token_units_at(Decimal("1.1"), Decimal(total), 0)


@pytest.mark.parametrize("amount", ["-1", "-0.5", "NaN", "sNaN", "Infinity", "1e78", "1e200", "1e201", "1e-201"])
def test_what_no_contract_could_hold_is_refused(amount: str) -> None:
    """Not a number, below zero, or beyond uint256."""
    with pytest.raises(ValueError, match=r"finite|decimals|range"):
        token_units(Decimal(amount), 0)


def test_uint256_is_the_bound() -> None:
    """The largest amount is taken and one more is not."""
    assert token_units(Decimal(UINT256_MAX), 0) == UINT256_MAX
    with pytest.raises(ValueError, match="outside the range"):
        token_units(Decimal(UINT256_MAX + 1), 0)


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [(0, 18, "0"), (10_500_000, 6, "10.5"), (1, 18, "0.000000000000000001"), (100, 0, "100"), (-1_500, 3, "-1.5")],
)
def test_units_become_plain_text(units: int, decimals: int, text: str) -> None:
    """No exponent and no trailing zeros; a balance that fell short may be negative."""
    assert format_units(units, decimals) == text


@given(units=st.integers(0, UINT256_MAX), decimals=st.integers(0, 77))
def test_text_and_units_are_a_round_trip(units: int, decimals: int) -> None:
    """What is printed, read again, is the same amount."""
    assert token_units(Decimal(format_units(units, decimals)), decimals) == units


def test_a_day_is_utc() -> None:
    """The last millisecond of a day is in it, the next one is not."""
    assert utc_day(UnixMs(1_767_225_599_999)) == "2025-12-31"
    assert utc_day(UnixMs(1_767_225_600_000)) == "2026-01-01"
