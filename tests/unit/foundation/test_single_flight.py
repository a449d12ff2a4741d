"""One run at a time in this process."""

import pytest

from foundation.single_flight import SingleFlight


def test_a_second_run_is_turned_away_and_asks_for_another_look() -> None:
    """Its wake-up is gone, so the run in progress must look once more."""
    flight = SingleFlight()

    with flight.enter() as first, flight.enter() as second:
        assert (first, second, flight.wanted_again) == (True, False, True)


def test_a_run_after_another_is_let_in_and_owes_nothing() -> None:
    """What was asked for during the one before it was for that one."""
    flight = SingleFlight()
    with flight.enter(), flight.enter():
        pass

    with flight.enter() as alone:
        assert (alone, flight.wanted_again) == (True, False)


def test_a_run_that_fails_lets_the_next_one_in() -> None:
    """Otherwise one error would stop this process for good."""
    flight = SingleFlight()
    with pytest.raises(ZeroDivisionError), flight.enter():
        raise ZeroDivisionError

    with flight.enter() as after:
        assert after
