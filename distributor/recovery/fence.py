"""
The fence: nothing that was signed before may still be mined, once it is closed.

1. The ledger is lost while a signed payout waits in some pool.
2. The ledger is rebuilt from what is on the chain: the order is not there, so it counts as unpaid.
3. The shop sends it again, it is bound to a new nonce and paid; then the pool's payout is mined too.

So before anything is read, every nonce such a payout can have is spent on nothing, or the operator is seen
without a role and without a guard that allows it, and both are waited for until they are final. A payout
that wins the race for its nonce is on the chain then, and is found there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from distributor.chain_types import Call, ChainSnapshot, FeeQuote, PoolView, RevertKind, Simulation
from distributor.ledger.fence_rows import FenceRows
from distributor.ledger.signs import Signs
from distributor.model import Address, Attempt, AttemptKind, Fees, SubmitOutcome
from distributor.payout import fees, submission
from distributor.payout.history import last_final
from distributor.payout.lifecycle import CANCEL_GAS
from distributor.payout.preflight import UNSETTLED_MAX
from distributor.payout.submission import IN_POOL
from distributor.ports import Chain, Guard, Signer, UnsignedTransaction
from distributor.settings.chain import FeeSettings, SettlementSettings
from foundation.clock import Clock, Sleep
from foundation.errors import ConfigurationError, ServiceError
from foundation.sentences import sentence

FENCE_NONCES = IN_POOL + UNSETTLED_MAX
"""Besides as many as are ever mined and not final: a reorganisation gives those back to the pool."""
TURNS_MAX = 1_800
"""An hour of blocks; finality on Polygon takes seconds, and took a quarter of an hour on its worst day."""

_NO_ROLE = frozenset({RevertKind.ROLE_MISSING})
_NO_WAY = _NO_ROLE | {RevertKind.ALLOWANCE_SHORT}
"""What closes an Authority that was replaced: the reserve's allowance was taken from it, too."""
Say = Callable[[str], None]


