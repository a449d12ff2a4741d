"""Times of others are bounded: no clock that runs ahead makes anybody wait for it."""

from __future__ import annotations

import time

import pytest

from foundation.clock import AHEAD_MS_MAX, LONG_AGO_MS, UnixMs, elapsed_ms, system_clock, utc_day

NOW = UnixMs(1_800_000_000_000)


@pytest.mark.parametrize(
    ("then", "elapsed"),
    [
        (NOW - 5, 5),
        (NOW, 0),
        (NOW + AHEAD_MS_MAX, 0),
        (NOW + AHEAD_MS_MAX + 1, LONG_AGO_MS),
        (NOW + 10**12, LONG_AGO_MS),
    ],
)
def test_a_time_ahead_counts_as_now_or_as_long_ago(then: int, elapsed: int) -> None:
    """A little ahead is another machine; far ahead is a wrong clock."""
    assert elapsed_ms(UnixMs(then), NOW) == elapsed


def test_a_day_begins_at_midnight_utc() -> None:
    """Wherever the machine is."""
    assert (utc_day(UnixMs(86_400_000 - 1)), utc_day(UnixMs(86_400_000))) == ("1970-01-01", "1970-01-02")


def test_the_clock_is_this_machines() -> None:
    """In milliseconds."""
    assert abs(system_clock() - time.time() * 1000) < 60_000
