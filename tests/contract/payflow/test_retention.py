"""Emptying what is old, on every store of rows, and with a restore and a real mail server: nothing is mailed again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from foundation.clock import DAY_MS, UnixMs
from foundation.errors import Contention
from foundation.tablestore.memory import MemoryRows
from foundation.tablestore.ports import Rows
from payflow.delivery.retention import CompanyRetention
from payflow.ledger import keys, verifying
from payflow.ledger.lane import LaneLedger
from payflow.ledger.records import codec
from payflow.model import BaixaId, InstalmentId
from payflow.state import CompanyStatus, DeliveryState, DocumentPolicy, ReceiptState
from tests.clinic import Clinic
from tests.contract.payflow.test_restoring import mailed, restored, taken
from tests.fakes import stores
from tests.fakes.mail_server import FaultyServer, mail_server
from tests.fakes.payflow import COMPANY, INDEX, NOW, SEALER, Book, a_company, a_delivery, a_receipt, an_instalment

OVER_MS = UnixMs(NOW + 180 * DAY_MS + 1)


@pytest.fixture(params=stores.KINDS)
async def rows(request: pytest.FixtureRequest, table_name: str) -> AsyncIterator[Rows]:
    """An empty partition."""
    async with stores.store(request, table_name) as store:
        yield store


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultyServer]:
    """One server for the module."""
    with mail_server() as server:
        yield server


async def test_ended_receipts_are_emptied_in_place(rows: Rows) -> None:
    """Pages, groups and the mark are what a real table takes; a waiting receipt is left; its creation keeps failing."""
    lane = LaneLedger(COMPANY, rows, codec(COMPANY, SEALER), INDEX, Book().entries)
    for at in range(3):
        state = ReceiptState.UNKNOWN if at == 1 else ReceiptState.SENT
        receipt = a_receipt(f"b{at}", instalment=InstalmentId(f"p{at}"), state=state)
        await lane.add(None, an_instalment(f"p{at}"), [receipt], [])
        for number in (1, 2):
            mail = a_delivery(f"b{at}", number=number, state=DeliveryState(state), tried_ms=NOW, reply="250 ok")
            await lane.write_delivery(mail)
    retention = CompanyRetention(ledger=lane, audits=(), clock=lambda: OVER_MS, days=180)

    assert await retention.run() == {"receipt": 2, "delivery": 4}
    assert await retention.run() == {}

    left = [
        (one.customer_name != "", one.state)
        for one in [await lane.receipt(BaixaId(f"b{at}")) for at in range(3)]
        if one
    ]
    assert left == [(False, ReceiptState.SENT), (True, ReceiptState.UNKNOWN), (False, ReceiptState.SENT)]
    assert [mail.address != "" for at in range(3) for mail in await lane.deliveries(BaixaId(f"b{at}"))] == [
        *[False] * 2,
        *[True] * 2,
        *[False] * 2,
    ]
    assert (await verifying.verify_company(lane)).faults == []
    again = a_receipt("b0", instalment=InstalmentId("p-new"))
    with pytest.raises(Contention):
        await lane.add(None, an_instalment("p-new"), [again], [])


async def test_a_restore_mails_nothing_that_was_emptied(shared: FaultyServer) -> None:
    """Neither a backup from before the emptying nor one from after it; what comes back is emptied by its age."""
    company = a_company(policy=DocumentPolicy.OWN)
    clinic = Clinic(shared, company=company)
    await clinic.lane.write_company(company)
    await clinic.lane.entries.lower(COMPANY, UnixMs(0), CompanyStatus.ACTIVE)
    payment = clinic.paid(None)
    await clinic.found(payment)
    assert await mailed(clinic, payment) is ReceiptState.SENT
    clinic.time.now_s += 181 * 86_400
    full = await taken(clinic)
    retention = CompanyRetention(ledger=clinic.lane, audits=(MemoryRows(),), clock=lambda: clinic.now, days=180)
    assert await retention.run() == {"receipt": 1, "delivery": 1}
    emptied = await taken(clinic)
    assert keys.RETENTION in emptied.rows

    for backup, comes_back in ((emptied, 0), (full, 1)):
        await restored(clinic, backup)
        receipt = await clinic.lane.receipt(BaixaId(payment.id))
        assert receipt
        assert (receipt.state, bool(receipt.customer_name)) == (ReceiptState.SENT, bool(comes_back))
        assert (await retention.run())["receipt"] == comes_back
        with pytest.raises(Contention):
            await clinic.found(payment)
        assert (await verifying.verify_company(clinic.lane)).faults == []

    (mail,) = await clinic.deliveries(payment)
    assert (mail.address, mail.state) == ("", DeliveryState.SENT)
    assert len(shared.accepted) == 1
    last = await clinic.lane.receipt(BaixaId(payment.id))
    assert last
    assert (last.customer_name, last.emptied_ms) == ("", clinic.now)
