"""
What may be asked of the list of orders, as it is written in a URL or on the command line.

One reading for the command line, the route and a page: what cannot be read is refused by name, and never ignored.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone

from distributor import base64_text
from distributor.addresses import parse_address
from distributor.errors import MalformedQuery
from distributor.ledger.order_search import OrderFilter
from distributor.order_ids import ORDER_ID, SOURCE
from foundation.clock import UnixMs

LIMIT, LIMIT_MAX = 50, 200
STATUSES = ("received", "submitted", "mined", "paid", "held", "cancelled")
UTC, BRASILIA = timezone(timedelta(0), "UTC"), timezone(timedelta(hours=-3), "BRT")
"""Brasília has been three hours behind UTC all year since 2019. Source: decree 9.772 of 25 April 2019."""
ZONES = {"utc": UTC, "brasilia": BRASILIA}
FILTERS = ("status", "shop", "wallet", "day", "month", "zone", "id", "hash")
"""The names of what narrows the list, in the order of a URL."""

_HASH_PREFIX = re.compile(r"0x[0-9a-fA-F]{4,64}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LIMIT = re.compile(r"[0-9]{1,4}")
_YEARS = range(1971, 9999)
"""Years whose days begin and end within the milliseconds of a key."""
_CURSOR_MAX = 400
_NO_CURSOR = "cursor cannot be read: take it from the page before, or ask without it."


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderQuery:
    """One page of the list, and what was asked for as it was written."""

    wanted: OrderFilter = field(default_factory=OrderFilter)
    asked: Mapping[str, str] = field(default_factory=dict)
    """The filters alone, for a link to another page of the same list."""
    limit: int = LIMIT
    after: str = ""
    """The row behind which the page begins."""

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> OrderQuery:
        """
        Return what *parameters* ask for; an empty one asks for nothing.

        Raises:
            MalformedQuery: A parameter is unknown or cannot be read; the message names it, and what it may be.
        """
        given = {name: text.strip() for name, text in parameters.items() if text.strip()}
        if not given.keys() <= {*FILTERS, "limit", "cursor"}:
            raise MalformedQuery(f"Only these parameters are known: {', '.join(FILTERS)}, limit, cursor.")
        wanted = OrderFilter()
        for name, read in _READ.items():
            if name in given:
                wanted = read(wanted, given[name])
        return cls(
            wanted=_in_time(wanted, given),
            asked={name: given[name] for name in FILTERS if name in given},
            limit=_limit(given.get("limit", "")),
            after=row_of_cursor(given.get("cursor", "")),
        )

    def next(self, after: str) -> Mapping[str, str]:
        """Return the parameters of the page that begins behind the row *after*."""
        limit = {"limit": str(self.limit)} if self.limit != LIMIT else {}
        return {**self.asked, **limit, "cursor": sealed(after)}


def sealed(after: str) -> str:
    """Return the row *after* as a cursor: a text that a URL takes as it is, and nobody needs to read."""
    return base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")


def row_of_cursor(cursor: str) -> str:
    """Return the row that *cursor* names; empty where there is none. Raises MalformedQuery."""
    padded = cursor.replace("-", "+").replace("_", "/") + "=" * (-len(cursor) % 4)
    found = base64_text.decoded(padded) if len(cursor) <= _CURSOR_MAX else None
    if found is None or not (found.isascii() and found.decode("ascii").isprintable()):
        raise MalformedQuery(_NO_CURSOR)
    return found.decode("ascii")


def _status(wanted: OrderFilter, text: str) -> OrderFilter:
    if text not in STATUSES:
        raise MalformedQuery(f"status is one of {', '.join(STATUSES)}.")
    return replace(wanted, status=text)


def _shop(wanted: OrderFilter, text: str) -> OrderFilter:
    if not SOURCE.fullmatch(text):
        raise MalformedQuery("shop is the name of a shop: 1 to 16 of a-z 0-9 -.")
    return replace(wanted, source=text)


def _wallet(wanted: OrderFilter, text: str) -> OrderFilter:
    try:
        return replace(wanted, wallet=parse_address(text))
    except ValueError as error:
        raise MalformedQuery(f"wallet {error}.") from None


def _id(wanted: OrderFilter, text: str) -> OrderFilter:
    if not ORDER_ID.fullmatch(text):
        raise MalformedQuery("id is an order's id or its beginning: 1 to 64 of A-Z a-z 0-9 . _ -.")
    return replace(wanted, id_prefix=text)


def _hash(wanted: OrderFilter, text: str) -> OrderFilter:
    if not _HASH_PREFIX.fullmatch(text):
        raise MalformedQuery("hash is a transaction's hash or its beginning: 0x and 4 to 64 hex digits.")
    return replace(wanted, hash_prefix=text.lower())


_READ: Mapping[str, Callable[[OrderFilter, str], OrderFilter]] = {
    "status": _status,
    "shop": _shop,
    "wallet": _wallet,
    "id": _id,
    "hash": _hash,
}


def _in_time(wanted: OrderFilter, given: Mapping[str, str]) -> OrderFilter:
    """Return *wanted* in the day or the month that is asked for, in the zone that is asked for."""
    zone = ZONES.get(given.get("zone", "utc"))
    if zone is None:
        raise MalformedQuery(f"zone is one of {', '.join(ZONES)}.")
    if "day" in given and "month" in given:
        raise MalformedQuery("Ask for a day or for a month, not for both.")
    if "day" in given:
        first = _date(given["day"], "day is yyyy-mm-dd.")
        return _between(wanted, first, first + timedelta(days=1), zone)
    if "month" in given:
        first = _date(f"{given['month']}-01", "month is yyyy-mm.")
        return _between(wanted, first, (first + timedelta(days=31)).replace(day=1), zone)
    return wanted


def _date(text: str, refusal: str) -> date:
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or found.year not in _YEARS:
        raise MalformedQuery(refusal)
    return found


def _between(wanted: OrderFilter, first: date, end: date, zone: timezone) -> OrderFilter:
    return replace(wanted, from_ms=_midnight(first, zone), before_ms=_midnight(end, zone))


def _midnight(day: date, zone: timezone) -> UnixMs:
    return UnixMs(int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1_000)


def _limit(text: str) -> int:
    if not text:
        return LIMIT
    if not (_LIMIT.fullmatch(text) and 1 <= int(text) <= LIMIT_MAX):
        raise MalformedQuery(f"limit is a whole number from 1 to {LIMIT_MAX}.")
    return int(text)
