"""What a soak proves: the orders of the shop against the token's events and the ledger's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from azure.data.tables import TableClient

from devstack.chaos.shop import Placed
from devstack.contract_events import TransferEvent
from distributor.model import Address

_ORDER, _TRANSACTION, _ATTEMPT, _OPEN = "order:", "tx:", "attempt:", ("open:", "opentx:")
_FINAL = {"paid", "held", "cancelled"}


@dataclass(frozen=True, slots=True)
class Books:
    """The rows of a ledger as they are in the table, understood by none of the app's own code."""

    rows: Mapping[str, Mapping[str, Any]]

    def order(self, order_id: str) -> Mapping[str, Any]:
        """Return an order's row; an empty one when there is none."""
        return self.rows.get(f"{_ORDER}default:{order_id}", {})

    @property
    def all_final(self) -> bool:
        return all(row["status"] in _FINAL for key, row in self.rows.items() if key.startswith(_ORDER))

    @property
    def replacements(self) -> int:
        """Return how many attempts there are beside the first of each nonce."""
        return sum(key.startswith(_ATTEMPT) and int(key.rpartition(":")[2]) > 0 for key in self.rows)

    def bound_by(self, operator: Address) -> int:
        """Return how many transactions an operator was given a nonce for."""
        return sum(key.startswith(f"{_TRANSACTION}{operator}:") for key in self.rows)

    @property
    def committed_units(self) -> int:
        return int(self.rows["commitments"]["units"])

    @property
    def open(self) -> Sequence[str]:
        return [key for key in self.rows if key.startswith(_OPEN)]


def read_books(connection_string: str, settings: Mapping[str, str]) -> Books:
    """Read the whole ledger that the settings of an app name."""
    with TableClient.from_connection_string(connection_string, settings.get("LEDGER_TABLE", "ledger")) as table:
        found = table.query_entities("PartitionKey eq @chain", parameters={"chain": settings["CHAIN_ID"]})
        return Books({row["RowKey"]: row for row in found})


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of every order; only the first number may be above zero."""

    paid_once: int
    paid_twice: int
    lost: int
    """Orders of the shop without a transfer."""
    strange: int
    """Transfers out of the reserve that pay no order of the shop."""
    untrue: Sequence[str]
    """Orders whose row does not say what the chain says."""
    left: Sequence[str]
    """What the ledger holds although nothing is to be done any more."""

    @property
    def good(self) -> bool:
        return not (self.paid_twice or self.lost or self.strange or self.untrue or self.left)

    @property
    def figures(self) -> Mapping[str, str]:
        """The numbers that are shown always, and what is wrong."""
        wrong = {"strange payouts": self.strange, "untrue rows": self.untrue, "left over": self.left}
        return {
            "paid once": str(self.paid_once),
            "paid twice": str(self.paid_twice),
            "lost": str(self.lost),
            **{name: str(found) for name, found in wrong.items() if found},
        }


def verdict(placed: Sequence[Placed], payouts: Sequence[TransferEvent], books: Books) -> Verdict:
    """Judge by wallet and amount, which no two orders share."""
    paying: Counter[tuple[str, int]] = Counter((event.recipient, event.amount_units) for event in payouts)
    times = {order.order_id: paying.pop((order.wallet, order.amount_units), 0) for order in placed}
    by_amount = {(event.recipient, event.amount_units): event for event in payouts}
    proofs = {order.order_id: by_amount.get((order.wallet, order.amount_units)) for order in placed}
    return Verdict(
        paid_once=sum(count == 1 for count in times.values()),
        paid_twice=sum(count > 1 for count in times.values()),
        lost=sum(count == 0 for count in times.values()),
        strange=paying.total(),
        untrue=[order_id for order_id, proof in proofs.items() if not _agrees(books.order(order_id), proof)],
        left=list(_left(books)),
    )


def longest_delay_s(placed: Sequence[Placed], books: Books) -> float:
    """Return the longest time from the shop's first try until an order was paid."""
    rows = ((books.order(order.order_id), order.placed_ms) for order in placed)
    delays_ms = [row["updated_ms"].value - placed_ms for row, placed_ms in rows if row.get("status") == "paid"]
    return float(max(delays_ms, default=0) / 1000)


def _agrees(row: Mapping[str, Any], proof: TransferEvent | None) -> bool:
    if proof is None:
        return row.get("status") != "paid"
    said = (row.get("status"), row.get("paid_hash"), row.get("amount_units"))
    return said == ("paid", proof.tx_hash, str(proof.amount_units))


def _left(books: Books) -> Iterator[str]:
    yield from books.open
    if books.committed_units:
        yield f"commitments of {books.committed_units} units"
