"""The queues, and what is put on them. A message only says that there is work."""

from __future__ import annotations

from typing import Final

DISTRIBUTIONS: Final = "distributions"
SETTLEMENTS: Final = "settlements"
WAKE: Final = "wake"
POISON: Final = "-poison"
"""What the host appends to the name of a queue for the messages that failed five times, or cannot be decoded."""
