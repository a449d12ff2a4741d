"""``Deliveries`` on one company's partition: several mails of one step are one group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.codec import Codec, Record, number
from payflow.delivery.ports import DeliveryKey, delivery_key
from payflow.ledger import keys
from payflow.ledger.lane import LaneLedger
from payflow.mail.acs import message_prefix
from payflow.model import BaixaId
from payflow.state import Delivery

NAMESAKES_MAX: Final = 100
"""Mails whose ids begin with the same twelve digits: one, unless somebody tries for more."""
LOG_EPOCH = "log_epoch"
"""The row that says which epoch of the send log this table belongs to; a restore writes it with the rows."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The row's only column."""

    number: int


EPOCHS = Codec([Record(Epoch, (number("number"),))])


async def mail_of_operation(ledger: LaneLedger, operation_id: str) -> Delivery | None:
    """Return the mail that a service knows by *operation_id*; None when none of this company's is one."""
    first = message_prefix(operation_id)
    if not first:
        return None
    rows = await ledger.rows.scan(f"{keys.MESSAGE}{first}", f"{keys.MESSAGE}{first}{keys.END}", limit=NAMESAKES_MAX)
    payments = sorted({str(row.values["baixa"]) for row in rows})
    mails = [mail for baixa in payments for mail in await ledger.deliveries(BaixaId(baixa))]
    return next((mail for mail in mails if mail.operation_id == operation_id.lower()), None)


@dataclass(frozen=True, slots=True)
class LaneDeliveries:
    """The delivery rows of one company."""

    ledger: LaneLedger

    async def read(self, key: DeliveryKey) -> Delivery | None:
        row = await self.ledger.rows.get(self._row(key))
        return self.ledger.codec.decode(Delivery, row) if row else None

    async def save(self, *deliveries: Delivery) -> Sequence[Delivery]:
        write = AtomicWrite()
        for delivery in deliveries:
            self.ledger.put_delivery(write, delivery)
        names = [self._row(delivery_key(delivery)) for delivery in deliveries]
        versions = await commit(self.ledger.rows, write, marker_row=names[0])
        stored = zip(deliveries, names, strict=True)
        return [replace(delivery, version=version_of(versions, name)) for delivery, name in stored]

    async def epoch(self) -> int:
        """Return the epoch of the send log that this table belongs to; 1 before any restore."""
        row = await self.ledger.rows.get(LOG_EPOCH)
        return EPOCHS.decode(Epoch, row).number if row else 1

    def _row(self, key: DeliveryKey) -> str:
        return keys.delivery(self.ledger.name(key.payment.baixa), key.kind, key.number)