class FenceOpen(ServiceError):
    """A transaction signed before the loss may still be mined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FencedLane:
    """One operator behind the fence."""

    operator: Address
    revoked: bool
    """It cannot pay any more, itself or through a guard, so nothing is sent."""
    first: int
    """The lowest count of its transactions in blocks that any node shows."""
    highest: int
    """The highest count that any node shows, and the ledger's own next nonce if that is higher."""

    @property
    def end(self) -> int:
        """The nonce that must be next before its lane is closed."""
        return self.first if self.revoked else self.highest + FENCE_NONCES


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """Closes the lanes of operators. Raises ChainUnavailable; begun again, it begins anew and harms nothing."""

    chain: Chain
    signs: Signs
    """The ledger's own next nonces: what it bound may be in a pool that nobody asks."""
    rows: FenceRows
    signers: Mapping[Address, Signer]
    guard: Guard
    guards: Collection[Address]
    """Through which an operator may pay without a role of its own: the guard of today, and those before it."""
    authorities: Collection[Address] | None
    """
    The Authorities before that of today: a call to one of them may wait in a pool, and may still pay.

    None where nobody knows which there were: then an operator whose key is here is never taken for closed.
    """
    chain_id: int
    limits: FeeSettings
    policy: SettlementSettings
    clock: Clock
    sleep: Sleep
    block_time_s: float
    say: Say

    async def lanes(self, operators: Sequence[Address]) -> Sequence[FencedLane]:
        """
        Return what closing would do, and do nothing.

        No bound is one node's word: one that lags shows a window that is spent already.

        Raises:
            FenceOpen: An operator may still pay, and its key is not here to cancel with.
        """
        views = await self.chain.pool_views(operators)
        bound = await self._bound()
        lanes = [await self._lane(operator, views, bound.get(operator, 0)) for operator in operators]
        for lane in lanes:
            if not lane.revoked and lane.operator not in self.signers:
                raise FenceOpen(
                    sentence(
                        "operator {operator} may still pay, and its key is not configured: revoke its role on the "
                        "authority and each before it, and `remove` it from each guard, or set OPERATOR_PK_RETIRING "
                        "or OPERATOR_KEY_ID_RETIRING to its key",
                        operator=lane.operator,
                    )
                )
        return lanes

    async def close(self, operators: Sequence[Address]) -> Mapping[Address, int]:
        """
        Return each operator's next nonce, once nothing signed before can be mined any more.

        The end is computed again when all is quiet: what a host bound while we began is in it then.

        Raises:
            FenceOpen: It did not come to that in an hour, or a key is missing.
        """
        lanes = await self.lanes(operators)
        for lane in lanes:
            self.say(_described(lane))
        signed = {lane.operator: dict(await self.rows.of(lane.operator)) for lane in lanes}
        mark: ChainSnapshot | None = None
        shown: set[SubmitOutcome] = set()
        for _ in range(TURNS_MAX):
            lanes = await self._raised(lanes)
            snapshot = await self.chain.snapshot(operators, [], [mark.head.number] if mark else [])
            quiet = await self._push(lanes, snapshot, signed, shown)
            mark = (mark if mark and _still_stands(mark, snapshot) else snapshot) if quiet else None
            if mark and _is_final(mark, last_final(snapshot, self.policy)):
                return mark.nonces
            await self.sleep(self.block_time_s)
        raise FenceOpen(
            sentence(
                "the nonces are not finally spent yet; run the same command again. "
                "Where one node lags for good, take it out of RPC_URL first"
            )
        )

    async def _bound(self) -> Mapping[Address, int]:
        """Return the ledger's own next nonces; none where it is lost with its table, which only a dry run meets."""
        try:
            return await self.signs.next_nonces()
        except ConfigurationError:
            return {}

    async def _lane(self, operator: Address, views: Sequence[PoolView], bound: int) -> FencedLane:
        counts = [view.counts[operator].latest for view in views]
        revoked = await self._is_revoked(operator)
        return FencedLane(operator=operator, revoked=revoked, first=min(counts), highest=max(bound, *counts))

    async def _raised(self, lanes: Sequence[FencedLane]) -> Sequence[FencedLane]:
        """Return the lanes with their ends raised to what the ledger has bound since."""
        bound = await self._bound()
        return [replace(lane, highest=max(lane.highest, bound.get(lane.operator, 0))) for lane in lanes]

    async def _push(
        self,
        lanes: Sequence[FencedLane],
        snapshot: ChainSnapshot,
        signed: Mapping[Address, dict[int, Attempt]],
        shown: set[SubmitOutcome],
    ) -> bool:
        """
        Hand over the cancellations of nonces that are not spent; True when there is none, and no role came back.

        Every node's own next ones, as many as its pool takes. What the nodes say to them is logged once.
        """
        views = await self.chain.pool_views([lane.operator for lane in lanes])
        attempts: list[Attempt] = []
        quiet = True
        for lane in lanes:
            if lane.revoked:
                quiet = quiet and await self._is_revoked(lane.operator)
                continue
            left = _unspent(lane, views, snapshot)
            attempts += await self._cancellations(lane.operator, left, snapshot.market, signed[lane.operator])
            quiet = quiet and not left and _is_drained(lane, views)
        for said in await self.chain.submit([attempt.raw for attempt in attempts]):
            if said.outcome not in shown:
                shown.add(said.outcome)
                self.say(f"Cancelling: {said.outcome} {said.detail}".rstrip())
        return quiet

    async def _cancellations(
        self, operator: Address, nonces: Sequence[int], market: FeeQuote, signed: dict[int, Attempt]
    ) -> Sequence[Attempt]:
        """Return the cancellations of *nonces*; what is signed anew is in the ledger before it is returned."""
        price = fees.highest(market, self.limits)  # a rival so close to it that it is not replaced is mined, and found
        missing = [nonce for nonce in nonces if nonce not in signed or signed[nonce].fees != price]
        fresh = [await self._signed(operator, nonce, price) for nonce in missing]
        if fresh:
            await self.rows.keep(fresh)
        signed |= {attempt.nonce: attempt for attempt in fresh}
        return [signed[nonce] for nonce in nonces]

    async def _signed(self, operator: Address, nonce: int, price: Fees) -> Attempt:
        """Sign a transfer of nothing to the operator itself."""
        unsigned = UnsignedTransaction(
            chain_id=self.chain_id,
            nonce=nonce,
            call=Call(to=operator, data=b""),
            gas_limit=CANCEL_GAS,
            fees=price,
        )
        return await submission.sign_attempt(
            self.signers[operator], unsigned, self.clock(), kind=AttemptKind.CANCEL, index=0
        )

    async def _is_revoked(self, operator: Address) -> bool:
        """Say whether it can pay no more: no role at the Authority, no way by one before it, and no guard allows it."""
        if self.authorities is None and operator in self.signers:
            return False
        probe = self.chain.probe(operator)
        formers = [replace(probe, to=each) for each in sorted(self.authorities or ())]
        today, *before = await self.chain.simulate(operator, [probe, *formers])
        closed = _refuses(today, _NO_ROLE) and all(_refuses(each, _NO_WAY) for each in before)
        return closed and not await self._is_allowed(operator)

    async def _is_allowed(self, operator: Address) -> bool:
        """Say whether a guard lets it pay, by the last final block: a removal that may be undone does not count."""
        if not self.guards:
            return False
        block = last_final(await self.chain.snapshot([], [], []), self.policy)
        if block is None:
            return True  # nothing says that it is not
        facts = [await self.guard.facts(each, [operator], [], block=block) for each in sorted(self.guards)]
        return any(operator in each.hot_keys for each in facts if each is not None)


def _refuses(tried: Simulation, kinds: Collection[RevertKind]) -> bool:
    """Say whether a contract refuses a payment in a way that lasts until a person changes it."""
    return tried.revert is not None and tried.revert.kind in kinds


def _unspent(lane: FencedLane, views: Sequence[PoolView], snapshot: ChainSnapshot) -> Sequence[int]:
    """Return the nonces to cancel now: of every node those that its pool would take next."""
    counts = {snapshot.nonces[lane.operator], *(view.counts[lane.operator].latest for view in views)}
    return sorted({nonce for count in counts for nonce in range(count, min(count + IN_POOL, lane.end))})


def _is_drained(lane: FencedLane, views: Sequence[PoolView]) -> bool:
    """Say whether no node that answers has anything of this operator in its pool."""
    return all(counts.latest == counts.pending for counts in (view.counts[lane.operator] for view in views))


def _still_stands(mark: ChainSnapshot, snapshot: ChainSnapshot) -> bool:
    """Say whether what was quiet at *mark* still is: its block in the chain, and no nonce spent since."""
    there = snapshot.canonical.get(mark.head.number) == mark.head.block_hash
    return there and snapshot.nonces == mark.nonces


def _is_final(mark: ChainSnapshot, final: int | None) -> bool:
    return final is not None and mark.head.number <= final


def _described(lane: FencedLane) -> str:
    if lane.revoked:
        return f"Fence: {lane.operator} has no role, nothing is sent; waiting until that is final."
    return f"Fence: {lane.operator} spends the nonces {lane.first} to {lane.end - 1} on nothing, until that is final."
