"""
The use cases that move money, built at their first use: distribution, settlement and the balance monitor.

The container has one of these. They share a ledger, the nodes, the alarms and the operators' keys.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from distributor.settings.use_cases import DistributionSettings, MonitorSettings, PayoutSettings
from foundation.lazy import built_once

if TYPE_CHECKING:
    from distributor.payout.distribution import Distribution
    from distributor.payout.settlement import Settlement
    from distributor.payout.shop_registration import ShopRegistration
    from distributor.payout.sweep import BalanceMonitor
    from distributor.resources import Resources
    from foundation.clock import Clock


class PayoutWiring:
    """
    Build them of *resources*; *holder* is this process's name in leases.

    Each raises ConfigurationError with all that is wrong for it, and tries again at the next call.
    """

    def __init__(self, resources: Resources, *, clock: Clock, holder: str) -> None:
        self._resources, self._clock, self._holder = resources, clock, holder

    @built_once
    async def distribution(self) -> Distribution:
        from distributor.payout.distribution import Distribution
        from distributor.payout.lane import OperatorLane
        from distributor.payout.preflight import DistributionConfig

        settings = await self._resources.settings(DistributionSettings)
        payout = settings.payout
        signers = await self._resources.operator_keys.lanes(payout.signing)
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
            configured=frozenset(await self._resources.operator_keys.signers(payout.signing)),
        )
        return Distribution(
            ledger=ledger,
            alarms=alarms,
            clock=self._clock,
            lanes=[lane(signer=signer, name=name) for name, signer in signers.items()],
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
            signers=await self._resources.operator_keys.signers(settings.signing),
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
