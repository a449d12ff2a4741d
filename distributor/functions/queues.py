"""The queues and what is put on them. A message only says that there is work."""

from __future__ import annotations

from typing import Final

STORAGE: Final = "AzureWebJobsStorage"
DISTRIBUTIONS: Final = "distributions"
SETTLEMENTS: Final = "settlements"
WAKE: Final = "wake"
