"""Sums are exact, dates one text, moments UTC."""

from __future__ import annotations

from decimal import Decimal

import pytest

from foundation.clock import UnixMs
from payflow.conta_azul.values import centavos, iso_date, local_date, local_text, moment_ms
from payflow.errors import UnreadableAnswer


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1500.10"), 1500_10),
        (Decimal("0.30000000000000004"), 30),
        (Decimal("1E+3"), 1000_00),
        (7, 7_00),
        (0, 0),
        (None, 0),
    ],
)
def test_a_sum_becomes_centavos(value: object, expected: int) -> None:
    """Exactly, but for the noise of a binary fraction."""
    assert centavos(value) == expected


@pytest.mark.parametrize("value", [Decimal("0.001"), Decimal("NaN"), Decimal("Infinity"), "1500,10", True, [], 1.5])
def test_what_is_no_sum_is_refused(value: object) -> None:
    """Never rounded, never guessed."""
    with pytest.raises(UnreadableAnswer):
        centavos(value)


@pytest.mark.parametrize("value", ["2026-02-10", "2026-02-10T00:00:00", "10/02/2026"])
def test_a_date_is_read_in_each_shape_that_was_seen(value: str) -> None:
    """An official guide shows the Brazilian one."""
    assert iso_date(value) == "2026-02-10"


@pytest.mark.parametrize("value", ["2026-02-30", "32/01/2026", "", None, "ontem"])
def test_what_is_no_date_is_refused(value: object) -> None:
    """A receipt's date is never made up."""
    with pytest.raises(UnreadableAnswer):
        iso_date(value)


@pytest.mark.parametrize(
    "value", ["2026-02-10T07:02:11.101", "2026-02-10T10:02:11.101Z", "2026-02-10T07:02:11.101-03:00"]
)
def test_a_moment_without_an_offset_is_local(value: str) -> None:
    """São Paulo is three hours behind UTC."""
    assert moment_ms(value) == 1_770_717_731_101


def test_no_moment_is_none() -> None:
    """And what cannot be read is refused."""
    assert moment_ms(None) is None
    with pytest.raises(UnreadableAnswer):
        moment_ms("gestern")


def test_a_query_carries_local_time_without_an_offset() -> None:
    """Around midnight UTC it is still yesterday in São Paulo."""
    at = UnixMs(1_767_225_600_999)

    assert local_text(at) == "2025-12-31T21:00:00"
    assert local_date(at).isoformat() == "2025-12-31"


def test_the_summer_time_of_old_is_known() -> None:
    """Until 2019 São Paulo had it."""
    assert moment_ms("2019-01-01T00:00:00") == 1_546_308_000_000
