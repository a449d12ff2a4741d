"""
How long one pause of settlement may be when new blocks are announced: pure.

Without announcements every pause ends after what is left of the block time. An announcement ends it sooner, and
the time that saves is kept account of. Two rules follow from the account, whatever a node announces:

- No look comes later than it would have come by pauses alone. A pause is longer than what is left of the block
  time only out of time that earlier announcements saved, and by a quarter of the block time at most.
- There are hardly more looks than by pauses alone. What is saved is at most one block time; from there on a pause
  is shorter by at most a quarter of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

GRACE: Final = 1 / 4
"""Part of the block time that is waited for a late announcement, out of saved time."""
EARLY: Final = 1 / 4
"""
Part of the block time by which a chain may be faster than ``BLOCK_TIME_S`` and each of its blocks still be met.

Polygon's are 1.75 s apart, where 2 is the default.
"""


class PauseBounds(NamedTuple):
    """When a pause may end, seconds from its beginning."""

    soonest_s: float
    """Not before, whatever is announced."""
    latest_s: float
    """Then, whatever is announced."""


@dataclass(slots=True)
class HeadPace:
    """The account of the time that announcements saved, in seconds, between zero and one block time."""

    block_time_s: float
    _saved_s: float = field(default=0.0, init=False)

    def bounds(self, left_s: float, *, trusted: bool) -> PauseBounds:
        """
        Return when a pause may end that would last *left_s* without announcements.

        Args:
            left_s: What is left of the block time since the last look began.
            trusted: Whether announcements come regularly; only then is a late one waited for.
        """
        grace_s = min(self._saved_s, GRACE * self.block_time_s) if trusted else 0.0
        soonest_s = self._saved_s + left_s - (1 + EARLY) * self.block_time_s
        return PauseBounds(soonest_s=min(max(0.0, soonest_s), left_s), latest_s=left_s + grace_s)

    def note(self, left_s: float, took_s: float) -> None:
        """Note that such a pause took *took_s* instead of *left_s*."""
        self._saved_s = min(max(0.0, self._saved_s + left_s - took_s), self.block_time_s)

    def forget(self) -> None:
        """Begin anew, after settlement had nothing to follow."""
        self._saved_s = 0.0
