"""This installation: its two accounts, its keys and its identity, and the rows of each company in them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from foundation import logs
from foundation.clock import Clock
from payflow.connect.tokens import Tokens
from payflow.delivery.doors import BounceDoor
from payflow.delivery.event_door import EventDoor
from payflow.ledger import keys
from payflow.ledger.entries import Entries
from payflow.ledger.identity import Identity
from payflow.ledger.lane import LaneLedger
from payflow.ledger.records import codec
from payflow.ledger.resealing import SealedPartition
from payflow.ledger.send_log import TableSendLog
from payflow.model import CompanyId

if TYPE_CHECKING:
    from foundation.tablestore.azure_tables import Tables
    from payflow.adapters.authorization import AuthorizationServer
    from payflow.sealing import Sealer
    from payflow.settings.mail import BounceSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Installation:
    """What every use case needs: the rows, the keys, and whose ledger it is."""

    ledger: Tables
    second: Tables
    sealer: Sealer
    identity: Identity

    def lane(self, company: CompanyId) -> LaneLedger:
        """Return the rows of one company."""
        rows = self.ledger.rows_of(keys.partition(company))
        return LaneLedger(company, rows, codec(company, self.sealer), self.identity.index, self.entries)

    def send_log(self, clock: Clock, company: CompanyId, epoch: int) -> TableSendLog:
        """Return the send log of one company, for workers of an epoch."""
        rows, whose = self.second.rows_of(keys.partition(company)), self.identity
        return TableSendLog(rows, clock, company, epoch, whose.ledger_id, whose.redirect_uri)

    @property
    def entries(self) -> Entries:
        return Entries(self.ledger.rows_of(keys.COMPANIES))

    def bounce_door(self, clock: Clock, settings: BounceSettings) -> BounceDoor:
        """Return what takes signed bounces."""
        audits, secret = (self.ledger.audit, self.second.audit), settings.secret.get_secret_value()
        return BounceDoor(entries=self.entries, lane=self.lane, audits=audits, secret=secret, clock=clock)

    def event_door(self, clock: Clock, settings: BounceSettings) -> EventDoor:
        """Return what takes a mail service's events."""
        audits, secret = (self.ledger.audit, self.second.audit), settings.events.get_secret_value()
        log = partial(self.send_log, clock, epoch=1)  # an end is taken in any epoch
        return EventDoor(entries=self.entries, lane=self.lane, log=log, audits=audits, secret=secret, clock=clock)


async def sealed_parts(base: Installation) -> Sequence[SealedPartition]:
    """
    Return every partition that holds something sealed: of each company in both accounts, sign-ins, the identity.

    A company is found by its entry, which is written before anything is sealed for it.
    """
    found = [SealedPartition(base.ledger.rows_of(keys.OAUTH), ""), SealedPartition(base.ledger.rows, "")]
    for entry in await base.entries.all():
        name = keys.partition(entry.company)
        found += [SealedPartition(tables.rows_of(name), entry.company) for tables in (base.ledger, base.second)]
    return found


@dataclass(frozen=True, slots=True)
class CompanyPartitions:
    """The rows and the tokens of each company, for connecting it."""

    base: Installation
    clock: Clock
    server: AuthorizationServer

    def lane(self, company: CompanyId) -> LaneLedger:
        return self.base.lane(company)

    async def claim(self, company: CompanyId) -> None:
        """See ``Partitions``."""
        await self.base.send_log(self.clock, company, 1).claim()

    def tokens(self, company: CompanyId) -> Tokens:
        rescue = self.base.second.rows_of(keys.partition(company))
        return Tokens(self.lane(company), rescue, self.server, self.clock, partial(_tell, company))


def _tell(company: CompanyId, word: str) -> None:
    logs.error(_log, word, company=company)
