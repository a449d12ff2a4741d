"""
The ledger must not be older than the chain: a ledger that went back pays again what it forgot.

1. Order A is bound to nonce 7, signed, and waits in a pool.
2. The ledger is put back to a copy from before. It says that 7 is the next nonce, and that A waits.
3. The next order is bound to 7, and A to 8. The pool's payment of A is mined at 7, and A's second at 8.

Whatever an operator has in any pool is bound in a ledger of its own age. So a count above the next
nonce, on any node and of any operator there ever was, is never innocent: it stops every lane. An
operator that is configured here and that the ledger does not know has a next nonce of 0: a ledger that
went back to before it was added knows neither it nor what it paid. A count is only ever a reason to
stop. It shows neither gapped transactions nor pools that nobody asks, so who puts a ledger back
pauses first all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from distributor.chain_types import PoolView
from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.ledger.records import Ahead, GuardMark
from distributor.model import Address
from distributor.payout import alarms, guard_past
from distributor.payout.guard_past import GuardReading
from distributor.payout.guard_way import GuardWay
from distributor.payout.preflight import Obstacle
from distributor.ports import Alarms, Chain
from distributor.state import WaitingReason
from foundation.clock import Clock, elapsed_ms
from foundation.side_by_side import side_by_side, value_or_error

PATIENCE_MS = 60_000
"""How long one node's word stops the payouts before it pauses them."""
_WITNESSES = 2
"""Nodes that pause at once where they agree that a nonce we never bound is in a block."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """One thing that a ledger of the chain's age would know."""

    reason: WaitingReason
    detail: str
    nodes: int
    """How many nodes show it in a block."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BooksAsked:
    """What the ledger said before the nodes were asked."""

    nonces: Mapping[Address, int]
    mark: GuardMark | None
    """Up to where the guard's records are known; None without a guard."""


@dataclass(frozen=True, kw_only=True)
class LedgerAge:
    """Ask every node; a sign stops the payouts, and one that lasts pauses them."""

    ledger: Ledger
    chain: Chain
    alarms: Alarms
    clock: Clock
    guard_way: GuardWay | None = None
    """The guard whose records are compared as well."""
    configured: Collection[Address] = ()
    """Operators whose key is configured here, also such that the ledger does not know."""

    async def known(self) -> BooksAsked:
        """Read what the nodes are to be asked about; ``check`` then asks them at once."""
        nonces = await _next_nonces(self.ledger, self.configured)
        way = self.guard_way
        return BooksAsked(nonces=nonces, mark=await self.ledger.guard_rows.mark(way.address) if way else None)

    async def check(self, known: BooksAsked) -> Obstacle | None:
        """
        Return why nothing may be bound, None while the ledger is as old as the chain shows.

        The nodes are asked before the nonce rows are read again: what another host binds in between
        is in the rows then, and is no sign. A sign that is noted stays until a person resumes, also
        where the node shows it no more: a pool that forgets proves nothing. Through a guard a sign that is
        gone within a minute ends by itself: what the pool forgot can be paid once only.

        Raises:
            ChainUnavailable: No node says what its pool holds.
        """
        sign = await self._look(known)
        noted = await self.ledger.signs.noted()
        if noted is None and sign is not None:
            noted = await self.ledger.signs.note(sign.reason, sign.detail)
        if noted is not None and sign is None and self.guard_way is not None and not self._lasts(noted):
            await self.ledger.signs.forget()
            noted = None
        if noted is None:
            return None
        if self._lasts(noted) or (sign is not None and sign.nodes >= _WITNESSES):
            await self._pause(noted)
        return Obstacle(reason=noted.reason, detail=noted.detail)

    async def _look(self, known: BooksAsked) -> Sign | None:
        """Ask for counts and records side by side; a sign in the counts counts, whatever the guard's nodes say."""
        counted = partial(_sign_in_counts, self.ledger, self.chain, self.configured, known.nonces)
        if self.guard_way is None or known.mark is None:
            return await counted()
        way = self.guard_way
        recorded = partial(guard_past.read_behind, self.ledger, way.guard, way.address, known.mark)
        sign, reading = await side_by_side(counted(), value_or_error(recorded, ChainUnavailable, WrongChain))
        if sign is not None:
            return sign
        if not isinstance(reading, GuardReading):
            raise reading
        sign = unknown_payment(reading)
        if sign is None:
            await way.marks.move(reading, nodes=self.chain.nodes)
        return sign

    def _lasts(self, noted: Ahead) -> bool:
        return elapsed_ms(noted.since_ms, self.clock()) >= PATIENCE_MS

    async def _pause(self, noted: Ahead) -> None:
        """Pause before the alarm: a crash in between does both again."""
        await self.ledger.admin.pause("ledger age", noted.detail)
        await self.alarms.raise_(alarms.ledger_behind(noted.detail))


async def look_for_sign(ledger: Ledger, chain: Chain, configured: Collection[Address] = ()) -> Sign | None:
    """
    Ask every node about every operator; again while a person adds one: its pool is asked before a nonce is bound.

    Those of *configured* that the ledger does not know have sent nothing, or the ledger is older than they are.

    Raises:
        ChainUnavailable: No node says what its pool holds.
    """
    return await _sign_in_counts(ledger, chain, configured, await _next_nonces(ledger, configured))


async def _sign_in_counts(
    ledger: Ledger, chain: Chain, configured: Collection[Address], nonces: Mapping[Address, int]
) -> Sign | None:
    while True:
        asked = sorted(nonces)
        views = await chain.pool_views(asked)
        nonces = await _next_nonces(ledger, configured)
        if nonces.keys() <= set(asked):
            return find_sign(views, nonces)


async def _next_nonces(ledger: Ledger, configured: Collection[Address]) -> Mapping[Address, int]:
    return dict.fromkeys(configured, 0) | dict(await ledger.signs.next_nonces())


def unknown_payment(reading: GuardReading) -> Sign | None:
    """Pure: a payment that the guard has recorded and the ledger does not have is a sign."""
    payment = reading.unknown
    if payment is None:
        return None
    detail = (
        f"The guard has recorded transaction {payment.tx_hash} in block {payment.block.number}: {payment.amount_units} "
        f"units to {payment.wallet} under reference {payment.ref_id}, which this ledger does not have."
    )
    return Sign(reason=WaitingReason.NONCE_AHEAD, detail=detail, nodes=reading.nodes)


def find_sign(views: Sequence[PoolView], next_nonces: Mapping[Address, int]) -> Sign | None:
    """Pure: say in what the chain is ahead of *next_nonces*; a nonce in a block counts before one in a pool."""
    asked = [
        (view, operator, view.counts[operator], nonce) for view in views for operator, nonce in next_nonces.items()
    ]
    mined = [
        (view.node, operator, counts.latest, nonce) for view, operator, counts, nonce in asked if counts.latest > nonce
    ]
    pooled = [
        (view.node, operator, counts.pending, nonce)
        for view, operator, counts, nonce in asked
        if counts.pending > nonce
    ]
    if not mined and not pooled:
        return None
    node, operator, count, nonce = (mined or pooled)[0]
    where = "in blocks" if mined else "with those of its pool"
    return Sign(
        reason=WaitingReason.NONCE_AHEAD if mined else WaitingReason.POOL_AHEAD,
        detail=f"Node {node} counts {count} transactions of {operator} {where}, the ledger's next nonce is {nonce}.",
        nodes=len({node for node, *_ in mined}),
    )
