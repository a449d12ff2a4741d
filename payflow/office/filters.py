"""How values look on a page: money and days as in Brazil, moments in São Paulo's time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from payflow.conta_azul.values import SAO_PAULO
from payflow.mail.formats import br_date, brl


def when(at_ms: int) -> str:
    """Return a moment in São Paulo; a dash for none."""
    return f"{datetime.fromtimestamp(at_ms / 1000, SAO_PAULO):%d/%m/%Y %H:%M}" if at_ms else "-"


def day(iso: str) -> str:
    """Return a day as ``dd/mm/aaaa``; a dash for none."""
    return br_date(iso) if iso else "-"


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {"when": when, "day": day, "brl": brl}
