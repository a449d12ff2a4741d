"""The rows of call-backs: what became of each, and how each shop's address answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from distributor.ledger import keys
from distributor.model import OrderKey, OrderStatus
from foundation.clock import UnixMs
from foundation.tablestore.codec import Codec, Record, number, text, word
from foundation.tablestore.ports import UNSTORED, Version
from foundation.tablestore.words import StoredWord


class CallState(StoredWord):
    """What became of a call-back."""

    DUE = "due"
    TOLD = "told"
    SUPERSEDED = "superseded"
    """Not sent: a later event of the order is to be told, or was."""
    GIVEN_UP = "given_up"
    """Not sent any more; a person sends it again."""


class StopReason(StoredWord):
    """Why nothing is sent to an address."""

    FAILING = "failing"
    GONE = "gone"
    """It answered 410."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CallBack:
    """One event of one order, and how its shop was told."""

    source: str
    order_id: str
    sequence: int
    status: OrderStatus
    """What became of the order by this event."""
    at_ms: UnixMs
    state: CallState = CallState.DUE
    next_ms: UnixMs
    """When it is to be sent, while it is due."""
    attempts: int = 0
    """Counted before each is sent."""
    first_ms: UnixMs | None = None
    tried_ms: UnixMs | None = None
    """When the last attempt began."""
    answer: str = ""
    """What was answered last; never an address or a body."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def key(self) -> OrderKey:
        return OrderKey(self.source, self.order_id)

    @property
    def due_row(self) -> str | None:
        """The key under which it is found while it is due."""
        return keys.call_due(self.key, self.sequence, self.next_ms) if self.state is CallState.DUE else None


@dataclass(frozen=True, kw_only=True, slots=True)
class CallAddress:
    """How the address of a shop has answered; another address is another row's beginning."""

    source: str
    url_id: str
    """A digest of the address, to know it again; the row does not hold the address."""
    failures: int = 0
    """In a row."""
    failing_ms: UnixMs | None = None
    """When the first of them was."""
    next_ms: UnixMs = UnixMs(0)
    """Nothing is sent before."""
    recovered_ms: UnixMs = UnixMs(0)
    """When it last answered after failures: what was tried before is due at once."""
    stopped: StopReason | None = None
    stopped_ms: UnixMs | None = None
    answer: str = ""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


class CallName(NamedTuple):
    """What an index row names."""

    source: str
    order_id: str
    sequence: int


CODEC = Codec(
    [
        Record(
            CallBack,
            (
                text("source"),
                text("order_id"),
                number("sequence"),
                word("status", OrderStatus),
                number("at_ms"),
                word("state", CallState),
                number("next_ms"),
                number("attempts"),
                number("first_ms", missing=None),
                number("tried_ms", missing=None),
                text("answer"),
            ),
        ),
        Record(
            CallAddress,
            (
                text("source"),
                text("url_id"),
                number("failures"),
                number("failing_ms", missing=None),
                number("next_ms"),
                number("recovered_ms"),
                word("stopped", StopReason, missing=None),
                number("stopped_ms", missing=None),
                text("answer"),
            ),
        ),
        Record(CallName, (text("source"), text("order_id"), number("sequence"))),
    ]
)
