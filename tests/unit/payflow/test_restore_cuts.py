"""A restore that meets a worker or another one, the wrong backup or log, and what people decided since the backup."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from foundation.clock import UnixMs
from foundation.errors import Contention, Rejected
from foundation.tablestore.atomic import ROWS_MAX, AtomicWrite, commit
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Value
from foundation.tablestore.queries import PAGE_ROWS
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.ports import DeliveryKey, LogRecords
from payflow.delivery.restoring import CompanyRestoreReport, Restoring
from payflow.delivery.since import Said
from payflow.errors import SendLogUnavailable
from payflow.ledger import backup as backups
from payflow.ledger import keys
from payflow.ledger.backup import CompanyBackup
from payflow.ledger.deliveries import EPOCHS, LOG_EPOCH, Epoch, LaneDeliveries
from payflow.ledger.send_log import TableSendLog
from payflow.model import BaixaId, CustomerId, InstalmentId, PaymentKey
from payflow.state import CompanyStatus, Delivery, DeliveryState, Reason, Receipt, ReceiptState
from tests.fakes.payflow import COMPANY, NOW, Book, a_company, a_delivery, a_receipt, an_instalment
from tests.fakes.rows import ListAudit

S, D = ReceiptState, DeliveryState
B1 = BaixaId("b1")
KEY = DeliveryKey(PaymentKey(COMPANY, B1), "receipt", 1)
MARK = keys.RESTORING


@dataclass
class Office:
    """A ledger, the second account, and a restore of the one by the other."""

    book: Book = field(default_factory=Book)
    log_rows: MemoryRows = field(default_factory=MemoryRows)
    audit: ListAudit = field(default_factory=ListAudit)
    now: UnixMs = NOW

    def log(self, epoch: int = 1) -> TableSendLog:
        return TableSendLog(self.log_rows, lambda: self.now, COMPANY, epoch)

    async def has(self, receipt: Receipt, *mails: Delivery) -> None:
        """Store a receipt and its mails."""
        await self.book.lane.add(None, an_instalment(str(receipt.instalment)), [receipt], [])
        for mail in mails:
            write = AtomicWrite()
            self.book.lane.put_delivery(write, mail)
            await commit(self.book.lane.rows, write, marker_row=write.writes[0].key)

    async def taken(self) -> CompanyBackup:
        taken = await backups.take_backup(self.book.company_rows, ledger_id="l", company=COMPANY, now=self.now)
        return backups.from_json_lines(backups.as_json_lines(taken))

    async def restored(self, backup: CompanyBackup) -> CompanyRestoreReport:
        log, lane = self.log(), self.book.lane
        return await Restoring(ledger=lane, log=log, audit=self.audit, clock=lambda: self.now).run(backup)

    async def said(self, what: str, subject: str, at: int = 1, **more: Value) -> None:
        """Record a decision as the commands do, *at* ms after the backup."""
        values = {"at_ms": NOW + at, "by": "office", "what": what, "subject": subject, **more}
        await self.audit.record(f"decision:{COMPANY}:{NOW + at:015d}:{subject}:{what}", values)

    async def receipt(self) -> Receipt:
        found = await self.book.lane.receipt(B1)
        assert found
        return found


@pytest.fixture
async def office() -> Office:
    """A company that works."""
    made = Office()
    await made.book.lane.write_company(a_company())
    return made


async def test_a_mail_of_which_only_the_log_knew_can_be_restored_again(office: Office) -> None:
    """Its payment was undone and never found again, so every later backup has its row alone."""
    empty = await office.taken()
    await office.log().begin(KEY, "w")
    await office.log().end(KEY, "w", accepted=True)
    await office.restored(empty)

    report = await office.restored(await office.taken())

    assert report.mails == {D.SENT: 1}
    assert MARK not in office.book.company_rows.dump()


async def test_no_worker_begins_before_the_log_was_read(office: Office) -> None:
    """A lane that outlives the pause finds the payment of the backup, whose mail only the log knows."""
    await office.has(a_receipt())
    backup = await office.taken()
    await office.log().begin(KEY, "w")
    await office.log().end(KEY, "w", accepted=True)
    refused = []

    async def begins() -> None:
        log = office.log(await LaneDeliveries(office.book.lane).epoch())
        with pytest.raises(SendLogUnavailable):
            await log.begin(KEY, "live")
        refused.append(True)

    class Log(TableSendLog):
        async def records(self, first_day: str) -> LogRecords:
            await begins()
            return await super().records(first_day)

    log = Log(office.log_rows, lambda: NOW, COMPANY, 1)
    await Restoring(ledger=office.book.lane, log=log, audit=office.audit, clock=lambda: NOW).run(backup)

    assert refused
    assert (await office.receipt()).state is S.SENT
    await office.log(await LaneDeliveries(office.book.lane).epoch()).begin(KEY._replace(kind="resend-1"), "w2")


async def test_a_restore_that_another_one_overtook_ends_nothing(office: Office) -> None:
    """Two operators: the mark is the newer one's, the table keeps its old epoch, and the company stays paused."""
    backup = await office.taken()
    mark = EPOCHS.encode(Epoch(9))

    class Log(TableSendLog):
        async def records(self, first_day: str) -> LogRecords:
            office.book.company_rows.put(MARK, mark)
            return await super().records(first_day)

    log = Log(office.log_rows, lambda: NOW, COMPANY, 1)
    with pytest.raises(Contention, match="another restore"):
        await Restoring(ledger=office.book.lane, log=log, audit=office.audit, clock=lambda: NOW).run(backup)

    assert MARK in office.book.company_rows.dump()
    assert LOG_EPOCH not in office.book.company_rows.dump()


