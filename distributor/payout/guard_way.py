"""
What a round asks of the guard before it binds: is it the only way, and has somebody else paid an order.

The guard refuses a second payment only while nothing goes around it. So each round looks whether the
Authority would let one of our keys pay directly; if it would, nothing is bound.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from distributor.errors import ChainUnavailable, WrongChain
from distributor.ledger import Ledger
from distributor.model import Address, Order
from distributor.payout.adoption import Adoption
from distributor.payout.guard_past import GuardMarks
from distributor.payout.history import agreed_final
from distributor.payout.preflight import Obstacle
from distributor.ports import Chain, Guard
from distributor.state import WaitingReason
from foundation import logs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GuardWay:
    """The guard that the settings name, before the Authority."""

    guard: Guard
    address: Address
    ledger: Ledger
    adoption: Adoption

    @property
    def marks(self) -> GuardMarks:
        """What keeps how far the guard's records are known."""
        return GuardMarks(ledger=self.ledger, address=self.address, adoption=self.adoption, policy=self.adoption.policy)

    async def operators(self) -> Sequence[Address]:
        """Return every operator the ledger ever knew: a retired key may still have its role."""
        return sorted(await self.ledger.signs.next_nonces())

    async def obstacle(self, operators: Sequence[Address], *, node: str) -> Obstacle | None:
        """Return why nothing may be bound, because one of *operators* has a role of its own."""
        bypassing = await self.guard.direct_payers(operators, node=node)
        if not bypassing:
            return None
        detail = f"The Authority lets {', '.join(bypassing)} pay without guard {self.address}."
        return Obstacle(reason=WaitingReason.GUARD_BYPASSED, detail=detail)

    async def adopt(self, orders: Sequence[Order], chain: Chain) -> None:
        """Settle *orders* whose references the guard knows; one whose payment is not final goes on waiting."""
        if not orders:
            return
        try:
            final_block = await agreed_final(chain, self.adoption.policy)
        except (ChainUnavailable, WrongChain) as error:
            logs.info(_log, "finality_unknown", orders=len(orders), detail=str(error))
            return
        for order in orders:
            await self.adoption.adopt(order, self.address, final_block)
