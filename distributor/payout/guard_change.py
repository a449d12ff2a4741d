"""
Use case: let the ledger pay through a guard, or through another one.

A reference can be paid once through each of two guards, and once more without one. So the order counts, and
each step answers a race:

1. The payouts are paused and nothing is open: no transaction of the old way is on its way.
2. The old way is closed: the old guard is paused or has no role; without one, none of the operators has a role.
3. What was paid is recorded in the new guard, every reference of the ledger.
4. Only then the new guard has the role at the Authority.
5. All of that held in one block that is far beyond finality, and holds now; then the identity is written,
   and every nonce row again, so that a round that read the old one fails its binding group.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from distributor.chain_types import Block, ChainSnapshot, GuardFacts
from distributor.ledger import Ledger
from distributor.ledger.rebuild_store import RebuildStore
from distributor.model import Address, Hash, OrderStatus
from distributor.ports import Chain, Guard
from distributor.settings.chain import SettlementSettings
from distributor.state import Identity
from distributor.units import TokenUnits
from foundation.clock import Sleep

Say = Callable[[str], None]
Record = tuple[Hash, Address, TokenUnits]
"""Reference, wallet and amount of what was paid."""


@dataclass(frozen=True, kw_only=True)
class GuardChange:
    """Looks at everything the change depends on; writes only the identity."""

    ledger: Ledger
    rebuild_store: RebuildStore
    chain: Chain
    guard: Guard
    policy: SettlementSettings
    identity: Identity
    """As the settings have it."""
    operators: Sequence[Address]
    """Whose keys are configured."""
    sleep: Sleep
    block_time_s: float
    say: Say

    async def obstacles(self, address: Address) -> Sequence[str]:
        """Return what prevents paying through *address*, each as a sentence; empty when nothing does."""
        here = await not_stopped(self.ledger)
        head = await self._head()
        return [*here, *await self._at(address, head)]

    async def adopt(self, address: Address, by: str, why: str) -> Sequence[str]:
        """
        Write *address* into the identity, once nothing has stood in the way for RELEASE_CONFIRMATIONS blocks.

        Returns:
            What prevents it; empty when it is done.
        """
        first = await self._head()
        if obstacles := [*await not_stopped(self.ledger), *await self._at(address, first)]:
            return obstacles
        if not await self._buried(first):
            return [f"Block {first.number} left the chain while its depth was awaited; run the command again."]
        if later := await self.obstacles(address):
            return later
        await self.ledger.guard_rows.change(address, first.number, by, why)
        return []

    async def missing(self, address: Address) -> Sequence[Record]:
        """Return what the ledger has as paid and *address* has not recorded."""
        return await self._missing(address, await self._head())

    async def _at(self, address: Address, block: Block) -> Sequence[str]:
        ledger_says = await self.ledger.identity()
        formers = {each.address for each in await self.rebuild_store.former("guard")}
        formers |= {ledger_says.guard} if ledger_says and ledger_says.guard else set()
        known = sorted({*self.operators, *await self.rebuild_store.operators()})
        facts = await self.guard.facts(address, known, [], block=block.number)
        if facts is None:
            return [f"There is no guard at {address}."]
        found = [*wrong_with(facts, self.identity, known, self.operators)]
        for former in sorted(formers - {address}):
            found += await self._former(former, block)
        missing = await self._missing(address, block)
        if missing:
            found.append(f"{len(missing)} paid references are not recorded in it: `guard import` lists them.")
        return found

    async def _former(self, former: Address, block: Block) -> Sequence[str]:
        facts = await self.guard.facts(former, [], [], block=block.number)
        closed = facts is None or facts.paused or not facts.has_role
        return [] if closed else [f"The guard before it, {former}, can still pay: let its owner pause it."]

    async def _missing(self, address: Address, block: Block) -> Sequence[Record]:
        paid = {record[0]: record async for record in self._paid()}
        unrecorded = await self.guard.unrecorded(address, sorted(paid), block=block.number)
        return [paid[ref_id] for ref_id in unrecorded]

    async def _paid(self) -> AsyncIterator[Record]:
        async for order in self.rebuild_store.orders():
            if order.status is OrderStatus.PAID:
                yield order.ref_id, self._recipient(order.wallet), order.amount_units
        async for ref_id, ref in self.rebuild_store.restored_refs():
            yield ref_id, self._recipient(ref.wallet), ref.amount_units

    def _recipient(self, wallet: Address) -> Address:
        """Return who is recorded as paid: where the wallet was erased, the reserve; what counts is the reference."""
        return wallet or self.identity.reserve

    async def _head(self) -> Block:
        return (await self.chain.snapshot([], [], [])).head

    async def _buried(self, block: Block) -> bool:
        """Wait until *block* is deep enough for a release, and say whether it is still in the chain then."""
        self.say(f"All of it holds in block {block.number}; waiting for {self.policy.release_confirmations} more.")
        while True:
            snapshot: ChainSnapshot = await self.chain.snapshot([], [], [block.number])
            if snapshot.head.number - block.number >= self.policy.release_confirmations:
                return snapshot.canonical.get(block.number) == block.block_hash
            await self.sleep(self.block_time_s)


async def not_stopped(ledger: Ledger) -> Sequence[str]:
    """Return why the way of payment must not be changed now: a round may bind, or something is on its way."""
    found = []
    if not (await ledger.admin.pause_state()).paused:
        found.append("The payouts are not paused: run `pause` first.")
    if await ledger.any_open():
        found.append("Transactions are open: wait until settlement has closed them.")
    return found


def wrong_with(
    facts: GuardFacts, identity: Identity, known: Sequence[Address], configured: Sequence[Address]
) -> Sequence[str]:
    """Return what is wrong with a guard and the keys around it, each as a sentence."""
    unable = [key for key in configured if key not in facts.hot_keys]
    checks = [
        (facts.token != identity.token, f"It pays token {facts.token}, TOKEN_ADDRESS is {identity.token}."),
        (
            facts.authority != identity.authority,
            f"It calls authority {facts.authority}, AUTHORITY_ADDRESS is {identity.authority}.",
        ),
        (facts.owner in known, f"Its owner {facts.owner} is a hot key: the owner could drain the reserve."),
        (facts.paused, "It is paused."),
        (bool(unable), f"It does not allow {', '.join(unable)}: let its owner `allow` that key."),
        (not facts.has_role, "The Authority does not let it pay: it has no role, or the Authority pays nobody now."),
        (
            bool(facts.bypassing),
            f"{', '.join(facts.bypassing)} can pay without it: revoke that role at the Authority.",
        ),
    ]
    return [sentence for wrong, sentence in checks if wrong]
