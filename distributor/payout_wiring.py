"""
The use cases that move money, built at their first use: distribution, settlement and the balance monitor.

The container has one of these. They share a ledger, the nodes, the alarms and the operators' keys.

A lane whose key cannot be had (a wrong setting, a vault that does not answer) has its alarm, and the others pay.
It is asked for again once a minute; when it is there, all of this is built anew, over the same ledger and leases.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from distributor.settings.chain import SigningSettings
from distributor.settings.lanes import is_of_a_lane
from distributor.settings.use_cases import DistributionSettings, MonitorSettings, PayoutSettings
from foundation.clock import Clock, UnixMs, elapsed_ms
from foundation.errors import ConfigurationError
from foundation.lazy import built_once

if TYPE_CHECKING:
    from distributor.model import Address
    from distributor.payout.distribution import Distribution
    from distributor.payout.settlement import Settlement
    from distributor.payout.shop_registration import ShopRegistration
    from distributor.payout.sweep import BalanceMonitor
    from distributor.ports import Signer
    from distributor.resources import Resources
    from distributor.signing.operator_keys import LaneKey, UsableLanes

AGAIN_MS = 60_000
"""How long a lane whose key could not be had is left alone."""


class _Looked(NamedTuple):
    """What is built, which lanes were out then, and when they were asked for."""

    payouts: LanePayouts
    out: bool
    at_ms: UnixMs


class PayoutWiring:
    """
    Build them of *resources*; *holder* is this process's name in leases.

    Each raises ConfigurationError with all that is wrong for it, and tries again at the next call.
    """

    def __init__(self, resources: Resources, *, clock: Clock, holder: str) -> None:
        self._resources, self._clock, self._holder = resources, clock, holder
        self._looked: _Looked | None = None
        self._looking = asyncio.Lock()

    async def distribution(self) -> Distribution:
        return await (await self._payouts()).distribution()

    async def settlement(self) -> Settlement:
        return await (await self._payouts()).settlement()

    async def balance_monitor(self) -> BalanceMonitor:
        return await (await self._payouts()).balance_monitor()

    async def _payouts(self) -> LanePayouts:
        """Return what is built of the lanes whose keys can be had. Raises ConfigurationError where there is none."""
        async with self._looking:
            if self._looked is None or self._is_due(self._looked):
                self._looked = await self._look(self._looked)
            return self._looked.payouts

    def _is_due(self, looked: _Looked) -> bool:
        return looked.out and not 0 <= elapsed_ms(looked.at_ms, self._clock()) < AGAIN_MS

    async def _look(self, before: _Looked | None) -> _Looked:
        payout = (await self._resources.settings(DistributionSettings)).payout
        usable = await self._resources.operator_keys.usable(payout.signing)
        wrong = {each.setting: str(each) for each in await self._resources.resolved.problems(SigningSettings)}
        out = {**usable.out, **{name: why for name, why in wrong.items() if is_of_a_lane(name)}}
        if out:
            _check_others(payout, usable, out)
            await self._say(out)
        same = before is not None and before.payouts.lanes.keys() == usable.keys.keys()
        payouts = before.payouts if before and same else self._built(usable.keys)
        return _Looked(payouts, bool(out), self._clock())

    async def _say(self, out: Mapping[str, str]) -> None:
        """Raise an alarm for each lane that takes no orders, by the setting of its key."""
        from distributor.payout.alarms import lane_out

        alarms = await self._resources.alarms()
        for setting, why in out.items():
            await alarms.raise_(lane_out(setting, why))

    def _built(self, lanes: Mapping[str, LaneKey]) -> LanePayouts:
        return LanePayouts(self._resources, lanes, clock=self._clock, holder=self._holder)


class LanePayouts:
    """They are built of *lanes*, the operators whose keys can be had, by the names of their lanes."""

    def __init__(self, resources: Resources, lanes: Mapping[str, LaneKey], *, clock: Clock, holder: str) -> None:
        self._resources, self.lanes, self._clock, self._holder = resources, lanes, clock, holder

    async def _signers(self, settings: SigningSettings) -> Mapping[Address, Signer]:
        """Return every operator that can sign: of each lane, and the retiring one."""
        retiring = await self._resources.operator_keys.retiring(settings)
        return {each.address: each for each in (*(key.signer for key in self.lanes.values()), *retiring)}

    @built_once
    async def distribution(self) -> Distribution:
        from distributor.payout.distribution import Distribution
        from distributor.payout.lane import OperatorLane
        from distributor.payout.preflight import DistributionConfig

        settings = await self._resources.settings(DistributionSettings)
        payout = settings.payout
        ledger, alarms = await self._resources.ledger(), await self._resources.alarms()
        lane = partial(
            OperatorLane,
            ledger=ledger,
            chain=await self._resources.chain(),
            alarms=alarms,
            clock=self._clock,
            config=DistributionConfig(
                identity=payout.contracts.identity,
                limits=payout.fees,
                max_in_flight=payout.lane.max_in_flight,
                orders_per_transaction=payout.lane.max_orders_per_transaction,
                caps=settings.caps.caps,
                decimals=payout.contracts.decimals,
            ),
            guard_way=await self._resources.guard_way(payout),
            registration=await self._shop_registration(),
            configured=frozenset(await self._signers(payout.signing)),
        )
        return Distribution(
            ledger=ledger,
            alarms=alarms,
            clock=self._clock,
            lanes=[lane(signer=key.signer, name=name, setting=key.setting) for name, key in self.lanes.items()],
            holder=self._holder,
        )

    async def _shop_registration(self) -> ShopRegistration:
        from distributor.payout.shop_registration import ShopRegistration

        return ShopRegistration(
            ledger=await self._resources.ledger(),
            fingerprints=await self._resources.fingerprints(),
            secrets=self._resources.shop_secrets,
        )

    @built_once
    async def settlement(self) -> Settlement:
        from distributor.payout.guard_settling import GuardSettling
        from distributor.payout.settlement import Settlement
        from distributor.payout.steps import StepExecutor

        settings = await self._resources.settings(PayoutSettings)
        distribution, chain = await self.distribution(), await self._resources.chain()
        steps = StepExecutor(
            ledger=distribution.ledger,
            chain=chain,
            signers=await self._signers(settings.signing),
            alarms=distribution.alarms,
            clock=self._clock,
            identity=settings.contracts.identity,
            policy=settings.settlement,
            guard_settling=GuardSettling(
                ledger=distribution.ledger,
                guard=await self._resources.guard(),
                alarms=distribution.alarms,
                reserve=settings.contracts.reserve,
            ),
        )
        return Settlement(
            ledger=distribution.ledger,
            chain=chain,
            steps=steps,
            distribution=distribution,
            clock=self._clock,
            sleep=(await self._resources.new_heads()).pause,
            limits=settings.fees,
            block_time_s=settings.lane.block_time_s,
            holder=self._holder,
        )

    @built_once
    async def balance_monitor(self) -> BalanceMonitor:
        from distributor.payout.recheck import Recheck
        from distributor.payout.sweep import BalanceMonitor
        from distributor.payout.would_pay import SomeLanePays

        settings = await self._resources.settings(MonitorSettings)
        payout = settings.payout
        ledger, chain = await self._resources.ledger(), await self._resources.chain()
        alarms, distribution = await self._resources.alarms(), await self.distribution()
        return BalanceMonitor(
            ledger=ledger,
            chain=chain,
            alarms=alarms,
            clock=self._clock,
            obstacle=SomeLanePays(distribution).obstacle,
            heads=await self._resources.rpc(),
            recheck=Recheck(
                ledger=ledger,
                chain=chain,
                alarms=alarms,
                identity=payout.contracts.identity,
                policy=payout.settlement,
            ),
            registration=await self._shop_registration(),
            operator=distribution.lane.operator,
            others=[lane.operator for lane in distribution.lanes[1:]],
            thresholds=settings.thresholds,
            limits=payout.fees,
        )


def _check_others(payout: PayoutSettings, usable: UsableLanes, out: Mapping[str, str]) -> None:
    """
    Let the other lanes pay only where nothing that the missing ones paid can be paid again: behind the guard.

    Without one, a ledger that went back to before an operator was added knows nothing of it, and its address comes
    with its key, so that no node can be asked what it has sent.

    Raises:
        ConfigurationError: No lane is left, or there is no guard.
    """
    if not usable.keys or payout.contracts.guard is None:
        raise ConfigurationError("; ".join(out.values()), sentences=list(out.values()))
