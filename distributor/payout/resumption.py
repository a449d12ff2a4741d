"""
What must not be the case when a person lets the payouts go on.

1. A round sees that the chain is ahead of the ledger, and pauses. A person resumes without a look.
2. The sign is forgotten with the pause. The pool has dropped the bytes by the next round, and shows nothing.
3. The order they paid is bound to another nonce; the bytes come back from another pool: it is paid twice.

So the round's questions are asked before the switch is opened, and a sign that is still there keeps it
closed. The records of the guard are not asked for again: ``guard adopt`` has seen that they are complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distributor.ledger import Ledger
from distributor.payout import guard_past, ledger_age
from distributor.payout.ledger_age import Sign
from distributor.ports import Chain, Guard


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """Looks at the chain; writes nothing."""

    ledger: Ledger
    chain: Chain
    guard: Guard

    async def obstacles(self) -> Sequence[str]:
        """
        Return why the payouts must not go on, each as a sentence; empty when nothing speaks against it.

        Raises:
            ChainUnavailable: No node answers; then nothing can be bound anyway.
        """
        found = []
        sign = await ledger_age.look_for_sign(self.ledger, self.chain) or await self._unknown()
        if sign is not None:
            found.append(
                f"{sign.detail} Where this ledger was put back: `rebuild`, with a guard "
                "`rebuild --from-guard`. One stray transaction: `resolve` it, or "
                "`cancel-nonce` and wait. A node that is wrong: take it out of RPC_URL."
            )
        return [*found, *await self._bypassed()]

    async def _unknown(self) -> Sign | None:
        identity = await self.ledger.identity()
        if identity is None or identity.guard is None:
            return None
        return ledger_age.unknown_payment(await guard_past.read_past(self.ledger, self.guard, identity.guard))

    async def _bypassed(self) -> Sequence[str]:
        identity = await self.ledger.identity()
        if identity is None or identity.guard is None:
            return []
        operators = sorted(await self.ledger.signs.next_nonces())
        bypassing = await self.guard.direct_payers(operators)
        if not bypassing:
            return []
        return [
            f"{', '.join(bypassing)} can pay without guard {identity.guard}: revoke that role at the Authority first."
        ]
