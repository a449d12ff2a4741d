"""The restore drill on a real mail server: what the log knows is not mailed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from devstack.conta_azul.books import Payment
from foundation.clock import UnixMs
from foundation.errors import Rejected
from foundation.tablestore.memory import MemoryRows
from payflow import corrections
from payflow.connection import Token
from payflow.delivery import choices, decisions
from payflow.delivery.choices import Decider
from payflow.delivery.ports import delivery_key
from payflow.delivery.restoring import CompanyRestoreReport, Restoring
from payflow.ledger import backup as backups
from payflow.ledger import keys
from payflow.ledger.backup import CompanyBackup
from payflow.ledger.deliveries import LaneDeliveries
from payflow.ledger.send_log import TableSendLog
from payflow.looking.changed import edited
from payflow.model import BaixaId, CompanyId, Customer
from payflow.state import CompanyStatus, DeliveryState, DocumentPolicy, Receipt, ReceiptState
from tests.clinic import Clinic
from tests.fakes.mail_server import FaultyServer, mail_server
from tests.fakes.payflow import COMPANY, a_company, a_receipt, an_instalment
from tests.fakes.rows import ListAudit

KNOWN, LATER = 60, 20
"""Payments in the backup, and found after it; each of them is mailed after it."""


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultyServer]:
    """One server for the module."""
    with mail_server() as server:
        yield server


@pytest.fixture
async def clinic(shared: FaultyServer) -> Clinic:
    """A clinic that mails our own document."""
    shared.accepted.clear()
    shared.faults = type(shared.faults)()
    company = a_company(policy=DocumentPolicy.OWN)
    made = Clinic(shared, company=company)
    await made.lane.write_company(company)
    await made.lane.entries.lower(COMPANY, UnixMs(0), CompanyStatus.ACTIVE)
    return made


async def taken(clinic: Clinic) -> CompanyBackup:
    """Return a backup that went through a file."""
    found = await backups.take_backup(clinic.book.company_rows, ledger_id="l", company=COMPANY, now=clinic.now)
    return backups.from_json_lines(backups.as_json_lines(found))


async def restored(clinic: Clinic, backup: CompanyBackup) -> CompanyRestoreReport:
    """Restore the clinic's rows from *backup*."""
    log = TableSendLog(clinic.log_rows, lambda: clinic.now, COMPANY, 1)
    return await Restoring(ledger=clinic.lane, log=log, audit=ListAudit(), clock=lambda: clinic.now).run(backup)


async def mailed(clinic: Clinic, payment: Payment) -> ReceiptState:
    """Let the receipt come as far as it comes by itself; the account's limit per minute makes it wait."""
    receipt = await clinic.advance(payment)
    while receipt.state is ReceiptState.SENDING:
        receipt = await clinic.advance(payment)
    return receipt.state


async def test_eighty_mails_after_the_backup_are_not_mailed_again(clinic: Clinic) -> None:
    """One was cut after its dot: 79 are sent by the log, one is unknown, also where the backup knows no payment."""
    before = [clinic.paid(None) for _ in range(KNOWN)]
    for payment in before:
        await clinic.found(payment)
    backup = await taken(clinic)
    later = [clinic.paid(None) for _ in range(LATER)]
    for payment in later:
        await clinic.found(payment)
    for payment in [*before[:-1], *later]:
        assert await mailed(clinic, payment) is ReceiptState.SENT
    clinic.server.faults.cut_at = "after_dot"
    assert await mailed(clinic, before[-1]) is ReceiptState.UNKNOWN
    clinic.server.faults.cut_at = ""
    assert len(clinic.server.accepted) == KNOWN + LATER

    report = await restored(clinic, backup)

    assert report.mails == {DeliveryState.SENT: KNOWN + LATER - 1, DeliveryState.UNKNOWN: 1}
    company = await clinic.lane.read_company()
    assert company
    assert company.status is CompanyStatus.PAUSED
    assert await mailed(clinic, before[-1]) is ReceiptState.UNKNOWN  # it gets its address, and no mail
    states = [(await clinic.lane.receipt(BaixaId(payment.id))) for payment in before]
    assert Counter(one.state for one in states if one) == {ReceiptState.SENT: KNOWN - 1, ReceiptState.UNKNOWN: 1}

    for payment in later:  # the next look finds them again
        await clinic.found(payment)
        assert await mailed(clinic, payment) is ReceiptState.SENT
    assert len(clinic.server.accepted) == KNOWN + LATER


