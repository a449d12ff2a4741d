"""
Composition root: the only place that reads the clock and the environment, and that knows every use case.

One container for each running event loop. A part is built at its first use, and a failure is not kept: once the
setting is right, the next call works.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from foundation import logs
from foundation.clock import Clock, system_clock
from foundation.errors import ConfigurationError
from foundation.lazy import built_once
from foundation.per_loop import PerLoop
from foundation.secrets.key_vault import KeyVaultSecrets
from foundation.secrets.settings import ResolvedSettings
from foundation.secrets.sign_in import sign_in
from foundation.settings.groups import SettingsGroup
from payflow.connect.tokens import Tokens
from payflow.installation import CompanyPartitions, Installation
from payflow.ledger import keys
from payflow.ledger.entries import Entries
from payflow.ledger.identity import load
from payflow.ledger.schema import level_of, require_known
from payflow.model import CompanyId
from payflow.settings.all import GROUPS
from payflow.settings.groups import (
    AlarmSettings,
    ContaAzulSettings,
    KeySettings,
    LookSettings,
    OutgoingSettings,
    StorageSettings,
)
from payflow.settings.mail import BounceSettings, MailSettings

if TYPE_CHECKING:
    import httpx
    from azure.core.credentials_async import AsyncTokenCredential

    from foundation.alarms.notifier import Target
    from foundation.alarms.register import Register
    from foundation.blobs import Blobs
    from foundation.http.readiness import ReadinessFrame
    from foundation.queues import StorageQueues
    from foundation.tablestore.azure_tables import Tables
    from payflow.backups import Backups
    from payflow.connect.connecting import Connecting
    from payflow.console.parts import Parts
    from payflow.delivery.doors import BounceDoor
    from payflow.delivery.event_door import EventDoor
    from payflow.delivery.manual_actions import ManualActions
    from payflow.delivery.ports import Channel
    from payflow.delivery.restoring import Restoring
    from payflow.delivery.sender import SenderDesk
    from payflow.delivery.work import Work
    from payflow.lane import Lane
    from payflow.office.digest import Digests
    from payflow.office.door import Door
    from payflow.office.letters import Letters
    from payflow.ports import ContaAzul
    from payflow.sealing import Sealer
    from payflow.state import Company

LEDGER_TABLE, SECOND_TABLE = "payflow", "payflowsentlog"
BACKUPS = "backups"
"""The container in the second account."""
ALARMS = "alarms"  # the partition of the register
HOST_STORAGE = "AzureWebJobsStorage"
WHY = "why"  # the column of the audit with what a person said
_OURS, _LOUD = ("payflow", "foundation"), ("azure", "httpx", "httpcore")

G = TypeVar("G", bound=SettingsGroup)


class Container:
    """Every use case, built at its first use; each raises ConfigurationError with all that is wrong for it."""

    def __init__(self, environ: Mapping[str, str], *, clock: Clock) -> None:
        self._environ, self._clock = environ, clock
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._open = AsyncExitStack()
        self._secrets = KeyVaultSecrets(environ, sign_in=sign_in, clock=clock)
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

    @built_once
    async def ledger_tables(self) -> Tables:
        """Return the ledger's account, whether or not its tables exist."""
        return await self._tables((await self.settings(StorageSettings)).ledger, LEDGER_TABLE)

    @built_once
    async def second_tables(self) -> Tables:
        """Return the second account, whether or not its tables exist."""
        return await self._tables((await self.settings(StorageSettings)).second, SECOND_TABLE)

    async def is_held(self) -> bool:
        """Say whether every company is held, for a deployment."""
        from payflow.ledger import control

        return (await control.read((await self.ledger_tables()).rows)).held_ms > 0

    async def sealer(self) -> Sealer:
        return (await self.settings(KeySettings)).sealer()

    async def entries(self) -> Entries:
        return (await self.base()).entries

    async def register(self) -> Register:
        """Return the register of standing alarms."""
        from foundation.alarms.register import Register
        from payflow.alarms import CATALOGUE

        tables = await self.ledger_tables()
        return Register(rows=tables.rows_of(ALARMS), clock=self._clock, catalogue=CATALOGUE)

    @built_once
    async def readiness(self) -> ReadinessFrame:
        """Return what ``/ready`` asks: settings, both accounts, and the alarms that hold."""
        from payflow.readiness import readiness_of

        return readiness_of(
            entries=self.entries,
            second=self.second_tables,
            register=self.register,
            wrong_settings=self.wrong_settings,
            clock=self._clock,
        )

    async def tell_alarms(self) -> None:
        """Send what is due to each target, then say that a whole sweep is through."""
        from foundation.alarms.configured import heartbeat_of
        from foundation.alarms.notifier import Notifier
        from payflow.standing import Now, facts, note_send_log

        register, base = await self.register(), await self.base()
        now = Now(ms=self._clock(), interval_ms=(await self.settings(LookSettings)).interval_s * 1000)
        await note_send_log(base.second.rows, register)
        active = await facts(base.entries, base.lane, await self.desk(), now)
        await Notifier(register=register, targets=await self.alarm_targets(), holder=self._holder).run(active)
        await heartbeat_of(await self.settings(AlarmSettings)).beat(register)

    async def alarm_targets(self) -> Mapping[str, Target]:
        """Return where alarms go; while settings are wrong, the log, and one target that says so."""
        from foundation.alarms.configured import targets_or_log

        return await targets_or_log(partial(self.settings, AlarmSettings), "PayFlow", "pt")

    async def connecting(self) -> Connecting:
        """Return the use case of connecting a clinic."""
        from payflow.adapters.authorization import server_of
        from payflow.adapters.conta_azul import account_of
        from payflow.connect.connecting import Connecting
        from payflow.ledger.oauth import OAuthLedger
        from payflow.ledger.records import oauth_codec

        base, http, settings = await self.base(), await self._http(), await self.settings(ContaAzulSettings)
        return Connecting(
            oauth=OAuthLedger(base.ledger.rows_of(keys.OAUTH), oauth_codec(base.sealer)),
            partitions=CompanyPartitions(base, self._clock, server_of(http, settings)),
            server=server_of(http, settings),
            account_of=partial(account_of, http, settings.api_url),
            clock=self._clock,
            authorize_url=settings.authorize_url,
            client_id=settings.client_id,
            redirect_uri=settings.redirect_uri,
        )

    async def office_door(self) -> Door:
        """Return how offices come in to their pages."""
        from payflow.ledger.oauth import OAuthLedger
        from payflow.ledger.records import oauth_codec
        from payflow.office.door import Door

        base, signing = await self.base(), (await self.settings(KeySettings)).signing("office sessions")
        return Door(
            oauth=OAuthLedger(base.ledger.rows_of(keys.OAUTH), oauth_codec(base.sealer)),
            entries=base.entries,
            lane=base.lane,
            keys=signing,
            clock=self._clock,
            sleep=asyncio.sleep,
        )

    async def invite(self, company: CompanyId, by: str) -> str:
        """Make an invitation to connect a company again; return its secret."""
        return await (await self.connecting()).invite(company=company, by=by)

    async def office_letters(self) -> Letters:
        """Return how mails to offices are made."""
        from payflow.office.letters import Letters

        mail, origin = await self.settings(MailSettings), (await self.settings(ContaAzulSettings)).origin
        return Letters(sender=mail.sender, origin=origin, override=mail.override)

    async def office_digests(self) -> Digests:
        """Return what tells offices that something waits."""
        from payflow.office.digest import Digests

        return Digests(door=await self.office_door(), clock=self._clock)

    async def mail_office(self, company: CompanyId) -> None:
        """Mail a company's office the codes that it waits for, and what waits for it, if that is due."""
        from payflow.adapters.notice import post

        door, letters, channel = await self.office_door(), await self.office_letters(), await self._channel()

        async def mail(found: Company, code: str) -> bool:
            return await post(channel(), letters.recipient(found), letters.code(found, code, self._clock()))

        async def tell(found: Company, waiting: Mapping[str, int]) -> bool:
            return await post(channel(), letters.recipient(found), letters.digest(found, waiting, self._clock()))

        await door.mail_codes(company, mail)
        await (await self.office_digests()).mail(company, tell)

    async def lane(self, company: CompanyId) -> Lane:
        """Return the lane of one company. Raises ConfigurationError if the rows are a newer version's."""
        from foundation.tablestore.leases import Leases
        from payflow.connect.probe import probe
        from payflow.conta_azul.values import local_date
        from payflow.lane import Lane

        base, settings = await self.base(), await self.settings(LookSettings)
        await require_known(base.ledger.rows)  # at each run: a newer version may have raised it meanwhile
        ledger, own_api = base.lane(company), await self.apis(company)
        return Lane(
            ledger=ledger,
            leases=Leases(ledger.rows, self._clock),
            holder=self._holder,
            api_of=own_api,
            probe=lambda found: probe(found, own_api, local_date(self._clock())),
            work=await self.work(company),
            alarms=await self.register(),
            clock=self._clock,
            sleep=asyncio.sleep,
            interval_ms=settings.interval_s * 1000,
            held=self.is_held,
        )

    async def desk(self, mail: MailSettings | None = None) -> SenderDesk:
        """Return the mail account's desk; without *mail* it only shows what it is, whatever the settings are."""
        from payflow.delivery.sender import SenderDesk, SendingLimits

        limits = SendingLimits()
        if mail:
            limits = SendingLimits(connections=mail.connections, per_minute=mail.per_minute, per_day=mail.per_day)
        return SenderDesk((await self.base()).ledger.rows_of(keys.SENDER), self._clock, limits)

    async def apis(self, company: CompanyId) -> Callable[[Company], ContaAzul]:
        """Return what makes Conta Azul's API for a company's row."""
        from payflow.adapters.conta_azul import api_of

        url, tokens = (await self.settings(ContaAzulSettings)).api_url, await self._tokens(company)
        return partial(api_of, await self._http(), url, tokens)

    async def actions(
        self, company: CompanyId, by: str, unrecorded: Callable[[], None], why: str = ""
    ) -> ManualActions:
        """Return what a person may do about a company; what they say of it is sealed in the audit."""
        from payflow.delivery.manual_actions import ManualActions, Sender

        base = await self.base()

        async def sender() -> Sender:
            mail = await self.settings(MailSettings)
            return Sender(domain=mail.sender.rpartition("@")[2], override=mail.override)

        return ManualActions(
            lane=base.lane(company),
            audits=(base.ledger.audit, base.second.audit),
            sender=sender,
            clock=self._clock,
            by=by,
            unrecorded=unrecorded,
            why=base.sealer.seal(company, WHY, why) if why else "",
        )

    def platform_signs_in(self) -> bool:
        """Say whether the platform tells who signed in: what it tells is not read otherwise."""
        from foundation.console.entra import platform_signs_in

        return platform_signs_in(self._environ)

    async def console_parts(self) -> Parts:
        """Return what the operator's console needs."""
        from payflow.console.parts import Parts

        base = await self.base()
        return Parts(
            entries=base.entries,
            lane=base.lane,
            desk=self._limited_desk,
            bare_desk=await self.desk(),
            register=await self.register(),
            waiting_messages=self._waiting_messages,
            actions=self.actions,
            decisions=base.ledger.audit,
            opened=partial(_opened, base.sealer),
            level=partial(level_of, base.ledger.rows),
            environment=(await self.settings(StorageSettings)).environment,
            ledger_id=base.identity.ledger_id,
            clock=self._clock,
        )

    async def bounce_door(self) -> BounceDoor:
        """Return what takes signed bounces."""
        return (await self.base()).bounce_door(self._clock, await self.settings(BounceSettings))

    async def event_door(self) -> EventDoor:
        """Return what takes a mail service's events."""
        return (await self.base()).event_door(self._clock, await self.settings(BounceSettings))

    async def restoring(self, company: CompanyId) -> Restoring:
        """Return the use case that puts a company's backup back."""
        from payflow.delivery.restoring import Restoring

        base = await self.base()
        log = base.send_log(self._clock, company, 1)
        return Restoring(ledger=base.lane(company), log=log, audit=base.second.audit, clock=self._clock)

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

    async def work(self, company: CompanyId) -> Work:
        """Return the work on a company's receipts."""
        from foundation.outgoing.guard import OutgoingGuard
        from payflow.delivery.office import Office
        from payflow.delivery.payers import LaneRecipients
        from payflow.delivery.work import Work
        from payflow.documents.download import Download

        base, mail, tokens = await self.base(), await self.settings(MailSettings), await self._tokens(company)
        return Work(
            office=Office(
                sender_name="PayFlow", sender_address=mail.sender, reply_to=mail.reply_to, override=mail.override
            ),
            desk=await self.desk(mail),
            channel=await self._channel(),
            send_log=partial(base.send_log, self._clock),
            download=Download(
                outgoing=OutgoingGuard(inside=(await self.settings(OutgoingSettings)).inside),
                hosts=(await self.settings(LookSettings)).document_hosts,
                api_url=(await self.settings(ContaAzulSettings)).api_url,
                token=tokens.current,
            ),
            known=lambda company, ledger, customer, person: LaneRecipients(ledger).known(company, customer, person),
            clock=self._clock,
        )

    # Inside ------------------------------------------------------------------------------------------

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
    async def base(self) -> Installation:
        """
        Return rows, keys and identity.

        Raises ConfigurationError if the ledger is another installation's, or its schema a newer version's.
        """
        sealer, uri = await self.sealer(), (await self.settings(ContaAzulSettings)).redirect_uri
        environment, tables = (await self.settings(StorageSettings)).environment, await self.ledger_tables()
        identity = await load(tables.rows, sealer, environment=environment, redirect_uri=uri)
        await require_known(tables.rows)
        return Installation(tables, await self.second_tables(), sealer, identity)

    @built_once
    async def _identity(self) -> AsyncTokenCredential:
        return await self._open.enter_async_context(sign_in())

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


def _opened(sealer: Sealer, company: CompanyId, stored: str) -> str:
    """Return what a person said of a decision; empty if its key was retired since."""
    try:
        return sealer.open(company, WHY, stored)
    except ConfigurationError:
        return ""


def _start() -> Container:
    logs.quieten(os.environ, ours=_OURS, loud=_LOUD)
    logs.show_personal_data(shown=False)
    return Container(os.environ, clock=system_clock)


_containers = PerLoop(_start)
container = _containers.get
"""Return the container of the running event loop; made at the first call."""
aclose = _containers.aclose
"""Close the container of the running event loop, if there is one."""
