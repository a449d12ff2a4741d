"""
What of the ledger is copied, in which order it is read, and what is put back of it.

The copy is no snapshot: rows change while it is read. What names a row that is never removed is read before it, so the
copy names nothing that it lacks: transactions before their attempts, everything before the orders. And an order is read
as late as can be: one that is paid meanwhile is copied as paid, though its transaction may be missing.

What was in motion is not put back, because no copy can say how it went on; the chain can. A transaction that was not
final is left out with its attempts, and its orders are put back unbound, into a ledger that is nobody's: nothing binds
before ``rebuild`` has closed the fence over every nonce, so that nothing signed before can be mined any more, and has
read from the chain what was paid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from distributor.ledger import keys
from distributor.ledger.binding import place_of
from distributor.ledger.columns import decode, encode
from distributor.ledger.records import Schema, Slot
from distributor.model import Address, Order, OrderStatus, Transaction, TransactionStatus
from distributor.state import Identity, PauseState, Spent
from distributor.units import TokenUnits
from foundation.backup.lines import BackupLine
from foundation.backup.ports import END, BackupPart, kind_of
from foundation.clock import utc_day
from foundation.errors import InvariantBroken
from foundation.tablestore.ports import UNSTORED, Row, Rows, Value
from foundation.tablestore.queries import past

LEDGER: Final = "ledger"
AUDIT: Final = "audit"
GROWING: Final = frozenset({"order", "ref", "tx", "attempt", "nonce", "secret", "former", "proof", "identity", "shops"})
TRAIL_GROWING: Final = frozenset({"identity", "shop", "cancel", "rebuild"})
"""Of the audit trail what a rebuild reads; words and details are erased in their time."""
PASSING: Final = frozenset(
    {
        *("alarm", "told", "toldto", "lease", keys.WATCH, keys.WAITING, keys.SETTLEMENT_LOOK, keys.AHEAD, "distrust"),
        *(keys.REBUILD, keys.RESTORED),
    }
)
"""What a running service writes into any table, and what a copy says nothing true of later."""
_MADE_ANEW: Final = frozenset({"open", "held", "opentx", keys.CONTROL, keys.COMMITMENTS, keys.IDENTITY})
_TRANSACTIONS: Final = "tx:"
_SPENT: Final = "spent:"
_READ: Final = (
    (_TRANSACTIONS, past(_TRANSACTIONS)),
    ("", keys.ORDERS),
    (past(keys.ORDERS), _SPENT),
    (past(_SPENT), _TRANSACTIONS),
    (past(_TRANSACTIONS), END),
    (keys.ORDERS, past(keys.ORDERS)),
    (_SPENT, past(_SPENT)),
)
"""Ranges of keys, in the order of the reading. The days' totals are last: what an order is given back was counted."""
_REF_DIGITS: Final = 16

Columns = Mapping[str, Value]


def parts(rows: Rows, trail: Rows) -> tuple[BackupPart, BackupPart]:
    """Return what is copied of a ledger and its audit trail."""
    return (
        BackupPart(name=AUDIT, rows=trail, growing=TRAIL_GROWING),
        BackupPart(name=LEDGER, rows=rows, growing=GROWING, ranges=_READ),
    )