async def test_a_worker_of_the_old_table_mails_nothing(clinic: Clinic) -> None:
    """It knows the epoch by the rows it read; the log refuses it. A worker of the restored table goes on."""
    payment = clinic.paid(None)
    await clinic.found(payment)
    await clinic.advance(payment)
    backup = await taken(clinic)
    await restored(clinic, backup)
    assert await LaneDeliveries(clinic.lane).epoch() == 2

    assert await mailed(clinic, payment) is ReceiptState.SENT
    assert len(clinic.server.accepted) == 1
    old = TableSendLog(clinic.log_rows, lambda: clinic.now, COMPANY, 1)
    assert await old.raise_epoch() == 3


async def test_an_unknown_mail_of_which_only_the_log_knows_gets_its_address_back(clinic: Clinic) -> None:
    """The payment was found after the backup: a person decides, and *send again* has somebody to send to."""
    backup = await taken(clinic)
    clinic.server.faults.cut_at = "after_dot"
    first, second = clinic.paid(None), clinic.paid(None)
    for payment in (first, second):
        await clinic.found(payment)
        assert await mailed(clinic, payment) is ReceiptState.UNKNOWN
    clinic.server.faults.cut_at = ""
    await restored(clinic, backup)
    for payment in (first, second):
        await clinic.found(payment)
        assert await mailed(clinic, payment) is ReceiptState.UNKNOWN
    clinic.time.now_s += 3600
    (there,), (lost,) = await clinic.deliveries(first), await clinic.deliveries(second)

    await decisions.decide_arrived(clinic.lane, delivery_key(there), "office", clinic.now)
    await decisions.decide_again(clinic.lane, delivery_key(lost), "office", clinic.now, domain="payflow.example")

    assert lost.address == "ana@medica.com.br"
    assert await mailed(clinic, second) is ReceiptState.SENT
    assert len(clinic.server.accepted) == 3


async def test_a_backup_that_was_torn_between_two_rows_loses_nothing(clinic: Clinic) -> None:
    """The receipt was read as sending and its mail was not read yet: it begins anew, and its index is made anew."""
    payment = clinic.paid(None)
    await clinic.found(payment)
    await clinic.advance(payment)
    whole = await taken(clinic)
    torn = {key: values for key, values in whole.rows.items() if not key.startswith("delivery:")}

    await restored(clinic, replace(whole, rows=torn))

    found = await clinic.lane.receipt(BaixaId(payment.id))
    assert found
    assert (found.state, found.frozen) == (ReceiptState.FOUND, False)
    assert [one.baixa for one in await clinic.lane.due(clinic.now, limit=9)] == [payment.id]
    assert await mailed(clinic, payment) is ReceiptState.SENT


async def test_what_came_after_the_backup_goes_and_the_token_stays(clinic: Clinic) -> None:
    """Rows that the backup does not have are removed, an older token is not put back, ended receipts stay ended."""
    ended = a_receipt("b-old", state=ReceiptState.WITHDRAWN)
    await clinic.lane.add(None, an_instalment("p-old", worked=False), [ended], [])
    backup = await taken(clinic)
    await clinic.lane.add(None, an_instalment("p-new"), [a_receipt("b-new")], [])
    token = Token(generation=7, access="a", refresh="r", expires_ms=clinic.now)
    clinic.book.company_rows.put(keys.TOKEN, clinic.lane.codec.encode(token))

    for _ in range(2):  # a restore that was cut is begun again
        await restored(clinic, backup)

    assert await clinic.lane.receipt(BaixaId("b-new")) is None
    assert await clinic.lane.receipt(BaixaId("b-old")) == ended
    assert [one.id for one in await clinic.lane.to_read_again(limit=9)] == ["p-old"]
    assert await clinic.lane.read_token() == token
    assert keys.RESTORING not in clinic.book.company_rows.dump()


async def test_a_table_with_many_rows_is_put_back_group_by_group(clinic: Clinic) -> None:
    """A group takes 100 rows."""
    backup = await taken(clinic)
    for number in range(120):
        await clinic.lane.add(None, an_instalment(f"p{number}"), [], [])
    many = await taken(clinic)
    await restored(clinic, backup)
    assert not [key for key in clinic.book.company_rows.dump() if key.startswith("instalment:")]

    await restored(clinic, many)

    assert len([key for key in clinic.book.company_rows.dump() if key.startswith("instalment:")]) == 120


