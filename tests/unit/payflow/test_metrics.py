"""The guide's four metrics and ours, from the rows alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from payflow import metrics
from payflow.connection import Token
from payflow.ledger import backup, keys
from payflow.model import BaixaId, InstalmentId
from payflow.progress import Cursor
from payflow.state import CompanyStatus, DeliveryState, Reason, ReceiptState
from tests.fakes.payflow import COMPANY, NOW, Book, a_delivery, a_receipt, an_instalment


def installation(book: Book) -> Any:
    """Return an installation of one company in memory."""
    return SimpleNamespace(entries=book.entries, lane=lambda _: book.lane, second=SimpleNamespace(rows=MemoryRows()))


async def text(book: Book) -> str:
    """Return a scrape."""
    return (await metrics.exposition(installation(book), NOW)).text().decode()


async def test_the_guides_four_names_and_ours() -> None:
    """By company; a mail that came back was sent, and failed."""
    book = Book()
    await book.entries.lower(COMPANY, NOW, CompanyStatus.ACTIVE)
    states = (DeliveryState.SENT, DeliveryState.SENT, DeliveryState.REFUSED, DeliveryState.HELD, DeliveryState.UNKNOWN)
    for at, state in enumerate(states):
        await book.lane.write_delivery(a_delivery(f"b{at}", state=state))
    await book.lane.write_delivery(a_delivery("back", state=DeliveryState.REFUSED, sent_ms=NOW))
    held = (ReceiptState.HELD, Reason.NO_DOCUMENT), (ReceiptState.UNKNOWN, None)
    for at, (state_, reason) in enumerate(held):
        receipt = a_receipt(f"r{at}", instalment=InstalmentId(f"p{at}"), state=state_, reason=reason)
        await book.lane.add(None, an_instalment(f"p{at}"), [receipt], [])
    await book.lane.write_cursor(Cursor(upper_ms=UnixMs(NOW - 90_000), took_ms=2_500))
    token = Token(generation=1, access="a", refresh="r", expires_ms=UnixMs(NOW + 600_000))
    await backup.note(book.company_rows, UnixMs(NOW - 7_000))
    book.company_rows.put(keys.TOKEN, book.lane.codec.encode(token))

    shown = await text(book)

    for line in (
        f'payflow_emails_sent_total{{company="{COMPANY}"}} 3.0',
        f'payflow_emails_failed_total{{company="{COMPANY}"}} 3.0',
        f'payflow_polling_duration_seconds{{company="{COMPANY}"}} 2.5',
        'payflow_database_connections{account="ledger"} 1.0',
        'payflow_database_connections{account="send_log"} 1.0',
        f'payflow_receipts_waiting{{company="{COMPANY}"}} 1.0',
        f'payflow_receipts_unknown{{company="{COMPANY}"}} 1.0',
        f'payflow_token_expires_seconds{{company="{COMPANY}"}} 600.0',
        f'payflow_checkpoint_lag_seconds{{company="{COMPANY}"}} 90.0',
        f'payflow_backup_age_seconds{{company="{COMPANY}"}} 7.0',
    ):
        assert line in shown


async def test_what_never_was_has_no_age() -> None:
    """No token, no look yet; nothing personal in it."""
    book = Book()
    await book.entries.lower(COMPANY, NOW, CompanyStatus.ACTIVE)
    await book.lane.write_delivery(a_delivery("b1", state=DeliveryState.SENT))

    shown = await text(book)

    assert "payflow_token_expires_seconds{" not in shown
    assert "payflow_checkpoint_lag_seconds{" not in shown
    assert "canaria" not in shown
    assert BaixaId("b1") not in shown
