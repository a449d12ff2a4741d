from __future__ import annotations

import pytest

from distributor.rates import Rate, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("120/minute", Rate(120, 60)),
        ("1/second", Rate(1, 1)),
        ("5000/hour", Rate(5_000, 3_600)),
        ("999999999/day", Rate(999_999_999, 86_400)),
        ("0", None),
    ],
)
def test_a_rate_is_read_as_it_is_written(text: str, rate: Rate | None) -> None:
    """A number and a period, or off."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "120", "0/minute", "-1/minute", "1.5/minute", "9/week", "9 / minute", "120/Minute", "1111111111/day"],
)
def test_what_is_no_rate_is_refused_with_what_is_accepted(text: str) -> None:
    """A limit read wrongly would be a limit nobody set."""
    with pytest.raises(ValueError, match="like 120/minute; 0 is off"):
        parse_rate(text)
