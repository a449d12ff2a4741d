"""Which look is due, and what it asks for."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.clock import UnixMs
from payflow.looking import planning
from payflow.looking.planning import HOUR_MS, LOOK_BACK_MS
from payflow.progress import Cursor, LookKind

NOW = UnixMs(1_767_260_400_000)  # 2026-01-01 06:40 in São Paulo
INTERVAL_MS = 300_000
FRESH = Cursor(upper_ms=NOW, all_changes_ms=NOW, paid_ms=NOW, check_ms=NOW)
TODAY = date(2026, 1, 1)


def due(cursor: Cursor, now: UnixMs = NOW) -> LookKind | None:
    """Return the look that is due."""
    return planning.due_look(cursor, now, interval_ms=INTERVAL_MS)


@pytest.mark.parametrize(
    ("cursor", "kind"),
    [
        (Cursor(), LookKind.BASELINE),
        (FRESH, None),
        (replace(FRESH, upper_ms=UnixMs(NOW - INTERVAL_MS)), LookKind.CHANGES),
        (replace(FRESH, paid_ms=UnixMs(NOW - HOUR_MS)), LookKind.PAID),
        (replace(FRESH, all_changes_ms=UnixMs(NOW - HOUR_MS)), LookKind.ALL_CHANGES),
        (replace(FRESH, check_ms=UnixMs(NOW - 5 * HOUR_MS)), LookKind.CHECK),
        (replace(FRESH, check_ms=UnixMs(NOW - 4 * HOUR_MS)), None),
        (replace(FRESH, kind=LookKind.PAID, check_ms=UnixMs(0)), LookKind.PAID),
    ],
)
def test_one_look_is_due_at_a_time(cursor: Cursor, kind: LookKind | None) -> None:
    """One in progress goes on; the night's check begins at two in São Paulo."""
    assert due(cursor) is kind


def test_the_bounds_are_fixed_before_the_first_request() -> None:
    """Two hours behind the last look, and as long again as has passed since."""
    cursor = planning.begin(
        replace(FRESH, upper_ms=UnixMs(NOW - INTERVAL_MS)), LookKind.CHANGES, NOW, interval_ms=INTERVAL_MS
    )
    plan = planning.plan(cursor, 365)
    search = plan.search(plan.spans[0], 3, 500)

    assert (plan.lower_ms, plan.upper_ms) == (NOW - 2 * INTERVAL_MS - LOOK_BACK_MS, NOW)
    assert (search.changed, search.page, search.paid) == ((plan.lower_ms, plan.upper_ms), 3, None)
    later = planning.begin(cursor, LookKind.CHANGES, UnixMs(NOW + 9), interval_ms=INTERVAL_MS)
    assert (later.look_upper_ms, later.look_lower_ms) == (NOW + 9, cursor.look_lower_ms - 9)
    half = replace(cursor, span=1)  # that span was asked under the first bound
    assert planning.begin(half, LookKind.CHANGES, UnixMs(NOW + 9), interval_ms=INTERVAL_MS) == half
    night = planning.begin(FRESH, LookKind.CHECK, NOW, interval_ms=INTERVAL_MS)
    assert planning.begin(night, LookKind.CHECK, UnixMs(NOW + 9), interval_ms=INTERVAL_MS) == night


def test_after_an_outage_it_looks_back_as_long_as_that_was() -> None:
    """And from the same place until one look was undisturbed: a pass that adds nothing is no proof (R4-1)."""
    day = 24 * HOUR_MS
    begun = planning.begin(
        replace(FRESH, upper_ms=UnixMs(NOW - day)), LookKind.ALL_CHANGES, NOW, interval_ms=INTERVAL_MS
    )
    assert begun.look_lower_ms == NOW - 2 * day - LOOK_BACK_MS

    disturbed = planning.done(replace(begun, disturbed=True), NOW)
    later = UnixMs(NOW + INTERVAL_MS)
    again = planning.begin(disturbed, LookKind.CHANGES, later, interval_ms=INTERVAL_MS)
    calm = planning.done(again, later)

    assert disturbed.outage_from_ms == NOW - day
    assert again.look_lower_ms < begun.look_lower_ms
    assert (calm.outage_from_ms, calm.upper_ms) == (0, later)


@pytest.mark.parametrize(
    ("kind", "moved"),
    [
        (LookKind.BASELINE, {"upper_ms", "all_changes_ms", "paid_ms", "check_ms"}),
        (LookKind.CHANGES, {"upper_ms"}),
        (LookKind.ALL_CHANGES, {"upper_ms", "all_changes_ms"}),
        (LookKind.PAID, {"paid_ms"}),
        (LookKind.CHECK, {"check_ms"}),
    ],
)
def test_a_look_moves_what_it_has_looked_at(kind: LookKind, moved: set[str]) -> None:
    """Only a look for changes moves the cursor: neither payment dates nor sums show what was edited."""
    later = UnixMs(NOW + 1)
    after = planning.done(planning.begin(FRESH, kind, later, interval_ms=INTERVAL_MS), UnixMs(later + 2_500))

    names = ("upper_ms", "all_changes_ms", "paid_ms", "check_ms")
    assert {name for name in names if getattr(after, name) == later} == moved
    assert (after.kind, after.took_ms) == (None, 2_500)


def test_what_was_paid_is_asked_by_its_day() -> None:
    """Seven days back, and tomorrow: a day may be booked ahead."""
    plan = planning.plan(planning.begin(FRESH, LookKind.PAID, NOW, interval_ms=INTERVAL_MS), 365)

    search = plan.search(plan.spans[0], 1, 500)

    assert (search.paid, search.changed) == ((date(2025, 12, 25), date(2026, 1, 2)), None)


@pytest.mark.parametrize("kind", [LookKind.BASELINE, LookKind.CHECK])
def test_baseline_and_check_ask_for_everything(kind: LookKind) -> None:
    """No bound of change, and every due date."""
    plan = planning.plan(planning.begin(FRESH, kind, NOW, interval_ms=INTERVAL_MS), 20_000)

    (span,) = plan.spans
    search = plan.search(span, 1, 500)

    assert span == (planning.FIRST_DUE, TODAY + timedelta(days=planning.LAST_DUE_DAYS))
    assert (search.changed, search.paid) == (None, None)


def test_without_a_look_there_is_no_plan() -> None:
    """A mistake of the caller."""
    with pytest.raises(ValueError, match="no look"):
        planning.plan(FRESH, 365)


@given(st.sampled_from(LookKind), st.dates(date(2020, 1, 1), date(2060, 1, 1)), st.integers(1, 20_000))
def test_spans_have_no_gap(kind: LookKind, today: date, width: int) -> None:
    """Every due date is in exactly one, today's first of all."""
    found = planning.spans(kind, today, max(width, 30))

    assert all(first <= last for first, last in found)
    assert all(earlier[1] + timedelta(days=1) == later[0] for later, earlier in itertools.pairwise(found))
    assert found[-1][0] <= today - timedelta(days=400)
    assert found[0][1] >= today + timedelta(days=400)