async def test_a_lost_table_is_restored_into_an_empty_one(clinic: Clinic) -> None:
    """Nothing is there; the company is paused all the same."""
    payment = clinic.paid(None)
    await clinic.found(payment)
    backup = await taken(clinic)
    clinic.book.company_rows = MemoryRows()

    await restored(clinic, backup)

    company = await clinic.lane.read_company()
    assert company
    assert company.status is CompanyStatus.PAUSED
    assert await mailed(clinic, payment) is ReceiptState.SENT


async def test_another_companys_backup_is_refused(clinic: Clinic) -> None:
    """Before anything is written."""
    with pytest.raises(Rejected, match="of company other"):
        await restored(clinic, CompanyBackup(ledger_id="l", company=CompanyId("other"), began_ms=UnixMs(0), rows={}))


@pytest.mark.parametrize("text", ["", "{}", "[]", "x", '{"format": 1, "sha256": "", "rows": 1}\n[]'])
def test_a_file_that_is_no_whole_backup_is_refused(text: str) -> None:
    """No header, no JSON, a line missing."""
    with pytest.raises(Rejected):
        backups.from_json_lines(text)


def test_a_line_that_was_cut_is_noticed() -> None:
    """By the digest of the lines."""
    whole = backups.as_json_lines(
        CompanyBackup(ledger_id="l", company=COMPANY, began_ms=UnixMs(1), rows={"a": {"x": 1}, "b": {}})
    )
    with pytest.raises(Rejected, match="not whole"):
        backups.from_json_lines("\n".join(whole.splitlines()[:-1]))


async def _corrected(clinic: Clinic, payment: Payment, gross: int) -> Receipt:
    """Edit a payment that was mailed, as the look sees it, and order its correction."""
    baixa = BaixaId(payment.id)
    clinic.books.edit(payment, gross=gross)
    before, shown = await clinic.lane.receipt(baixa), await clinic.api.baixa(baixa)
    assert before
    assert shown
    payer = Customer(id=before.customer, name=before.customer_name)
    await clinic.lane.save(before, edited(before, shown, payer, clinic.now))
    return await choices.order_correction(clinic.lane, baixa, Decider(name="office", now=clinic.now))


@pytest.mark.parametrize("after_the_backup", [False, True])
async def test_a_correction_in_a_backup_is_mailed_once(clinic: Clinic, after_the_backup: bool) -> None:
    """By the log it went out, or it goes out after the restore: what a person ordered is not forgotten."""
    payment = clinic.paid(None)
    await clinic.found(payment)
    assert await mailed(clinic, payment) is ReceiptState.SENT
    await _corrected(clinic, payment, 200_00)
    backup = await taken(clinic)
    if after_the_backup:
        await clinic.advance(payment)
        assert await mailed(clinic, payment) is ReceiptState.SENT

    await restored(clinic, backup)
    if not after_the_backup:
        await clinic.advance(payment)
        await mailed(clinic, payment)

    found = await clinic.lane.receipt(BaixaId(payment.id))
    assert found
    assert (found.state, found.amount, found.after) == (ReceiptState.SENT, 200_00, None)
    assert [one.kind for one in await clinic.deliveries(payment)] == ["correction-1", "receipt"]
    assert len(clinic.server.accepted) == 2


async def test_a_correction_in_a_backup_is_given_up_where_the_log_knows_a_later_one(clinic: Clinic) -> None:
    """The first was skipped after the backup and the second mailed: the first is not mailed by the restore."""
    payment = clinic.paid(None)
    await clinic.found(payment)
    assert await mailed(clinic, payment) is ReceiptState.SENT
    await _corrected(clinic, payment, 200_00)
    backup = await taken(clinic)
    await choices.skip(clinic.lane, BaixaId(payment.id), Decider(name="office", now=clinic.now))
    assert (await _corrected(clinic, payment, 300_00)).correction == 2
    await clinic.advance(payment)
    assert await mailed(clinic, payment) is ReceiptState.SENT

    await restored(clinic, backup)

    found = await clinic.lane.receipt(BaixaId(payment.id))
    assert found
    assert (found.state, bool(found.flagged_ms)) == (ReceiptState.SENT, True)
    assert len(clinic.server.accepted) == 2
    assert corrections.next_number(found, await clinic.deliveries(payment)) == 3
