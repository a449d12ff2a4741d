"""
The sign in the guard's records: a payment whose reference this ledger does not have.

1. The ledger goes back. Order A is forgotten, its payment is mined and its nonce spent by hand.
2. Nothing is above the next nonce: the counts show no sign.
3. The guard has recorded A. No ledger of the chain's age lacks that reference.

The records are walked back from the guard's head to a mark, where all are known and settled. The mark moves on
only over what is final, two nodes show alike, and is bound to no nonce: what waits or is held is adopted first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from distributor.chain_types import GuardLink, GuardPast, GuardPayment
from distributor.ledger import Ledger
from distributor.ledger.opened import Unreadable
from distributor.ledger.records import GuardMark
from distributor.model import Address, Hash, Order, OrderStatus
from distributor.payout import alarms
from distributor.payout.adoption import Adopted, Adoption
from distributor.payout.lifecycle import is_deep
from distributor.payout.witnesses import are_enough
from distributor.ports import Guard
from distributor.settings.chain import SettlementSettings
from foundation.errors import Contention
from foundation.tablestore.atomic import in_groups
from foundation.tablestore.ports import Row

ORDERS_TOGETHER = 480
"""Orders that are read at once while the mark moves: sixteen batches."""
PASSED_MAX = 100
"""Orders that the mark passes and that nobody can settle; with more of them it stays, and each round tells them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardReading:
    """What the nodes show of a guard's records since the mark, and what of it this ledger does not have."""

    mark: GuardMark
    pasts: Sequence[GuardPast]
    refs: Mapping[Hash, Row]
    """The rows of those references that this ledger has."""
    unknown: GuardPayment | None
    nodes: int
    """How many of them show something unknown."""


async def read_past(ledger: Ledger, guard: Guard, address: Address, *, whole: bool = False) -> GuardReading:
    """
    Compare the records of the guard at *address* with the ledger: those behind the mark, or the *whole* of them.

    The nodes are asked before the rows are read: what another host binds in between is in the rows then.

    Raises:
        ChainUnavailable: No node shows records that add up.
    """
    mark = await ledger.guard_rows.mark(address)
    return await _read(ledger, guard, address, mark, since=0 if whole else int(mark.head))


async def read_behind(ledger: Ledger, guard: Guard, address: Address, mark: GuardMark) -> GuardReading:
    """Do as ``read_past``, behind a *mark* that was read; the nodes are asked at once."""
    return await _read(ledger, guard, address, mark, since=int(mark.head))


async def _read(ledger: Ledger, guard: Guard, address: Address, mark: GuardMark, *, since: int) -> GuardReading:
    pasts = await guard.pasts(address, since)
    known = await ledger.guard_rows.known({each.ref_id for past in pasts for each in _payments(past)})
    firsts = (next((each for each in _payments(past) if each.ref_id not in known), None) for past in pasts)
    unknown = [each for each in firsts if each is not None]
    first = unknown[0] if unknown else None
    return GuardReading(mark=mark, pasts=pasts, refs=known, unknown=first, nodes=len(unknown))


def _payments(past: GuardPast) -> Iterator[GuardPayment]:
    return (payment for link in past.links for payment in link.payments)


def _read_together(links: Sequence[GuardLink]) -> bool:
    return sum(len(link.payments) for link in links) <= ORDERS_TOGETHER


@dataclass(frozen=True, kw_only=True)
class GuardMarks:
    """Moves the mark over what is known, final and settled."""

    ledger: Ledger
    address: Address
    adoption: Adoption
    policy: SettlementSettings

    async def move(self, reading: GuardReading, *, nodes: Sequence[str]) -> None:
        """
        Adopt what somebody else has paid, and move the mark as far as nothing is open; *nodes* are configured.

        Two providers must show a link, each as final.

        Raises:
            StoreUnavailable: Nothing is lost; the next round does it.
        """
        rows, head, passed = self.ledger.guard_rows, int(reading.mark.head), list(reading.mark.passed or ())
        async for link, orders in self._with_orders(self._final(reading, nodes), reading.refs):
            left = await self._settle(link, orders)
            if left is None or len({*passed, *left}) > PASSED_MAX:
                break
            head, passed = link.after, [*passed, *left]
        if head != int(reading.mark.head):
            with suppress(Contention):  # another host moved it
                still = [ref_id for ref_id in dict.fromkeys(passed) if await rows.left(ref_id) is not None]
                await rows.move_mark(self.address, reading.mark, head, still)

    def _is_final(self, link: GuardLink, past: GuardPast) -> bool:
        return all(is_deep(payment.block.number, past.mark, self.policy) for payment in link.payments)

    def _final(self, reading: GuardReading, nodes: Sequence[str]) -> Iterator[GuardLink]:
        """Yield the links behind the mark, up to the first that too few nodes show as final."""
        for link in reading.pasts[0].links:
            shown = [past.node for past in reading.pasts if link in past.links and self._is_final(link, past)]
            if not are_enough(shown, nodes):
                return
            yield link

    async def _with_orders(
        self, links: Iterator[GuardLink], refs: Mapping[Hash, Row]
    ) -> AsyncIterator[tuple[GuardLink, Mapping[Hash, Unreadable | Order | None]]]:
        """Yield each link with the orders of its references, read for some links together."""
        for some in in_groups(links, _read_together):
            paid = {payment.ref_id: refs[payment.ref_id] for link in some for payment in link.payments}
            orders = await self.ledger.guard_rows.readable_all(paid)
            for link in some:
                yield link, orders

    async def _settle(self, link: GuardLink, orders: Mapping[Hash, Unreadable | Order | None]) -> Sequence[Hash] | None:
        """
        Return the references of *link* that only another version can settle; None while something is left to do.

        A bound order is for its own transaction to close.
        """
        left = list[Hash]()
        for payment in link.payments:
            order = orders[payment.ref_id]
            if order is None or (isinstance(order, Order) and order.status is OrderStatus.PAID):
                continue
            if isinstance(order, Unreadable):  # never bound while it is, and the guard pays it no second time
                await self.adoption.alarms.raise_(alarms.row_unreadable(order))
                left.append(payment.ref_id)
            elif order.is_frozen:  # left as it is: the version that knows the word meets the record when it would bind
                await self.adoption.alarms.raise_(alarms.frozen_paid(order, payment))
                left.append(payment.ref_id)
            elif order.status is OrderStatus.BOUND or await self._waits(order, payment):
                return None
        return left

    async def _waits(self, order: Order, payment: GuardPayment) -> bool:
        return await self.adoption.settle(order, payment) is Adopted.NOT_FINAL