async def test_the_last_group_of_a_restore_is_done_once(office: Office) -> None:
    """Its answer is lost: it is read back, the mark is gone, and the epoch is the log's."""
    backup = await office.taken()

    class Log(TableSendLog):
        async def records(self, first_day: str) -> LogRecords:
            office.book.company_rows.lose_next_answer(done=True)
            return await super().records(first_day)

    log = Log(office.log_rows, lambda: NOW, COMPANY, 1)
    await Restoring(ledger=office.book.lane, log=log, audit=office.audit, clock=lambda: NOW).run(backup)

    assert await LaneDeliveries(office.book.lane).epoch() == 2
    assert MARK not in office.book.company_rows.dump()


async def test_no_backup_is_taken_of_half_a_restore(office: Office) -> None:
    """The log would be asked for the days since then alone, and the rows are those of an older one."""
    whole = await office.taken()
    office.book.company_rows.put(MARK, {})

    with pytest.raises(Rejected, match="under way"):
        await office.taken()
    with pytest.raises(Rejected, match="under way"):
        await office.restored(replace(whole, rows={**whole.rows, MARK: {}}))


@pytest.mark.parametrize("sign", ["\u2028", "\u0085", "\x0b", "\x1c"])
async def test_a_sign_that_ends_a_line_elsewhere_tears_no_backup(office: Office, sign: str) -> None:
    """The server's words, or the name of who decided."""
    await office.has(a_receipt(decided_by=f"a{sign}b"))
    assert (await office.taken()).rows


async def test_the_log_of_another_installation_is_refused(office: Office) -> None:
    """It names no mail: all since the backup would go out again. Nothing is written."""
    mail = a_delivery(state=D.SENT, owner="w", tried_ms=NOW, sent_ms=NOW)
    await office.has(a_receipt(state=S.SENT), mail)
    backup, before = await office.taken(), office.book.company_rows.dump()

    with pytest.raises(Rejected, match="send log"):
        await office.restored(backup)
    assert office.book.company_rows.dump() == before

    await office.log().begin(KEY, "w")
    await office.restored(backup)
    office.log_rows.remove("epoch")
    with pytest.raises(Rejected, match="send log"):
        await office.restored(backup)


async def test_a_mail_that_came_back_stays_refused(office: Office) -> None:
    """The log says accepted, and so it was; the office still has to hear of it."""
    mail = a_delivery(state=D.REFUSED, reply="bounced: 5.1.1", owner="w", tried_ms=NOW, sent_ms=NOW)
    await office.has(a_receipt(state=S.REFUSED), mail)
    await office.log().begin(KEY, "w")
    await office.log().end(KEY, "w", accepted=True)

    await office.restored(await office.taken())

    assert (await office.receipt()).state is S.REFUSED


async def test_an_unknown_mail_without_an_address_gets_one_first(office: Office) -> None:
    """Else *send again* never has anybody to send to."""
    await office.has(a_receipt(state=S.WAITING_DOCUMENT))
    backup = await office.taken()
    await office.log().begin(KEY, "w")

    await office.restored(backup)

    assert (await office.receipt()).state is S.FOUND
    assert [one.state for one in await office.book.lane.deliveries(B1)] == [D.UNKNOWN]


