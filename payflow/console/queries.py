"""What somebody asks the list of receipts for, read from an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from foundation.clock import UnixMs
from foundation.console.acting import Sorry
from payflow.conta_azul.values import SAO_PAULO
from payflow.ledger import keys
from payflow.ledger.listing import FOREVER, Wish
from payflow.office.language import N_
from payflow.state import ReceiptState

FIELDS: Final = ("company", "state", "since", "until", "payment", "after")
FLAGGED: Final = "flagged"
"""Is shown in the place of a state: what was changed or undone after its mail."""
_BAD_DAY = N_("A day is written as 2026-01-31.")
_BAD_STATE = N_("There is no such state.")
_BAD_PAGE = N_("This is no place of the list. Search again.")
_PREFIX_MAX: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiptQuery:
    """The fields as they were given, and what they mean."""

    fields: Mapping[str, str]
    wish: Wish


def read_query(query: Mapping[str, str]) -> ReceiptQuery:
    """Return what *query* asks for, days in São Paulo, both included. Raises Sorry for what nobody can mean."""
    fields = {name: query.get(name, "").strip()[:200] for name in FIELDS}
    since, until = _day(fields["since"]), _day(fields["until"])
    after, flagged = fields["after"], fields["state"] == FLAGGED
    if after and not after.startswith(keys.LISTED):
        raise Sorry(400, _BAD_PAGE)
    wish = Wish(
        since_ms=_midnight(since) if since else UnixMs(0),
        until_ms=_midnight(until + timedelta(days=1)) if until else FOREVER,
        state=None if flagged else _state(fields["state"]),
        flagged=flagged,
        prefix=fields["payment"][:_PREFIX_MAX],
        after=after,
    )
    return ReceiptQuery(fields=fields, wish=wish)


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text) if text else None
    except ValueError:
        raise Sorry(400, _BAD_DAY) from None
    if found and not 2000 <= found.year < 3000:  # noqa: PLR2004 -- what a key of the list can hold
        raise Sorry(400, _BAD_DAY)
    return found


def _state(text: str) -> ReceiptState | None:
    try:
        return ReceiptState(text) if text else None
    except ValueError:
        raise Sorry(400, _BAD_STATE) from None


def _midnight(day: date) -> UnixMs:
    return UnixMs(int(datetime.combine(day, time(), SAO_PAULO).timestamp() * 1000))
