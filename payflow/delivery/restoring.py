"""
Put a company's rows back as a backup has them, so that nothing is mailed a second time.

The steps are those of ``restore``: pause, raise the log's epoch, replace every row with what has not ended frozen, read
the send log, release, put back what people said no to, give the table the new epoch. The company stays paused. One
that was cut is begun again: each step may be repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from foundation.clock import DAY_MS, Clock, UnixMs, utc_day
from foundation.errors import Contention, Rejected
from foundation.tablestore.atomic import ROWS_MAX, AtomicWrite, commit
from foundation.tablestore.ports import UNSTORED, AuditTrail, Row, Value
from foundation.tablestore.queries import rows_under
from payflow import corrections
from payflow.delivery import choices, restore, since, steps
from payflow.delivery.choices import Decider
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.ports import DeliveryKey, delivery_key
from payflow.delivery.purging import Purging
from payflow.delivery.restored_rows import restored_rows
from payflow.delivery.since import Said
from payflow.ledger import keys
from payflow.ledger.backup import CompanyBackup, all_rows
from payflow.ledger.deliveries import EPOCHS, LOG_EPOCH, Epoch, LaneDeliveries
from payflow.ledger.lane import LaneLedger
from payflow.ledger.send_log import TableSendLog
from payflow.model import BaixaId, Centavos, CustomerId
from payflow.state import ENDED, CompanyStatus, Delivery, DeliveryState, Reason, Receipt, ReceiptState

_LEASE: Final = "lease:"
_KEPT: Final = frozenset({keys.TOKEN, keys.RESTORING, LOG_EPOCH})
"""Rows that do not go back: an older refresh token is dead, and the epoch is written last."""
_DECIDED: Final = frozenset({DeliveryState.SENT, DeliveryState.UNKNOWN})


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyRestoreReport:
    """What a restore did: rows put back, and how the mails of receipts stand."""

    rows: int
    mails: Mapping[DeliveryState, int]
    not_put_back: Sequence[Said] = ()
    """What people decided since the backup that they must decide once more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Restoring:
    """The use case, for one company. Raises StoreUnavailable, Contention, SendLogUnavailable: begin it again then."""

    ledger: LaneLedger
    log: TableSendLog
    audit: AuditTrail
    """The second account's."""
    clock: Clock

    async def run(self, backup: CompanyBackup) -> CompanyRestoreReport:
        """
        Restore.

        Raises Rejected, before anything is written, for a backup of another company, one that was taken while
        another restore was under way, and a send log that is not the ledger's.
        """
        if backup.company != self.ledger.company:
            raise Rejected(f"this backup is of company {backup.company}")
        if keys.RESTORING in backup.rows:
            raise Rejected("this backup was taken while a restore was under way: take the one of that restore")
        await self._require_own_log(backup)
        await self._put(keys.RESTORING, EPOCHS.encode(Epoch(0)))
        await self._pause()
        epoch = await self.log.raise_epoch()
        await self._put(keys.RESTORING, EPOCHS.encode(Epoch(epoch)))
        await self._put_back(backup)
        mails = await self._release(backup.began_ms)
        said = since.read_since(await self.audit.recorded(keys.decisions(self.ledger.company)), backup.began_ms)
        unknown = [one for one in said.skipped.values() if not await self._skipped(one)]
        for customer, one in said.payers.items():
            no_mail = since.NO_MAIL[one.what]
            await LaneRecipients(self.ledger).set_no_mail(customer, one.by, one.at_ms, no_mail=no_mail)
        for customer in said.purged:
            await LaneRecipients(self.ledger).set_no_mail(customer, "purge", self.clock(), no_mail=True)
            await Purging(ledger=self.ledger, apply=True).person(customer)
        await self._end(epoch)
        return CompanyRestoreReport(rows=len(backup.rows), mails=mails, not_put_back=[*said.others, *unknown])

    async def adopt(self, since_ms: UnixMs) -> Mapping[DeliveryState, int]:
        """
        Take over a company that another deployment served, whose send log this is; return how its mails stand.

        What that deployment mailed from the day before *since_ms* on is not mailed again. The company stays paused.
        Raises ServedElsewhere, before anything is written, while the other one still serves it.
        """
        await self.log.claim()
        await self._put(keys.RESTORING, EPOCHS.encode(Epoch(0)))
        await self._pause()
        epoch = await self.log.raise_epoch()
        await self._put(keys.RESTORING, EPOCHS.encode(Epoch(epoch)))
        mails = await self._release(since_ms)
        await self._end(epoch)
        return mails

    # The steps ---------------------------------------------------------------------------------------

    async def _require_own_log(self, backup: CompanyBackup) -> None:
        """A log of another installation names no mail: with it every mail since the backup would go out again."""
        rows = [Row(key=key, values=values, version=UNSTORED) for key, values in backup.rows.items()]
        sent = [
            mail
            for mail in (self.ledger.codec.decode(Delivery, row) for row in rows if row.key.startswith("delivery:"))
            if mail.sent_ms and mail.owner and not mail.decided_by
        ]
        last = max(sent, key=lambda mail: mail.tried_ms, default=None)
        known = last is None or await self.log.knows(last.owner, last.tried_ms)
        epochs = [EPOCHS.decode(Epoch, row).number for row in rows if row.key == LOG_EPOCH]
        if not known or await self.log.raised() < max([await LaneDeliveries(self.ledger).epoch(), *epochs]):
            raise Rejected("the send log is not this ledger's: it does not know what this backup says was sent")

    async def _pause(self) -> None:
        company = await self.ledger.read_company()
        if company and company.status is not CompanyStatus.PAUSED:
            await self.ledger.write_company(replace(company, status=CompanyStatus.PAUSED, status_ms=self.clock()))

    async def _put_back(self, backup: CompanyBackup) -> None:
        """Make the partition what the backup says; what is made of other rows is made anew."""
        there = {row.key: row async for row in all_rows(self.ledger.rows)}
        wanted = dict(restored_rows(self.ledger, backup))
        write = AtomicWrite()
        for key in sorted(wanted.keys() | there.keys()):
            if not self._differs(write, key, there.get(key), wanted.get(key)):
                continue
            if len(write.writes) == ROWS_MAX:
                await self._commit(write)
                write = AtomicWrite()
        await self._commit(write)

    def _differs(self, write: AtomicWrite, key: str, there: Row | None, wanted: Mapping[str, Value] | None) -> bool:
        """Add what makes a row as it is wanted; say whether there was anything to do."""
        stays = key.startswith(_LEASE) or (key in _KEPT and there is not None)
        if stays or (there is not None and wanted == {}):
            return False
        if wanted is None:
            write.delete(key)
        else:
            write.put(key, wanted, there.version if there else UNSTORED)
        return True

    async def _release(self, since_ms: UnixMs) -> Mapping[DeliveryState, int]:
        """Let the log decide every mail, from the day before on, and each receipt with its mails in one group."""
        first_day = utc_day(UnixMs(since_ms - DAY_MS))
        records, said = await self.log.records(first_day), await self.log.said(first_day)
        rows = {delivery_key(one): one for one in [mail async for mail in self._deliveries()]}
        decided = restore.apply(rows, records, self.clock(), said)
        by_payment: dict[BaixaId, list[Delivery]] = {}
        for delivery in decided:
            by_payment.setdefault(delivery.baixa, []).append(delivery)
        async for receipt in self._receipts():
            mails = by_payment.pop(receipt.baixa, [])
            await self._store(receipt, self._settled(receipt, mails), [one for one in mails if self._is_new(one, rows)])
        for mails in by_payment.values():  # the payment was found after the backup: the next look finds it again
            if new := [one for one in mails if self._is_new(one, rows)]:
                await LaneDeliveries(self.ledger).save(*new)
        return Counter(one.state for one in decided)

    def _settled(self, receipt: Receipt, mails: Sequence[Delivery]) -> Receipt:
        now, thawed = self.clock(), replace(receipt, frozen=False)
        if receipt.state in ENDED:  # a further mail of it, ordered after the backup, may have gone out
            lost = any(one.state is DeliveryState.UNKNOWN and not one.decided_by for one in mails)
            is_asked = lost and receipt.state is ReceiptState.SENT
            known = corrections.as_mailed(thawed, mails, now)
            return replace(known, state=ReceiptState.UNKNOWN, changed_ms=now) if is_asked else known
        if any(one.state is DeliveryState.UNKNOWN and not one.address for one in mails):
            # Only the log knows it: it gets its address and document first, then a person can send it again.
            return replace(thawed, state=ReceiptState.FOUND, reason=None, due_ms=now, changed_ms=now)
        begun = mails if corrections.knows_a_later_one(receipt, mails) else corrections.mails_of_now(receipt, mails)
        if any(one.state in _DECIDED for one in begun):
            step = steps.settled([one for one in mails if one.state is not DeliveryState.CANCELLED])
            after = replace(thawed, state=step.state, reason=step.reason, due_ms=step.due_ms, changed_ms=now)
            return corrections.correction_ended(after, mails, now)
        if receipt.state is ReceiptState.SENDING and not begun:  # its mails were written after the backup read them
            return replace(thawed, state=ReceiptState.FOUND, due_ms=now, changed_ms=now)
        return thawed

    async def _store(self, before: Receipt, after: Receipt, mails: Sequence[Delivery]) -> None:
        if after == before and not mails:
            return

        def also(write: AtomicWrite) -> None:
            for mail in mails:
                self.ledger.put_delivery(write, mail)

        await self.ledger.save(before, after, also=also)

    async def _skipped(self, said: Said) -> bool:
        """Put back that a receipt was skipped, also of a payment found after the backup; say whether that could be."""
        receipt, by = await self.ledger.receipt(BaixaId(said.subject)), Decider(name=said.by, now=self.clock())
        if receipt is None:
            return bool(said.instalment) and await self._insert(said, by)
        mails = await self.ledger.deliveries(receipt.baixa)
        if receipt.state in ENDED:
            return True
        if any(one.state is DeliveryState.UNKNOWN for one in mails):
            return False  # what the log does not know is asked first
        await choices.let_be(self.ledger, receipt, mails, by)
        return True

    async def _insert(self, said: Said, by: Decider) -> bool:
        """Store a skipped receipt of which only the audit knows; the next look fills in the rest."""
        receipt = Receipt(
            company=self.ledger.company,
            baixa=BaixaId(said.subject),
            instalment=said.instalment,
            customer=CustomerId(""),
            customer_name="",
            amount=Centavos(0),
            paid_on="",
            revision=0,
            state=ReceiptState.SKIPPED,
            reason=Reason.BY_PERSON,
            found_ms=by.now,
            changed_ms=by.now,
            due_ms=by.now,
            decided_by=by.name,
        )
        write = AtomicWrite()
        self.ledger.insert(write, receipt)
        await self._commit(write)
        return True

    async def _end(self, epoch: int) -> None:
        """Let mails begin on this table again, unless another restore has begun meanwhile."""
        mark, was = await self.ledger.rows.get(keys.RESTORING), await self.ledger.rows.get(LOG_EPOCH)
        if mark is None or EPOCHS.decode(Epoch, mark).number != epoch:
            raise Contention("another restore of this company has begun")
        write = AtomicWrite()
        write.put(LOG_EPOCH, EPOCHS.encode(Epoch(epoch)), was.version if was else UNSTORED)
        write.delete(keys.RESTORING)
        await self._commit(write)
        company = await self.ledger.read_company()
        status = company.status if company else CompanyStatus.PAUSED
        await self.ledger.entries.lower(self.ledger.company, self.clock(), status)

    # Inside ------------------------------------------------------------------------------------------

    async def _deliveries(self) -> AsyncIterator[Delivery]:
        async for row in rows_under(self.ledger.rows, "delivery:"):
            yield self.ledger.codec.decode(Delivery, row)

    async def _receipts(self) -> AsyncIterator[Receipt]:
        async for row in rows_under(self.ledger.rows, "receipt:"):
            yield self.ledger.codec.decode(Receipt, row)

    @staticmethod
    def _is_new(delivery: Delivery, rows: Mapping[DeliveryKey, Delivery]) -> bool:
        return rows.get(delivery_key(delivery)) != delivery

    async def _put(self, key: str, values: Mapping[str, Value]) -> None:
        row, write = await self.ledger.rows.get(key), AtomicWrite()
        write.put(key, values, row.version if row else UNSTORED)
        await self._commit(write)

    async def _commit(self, write: AtomicWrite) -> None:
        if write.writes:
            await commit(self.ledger.rows, write, marker_row=write.writes[0].key)