async def test_an_outcome_is_logged_also_after_the_fence(office: Office) -> None:
    """Only what begins is refused: what the server said of a mail that had begun is a fact."""
    await office.log().begin(KEY, "w")
    await office.log().raise_epoch()
    await office.log().end(KEY, "w", accepted=True)
    assert dict(await office.log().records("2000-01-01")) == {KEY: [("w", "accepted"), ("w", "begun")]}


async def test_what_was_skipped_since_the_backup_is_not_mailed(office: Office) -> None:
    """Whether its mail was due, nothing was prepared, or the payment was found later; the look keeps it skipped."""
    ready = a_delivery(message_id=f"<{'ab' * 20}@p>")
    await office.has(a_receipt(state=S.SENDING), ready)
    await office.has(a_receipt("b2", instalment=InstalmentId("p2")))
    backup = await office.taken()
    for baixa, instalment in (("b1", "p1"), ("b2", "p2"), ("b3", "p3")):
        await office.said("skip", baixa, instalment=instalment)
    await office.said("skip", "b4")  # of a version that did not store the instalment
    await office.said("map", "2")

    report = await office.restored(backup)

    for baixa in ("b1", "b2", "b3"):
        found = await office.book.lane.receipt(BaixaId(baixa))
        assert found
        assert (found.state, found.reason, found.decided_by) == (S.SKIPPED, Reason.BY_PERSON, "office")
    assert [one.state for one in await office.book.lane.deliveries(B1)] == [D.CANCELLED]
    assert [one.baixa for one in await office.book.lane.siblings(InstalmentId("p3"))] == ["b3"]
    assert not await office.book.lane.due(UnixMs(NOW + 1), limit=9)
    assert [(one.what, one.subject) for one in report.not_put_back] == [("map", "2"), ("skip", "b4")]


async def test_the_last_word_counts_and_the_log_before_it(office: Office) -> None:
    """Skipped and released; skipped before the backup; skipped, and yet the log says it went out."""
    await office.has(a_receipt())
    await office.has(a_receipt("b2", instalment=InstalmentId("p2")))
    await office.has(a_receipt("b3", instalment=InstalmentId("p3")))
    backup = await office.taken()
    await office.said("skip", "b1", instalment="p1")
    await office.said("release", "b1", at=2, instalment="p1")
    await office.said("skip", "b2", at=-600_001, instalment="p2")
    await office.said("skip", "b3", instalment="p3")
    await office.log().begin(DeliveryKey(PaymentKey(COMPANY, BaixaId("b3")), "receipt", 1), "w")

    report = await office.restored(backup)

    states = [await office.book.lane.receipt(BaixaId(baixa)) for baixa in ("b1", "b2", "b3")]
    assert [one.state for one in states if one] == [S.FOUND] * 3
    assert report.not_put_back == [
        Said(at_ms=UnixMs(NOW + 2), by="office", what="release", subject="b1", instalment=InstalmentId("p1")),
        Said(at_ms=UnixMs(NOW + 1), by="office", what="skip", subject="b3", instalment=InstalmentId("p3")),
    ]


async def test_a_skip_after_a_mail_is_put_back_or_named(office: Office) -> None:
    """One address has its mail, the other never will; of the other receipt the log does not know the outcome."""
    other = InstalmentId("p2")
    for baixa, instalment in (("b1", "p1"), ("b2", "p2")):
        receipt = a_receipt(baixa, state=S.HELD, reason=Reason.UNDELIVERABLE, instalment=InstalmentId(instalment))
        held = a_delivery(baixa, number=2, state=D.HELD, reason=Reason.UNDELIVERABLE, message_id=f"<{baixa}@p>")
        await office.has(receipt, held)
    backup = await office.taken()
    for baixa, instalment in (("b1", "p1"), ("b2", "p2")):
        key = DeliveryKey(PaymentKey(COMPANY, BaixaId(baixa)), "receipt", 1)
        await office.log().begin(key, baixa)
        await office.said("skip", baixa, instalment=instalment)
    await office.log().end(KEY, "b1", accepted=True)

    report = await office.restored(backup)

    assert (await office.receipt()).state is S.SENT
    assert [(one.what, one.subject, one.instalment) for one in report.not_put_back] == [("skip", "b2", other)]


