"""
The schedules of timers: NCRONTAB in UTC, with six fields, or with five and no seconds.

Source: github.com/Azure/azure-webjobs-sdk-extensions CronSchedule.cs and github.com/atifaziz/NCrontab
(day of month and day of week must *both* match; Sunday is 0, and 7 is refused).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Self

from devstack.host.config import BadHostConfig

_HORIZON_DAYS = 8 * 366  # 29 February comes back within eight years, also over a year like 2100
_MONTHS = {name.lower(): at for at, name in enumerate(calendar.month_abbr)}
_DAYS = {name.lower(): (at + 1) % 7 for at, name in enumerate(calendar.day_abbr)}
_NUMBERS: Mapping[str, int] = {}
_RANGES = ((0, 59, _NUMBERS), (0, 59, _NUMBERS), (0, 23, _NUMBERS), (1, 31, _NUMBERS), (1, 12, _MONTHS), (0, 6, _DAYS))


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a timer fires."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``{second} {minute} {hour} {day} {month} {day of week}``; without the first it is second 0."""
        fields = text.lower().split()
        fields = ["0", *fields] if len(fields) == len(_RANGES) - 1 else fields
        if len(fields) != len(_RANGES):
            raise BadHostConfig(f"schedule {text!r} must have six fields: second minute hour day month weekday")
        try:
            parsed = [_field(field, *span) for field, span in zip(fields, _RANGES, strict=True)]
        except ValueError as why:
            raise BadHostConfig(f"schedule {text!r}: {why}") from why
        return cls(*parsed)

    def after(self, moment: datetime) -> datetime:
        """Return the first time the schedule names that is later than *moment* (UTC)."""
        for ahead in range(_HORIZON_DAYS):
            day = (moment + timedelta(days=ahead)).date()
            if day.day in self.days and day.month in self.months and day.isoweekday() % 7 in self.weekdays:
                for clock in self._times(from_hour=0 if ahead else moment.hour):
                    tick = datetime.combine(day, clock, UTC)
                    if tick > moment:
                        return tick
        raise BadHostConfig("the schedule names a day that never comes")

    def _times(self, *, from_hour: int) -> Iterator[time]:
        for hour in sorted(hour for hour in self.hours if hour >= from_hour):
            for minute in sorted(self.minutes):
                for second in sorted(self.seconds):
                    yield time(hour, minute, second)


def _field(text: str, low: int, high: int, names: Mapping[str, int]) -> frozenset[int]:
    return frozenset().union(*(_item(item, low, high, names) for item in text.split(",")))


def _item(text: str, low: int, high: int, names: Mapping[str, int]) -> frozenset[int]:
    span, _, step = text.partition("/")
    first, _, last = span.partition("-")
    if span == "*":
        start, end = low, high
    else:
        start = _number(first, names)
        end = _number(last, names) if last else (high if step else start)
    if not low <= start <= end <= high:
        raise ValueError(f"{text!r} is outside {low}-{high}")
    return frozenset(range(start, end + 1, int(step or 1)))


def _number(text: str, names: Mapping[str, int]) -> int:
    return names[text] if text in names else int(text)
