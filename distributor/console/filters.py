"""How values look on a page: times with their zone, Brasília first and UTC beside; amounts grouped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from distributor.cli.amounts import Amount
from distributor.order_query import BRASILIA

TEMPLATES: Final = Path(__file__).with_name("templates")


def when(text: str | None) -> str:
    """Return a time in UTC, as the ledger shows it, in both zones; a word that is no time stays as it is."""
    if not text:
        return "-"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.astimezone(BRASILIA):%d/%m/%Y %H:%M:%S} Brasília ({moment:%H:%M:%S} UTC)"


def amount(text: str | None) -> str:
    """Return an amount with its thousands grouped; a dash for none."""
    return "-" if text is None else Amount(text).grouped


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {"when": when, "amount": amount}
