"""
What the final receipt of a transaction proved, order by order, and the totals that its end settles.

The group that is written of it is in ``ending``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from distributor.chain_types import Receipt
from distributor.day_totals import DayTotals
from distributor.ledger.records import Total
from distributor.model import Hash, HoldReason, Order, OrderKey, Transaction
from distributor.state import Spent, Stats
from distributor.units import Wei
from foundation.errors import require
from foundation.tablestore.ports import Version


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """An order goes back to the backlog: its transaction is over and moved nothing for it."""

    detail: str
    own_fault: bool
    """Whether the item failed for a reason of its own; the row counts that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidBy:
    """Where the payment of an order is on the chain."""

    tx_hash: Hash
    block_number: int
    log_index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Closing:
    """What the final receipt of a transaction proved, order by order; together exactly its orders."""

    tx_hash: Hash
    block_number: int
    paid: Sequence[OrderKey]
    held: Mapping[OrderKey, HoldReason]
    detail: str
    gas_used: int
    gas_cost_wei: Wei
    released: Mapping[OrderKey, Release] = field(default_factory=dict)
    """Orders that wait again; through a guard only, which refuses a second payment."""
    proofs: Mapping[OrderKey, PaidBy] = field(default_factory=dict)
    """Of paid orders: the log that proves it, where it is known; perhaps in another transaction than this one."""
    held_because: Mapping[OrderKey, str] = field(default_factory=dict)
    """Of held orders: what is said of this very one behind ``detail``, which is said of all of them."""
    reverted: bool = False
    """Whether a transaction through a guard was refused as a whole."""
    witnesses: int | None = None
    """How many providers showed the receipt; None where nobody counted."""
    alone: bool = False
    """It rests on one node, though another is configured: it is looked at again when that one is back."""

    @classmethod
    def by(
        cls, receipt: Receipt, *, paid: Sequence[OrderKey], held: Mapping[OrderKey, HoldReason], detail: str
    ) -> Self:
        """Return the closing that *receipt* proves, with what its transaction cost."""
        return cls(
            tx_hash=receipt.tx_hash,
            block_number=receipt.block.number,
            paid=paid,
            held=held,
            detail=detail,
            gas_used=receipt.gas_used,
            gas_cost_wei=Wei(receipt.gas_used * receipt.gas_price_wei),
        )

    @property
    def all_paid(self) -> bool:
        """Whether it pays all orders of its transaction, by itself: nothing is left to be told but that."""
        return not (self.held or self.released or self.paid_elsewhere)

    @property
    def paid_elsewhere(self) -> Mapping[OrderKey, Hash]:
        """Which orders another transaction than this one has paid, and by which hash each."""
        return {key: proof.tx_hash for key, proof in self.proofs.items() if proof.tx_hash != self.tx_hash}

    def detail_of(self, key: OrderKey) -> str:
        """Return what a held order's row says: nothing of the orders beside it."""
        return "; ".join([self.detail, *([self.held_because[key]] if key in self.held_because else [])])


@dataclass(frozen=True, slots=True)
class Ending:
    """A transaction that ends, its orders as read just before, and what its final receipt proved."""

    transaction: Transaction
    orders: Sequence[Order]
    closing: Closing

    @property
    def unpaid(self) -> Sequence[Order]:
        """Which of its orders it does not pay."""
        return [order for order in self.orders if order.key not in self.closing.paid]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosingTotals:
    """The totals that a closing settles, as read just before; all transactions of a group are of one operator."""

    committed: Total
    spent: Sequence[Spent]
    """Of the days of the bindings: in all, and to each wallet whose order is not paid."""
    stats: Stats
    stats_version: Version
    day: DayTotals | None = None
    """Of the day of the closing; None where its row cannot be read: then nothing is counted there."""


def mined_by(transaction: Transaction, receipt: Receipt) -> Transaction:
    """Return *transaction* as mined in the block of *receipt*, whichever of its rivals that is."""
    block = receipt.block
    return replace(transaction, mined_hash=receipt.tx_hash, block_number=block.number, block_hash=block.block_hash)


def released_on(transaction: Transaction) -> str:
    """Return the UTC day whose caps an order frees that is not paid: that of its binding."""
    return transaction.bound_day


def closing_rows(transactions: int, orders: int) -> int:
    """
    Return how many rows at most the group writes that ends *transactions* and pays all their *orders*.

    Three for each transaction, its open row and the row that it rests on one node among them; and the commitments, the
    operator's totals, the day, and what the shops are told.
    """
    return 3 * transactions + orders + 4


def check_unchanged(closed: Transaction, closing: Closing) -> None:
    """Raise InvariantBroken when *closed* was ended by another receipt than that of *closing*."""
    name = f"transaction {closed.nonce} of {closed.operator}"
    require(closed.mined_hash == closing.tx_hash, f"{name} was closed by {closed.mined_hash}, not {closing.tx_hash}")
