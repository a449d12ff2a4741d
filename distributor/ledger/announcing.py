"""
What a shop is to be told, written in the group of the fact: one row, however many orders the group ends.

The row names the orders, what became of each, and the number of that event. It is fanned out later, outside the
group, into one call-back for each order (``call_backs``). It is written for every shop, with an address or without:
who writes a fact (a command on a laptop, a host that is being replaced) need not know the settings of the shops.

An order's events are numbered by the order itself. The number is the time in milliseconds, and always higher than
the last one. So it also rises across a ledger that was put back, and across an older version that dropped the column:
a shop that keeps the highest number never takes an old event for a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from distributor.ledger import keys
from distributor.model import Order, OrderKey, OrderStatus
from foundation.clock import UnixMs
from foundation.tablestore import codec
from foundation.tablestore.atomic import AtomicWrite
from foundation.tablestore.codec import Codec, Column, FieldKind, Record, number
from foundation.tablestore.ports import UNSTORED, Row, Version


class Event(NamedTuple):
    """What became of one order."""

    status: OrderStatus
    sequence: int
    key: OrderKey

    def __str__(self) -> str:
        return f"{self.status} {self.sequence} {self.key}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Announcement:
    """The events of one group, not yet fanned out."""

    at_ms: UnixMs
    events: tuple[Event, ...]
    version: Version = field(default=UNSTORED, compare=False, repr=False)


def _events(stored: str) -> tuple[Event, ...]:
    return tuple(_event(line) for line in codec.split(stored))


def _event(line: str) -> Event:
    status, sequence, key = line.split(" ")
    source, _, order_id = key.partition(":")
    return Event(OrderStatus(status), int(sequence), OrderKey(source, order_id))


_EVENTS = FieldKind(str, codec.joined, _events)
_CODEC = Codec([Record(Announcement, (number("at_ms"), Column("events", _EVENTS, "events")))])


def numbered(order: Order, now: UnixMs) -> Order:
    """Return *order* with the number of its next event."""
    return replace(order, sequence=max((order.sequence or 0) + 1, now))


def told_as(order: Order) -> OrderStatus:
    """Return what a shop is told an order is: one that is being paid waits, and has no word of its own."""
    return OrderStatus.RECEIVED if order.status is OrderStatus.BOUND else order.status


def announce(group: AtomicWrite, orders: Sequence[Order], now: UnixMs) -> None:
    """Add to *group* the row that names *orders*, as they are after it and ``numbered``; no row where there is none."""
    if not orders:
        return
    events = tuple(Event(told_as(order), order.sequence or 0, order.key) for order in orders)
    first = min(events, key=lambda event: event.sequence)
    values = _CODEC.encode(Announcement(at_ms=now, events=events))
    group.insert(keys.announcement(first.sequence, first.key), values)


def read_announcement(row: Row) -> Announcement:
    """Return what a row announces. Raises InvariantBroken if it cannot be read."""
    return _CODEC.decode(Announcement, row)
