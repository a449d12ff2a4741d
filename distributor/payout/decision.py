"""What a person decided is written into the audit trail with the name and the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Who decided it, and why."""

    by: str
    why: str
