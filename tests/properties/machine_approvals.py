"""A limit above which another person must approve: who asks, who approves, what must hold, said without the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distributor.approvals import content_of
from distributor.ledger.columns import decode
from distributor.model import Order
from distributor.units import TokenUnits
from foundation.tablestore.ports import UNSTORED, DeleteRow, Row, RowWrite, Value
from tests.factories import TOKEN
from tests.properties.machine_harm import hold
from tests.properties.machine_ports import sender

if TYPE_CHECKING:
    from tests.properties.machine_world import World

PEOPLE = ["ana", "rui", "ANA "]
FORGERIES = ["copied", "by who asked"]
LIMIT = TokenUnits(15 * TOKEN)
WEEK_MS = 604_800_000
_ASKED_BY = (None, "ana", "rui")
_IN_A_LARGE_FILE = 4
_FILE_UNITS = TokenUnits(40 * TOKEN)


def uploaded(number: int) -> dict[str, Any]:
    """Return what the order of that *number* says of the file it came in: two of three came in one, one in a large."""
    asked_by = _ASKED_BY[number % len(_ASKED_BY)]
    if asked_by is None:
        return {}
    units = _FILE_UNITS if number == _IN_A_LARGE_FILE else None
    return {"asked_by": asked_by, "batch": "rewards", "file_units": units}


class Approvals:
    """Looks at each order that a group writes: how it comes in, how it leaves, and whether it may be bound."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.given: dict[str, list[tuple[str, int]]] = {}
        """Who approved the content of that fingerprint, and when by the clock of that machine."""

    def look(self, group: Sequence[RowWrite], rows: Mapping[str, Row]) -> None:
        """Judge the orders of a group that is about to be done, against the rows as they are."""
        for write in group:
            if write.key.startswith("order:") and not isinstance(write, DeleteRow):
                before = rows.get(write.key)
                self._see(write.values, None if before is None else before.values)

    def _see(self, after: Mapping[str, Value], before: Mapping[str, Value] | None) -> None:
        by = sender()
        above = by.limit is not None and _asks_for(after) > by.limit
        if before is None:
            waits = above and by.job.startswith("receive") and after["status"] == "received"
            hold(not waits, "what is above the limit comes in held", after["order_id"])
            return
        move = (before["status"], after["status"])
        if move == ("held", "received") and before.get("hold_reason") == "needs_approval":
            hold(by.job.startswith("approve"), "only an approval ends the wait for one", (after["order_id"], by.job))
            self._approved(after)
        if move == ("received", "assigned") and above:
            hold(self._may_be_bound(after), "nothing above the limit is bound without approval", after["order_id"])

    def _approved(self, after: Mapping[str, Value]) -> None:
        approver = str(after.get("approval")).split("\n")[-1]
        asked = after.get("asked_by")
        hold(not _same(approver, asked), "nobody approves what they asked for", (after["order_id"], approver))
        self.given.setdefault(str(after["fingerprint"]), []).append((approver, int(after["updated_ms"])))

    def _may_be_bound(self, after: Mapping[str, Value]) -> bool:
        given = self.given.get(str(after["fingerprint"]), [])
        now = int(after["updated_ms"])
        return any(now - at < WEEK_MS and not _same(by, after.get("asked_by")) for by, at in given)


def forge(world: World, at: int, how: str) -> None:
    """
    Let somebody edit the table: an order that waits gets the approval of another one, or of who asked for it.

    Nobody asked for an order that a shop sent; an invented person's approval is beyond what a row can show.
    """
    rows = world.rows.dump()
    waiting = [(key, row) for key, row in rows.items() if key.startswith("order:") and row["status"] == "received"]
    if not waiting:
        return
    key, row = waiting[at % len(waiting)]
    if how == "copied":
        others = [str(each["approval"]) for each in rows.values() if "approval" in each and each is not row]
        written = others[at % len(others)] if others else ""
    elif row.get("asked_by") is None:
        written = ""
    else:
        now = int(world.clock())
        content = content_of(decode(Order, Row(key=key, values=row, version=UNSTORED)))
        written = f"{now}\n{now + WEEK_MS}\n{content}\n{row.get('asked_by')!s}"
    if written:
        world.rows.put(key, {**row, "approval": written})


def _asks_for(row: Mapping[str, Value]) -> int:
    return max(int(row["amount_units"]), int(row.get("file_units", "0")))


def _same(name: object, other: object) -> bool:
    return str(name).strip().lower() == str(other).strip().lower()
