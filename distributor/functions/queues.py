"""The storage account that holds the queues, as the bindings name it."""

from __future__ import annotations

from typing import Final

STORAGE: Final = "AzureWebJobsStorage"
