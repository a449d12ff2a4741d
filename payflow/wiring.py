"""
Composition root: the only place that reads the clock and the environment, and that knows every use case.

One container for each running event loop. A part is built at its first use, and a failure is not kept: once the
setting is right, the next call works.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from foundation import logs
from foundation.clock import system_clock
from foundation.errors import ConfigurationError
from foundation.lazy import built_once
from foundation.per_loop import PerLoop
from payflow.delivery import auditing
from payflow.installation import CompanyPartitions
from payflow.ledger import keys
from payflow.ledger.schema import level_of, require_known
from payflow.model import CompanyId
from payflow.resources import Resources
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
    from foundation.http.readiness import ReadinessFrame
    from payflow.connect.connecting import Connecting
    from payflow.console.parts import Parts
    from payflow.delivery.doors import BounceDoor
    from payflow.delivery.event_door import EventDoor
    from payflow.delivery.manual_actions import ManualActions
    from payflow.delivery.restoring import Restoring
    from payflow.delivery.work import Work
    from payflow.lane import Lane
    from payflow.office.digest import Digests
    from payflow.office.door import OfficeSignIn
    from payflow.office.letters import Letters
    from payflow.ports import ContaAzul
    from payflow.sealing import Sealer
    from payflow.state import Company

_OURS, _LOUD = ("payflow", "foundation"), ("azure", "httpx", "httpcore")


class Container(Resources):
    """Every use case, built at its first use; each raises ConfigurationError with all that is wrong for it."""

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

    async def connecting(self) -> Connecting:
        """Return the use case of connecting a clinic."""
        from payflow.adapters.authorization import server_of
        from payflow.adapters.conta_azul import company_of_token
        from payflow.connect.connecting import Connecting
        from payflow.ledger.oauth import OAuthLedger
        from payflow.ledger.records import oauth_codec

        base, http, settings = await self.base(), await self._http(), await self.settings(ContaAzulSettings)
        return Connecting(
            oauth=OAuthLedger(base.ledger.rows_of(keys.OAUTH), oauth_codec(base.sealer)),
            partitions=CompanyPartitions(base, self._clock, server_of(http, settings)),
            server=server_of(http, settings),
            account_of=partial(company_of_token, http, settings.api_url),
            clock=self._clock,
            authorize_url=settings.authorize_url,
            client_id=settings.client_id,
            redirect_uri=settings.redirect_uri,
        )

    async def office_door(self) -> OfficeSignIn:
        """Return how offices come in to their pages."""
        from payflow.ledger.oauth import OAuthLedger
        from payflow.ledger.records import oauth_codec
        from payflow.office.door import OfficeSignIn

        base, signing = await self.base(), (await self.settings(KeySettings)).signing("office sessions")
        return OfficeSignIn(
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

        async def tell(found: Company, waiting: Mapping[str, int], changes: Sequence[str]) -> bool:
            mail = letters.digest(found, waiting, changes, self._clock())
            return await post(channel(), letters.recipient(found), mail)

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

    async def apis(self, company: CompanyId) -> Callable[[Company], ContaAzul]:
        """Return what makes Conta Azul's API for a company's row."""
        from payflow.adapters.conta_azul import api_of

        url, tokens = (await self.settings(ContaAzulSettings)).api_url, await self._tokens(company)
        return partial(api_of, await self._http(), url, tokens)

    async def actions(
        self, company: CompanyId, by: str, unrecorded: Callable[[], None], why: str = ""
    ) -> ManualActions:
        """Return what a person may do about a company; what they say of it is sealed in the audit."""
        from payflow.delivery.manual_actions import ManualActions, SenderAddresses

        base = await self.base()

        async def sender() -> SenderAddresses:
            mail = await self.settings(MailSettings)
            return SenderAddresses(domain=mail.sender.rpartition("@")[2], override=mail.override)

        return ManualActions(
            lane=base.lane(company),
            audits=(base.ledger.audit, base.second.audit),
            sender=sender,
            clock=self._clock,
            by=by,
            unrecorded=unrecorded,
            why=base.sealer.seal(company, auditing.WHY, why) if why else "",
        )

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


def _opened(sealer: Sealer, company: CompanyId, stored: str) -> str:
    """Return what a person said of a decision; empty if its key was retired since."""
    try:
        return sealer.open(company, auditing.WHY, stored)
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
