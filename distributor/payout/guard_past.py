"""
The sign in the guard's records: a payment whose reference this ledger does not have.

1. The ledger goes back. Order A is forgotten, its payment is mined and its nonce spent by hand.
2. Nothing is above the next nonce: the counts show no sign.
3. The guard has recorded A. No ledger of the chain's age lacks that reference.

The records are walked back from the guard's head to a mark, where all are known and settled. The mark moves on
only over what is final, two nodes show alike, and is bound to no nonce: what waits or is held is adopted first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
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

_READS_TOGETHER = 32
PASSED_MAX = 100
"""Orders that the mark passes and that nobody can settle; with more of them it stays, and each round tells them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardReading:
    """What the nodes show of a guard's records since the mark, and what of it this ledger does not have."""

    mark: GuardMark
    pasts: Sequence[GuardPast]
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
    pasts = await guard.pasts(address, 0 if whole else int(mark.head))
    known = await _known(ledger, {each.ref_id for past in pasts for each in _payments(past)})
    firsts = (next((each for each in _payments(past) if each.ref_id not in known), None) for past in pasts)
    unknown = [each for each in firsts if each is not None]
    return GuardReading(mark=mark, pasts=pasts, unknown=unknown[0] if unknown else None, nodes=len(unknown))


def _payments(past: GuardPast) -> Iterator[GuardPayment]:
    return (payment for link in past.links for payment in link.payments)


async def _known(ledger: Ledger, ref_ids: Collection[Hash]) -> Collection[Hash]:
    """Look at each reference once, some at a time: a batch records thirty, and hundreds may not be final."""
    asked, known = sorted(ref_ids), set[Hash]()
    for first in range(0, len(asked), _READS_TOGETHER):
        part = asked[first : first + _READS_TOGETHER]
        found = await asyncio.gather(*map(ledger.guard_rows.knows, part))
        known |= {ref_id for ref_id, is_known in zip(part, found, strict=True) if is_known}
    return known


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
        for link in reading.pasts[0].links:
            shown = [past.node for past in reading.pasts if link in past.links and self._is_final(link, past)]
            left = await self._settle(link) if are_enough(shown, nodes) else None
            if left is None or len({*passed, *left}) > PASSED_MAX:
                break
            head, passed = link.after, [*passed, *left]
        if head != int(reading.mark.head):
            with suppress(Contention):  # another host moved it
                still = [ref_id for ref_id in dict.fromkeys(passed) if await rows.left(ref_id) is not None]
                await rows.move_mark(self.address, reading.mark, head, still)

    def _is_final(self, link: GuardLink, past: GuardPast) -> bool:
        return all(is_deep(payment.block.number, past.mark, self.policy) for payment in link.payments)

    async def _settle(self, link: GuardLink) -> Sequence[Hash] | None:
        """
        Return the references of *link* that only another version can settle; None while something is left to do.

        A bound order is for its own transaction to close.
        """
        left = list[Hash]()
        for payment in link.payments:
            order = await self.ledger.guard_rows.readable(payment.ref_id)
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
