"""
The parts that use cases share: settings, storage, nodes, alarms.

A part is built at its first use, under a lock of its own, and a failure is not kept: once the
setting is right, the next call works. Imports are lazy, so that the webhook never loads web3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from distributor.settings import ALL
from distributor.settings.chain import NodeSettings
from distributor.settings.operations import BackupSettings, StorageSettings
from distributor.settings.shop_secrets import SecretName, is_secret, secret_name
from distributor.settings.shops import RateLimitSettings, WebhookSettings
from distributor.settings.use_cases import AgeSettings, ChainSettings, PayoutSettings
from foundation.alarms.settings import AlarmSettings
from foundation.clock import Clock
from foundation.errors import ConfigurationError
from foundation.lazy import built_once
from foundation.per_loop import Closable
from foundation.secrets.key_vault import KeyVaultSecrets
from foundation.secrets.settings import ResolvedSettings
from foundation.secrets.sign_in import azure_credential
from foundation.settings.groups import SettingsGroup
from foundation.settings.reading import read_group, secrets_of
from foundation.tablestore.service_clock import ServiceClock

if TYPE_CHECKING:
    from azure.core.pipeline.transport import AsyncHttpTransport

    from distributor.chain.guard_chain import GuardContract
    from distributor.chain.history import ChainHistory
    from distributor.chain.new_heads import NewHeads
    from distributor.chain.polygon import Polygon
    from distributor.chain.rpc import Rpc
    from distributor.ledger import Ledger
    from distributor.ledger.secret_fingerprints import SecretFingerprints
    from distributor.payout.guard_way import GuardWay
    from distributor.ports import Alarms, Counters
    from distributor.recovery.purging import PurgeReport, Purging
    from distributor.signing.operator_keys import OperatorKeys
    from distributor.webhook.keyring import Keyring
    from foundation.alarms.heartbeat import Heartbeat
    from foundation.alarms.notifier import Target
    from foundation.alarms.register import Register
    from foundation.blobs import Blobs
    from foundation.purge_journal import PurgeJournal
    from foundation.queues import StorageQueues
    from foundation.tablestore.azure_tables import Tables

G = TypeVar("G", bound=SettingsGroup)
C = TypeVar("C", bound=Closable)

_HOST_STORAGE = "AzureWebJobsStorage"
BACKUPS = "backups"
"""The container; both apps may share it, each under its own name."""

_TITLE = "BALLX payouts"
_QUICK_S = 1.0
"""A node that answers later does not count for ``/ready``: two calls to each, and an answer within three seconds."""


class Resources:
    """
    What the use cases are built of, shared among them.

    Args:
        environ: The settings; read anew at each build.
        clock: The time.
        transport: Replaces the connection to the vault, for tests; None: the clients' own.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        clock: Clock,
        transport: AsyncHttpTransport[Any, Any] | None = None,
    ) -> None:
        self._environ, self._clock, self._transport = environ, clock, transport
        self._open = AsyncExitStack()
        self._secrets = KeyVaultSecrets(environ, sign_in=azure_credential, clock=clock, transport=transport)
        self._open.push_async_callback(self._secrets.aclose)
        self.resolved = ResolvedSettings(environ, self._secrets)
        self.service_clock = ServiceClock(clock)

    async def aclose(self) -> None:
        """Close every client that was opened, the last first."""
        await self._open.aclose()

    def _opened(self, client: C) -> C:
        """Return *client*, which is closed with this, before those that were opened earlier."""
        self._open.push_async_callback(client.aclose)
        return client

    async def settings(self, group: type[G]) -> G:
        """Return the settings of *group*, its secrets resolved. Raises ConfigurationError with all that is wrong."""
        return await self.resolved.read(group)

    async def wrong_settings(self) -> Sequence[str]:
        """Return the names of the settings that some use case misses or cannot read, secrets among them."""
        return await self.resolved.wrong(ALL)

    async def guard_way(self, settings: PayoutSettings) -> GuardWay | None:
        """Return the guard that orders are paid through; None where GUARD_ADDRESS is not set."""
        from distributor.payout.adoption import Adoption
        from distributor.payout.guard_way import GuardWay

        address = settings.contracts.guard
        if address is None:
            return None
        ledger, guard = await self.ledger(), await self.guard()
        alarms, policy = await self.alarms(), settings.settlement
        adoption = Adoption(ledger=ledger, guard=guard, alarms=alarms, policy=policy)
        return GuardWay(guard=guard, address=address, ledger=ledger, adoption=adoption)

    @cached_property
    def operator_keys(self) -> OperatorKeys:
        """The operators whose keys are configured."""
        from distributor.signing.operator_keys import OperatorKeys

        return self._opened(OperatorKeys(transport=self._transport))

    @built_once
    async def tables(self) -> Tables:
        """Return the storage, whether or not its tables exist."""
        from foundation.tablestore.azure_tables import connect_tables

        settings = await self.settings(StorageSettings)
        account = await self.resolved.account(settings.ledger_connection)
        tables = connect_tables(
            account,
            partition=str(settings.chain_id),
            table=settings.ledger_table,
            audit_table=settings.audit_table,
            service_clock=self.service_clock,
        )
        return self._opened(tables)

    @built_once
    async def queues(self) -> StorageQueues:
        """Return the queues of wake-ups, in the account of the Functions host."""
        from foundation.queues import connect_queues

        account = await self.resolved.account(_HOST_STORAGE)
        tables = None if account.connection_string else await self.tables()
        return self._opened(connect_queues(account, tables.credential if tables else None))

    @built_once
    async def backups(self) -> Blobs:
        """Return where copies of the ledger are kept. Raises ConfigurationError if it is the ledger's own account."""
        return await self._outside(BACKUPS)

    @built_once
    async def purge_journal(self) -> PurgeJournal:
        """Return the journal of erasures, beside the backups. Raises as ``backups``."""
        from foundation.purge_journal import PURGES, PurgeJournal

        return PurgeJournal(await self._outside(PURGES), f"{(await self.settings(StorageSettings)).chain_id}/")

    async def _outside(self, container: str) -> Blobs:
        from foundation.blobs import connect_blobs

        name = (await self.settings(BackupSettings)).backup_connection
        account, own = await self.resolved.account(name), (await self.settings(StorageSettings)).ledger_connection
        if account.is_the_same(await self.resolved.account(own)):
            raise ConfigurationError(f"{name} is the ledger's own account: a backup lies in another one")
        return self._opened(connect_blobs(account, container))

    async def purging(self) -> Purging:
        """Return what erases personal data."""
        from distributor.recovery.purging import Purging

        tables, journal = await self.tables(), await self.purge_journal()
        return Purging(rows=tables.rows, audit=tables.audit_rows, journal=journal, clock=self._clock)

    async def replay_purges(self) -> PurgeReport:
        """Erase again what was erased; a restore calls it before the ledger is anybody's."""
        return await (await self.purging()).replay(apply=True)

    @built_once
    async def ledger(self) -> Ledger:
        from distributor.ledger import Ledger

        tables = await self.tables()
        return self._opened(Ledger(tables.rows, tables.audit, clock=self._clock))

    @built_once
    async def keyring(self) -> Keyring:
        """Return the shops' secrets; those of a vault are renewed from then on."""
        from distributor.webhook.keyring import Keyring

        settings = await self.settings(WebhookSettings)
        names = [name for name in secrets_of(WebhookSettings, self._environ) if self._secrets.place(name)]
        wrong = [name for name in await self.resolved.wrong([WebhookSettings]) if is_secret(name)]
        keyring = Keyring(
            settings.shop_secrets,
            unusable=[secret_name(name) for name in wrong],
            renewed=[secret_name(name) for name in names],
            read=partial(self._secrets.get, fresh=True),
            refresh_s=settings.secrets_refresh_s,
            sleep=asyncio.sleep,
        )
        keyring.start()
        return self._opened(keyring)

    async def shop_secrets(self) -> Mapping[SecretName, str]:
        """Return the shops' secrets of this moment. Raises ConfigurationError."""
        return (await self.keyring()).secrets()

    @built_once
    async def fingerprints(self) -> SecretFingerprints:
        """Return the fingerprints of secrets, as this ledger makes them."""
        from distributor.ledger.secret_fingerprints import SecretFingerprints

        return SecretFingerprints(salt=(await self.ledger()).shops.salt)

    @built_once
    async def chain(self) -> Polygon:
        from distributor.chain.connected import connect_chain

        return self._opened(connect_chain(await self.settings(ChainSettings), self._clock))

    @built_once
    async def rpc(self) -> Rpc:
        return await self._rpc((await self.settings(NodeSettings)).rpc_timeout_s)

    @built_once
    async def quick_rpc(self) -> Rpc:
        """Return the nodes for ``/ready``: one that hangs must not use up the deadline in which another answers."""
        return await self._rpc(_QUICK_S)

    async def _rpc(self, timeout_s: float) -> Rpc:
        from distributor.chain.rpc import Rpc

        return self._opened(Rpc((await self.settings(NodeSettings)).rpc_urls, timeout_s=timeout_s))

    async def new_heads(self) -> NewHeads:
        from distributor.chain.connected import connect_new_heads

        return self._opened(connect_new_heads(await self.settings(PayoutSettings)))

    @built_once
    async def history(self) -> ChainHistory:
        from distributor.chain.connected import connect_history

        return self._opened(connect_history(await self.settings(ChainSettings), self._clock))

    @built_once
    async def guard(self) -> GuardContract:
        from distributor.chain.connected import connect_guard

        return connect_guard(await self.settings(ChainSettings), await self.chain())

    @built_once
    async def counters(self) -> Counters:
        """Return the counters of requests."""
        from distributor.adapters.counters import LimitsCounters

        url = (await self.settings(RateLimitSettings)).rate_limit_storage
        return self._opened(LimitsCounters(url.get_secret_value() if url else "", clock=self._clock))

    @built_once
    async def alarms(self) -> Alarms:
        """Return where alarms are raised: the log, and the register that the sweep tells from."""
        from distributor.adapters.alarms import LogAlarms, OnceAnHour, RegisteredAlarms

        return RegisteredAlarms(OnceAnHour(LogAlarms(), self._clock), self.register, self._clock)

    async def register(self) -> Register:
        """Return the register of standing alarms, in the ledger's own partition."""
        from distributor.payout.catalogue import CATALOGUE
        from foundation.alarms.register import Register

        return Register(rows=(await self.tables()).rows, clock=self._clock, catalogue=CATALOGUE)

    async def ages(self) -> AgeSettings:
        """Return how old something may become; the defaults while a setting is wrong, which is an alarm of its own."""
        try:
            return await self.settings(AgeSettings)
        except ConfigurationError:
            return read_group(AgeSettings, {})

    async def heartbeat(self) -> Heartbeat:
        """Return what is asked after each whole sweep."""
        from foundation.alarms.configured import heartbeat_of

        return heartbeat_of(await self.settings(AlarmSettings))

    async def targets(self) -> Mapping[str, Target]:
        """Return where the sweep sends alarms; while settings are wrong, the log, and one target that says so."""
        from foundation.alarms.configured import targets_or_log

        return await targets_or_log(partial(self.settings, AlarmSettings), _TITLE, "en")
