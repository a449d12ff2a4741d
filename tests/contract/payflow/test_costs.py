"""What one payment costs: requests to Conta Azul and operations of storage, from the look to the mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from payflow.delivery.payers import LaneRecipients
from payflow.ledger.lane import LaneLedger
from payflow.looking.look import Look
from payflow.model import BaixaId, CustomerId, Person
from payflow.progress import Cursor, LookKind
from payflow.recipients.choice import Known
from payflow.state import Company, DocumentPolicy, ReceiptState
from tests.clinic import PDF, Clinic
from tests.fakes.conta_azul import BooksApi
from tests.fakes.mail_server import FaultyServer, mail_server


class CountingApi(BooksApi):
    """People are counted too."""

    async def person(self, customer: CustomerId) -> Person | None:
        self.asked["person"] += 1
        return await super().person(customer)


class Office(Clinic):
    """What is known of payers comes from the rows, as it does in the app."""

    async def _known(self, company: Company, ledger: LaneLedger, customer: CustomerId, person: Person | None) -> Known:
        return await LaneRecipients(ledger).known(company, customer, person)


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultyServer]:
    """One server for the module."""
    with mail_server() as server:
        yield server


@pytest.fixture
def clinic(shared: FaultyServer) -> Clinic:
    """A clinic whose every request is counted."""
    shared.accepted.clear()
    made = Office(shared)
    made.company = replace(made.company, span_days=20_000)
    made.api = CountingApi(made.books)
    return made


async def look(clinic: Clinic) -> None:
    """Do one look for changes."""
    clinic.time.now_s += 1
    cursor = Cursor(kind=LookKind.CHANGES, look_upper_ms=clinic.now, upper_ms=UnixMs(clinic.now - 1))
    cursor = replace(
        cursor, look_lower_ms=UnixMs(clinic.now - 7_200_000), version=(await clinic.lane.read_cursor()).version
    )
    stored = await clinic.lane.write_cursor(cursor)
    await Look(clinic.lane, clinic.api, clinic.company, lambda: clinic.now, lambda: False).run(stored)


def operations(clinic: Clinic) -> Counter[str]:
    """Return how often each account was asked and written to."""
    ledger: list[MemoryRows] = [clinic.book.company_rows, clinic.book.entry_rows, clinic.sender_rows]
    return Counter(
        ledger_reads=sum(rows.reads for rows in ledger),
        ledger_writes=sum(rows.commits for rows in ledger),
        log_reads=clinic.log_rows.reads,
        log_writes=clinic.log_rows.commits,
    )


async def test_a_payment_whose_document_is_at_hand(clinic: Clinic) -> None:
    """One detail; the payment and its document twice: for the mail's making, and once more before it goes out."""
    payment = clinic.paid(PDF)
    await look(clinic)
    looked = Counter(clinic.api.asked)
    before = operations(clinic)

    assert (await clinic.advance(payment, 2)).state is ReceiptState.SENT

    assert looked == {"search": 2, "detail": 1}
    assert clinic.api.asked - looked == {"baixa": 2, "person": 1}
    assert operations(clinic) - before == {"ledger_reads": 29, "ledger_writes": 9, "log_reads": 2, "log_writes": 2}


async def test_a_payment_whose_document_never_comes(clinic: Clinic) -> None:
    """One request for each of twelve asks within 72 hours, payment and payer at the first and the last alone."""
    payment = clinic.paid(None)
    await look(clinic)
    looked = Counter(clinic.api.asked)
    receipt = await clinic.lane.receipt(BaixaId(payment.id))

    while receipt and receipt.state is not ReceiptState.HELD:
        receipt = await clinic.advance(payment)

    assert clinic.api.asked - looked == {"baixa": 2, "person": 2, "detail": 13}


async def test_a_payment_with_our_own_document(clinic: Clinic) -> None:
    """No attachment is asked for."""
    clinic.company = replace(clinic.company, policy=DocumentPolicy.OWN)
    payment = clinic.paid(None)
    await look(clinic)
    looked = Counter(clinic.api.asked)

    assert (await clinic.advance(payment, 2)).state is ReceiptState.SENT
    assert clinic.api.asked - looked == {"baixa": 2, "person": 2}
