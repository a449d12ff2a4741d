"""From a found receipt to a mailbox, over real tables and a real mail server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from devstack.servers import Azurite
from foundation.errors import Contention, StoreUnavailable
from foundation.settings.storage import Storage
from foundation.tablestore.azure_tables import Tables, connect_tables
from payflow.delivery import decisions, rules
from payflow.delivery.office import Office
from payflow.delivery.sender import SenderDesk, SendingLimits
from payflow.delivery.work import Work
from payflow.ledger import keys
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.ledger.records import codec
from payflow.ledger.send_log import TableSendLog
from payflow.mail.channel import SmtpChannel
from payflow.state import ReceiptState
from tests.clinic import OTHER_PDF, Clinic, key_of
from tests.fakes.mail_server import FaultyServer, mail_server
from tests.fakes.payflow import COMPANY, INDEX, SEALER


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    """A mail server with TLS."""
    with mail_server() as running:
        yield running


@pytest.fixture
async def tables(azurite: Azurite, table_name: str) -> AsyncIterator[Tables]:
    """The ledger's table; another partition of it represents the second account."""
    store = connect_tables(Storage(connection_string=azurite.connection_string), partition=COMPANY, table=table_name)
    await store.ensure()
    yield store
    await store.aclose()


class _OnTables(Clinic):
    """The clinic of the unit tests, its rows in real tables."""

    tables: Tables

    @property
    def lane(self) -> LaneLedger:
        entries = Entries(self.tables.rows_of(keys.COMPANIES))
        return LaneLedger(COMPANY, self.tables.rows_of(COMPANY), codec(COMPANY, SEALER), INDEX, entries)

    def work(self) -> Work:
        return Work(
            office=Office(sender_name="PayFlow", sender_address="r@payflow.example"),
            desk=SenderDesk(self.tables.rows_of(keys.SENDER), lambda: self.now, SendingLimits()),
            channel=lambda: SmtpChannel(self.smtp(reply_s_max=5), "r@payflow.example"),
            send_log=lambda company, epoch: TableSendLog(
                self.tables.rows_of(f"log-{company}"), lambda: self.now, company, epoch
            ),
            download=self._download,
            known=self._known,
            clock=lambda: self.now,
        )


async def test_three_lanes_a_lost_answer_and_a_word_of_the_office(server: FaultyServer, tables: Tables) -> None:
    """One mail for each payment and kind; unknown until the office says what becomes of it."""
    clinic = _OnTables(server)
    clinic.tables = tables
    first, second = clinic.paid(), clinic.paid(OTHER_PDF)
    await clinic.found(first)
    await clinic.found(second)

    receipt = await clinic.advance(first)
    lanes = [clinic.work().advance(receipt, clinic.company, clinic.lane, clinic.api) for _ in range(3)]
    ended = await asyncio.gather(*lanes, return_exceptions=True)
    assert all(isinstance(one, Contention | StoreUnavailable | None) for one in ended)
    assert [mail.recipients for mail in server.accepted] == [("ana@medica.com.br",)]

    server.faults.cut_at = "after_dot"
    assert (await clinic.advance(second, 2)).state is ReceiptState.UNKNOWN
    server.faults.cut_at = ""
    clinic.time.now_s += (rules.ATTEMPT_MS + rules.IDLE_MS) / 1000 + 1
    await decisions.decide_again(clinic.lane, key_of(second), "office", clinic.now, domain="payflow.example")
    assert (await clinic.advance(second)).state is ReceiptState.SENT

    log = await TableSendLog(tables.rows_of(f"log-{COMPANY}"), lambda: clinic.now, COMPANY, 1).records("2000-01-01")
    words = {key: sorted(word for _, word in records) for key, records in log.items()}
    assert words == {
        key_of(first): ["accepted", "begun"],
        key_of(second): ["begun"],
        key_of(second, "receipt-again-1"): ["accepted", "begun"],
    }
    assert len({mail.message_id for mail in server.accepted}) == 3
