"""Metrics are what is declared, in the text format."""

from __future__ import annotations

import pytest

from foundation.errors import InvariantBroken
from foundation.metrics import Exposition, MetricKind

KINDS = {
    kind.name: kind
    for kind in (
        MetricKind(name="a_state", kind="gauge", meaning="A state.", labels=("code",)),
        MetricKind(name="a_sum_total", kind="counter", meaning="A sum."),
        MetricKind(name="a_time_seconds", kind="histogram", meaning="A time."),
    )
}


def test_every_kind_is_written_as_its_readers_want_it() -> None:
    """Buckets add up, the last one has no bound, and text is escaped."""
    shown = Exposition(KINDS)
    shown.add("a_state", 1, 'a"b')
    shown.add("a_sum_total", 7)
    shown.add_distribution("a_time_seconds", (1, 5), (2, 0, 1), 12.5)

    lines = shown.text().decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'a_state{code="a\\"b"} 1.0',
        "a_sum_total 7.0",
        'a_time_seconds_bucket{le="1"} 2.0',
        'a_time_seconds_bucket{le="5"} 2.0',
        'a_time_seconds_bucket{le="+Inf"} 3.0',
        "a_time_seconds_count 3.0",
        "a_time_seconds_sum 12.5",
    ]
    assert "# TYPE a_sum_total counter" in lines


def test_what_is_not_declared_is_refused() -> None:
    """A new name, or another label, is a change of a promise."""
    with pytest.raises(InvariantBroken, match="not declared"):
        Exposition(KINDS).add("new", 1)
    with pytest.raises(InvariantBroken, match="not declared"):
        Exposition(KINDS).add("a_state", 1)


def test_a_value_of_another_kind_is_refused() -> None:
    """It would be left out of the text, and nobody would miss it."""
    with pytest.raises(InvariantBroken, match="not declared"):
        Exposition(KINDS).add("a_time_seconds", 1)
    with pytest.raises(InvariantBroken, match="not declared"):
        Exposition(KINDS).add_distribution("a_sum_total", (1,), (0, 0), 0)
