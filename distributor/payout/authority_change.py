"""
Use case: let the ledger pay through another Authority, and keep every order it has paid.

1. The Authority is replaced. The settings name the new one, and the ledger is another one's: nothing is bound.
2. A person makes a new ledger for it. Every order that was paid before is unknown there, and paid again.

So the ledger's identity is changed instead, and the Authority before it stays known to rebuild and audit.
The payouts are paused and nothing is open; the old way is closed, and the new one pays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distributor.chain_types import Call, Simulation
from distributor.ledger import Ledger
from distributor.model import Address
from distributor.payout.guard_change import not_stopped
from distributor.ports import CodeChain, Guard
from distributor.state import Identity


@dataclass(frozen=True, kw_only=True)
class AuthorityChange:
    """Looks at everything the change depends on; writes only the identity."""

    ledger: Ledger
    chain: CodeChain
    guard: Guard
    identity: Identity
    """As the settings have it: with the Authority of before."""
    operator: Address
    gas_limit: int

    async def obstacles(self, authority: Address) -> Sequence[str]:
        """
        Return what prevents paying through *authority*, each as a sentence; empty when nothing does.

        Raises:
            ChainUnavailable: Too few nodes answer.
        """
        taken = {self.identity.token, self.identity.reserve, self.identity.guard, self.identity.authority}
        if authority in taken:
            return [f"{authority} is the token, the reserve, the guard, or the authority of today."]
        closed = await self._old_way()
        through = self.identity.guard
        new_way = await self._through_guard(through, authority) if through else await self._directly(authority)
        return [*await not_stopped(self.ledger), *closed, *new_way]

    async def adopt(self, authority: Address, by: str, why: str) -> Sequence[str]:
        """Write *authority* into the identity, and every nonce row again; return what prevents it."""
        if obstacles := await self.obstacles(authority):
            return obstacles
        await self.ledger.guard_rows.change_authority(authority, by, why)
        return []

    async def _old_way(self) -> Sequence[str]:
        """Each of our keys must have lost its role first: what it signed once could pay there again."""
        keys = sorted({self.operator, *await self.ledger.signs.next_nonces()})
        payers = await self.guard.direct_payers(keys)
        if not payers:
            return []
        return [f"{', '.join(payers)} can still pay at {self.identity.authority}: revoke that role there first."]

    async def _through_guard(self, guard: Address, authority: Address) -> Sequence[str]:
        """The guard keeps what it recorded; its owner sets the new Authority while it is paused."""
        head = (await self.chain.snapshot([], [], [])).head
        facts = await self.guard.facts(guard, [self.operator], [], block=head.number)
        if facts is None:
            return [f"There is no guard at {guard}."]
        if facts.authority != authority:
            return [f"Guard {guard} calls {facts.authority}: let its owner pause it and set the new authority."]
        if facts.paused:
            return [f"Guard {guard} is paused: let its owner unpause it."]
        return self._refused(await self.guard.simulate(self.operator, [self.guard.probe(self.operator)]))

    async def _directly(self, authority: Address) -> Sequence[str]:
        """Try the smallest payment at the new Authority; an address without code takes every call."""
        if not await self.chain.has_code(authority):
            return [f"There is no contract at {authority}."]
        call = Call(to=authority, data=self.chain.probe(self.operator).data)
        return self._refused(await self.chain.simulate(self.operator, [call]))

    def _refused(self, simulations: Sequence[Simulation]) -> Sequence[str]:
        """Return why the smallest payment would not be made; empty where it would."""
        said = simulations[0]
        refusal = said.refusal(self.gas_limit)
        if said.unknown:
            return [f"The node cannot say whether it would pay: {said.unknown}."]
        return [f"It would not pay the operator one unit: {refusal.text}."] if refusal is not None else []
