"""How often is often enough: a rate as it is set, and what is left of it in the window that runs now."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RATE = re.compile(r"([0-9]{1,9})/(second|minute|hour|day)")
_PERIODS_S = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in each window of *period_s* seconds; the window begins with its first request."""

    amount: int
    period_s: int


@dataclass(frozen=True, slots=True)
class Window:
    """What is left of a rate, and the seconds, at least one, until all of it is there again."""

    rate: Rate
    remaining: int
    """Requests that may still come; below zero when more came than may."""
    reset_s: int


def parse_rate(text: str) -> Rate | None:
    """Return the rate that *text* means, like ``120/minute``; None for ``0``, which turns it off."""
    if text == "0":
        return None
    found = _RATE.fullmatch(text)
    if not found or int(found[1]) == 0:
        raise ValueError("must be a number of requests per second, minute, hour or day, like 120/minute; 0 is off")
    return Rate(int(found[1]), _PERIODS_S[found[2]])
