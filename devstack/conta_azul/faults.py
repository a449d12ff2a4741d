"""
The fault script: what goes wrong, on which requests, how often.

``lost`` does what was asked and then cuts the connection: the case that costs a rotating token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS = frozenset(
    {"429", "500", "503", "html", "empty_404", "end_trial", "close", "lost", "garbage", "null_items", "slow"}
)


@dataclass(kw_only=True)
class Fault:
    """One line of the script."""

    kind: str
    on: str = ".*"
    """A pattern that the text ``METHOD /path?query`` must contain."""
    times: int = 1
    skip: int = 0
    """So many matching requests pass first."""
    retry_after_s: int | None = None
    """Sent with a 429; whether the real one sends it is not known [?]."""
    seconds: float = 0.0
    """How long ``slow`` waits."""


class Script:
    """The faults that are still to happen, in order."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault at the end of the script. Raises ValueError for an unknown kind."""
        if fault.kind not in KINDS:
            raise ValueError(f"no fault is called {fault.kind}")
        self._faults.append(fault)

    def clear(self) -> None:
        """Let everything go well from now on."""
        self._faults.clear()

    def next(self, request: str) -> Fault | None:
        """Return the fault that *request* meets, and count it."""
        for fault in self._faults:
            if not re.search(fault.on, request):
                continue
            if fault.skip:
                fault.skip -= 1
                return None
            fault.times -= 1
            if not fault.times:
                self._faults.remove(fault)
            return fault
        return None
