"""What all histories together were made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

TALLY: Counter[str] = Counter()


def tallied() -> str:
    """Say it in one line."""
    counted = ("histories", "steps", "calls", "crashes", "killed at work", "reorgs", "replacements", "paid", "held")
    return ", ".join(f"{TALLY[name]:,} {name}" for name in counted)


@contextmanager
def not_tallied() -> Iterator[None]:
    """Leave the tally as it was before: broken histories prove nothing about sound ones."""
    before = dict(TALLY)
    yield
    TALLY.clear()
    TALLY.update(before)
