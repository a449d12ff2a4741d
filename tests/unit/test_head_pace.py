"""How long pauses are when blocks are announced: never later than without, and hardly more of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distributor.chain.head_pace import EARLY, GRACE, HeadPace

BLOCK_S = 2.0
_SLACK_S = 1e-6
"""Sums of floats."""
turns = st.lists(
    st.tuples(
        st.floats(0, BLOCK_S),  # how long the look took
        st.floats(0, 10),  # when a head is announced, from the beginning of the pause
        st.booleans(),  # whether heads come regularly
    ),
    min_size=1,
    max_size=200,
)


def pauses(pace: HeadPace, turns: list[tuple[float, float, bool]]) -> list[tuple[float, float]]:
    """Return what was left of the block time at each pause, and how long the pause was."""
    made = []
    for look_s, head_s, regular in turns:
        left_s = BLOCK_S - look_s
        soonest_s, latest_s = pace.bounds(left_s, trusted=regular)
        took_s = min(max(head_s, soonest_s), latest_s)
        pace.note(left_s, took_s)
        made.append((left_s, took_s))
    return made


@given(turns)
def test_no_look_comes_later_than_without_announcements(turns: list[tuple[float, float, bool]]) -> None:
    """Whatever a node announces and whenever: the pauses until any look are together no longer."""
    left_s = took_s = 0.0
    for left, took in pauses(HeadPace(BLOCK_S), turns):
        left_s, took_s = left_s + left, took_s + took

        assert took_s <= left_s + _SLACK_S
        assert took <= left + GRACE * BLOCK_S + _SLACK_S


@given(turns)
def test_announcements_make_hardly_more_looks(turns: list[tuple[float, float, bool]]) -> None:
    """They save one block time at once, and then at most a quarter of it a pause: a flood too."""
    saved_s = 0.0
    for place, (left, took) in enumerate(pauses(HeadPace(BLOCK_S), turns), start=1):
        saved_s += left - took

        assert saved_s <= BLOCK_S * (1 + EARLY * place) + _SLACK_S


@given(turns)
def test_without_announcements_every_pause_is_what_is_left(turns: list[tuple[float, float, bool]]) -> None:
    """As it was before there were any."""
    silent = [(look_s, 100.0, regular) for look_s, _, regular in turns]

    assert all(took == left for left, took in pauses(HeadPace(BLOCK_S), silent))


@pytest.mark.parametrize("apart_s", [BLOCK_S, 1.75])
@pytest.mark.parametrize("jitter_s", [0.0, 0.1, -0.1, 0.2])
def test_one_look_for_each_block(jitter_s: float, apart_s: float) -> None:
    """
    Every block is looked at once, when it is announced, though every second one is late or early.

    By pauses alone a block is looked at whenever it happens. Polygon's blocks are a little faster than the default.
    """
    pace, now_s, looks = HeadPace(BLOCK_S), 0.7, list[float]()
    heads = [apart_s * place + (jitter_s if place % 2 else 0.0) for place in range(1, 400)]
    for head_s in heads:
        left_s = BLOCK_S - 0.3
        soonest_s, latest_s = pace.bounds(left_s, trusted=True)
        took_s = min(max(head_s - now_s, soonest_s), latest_s)
        pace.note(left_s, took_s)
        looks.append(now_s + took_s)
        now_s += took_s + 0.3

    assert looks == pytest.approx(heads)


def test_after_an_idle_time_the_account_is_empty() -> None:
    """What was saved then is not waited for now."""
    pace = HeadPace(BLOCK_S)
    pace.note(1.9, 0.0)
    waited = pace.bounds(1.9, trusted=True).latest_s
    pace.forget()

    assert waited == pytest.approx(1.9 + GRACE * BLOCK_S)
    assert pace.bounds(1.9, trusted=True) == (0.0, 1.9)