@dataclass(slots=True)
class Survey:
    """What a first reading of a backup finds; it grows with what was open, not with what there was."""

    identity: Identity | None = None
    level: int = 0
    """The rules of binding that the ledger asked for."""
    console_epoch: int = 0
    open: set[Slot] = field(default_factory=set)
    """Transactions that were not final."""
    last: dict[Address, int] = field(default_factory=dict)
    """The highest nonce of each operator that a transaction has; attempts of later ones came while it was read."""
    freed: Counter[str] = field(default_factory=Counter)
    """What orders that come back unbound give back to the totals of the day they were bound, in all and by wallet."""
    unreadable: list[str] = field(default_factory=list)
    """Keys of orders and transactions that this version cannot read; they are put back as they are."""

    def see(self, line: BackupLine) -> None:
        """Look at one row."""
        if line.part != LEDGER:
            return
        row = Row(key=line.key, values=line.values, version=UNSTORED)
        try:
            self._see(row)
        except InvariantBroken:
            self.unreadable.append(line.key)

    def leaves_out(self, slot: Slot) -> bool:
        """Say whether a transaction was not final when it was read, or is not in the copy."""
        return slot in self.open or slot.nonce > self.last.get(slot.operator, -1)

    def _see(self, row: Row) -> None:
        match kind_of(row.key):
            case keys.IDENTITY:
                self.identity = decode(Identity, row)
            case keys.SCHEMA:
                self.level = decode(Schema, row).level
            case keys.CONTROL:
                self.console_epoch = decode(PauseState, row).console_epoch or 0
            case "tx":
                found = decode(Transaction, row)
                self.last[found.operator] = max(found.nonce, self.last.get(found.operator, 0))
                if found.status is not TransactionStatus.FINAL:
                    self.open.add(Slot(found.operator, found.nonce))
            case "order":
                order = decode(Order, row)
                if order.status is OrderStatus.BOUND:
                    day = utc_day(order.updated_ms)
                    self.freed.update(dict.fromkeys(_totals(day, order.wallet), order.amount_units))


@dataclass(slots=True)
class PutBack:
    """Turns the rows of a backup into those that are written, in the order in which they are read."""

    survey: Survey
    unbound: int = 0
    """Orders that were bound, and whose transaction was not final."""
    _refs: set[int] = field(default_factory=set)

    def rows(self, line: BackupLine) -> Iterator[tuple[str, Columns]]:
        """Yield what is written for one row of the ledger; an order comes with the rows that list it."""
        kind = kind_of(line.key)
        if line.key in self.survey.unreadable:
            yield line.key, line.values
            return
        if kind in PASSING or kind in _MADE_ANEW or self._was_open(kind, line.key):
            return
        if kind == "ref":
            self._refs.add(_short(line.key))
        if line.key in self.survey.freed:
            yield line.key, _lessened(line, self.survey.freed[line.key])
        elif kind == "order":
            yield from self._order(Row(key=line.key, values=line.values, version=UNSTORED))
        else:
            yield line.key, line.values

    def _order(self, row: Row) -> Iterator[tuple[str, Columns]]:
        order = decode(Order, row)
        if order.status is OrderStatus.BOUND:
            self.unbound += 1
            order = replace(order, status=OrderStatus.RECEIVED, operator=None, nonce=None)
        yield row.key, {**order.version.kept, **encode(order)}
        if order.status is OrderStatus.RECEIVED:
            yield keys.open_order(order), encode(order.key)
        if order.status is OrderStatus.HELD:
            yield keys.held_row(order.key), place_of(order)
        if _short(keys.ref(order.ref_id)) not in self._refs:  # it came while the copy was read, behind the references
            yield keys.ref(order.ref_id), encode(order.key) | {"fingerprint": order.fingerprint}

    def _was_open(self, kind: str, key: str) -> bool:
        """Say whether the row is of a transaction that was not final: itself, an attempt, or how its hash is found."""
        match kind, key.split(":"):
            case "tx", [_, operator, nonce]:
                return self.survey.leaves_out(Slot(Address(operator), int(nonce)))
            case "attempt", [_, operator, nonce, _]:
                return self.survey.leaves_out(Slot(Address(operator), int(nonce)))
            case "hash", [_, _, operator, nonce, _] if operator != "order":
                return self.survey.leaves_out(Slot(Address(operator), int(nonce)))
            case _:
                return False


def _totals(day: str, wallet: Address) -> tuple[str, str]:
    return keys.spent_row(day), keys.spent_row(day, wallet)


def _lessened(line: BackupLine, units: int) -> Columns:
    """Return a day's total without what was bound and is not any more; the daily caps count it when it is bound."""
    spent = decode(Spent, Row(key=line.key, values=line.values, version=UNSTORED))
    return {**spent.version.kept, **encode(replace(spent, units=TokenUnits(max(0, spent.units - units))))}


def _short(ref_key: str) -> int:
    """Return the first half of a reference as a number: a hundred thousand are held at once."""
    return int(ref_key.removeprefix(keys.REFS)[2 : 2 + _REF_DIGITS], 16)
