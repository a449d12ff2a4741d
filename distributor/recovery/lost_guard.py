"""
Whether the guard that the settings name is the one of a ledger that was lost with its identity.

1. The table is emptied. The setting names another guard than before: an older one, or one for a trial.
2. A rebuild writes it into the identity. It has not recorded what was paid, and the guard of before still can.
3. Whatever else goes wrong later, a reference that was paid through the one is paid once more through the other.

So the guard must be one, of this token and this Authority, and must have recorded each payment that was found. What it
has recorded besides was paid as well, and the rebuild writes it: nothing can be missing from linked records.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from distributor.chain_types import GuardPayment
from distributor.model import Address, Hash
from distributor.ports import Guard
from distributor.state import Identity


@dataclass(frozen=True, kw_only=True, slots=True)
class LostGuard:
    """Asks the chain about the guard of the settings. Raises ChainUnavailable: too few nodes answer, or disagree."""

    guard: Guard
    identity: Identity
    """As the settings have it."""
    former: Collection[Address]
    """Guards that a person has named as those of before."""

    accepted: str
    """Why a person takes it all the same; empty where nobody said so."""
    say: Callable[[str], None]

    async def check(self, paid: Sequence[Hash], block: int) -> str:
        """Return why it must not be taken for the ledger's guard; empty where it may, which is said."""
        trouble = await self._trouble(paid, block)
        if trouble and self.accepted:
            self.say(f"{trouble} Accepted: {self.accepted}.")
            return ""
        if not trouble and self.identity.guard is not None:
            self.say(f"Guard {self.identity.guard} has recorded all of the {len(paid)} payments that were found.")
        return trouble

    async def unknown(self, paid: Collection[Hash], block: int) -> Sequence[GuardPayment]:
        """Return what the guard has recorded up to *block* besides *paid*; nothing where none is set."""
        if self.identity.guard is None:
            return []
        links = await self.guard.agreed_past(self.identity.guard, 0, block=block)
        recorded = [payment for link in links for payment in link.payments]
        return [payment for payment in recorded if payment.ref_id not in paid]

    async def _trouble(self, paid: Sequence[Hash], block: int) -> str:
        """Return why it may not be the ledger's, as *block* shows it, where *paid* was found; empty when it is."""
        address = self.identity.guard
        if address is None:
            used = [each for each in sorted(self.former) if await self._has_recorded(each, paid, block)]
            named = ", ".join(used)
            said = f"Payments went through guard {named}, and GUARD_ADDRESS is not set: set it to the last of them."
            return said if used else ""
        facts = await self.guard.facts(address, [], [], block=block)
        if facts is None:
            return f"There is no guard at {address}: set GUARD_ADDRESS to that of before."
        if (facts.token, facts.authority) != (self.identity.token, self.identity.authority):
            return (
                f"The guard at {address} pays token {facts.token} through authority {facts.authority}, which are not "
                "those of the settings: set GUARD_ADDRESS to that of before."
            )
        missing = await self.guard.unrecorded(address, sorted(paid), block=block)
        if missing:
            return (
                f"The guard at {address} has not recorded {len(missing)} of {len(paid)} payments that were found, for "
                f"example {missing[0]}: set GUARD_ADDRESS to that of before."
            )
        return ""

    async def _has_recorded(self, guard: Address, paid: Sequence[Hash], block: int) -> bool:
        """Say whether *guard* knows any of *paid*; what is no contract any more knows nothing."""
        if await self.guard.facts(guard, [], [], block=block) is None:
            return False
        return len(await self.guard.unrecorded(guard, sorted(paid), block=block)) < len(paid)
