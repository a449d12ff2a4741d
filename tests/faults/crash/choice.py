"""
Where the processes of a crash table are killed: at what matters always, elsewhere at points that are drawn.

``CRASH_POINTS=all`` kills everywhere, a number at so many others; ``CRASH_SEED``, which the run prints, repeats a draw.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Callable, Sequence

from tests.faults.crash.wire import Call, Side, Trip

POINTS = os.environ.get("CRASH_POINTS", "8")
SEED = int(os.environ.get("CRASH_SEED", secrets.randbelow(10**6)))


def trips(
    calls: Sequence[Call], always: Callable[[Trip], bool], *, points: str = POINTS, seed: int = SEED
) -> Sequence[Trip]:
    """Return, in their order, the trips that are *always* taken and as many others as *points* says, by *seed*."""
    everywhere = [Trip(at, side) for at in range(len(calls)) for side in Side]
    if points == "all":
        return everywhere
    others = [trip for trip in everywhere if not always(trip)]
    drawn = random.Random(seed).sample(others, int(points))  # noqa: S311 -- a choice of tests
    return [trip for trip in everywhere if always(trip) or trip in drawn]
