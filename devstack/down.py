"""``down``: end everything that ``up`` and ``services`` started, in whatever state it is."""

from __future__ import annotations

from devstack import runs
from devstack.console import Console


def run(console: Console) -> int:
    """End every run; return 0."""
    ended = sum(found.end() for found in runs.known())
    console.say(f"Ended {ended} process{'' if ended == 1 else 'es'}." if ended else "Nothing was running.")
    return 0
