"""
The fence: nothing that was signed before may still be mined, once it is closed.

1. The ledger is lost while a signed payout waits in some pool.
2. The ledger is rebuilt from what is on the chain: the order is not there, so it counts as unpaid.
3. The shop sends it again, it is bound to a new nonce and paid; then the pool's payout is mined too.

So before anything is read, every nonce such a payout can have is spent on nothing, or the operator's
role is seen revoked, and both are waited for until they are final. A payout that wins the race for
its nonce is on the chain then, and is found there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from distributor.model import Address, Fees, SubmitOutcome
from distributor.payout.fees import FeeLimits
from distributor.payout.history import Pools, last_final
from distributor.payout.lifecycle import CANCEL_GAS, Policy
from distributor.ports import Chain, Signer, Unsigned
from distributor.sightings import Call, Market, Observation, RevertKind
from foundation.clock import Sleep
from foundation.errors import ServiceError

FENCE_NONCES = 16
"""As many transactions as an operator ever has in flight."""
TURNS_MAX = 1_800
"""An hour of blocks; finality on Polygon takes seconds, and took a quarter of an hour on its worst day."""

Say = Callable[[str], None]


class FenceOpen(ServiceError):
    """A transaction signed before the loss may still be mined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """One operator behind the fence."""

    operator: Address
    revoked: bool
    """It cannot pay any more, so nothing is sent."""
    first: int
    """Its next nonce on the chain when the fence was begun."""

    @property
    def end(self) -> int:
        """The nonce that must be next before its lane is closed."""
        return self.first if self.revoked else self.first + FENCE_NONCES


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """Closes the lanes of operators. Raises ChainUnavailable; begun again, it begins anew and harms nothing."""

    chain: Chain
    pools: Pools
    signers: Mapping[Address, Signer]
    chain_id: int
    limits: FeeLimits
    policy: Policy
    sleep: Sleep
    block_time_s: float
    say: Say

    async def lanes(self, operators: Sequence[Address]) -> Sequence[Lane]:
        """
        Return what closing would do, and do nothing.

        Raises:
            FenceOpen: An operator may still pay, and its key is not here to cancel with.
        """
        seen = await self.chain.observe(operators, [], [])
        lanes = [
            Lane(operator=operator, revoked=await self._is_revoked(operator), first=seen.nonces[operator])
            for operator in operators
        ]
        for lane in lanes:
            if not lane.revoked and lane.operator not in self.signers:
                raise FenceOpen(
                    f"operator {lane.operator} may still pay, and its key is not configured: revoke its role on the "
                    "authority, or set OPERATOR_PK_RETIRING or OPERATOR_KEY_ID_RETIRING to its key"
                )
        return lanes

    async def close(self, operators: Sequence[Address]) -> Mapping[Address, int]:
        """
        Return each operator's next nonce, once nothing signed before can be mined any more.

        Raises:
            FenceOpen: It did not come to that in an hour, or a key is missing.
        """
        lanes = await self.lanes(operators)
        for lane in lanes:
            self.say(_described(lane))
        mark: Observation | None = None
        told: set[SubmitOutcome] = set()
        for _ in range(TURNS_MAX):
            seen = await self.chain.observe(operators, [], [mark.head.number] if mark else [])
            quiet = await self._push(lanes, seen, told) and await self._is_drained(lanes)
            mark = (mark if mark and _still_stands(mark, seen) else seen) if quiet else None
            if mark and _is_final(mark, last_final(seen, self.policy)):
                return mark.nonces
            await self.sleep(self.block_time_s)
        raise FenceOpen("the nonces are not finally spent yet; run the same command again")

    async def _push(self, lanes: Sequence[Lane], seen: Observation, told: set[SubmitOutcome]) -> bool:
        """
        Hand over the cancellations of nonces that are not spent; True when there is none, and no role came back.

        What the nodes say to them is *told* once.
        """
        raws = []
        quiet = True
        for lane in lanes:
            if lane.revoked:
                quiet = quiet and await self._is_revoked(lane.operator)
                continue
            left = range(seen.nonces[lane.operator], lane.end)
            raws += [await self._cancellation(lane.operator, nonce, seen.market) for nonce in left]
        for said in await self.chain.submit(raws):
            if said.outcome not in told:
                told.add(said.outcome)
                self.say(f"Cancelling: {said.outcome} {said.detail}".rstrip())
        return quiet and not raws

    async def _cancellation(self, operator: Address, nonce: int, market: Market) -> bytes:
        """
        Return a transfer of nothing to the operator itself, at the highest price allowed.

        What waits in the pool was priced under the same ceilings; a rival so close to them that this
        does not replace it is mined itself, and found on the chain.
        """
        dynamic = market.base_fee_wei is not None
        tip_wei = self.limits.max_tip_wei if dynamic else self.limits.max_fee_wei
        fees = Fees(max_fee_wei=self.limits.max_fee_wei, tip_wei=tip_wei, dynamic=dynamic)
        call = Call(to=operator, data=b"")
        unsigned = Unsigned(chain_id=self.chain_id, nonce=nonce, call=call, gas_limit=CANCEL_GAS, fees=fees)
        return (await self.signers[operator].sign(unsigned)).raw

    async def _is_revoked(self, operator: Address) -> bool:
        (tried,) = await self.chain.simulate(operator, [self.chain.probe(operator)])
        return tried.revert is not None and tried.revert.kind is RevertKind.ROLE_MISSING

    async def _is_drained(self, lanes: Sequence[Lane]) -> bool:
        """Say whether no node that answers has anything of these operators in its pool."""
        for lane in lanes:
            counts = [] if lane.revoked else await self.pools.nonces(lane.operator)
            if not lane.revoked and (not counts or any(latest != pending for latest, pending in counts)):
                return False
        return True


def _still_stands(mark: Observation, seen: Observation) -> bool:
    """Say whether what was quiet at *mark* still is: its block in the chain, and no nonce spent since."""
    there = seen.canonical.get(mark.head.number) == mark.head.block_hash
    return there and seen.nonces == mark.nonces


def _is_final(mark: Observation, final: int | None) -> bool:
    return final is not None and mark.head.number <= final


def _described(lane: Lane) -> str:
    if lane.revoked:
        return f"Fence: {lane.operator} has no role, nothing is sent; waiting until that is final."
    return f"Fence: {lane.operator} spends the nonces {lane.first} to {lane.end - 1} on nothing, until that is final."
