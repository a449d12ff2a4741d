"""Two things at the same time."""

from __future__ import annotations

import asyncio

import pytest

from foundation.side_by_side import side_by_side, value_or_error


async def after(turns: int, said: list[str], name: str, error: Exception | None = None) -> str:
    """Return *name*, or raise, after so many turns of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)
    said.append(name)
    if error is not None:
        raise error
    return name


async def test_both_run_at_the_same_time() -> None:
    """The one that takes longer does not wait for the other."""
    said = list[str]()
    assert await side_by_side(after(3, said, "slow"), after(1, said, "fast")) == ("slow", "fast")
    assert said == ["fast", "slow"]


async def test_nothing_is_left_running_when_one_fails() -> None:
    """And the error of the first is raised, whichever came first."""
    said = list[str]()
    with pytest.raises(ValueError, match="first"):
        await side_by_side(after(3, said, "slow", ValueError("first")), after(1, said, "fast", KeyError("second")))
    assert said == ["fast", "slow"]
    with pytest.raises(KeyError):
        await side_by_side(after(1, said, "slow"), after(1, said, "fast", KeyError("second")))


async def test_an_expected_error_is_returned() -> None:
    """Any other one is raised."""
    error = ValueError("no answer")
    assert await value_or_error(lambda: after(0, [], "good"), ValueError) == "good"
    assert await value_or_error(lambda: after(0, [], "bad", error), ValueError) is error
    with pytest.raises(KeyError):
        await value_or_error(lambda: after(0, [], "worse", KeyError()), ValueError)


async def test_an_error_that_is_returned_is_a_value() -> None:
    """What the other one says is not lost by it."""
    error = ValueError("no answer")
    asked = value_or_error(lambda: after(0, [], "bad", error), ValueError)
    assert await side_by_side(after(1, [], "good"), asked) == ("good", error)
