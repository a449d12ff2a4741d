"""
What must not be the case when a person lets the payouts go on.

1. A round sees that the chain is ahead of the ledger, and pauses. A person resumes without a look.
2. The sign is forgotten with the pause. The pool has dropped the bytes by the next round, and shows nothing.
3. The order they paid is bound to another nonce; the bytes come back from another pool: it is paid twice.

So the round's questions are asked before the switch is opened, and a sign that is still there keeps it
closed. The records of the guard are not asked for again: ``guard adopt`` has seen that they are complete.

A payment that was final and left the chain leaves a mark behind that no node's records meet any more: each round would
wait without end. A round never believes that, since a lying node looks the same. A person who resumes does, if enough
nodes show the guard's whole past and nothing in it is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distributor.errors import ChainUnavailable
from distributor.ledger import Ledger
from distributor.model import Address
from distributor.payout import guard_past, ledger_age
from distributor.payout.guard_past import GuardReading
from distributor.payout.ledger_age import Sign
from distributor.payout.witnesses import are_enough
from distributor.ports import Chain, Guard


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """Looks at the chain; writes nothing but where the guard's records are to be read from again."""

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
        reading, _ = await self._read(identity.guard)
        return ledger_age.unknown_payment(reading)

    async def renew_mark(self) -> bool:
        """
        Let the guard's records be read from the beginning again, where they do not meet the mark any more.

        Called when nothing prevents it. Contention: another host moved the mark.
        """
        identity = await self.ledger.identity()
        if identity is None or identity.guard is None:
            return False
        reading, lost = await self._read(identity.guard)
        if lost:
            await self.ledger.guard_rows.move_mark(identity.guard, reading.mark, 0)
        return lost

    async def _read(self, guard: Address) -> tuple[GuardReading, bool]:
        """Return the guard's records behind the mark; the whole of them, and True, where they do not meet it."""
        try:
            return await guard_past.read_past(self.ledger, self.guard, guard), False
        except ChainUnavailable:
            reading = await guard_past.read_past(self.ledger, self.guard, guard, whole=True)
            if not are_enough((past.node for past in reading.pasts), self.chain.nodes):
                raise
            return reading, True

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
