"""What the ``Date`` of an answer says of our own clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from foundation.clock import UnixMs
from foundation.tablestore.service_clock import ServiceClock

SERVICE_MS = 1_767_225_600_000
"""2026-01-01 00:00:00 UTC."""


def an_answer(date: str | None) -> Any:
    """An answer of the service with that header."""
    return SimpleNamespace(http_response=SimpleNamespace(headers={"Date": date} if date else {}))


@pytest.mark.parametrize(
    ("own_ms", "ahead_ms"),
    [
        (SERVICE_MS, 0),
        (SERVICE_MS + 999, 0),
        (SERVICE_MS + 1_000, 1),
        (SERVICE_MS + 3_600_000, 3_599_001),
        (SERVICE_MS - 5_000, -5_000),
    ],
)
def test_a_date_counts_whole_seconds(own_ms: int, ahead_ms: int) -> None:
    """Within the service's second nobody is ahead."""
    service_clock = ServiceClock(lambda: UnixMs(own_ms))
    service_clock.note(an_answer("Thu, 01 Jan 2026 00:00:00 GMT"))
    assert service_clock.ahead_ms == ahead_ms


def test_answers_of_one_second_are_compared_each_with_our_own_clock() -> None:
    """The text is read once for all of them; our clock is not."""
    now = [UnixMs(SERVICE_MS)]
    service_clock = ServiceClock(lambda: now[0])
    found = []
    for own_ms, date in ((0, "00:00:00"), (5_000, "00:00:00"), (5_000, "00:00:05"), (5_000, "00:00:00")):
        now[0] = UnixMs(SERVICE_MS + own_ms)
        service_clock.note(an_answer(f"Thu, 01 Jan 2026 {date} GMT"))
        found.append(service_clock.ahead_ms)
    assert found == [0, 4_001, 0, 4_001]


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 32 Jan 2026 00:00:00 GMT"])
def test_an_answer_without_a_time_says_nothing(date: str | None) -> None:
    """What was known stays known."""
    service_clock = ServiceClock(lambda: UnixMs(SERVICE_MS), ahead_ms=7)
    service_clock.note(an_answer(date))
    assert service_clock.ahead_ms == 7
