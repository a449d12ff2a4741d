"""One run at a time in this process: a wake-up that finds one running asks it to look once more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class SingleFlight:
    """Let one run in at a time. ``wanted_again`` is set by a wake-up that came during a run."""

    wanted_again: bool = False
    _running: bool = field(default=False, init=False)

    @contextmanager
    def enter(self) -> Iterator[bool]:
        """Yield whether this run may go on; False while another one does, which is asked to look once more."""
        if self._running:
            self.wanted_again = True
            yield False
            return
        self._running, self.wanted_again = True, False
        try:
            yield True
        finally:
            self._running = False
