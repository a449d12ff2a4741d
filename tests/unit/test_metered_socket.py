"""What comes in is counted by the second, and too much breaks the socket for good."""

from __future__ import annotations

import pytest

from distributor.chain.metered_socket import Meter


class Seconds:
    """A clock that only the test moves."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_as_much_as_is_allowed_comes_in_each_second() -> None:
    """A second begins with what comes after the last one."""
    seconds = Seconds()
    meter = Meter(10, seconds)
    for _ in range(3):
        meter.count(4)
        meter.count(6)
        seconds.now += 1

    assert not meter.broken


def test_more_breaks_it_and_time_does_not_mend_it() -> None:
    """What broke it is what it says to who asks why the line ended."""
    seconds = Seconds()
    meter = Meter(10, seconds)
    meter.count(10)
    with pytest.raises(ConnectionAbortedError):
        meter.count(1)
    seconds.now += 60
    with pytest.raises(ConnectionAbortedError):
        meter.count(1)

    assert meter.broken
