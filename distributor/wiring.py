"""
Composition root: the only place that reads the clock and the environment, and that knows every use case.

One container for each running event loop, because clients live as long as the loop they were made
on. Imports are lazy, so that the webhook never loads web3.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from distributor.payout_wiring import PayoutWiring
from distributor.resources import Resources
from distributor.settings.chain import ContractSettings
from distributor.settings.operations import RetentionSettings
from distributor.settings.shops import RateLimitSettings, WebhookSettings, WooCommerceSettings
from distributor.settings.use_cases import IntakeSettings, StatusSettings
from distributor.state import Identity
from foundation import logs
from foundation.clock import Clock, system_clock
from foundation.lazy import built_once
from foundation.per_loop import PerLoop

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

    from distributor.call_backs.sender import CallBackTurn
    from distributor.ledger import Ledger
    from distributor.metrics import Metrics
    from distributor.order_list import OrderList
    from distributor.payout.facts import AlarmSweep, StandIn
    from distributor.payout.order_indexing import OrderIndexing
    from distributor.payout.sweep import Sweep
    from distributor.ports import Alarms
    from distributor.readiness import Readiness
    from distributor.recovery.backup import LedgerBackup
    from distributor.recovery.retention import RetentionPass
    from distributor.shop_reading import ShopReading
    from distributor.status import Status
    from distributor.webhook.authentication import Authentication
    from distributor.webhook.intake import Intake
    from distributor.webhook.rate_limiter import RateLimiter
    from distributor.webhook.waking import Waker
    from distributor.webhook.woocommerce_intake import WooCommerceIntake

_OURS = ("distributor", "foundation")
_LOUD = ("azure", "web3", "urllib3")


def quieten_and_mask(environ: Mapping[str, str]) -> None:
    """Let only this service speak below WARNING, and mask personal data there; a wrong value means INFO and 0."""
    logs.quieten(environ, ours=_OURS, loud=_LOUD)
    logs.show_personal_data(shown=environ.get("LOG_PERSONAL_DATA", "").strip().lower() in ("1", "true"))


class Container:
    """
    Every use case, built at its first use; those that move money are its *payouts*.

    Each raises ConfigurationError with all that is wrong for it, and tries again at the next call;
    readiness and alarms are always there. *transport* replaces the connection to the vault, for tests.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        clock: Clock,
        transport: AsyncHttpTransport[Any, Any] | None = None,
    ) -> None:
        self.clock, self._environ = clock, environ
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.parts = Resources(environ, clock=clock, transport=transport)
        self.payouts = PayoutWiring(self.parts, clock=clock, holder=self._holder)
        self._waker: Waker | None = None

    async def aclose(self) -> None:
        """Close every client that was opened."""
        await self.parts.aclose()

    async def wake_distribution(self) -> None:
        """Say that orders wait; that it could not be said is in the log alone."""
        from distributor.webhook.waking import Waker

        if self._waker is None:
            self._waker = Waker(self.parts.queues)
        await self._waker.wake()

    async def ledger(self) -> Ledger:
        return await self.parts.ledger()

    async def alarms(self) -> Alarms:
        return await self.parts.alarms()

    def platform_signs_in(self) -> bool:
        """Say whether the platform tells who signed in: what it tells is not read otherwise."""
        from foundation.console.entra import platform_signs_in

        return platform_signs_in(self._environ)

    @built_once
    async def rate_limiter(self) -> RateLimiter:
        from distributor.webhook.rate_limiter import RateLimiter

        settings = await self.parts.settings(RateLimitSettings)
        return RateLimiter(
            counters=await self.parts.counters(),
            per_address=settings.rate_per_address,
            per_source=settings.rate_per_source,
            trusted_proxies=settings.trusted_proxies,
            clock=self.clock,
        )

    @built_once
    async def authentication(self) -> Authentication:
        from distributor.webhook.authentication import Authentication
        from distributor.webhook.refusal_lines import RefusalLines

        settings = await self.parts.settings(WebhookSettings)
        keyring = await self.parts.keyring()
        return Authentication(
            rate_limiter=await self.rate_limiter(),
            keys=keyring.keys,
            closes_a_shop=keyring.closes_a_shop,
            clock=self.clock,
            refusal_lines=RefusalLines(self.clock),
            require_timestamp=settings.require_timestamp,
        )

    @built_once
    async def shop_reading(self) -> ShopReading:
        from distributor.shop_reading import ShopReading

        return ShopReading(
            ledger=await self.parts.ledger(),
            authentication=await self.authentication(),
            fingerprints=await self.parts.fingerprints(),
            status=await self.status(),
        )

    @built_once
    async def intake(self) -> Intake:
        from distributor.webhook.intake import Intake

        settings = await self.parts.settings(IntakeSettings)
        return Intake(
            ledger=await self.parts.ledger(),
            authentication=await self.authentication(),
            payment_rules=settings.contracts,
            fingerprints=await self.parts.fingerprints(),
            alarms=await self.parts.alarms(),
            clock=self.clock,
            caps=settings.caps.caps,
            own_addresses=(await self.parts.ledger()).own_addresses.all,
        )

    @built_once
    async def woocommerce(self) -> WooCommerceIntake:
        from distributor.webhook.woocommerce import amount_of
        from distributor.webhook.woocommerce_intake import WooCommerceIntake

        rules = await self.parts.settings(WooCommerceSettings)
        amount_of(rules)  # a shop that says no amount gets no intake, instead of one that refuses each order
        return WooCommerceIntake(intake=await self.intake(), rules=rules, alarms=await self.parts.alarms())

    @built_once
    async def status(self) -> Status:
        from distributor.status import Status

        settings = await self.parts.settings(StatusSettings)
        return Status(
            ledger=await self.parts.ledger(), register=await self.parts.register(), decimals=settings.decimals
        )

    @built_once
    async def sweep(self) -> Sweep:
        from distributor.payout.sweep import Sweep

        return Sweep(ledger=await self.parts.ledger(), clock=self.clock)

    @built_once
    async def call_backs(self) -> CallBackTurn:
        from distributor.call_back_wiring import turn_of

        return await turn_of(self.parts, clock=self.clock, holder=self._holder)

    @built_once
    async def order_indexing(self) -> OrderIndexing:
        from distributor.payout.order_indexing import OrderIndexing

        return OrderIndexing(ledger=await self.parts.ledger())

    @built_once
    async def retention(self) -> RetentionPass:
        from distributor.recovery.retention import RetentionPass

        tables, days = await self.parts.tables(), (await self.parts.settings(RetentionSettings)).retention_days
        return RetentionPass(rows=tables.rows, audit=tables.audit_rows, clock=self.clock, days=days)

    @built_once
    async def order_list(self) -> OrderList:
        from distributor.order_list import OrderList

        settings = await self.parts.settings(StatusSettings)
        return OrderList(ledger=await self.parts.ledger(), decimals=settings.decimals)

    async def alarm_sweep(self) -> AlarmSweep:
        """Return the use case that sends alarms; built each time, so that a wrongly set target is not kept."""
        from distributor.payout.facts import AlarmSweep
        from foundation.alarms.notifier import Notifier

        return AlarmSweep(
            ledger=await self.parts.ledger(),
            notifier=Notifier(
                register=await self.parts.register(), targets=await self.parts.targets(), holder=self._holder
            ),
            queues=await self.parts.queues(),
            clock=self.clock,
            ages=await self.parts.ages(),
            clock_ahead_ms=lambda: self.parts.service_clock.ahead_ms,
        )

    @built_once
    async def stand_in(self) -> StandIn:
        from distributor.payout.facts import StandIn

        return StandIn(clock=self.clock, alarm_sweep=self.alarm_sweep)

    @built_once
    async def metrics(self) -> Metrics:
        from distributor.metrics import Metrics

        settings = await self.parts.settings(StatusSettings)
        return Metrics(
            ledger=await self.parts.ledger(),
            register=await self.parts.register(),
            clock=self.clock,
            chain_id=settings.storage.chain_id,
            decimals=settings.decimals,
        )

    async def ledger_backup(self) -> LedgerBackup:
        """Return the backup of each day."""
        from distributor.recovery.backup import LedgerBackup

        tables = await self.parts.tables()
        return LedgerBackup(
            ledger=await self.parts.ledger(),
            rows=tables.rows,
            trail=tables.audit_rows,
            open_store=self.parts.backups,
            clock=self.clock,
        )

    async def heartbeat(self) -> None:
        """Say that a whole sweep is through. Raises ConfigurationError, StoreUnavailable."""
        heartbeat = await self.parts.heartbeat()
        await heartbeat.beat(await self.parts.register())

    @built_once
    async def readiness(self) -> Readiness:
        from distributor.readiness import Readiness

        return Readiness(
            wrong_settings=self.parts.wrong_settings,
            identity=self._expected_identity,
            ledger=self.parts.ledger,
            nodes=self.parts.quick_rpc,
            queues=self.parts.queues,
            register=self.parts.register,
            clock=self.clock,
        )

    async def _expected_identity(self) -> Identity:
        return (await self.parts.settings(ContractSettings)).identity


def _start() -> Container:
    quieten_and_mask(os.environ)
    return Container(os.environ, clock=system_clock)


_containers = PerLoop(_start)
container = _containers.get
"""Return the container of the running event loop; made at the first call."""
aclose = _containers.aclose
"""Close the container of the running event loop, if there is one."""