async def test_a_decision_by_a_clock_that_is_behind_is_not_forgotten(office: Office) -> None:
    """It was stored after the backup had read the row."""
    await office.has(a_receipt())
    backup = await office.taken()
    await office.said("skip", "b1", at=-500_000, instalment="p1")

    await office.restored(backup)

    assert (await office.receipt()).state is S.SKIPPED


async def test_a_company_that_nobody_has_confirmed_is_restored_as_one(office: Office) -> None:
    """Paused, the end of the pause would confirm it."""
    for status, then in ((CompanyStatus.CONFIRM, CompanyStatus.CONFIRM), (CompanyStatus.ACTIVE, CompanyStatus.PAUSED)):
        company = await office.book.lane.read_company()
        assert company
        await office.book.lane.write_company(replace(company, status=status))
        backup = await office.taken()
        await office.restored(backup)
        company = await office.book.lane.read_company()
        (entry,) = await office.book.entries.all()
        assert company
        assert (company.status, entry.status) == (then, then)


async def test_who_wanted_no_mail_since_the_backup_gets_none(office: Office) -> None:
    """And who wants it again gets it again."""
    backup = await office.taken()
    await office.said("no-mail", "c1")
    await office.said("no-mail", "c2")
    await office.said("mail", "c2", at=2)

    assert not (await office.restored(backup)).not_put_back

    rows = LaneRecipients(office.book.lane)
    assert [(await rows.payer(CustomerId(one))).no_mail for one in ("c1", "c2")] == [True, False]


async def test_who_was_purged_since_the_backup_is_purged_again(office: Office) -> None:
    """The backup brings the name back: it is emptied once more, and no mail follows, whatever was said before."""
    await office.has(a_receipt(customer=CustomerId("c1"), customer_name="Dra. Ana Canária"))
    other = a_receipt("b2", instalment=InstalmentId("p2"), customer=CustomerId("c2"), customer_name="Dra. Bia")
    await office.has(other)
    backup = await office.taken()
    await office.said("mail", "c1")
    await office.said("purge-person", "c1", at=2)

    report = await office.restored(backup)

    names = [await office.book.lane.receipt(BaixaId(baixa)) for baixa in ("b1", "b2")]
    assert [one.customer_name for one in names if one] == ["", "Dra. Bia"]
    rows = LaneRecipients(office.book.lane)
    assert [(await rows.payer(CustomerId(one))).no_mail for one in ("c1", "c2")] == [True, False]
    assert report.not_put_back == []


async def test_a_row_that_a_backup_leaves_out_now_is_not_put_back(office: Office) -> None:
    """A backup of a version that left out less: what is made of other rows is made anew."""
    await office.has(a_receipt())
    backup = await office.taken()
    stale = f"{backups.LEFT_OUT[0]}stale"

    await office.restored(replace(backup, rows={**backup.rows, stale: {"baixa": "b9"}}))

    assert await office.book.lane.rows.get(stale) is None
    assert (await office.receipt()).state is S.FOUND


async def test_a_skip_of_what_had_ended_already_is_put_back(office: Office) -> None:
    """Covered before the backup, and skipped by a person all the same: no mail follows, nothing is left to say."""
    await office.has(a_receipt(state=S.COVERED, reason=Reason.RECREATED))
    backup = await office.taken()
    await office.said("skip", "b1", instalment="p1")

    report = await office.restored(backup)

    assert (await office.receipt()).state is S.COVERED
    assert report.not_put_back == []


async def test_a_backup_of_many_rows_is_read_page_by_page(office: Office) -> None:
    """None is lost where a page ends."""
    many = {f"x:{number:05d}" for number in range(PAGE_ROWS + 1)}
    for key in many:
        office.book.company_rows.put(key, {})

    assert many <= (await office.taken()).rows.keys()


@pytest.mark.parametrize("many", range(ROWS_MAX - 3, ROWS_MAX + 2))
async def test_a_restore_whose_last_group_is_full_loses_no_row(office: Office, many: int) -> None:
    """Whether or not something is left for one more group."""
    rows = {f"x:{number:03d}": {"n": number} for number in range(many)}
    backup = await office.taken()

    await office.restored(replace(backup, rows={**backup.rows, **rows}))

    there = office.book.company_rows.dump()
    assert rows.keys() <= there.keys()
