"""
The parts that use cases share: settings, both accounts, keys and identity, queues, clients.

A part is built at its first use, and a failure is not kept: once the setting is right, the next call works.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from foundation.clock import Clock
from foundation.lazy import built_once
from foundation.secrets.key_vault import KeyVaultSecrets
from foundation.secrets.settings import ResolvedSettings
from foundation.secrets.sign_in import azure_credential
from foundation.settings.groups import SettingsGroup
from payflow.connect.tokens import Tokens
from payflow.installation import CompanyPartitions, Installation
from payflow.ledger import keys
from payflow.ledger.entries import Entries
from payflow.ledger.identity import load_identity
from payflow.ledger.schema import require_known
from payflow.model import CompanyId
from payflow.settings.all import GROUPS
from payflow.settings.groups import (
    AlarmSettings,
    ContaAzulSettings,
    KeySettings,
    RetentionSettings,
    StorageSettings,
)
from payflow.settings.mail import MailSettings

if TYPE_CHECKING:
    import httpx
    from azure.core.credentials_async import AsyncTokenCredential

    from foundation.alarms.notifier import Target
    from foundation.alarms.register import Register
    from foundation.blobs import Blobs
    from foundation.queues import StorageQueues
    from foundation.tablestore.azure_tables import Tables
    from payflow.backups import Backups
    from payflow.delivery.ports import Channel
    from payflow.delivery.sender import SenderDesk
    from payflow.retentions import Retentions
    from payflow.sealing import Sealer

LEDGER_TABLE, SECOND_TABLE = "payflow", "payflowsentlog"
BACKUPS = "backups"
"""The container in the second account."""
ALARMS = "alarms"  # the partition of the register
HOST_STORAGE = "AzureWebJobsStorage"

G = TypeVar("G", bound=SettingsGroup)


class Resources:
    """What the use cases are built of; each part raises ConfigurationError with all that is wrong for it."""

    def __init__(self, environ: Mapping[str, str], *, clock: Clock) -> None:
        self._environ, self._clock = environ, clock
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._open = AsyncExitStack()
        self._secrets = KeyVaultSecrets(environ, sign_in=azure_credential, clock=clock)
        self._open.push_async_callback(self._secrets.aclose)
        self._settings = ResolvedSettings(environ, self._secrets)

    async def aclose(self) -> None:
        """Close every client that was opened."""
        await self._open.aclose()

    async def settings(self, group: type[G]) -> G:
        """Return the settings of *group*, its secrets resolved. Raises ConfigurationError with all that is wrong."""
        return await self._settings.read(group)

    async def wrong_settings(self) -> Sequence[str]:
        """Return the names of the settings that are missing or wrong."""
        return await self._settings.wrong(GROUPS)

    async def is_held(self) -> bool:
        """Say whether every company is held, for a deployment."""
        from payflow.ledger import control

        return (await control.read_control((await self.ledger_tables()).rows)).held_ms > 0

    @built_once
    async def ledger_tables(self) -> Tables:
        """Return the ledger's account, whether or not its tables exist."""
        return await self._tables((await self.settings(StorageSettings)).ledger, LEDGER_TABLE)

    @built_once
    async def second_tables(self) -> Tables:
        """Return the second account, whether or not its tables exist."""
        return await self._tables((await self.settings(StorageSettings)).second, SECOND_TABLE)

    async def sealer(self) -> Sealer:
        return (await self.settings(KeySettings)).sealer()

    async def entries(self) -> Entries:
        return (await self.base()).entries

    @built_once
    async def base(self) -> Installation:
        """
        Return rows, keys and identity.

        Raises ConfigurationError if the ledger is another installation's, or its schema a newer version's.
        """
        sealer, uri = await self.sealer(), (await self.settings(ContaAzulSettings)).redirect_uri
        environment, tables = (await self.settings(StorageSettings)).environment, await self.ledger_tables()
        identity = await load_identity(tables.rows, sealer, environment=environment, redirect_uri=uri)
        await require_known(tables.rows)
        return Installation(tables, await self.second_tables(), sealer, identity)

    async def register(self) -> Register:
        """Return the register of standing alarms."""
        from foundation.alarms.register import Register
        from payflow.alarms import CATALOGUE

        tables = await self.ledger_tables()
        return Register(rows=tables.rows_of(ALARMS), clock=self._clock, catalogue=CATALOGUE)

    async def alarm_targets(self) -> Mapping[str, Target]:
        """Return where alarms go; while settings are wrong, the log, and one target that says so."""
        from foundation.alarms.configured import targets_or_log

        return await targets_or_log(partial(self.settings, AlarmSettings), "PayFlow", "pt")

    async def desk(self, mail: MailSettings | None = None) -> SenderDesk:
        """Return the mail account's desk; without *mail* it only shows what it is, whatever the settings are."""
        from payflow.delivery.sender import SenderDesk, SendingLimits

        limits = SendingLimits()
        if mail:
            limits = SendingLimits(connections=mail.connections, per_minute=mail.per_minute, per_day=mail.per_day)
        return SenderDesk((await self.base()).ledger.rows_of(keys.SENDER), self._clock, limits)

    @built_once
    async def backup_store(self) -> Blobs:
        """Return where backups are kept: the second account."""
        from foundation.blobs import connect_blobs

        account = await self._settings.account((await self.settings(StorageSettings)).second)
        blobs = connect_blobs(account, BACKUPS)
        self._open.push_async_callback(blobs.aclose)
        return blobs

    async def backups(self) -> Backups:
        """Return the backup of each day."""
        from payflow.backups import Backups

        return Backups(base=await self.base(), store=await self.backup_store(), clock=self._clock)

    async def retentions(self) -> Retentions:
        """Return what empties, each day, what is old. Raises ConfigurationError if ``RETENTION_DAYS`` is wrong."""
        from payflow.retentions import Retentions

        days = (await self.settings(RetentionSettings)).days
        return Retentions(base=await self.base(), clock=self._clock, days=days)

    def platform_signs_in(self) -> bool:
        """Say whether the platform tells who signed in: what it tells is not read otherwise."""
        from foundation.console.entra import platform_signs_in

        return platform_signs_in(self._environ)

    async def _channel(self) -> Callable[[], Channel]:
        """Return what makes a channel to the carrier of mails."""
        from payflow.adapters.channels import channels

        return await channels(await self.settings(MailSettings), self._identity, self._carrier)

    async def _limited_desk(self) -> SenderDesk:
        return await self.desk(await self.settings(MailSettings))

    async def _waiting_messages(self, queue: str) -> int:
        return await (await self._queues()).count(queue)

    @built_once
    async def _queues(self) -> StorageQueues:
        """Return the queues of wake-ups, in the account of the Functions host."""
        from foundation.queues import connect_queues

        account = await self._settings.account(HOST_STORAGE)
        queues = connect_queues(account, None if account.connection_string else await self._identity())
        self._open.push_async_callback(queues.aclose)
        return queues

    async def _tokens(self, company: CompanyId) -> Tokens:
        from payflow.adapters.authorization import server_of

        base, http, settings = await self.base(), await self._http(), await self.settings(ContaAzulSettings)
        return CompanyPartitions(base, self._clock, server_of(http, settings)).tokens(company)

    async def _tables(self, connection: str, table: str) -> Tables:
        from foundation.tablestore.azure_tables import connect_tables

        account = await self._settings.account(connection)
        tables = connect_tables(account, partition=keys.IDENTITY, table=table, audit_table=f"{table}audit")
        self._open.push_async_callback(tables.aclose)
        return tables

    @built_once
    async def _identity(self) -> AsyncTokenCredential:
        return await self._open.enter_async_context(azure_credential())

    @built_once
    async def _http(self) -> httpx.AsyncClient:
        from payflow.adapters.conta_azul import pooled

        client = pooled()
        self._open.push_async_callback(client.aclose)
        return client

    @built_once
    async def _carrier(self) -> httpx.AsyncClient:
        from payflow.adapters.acs import client

        return await self._open.enter_async_context(client())
