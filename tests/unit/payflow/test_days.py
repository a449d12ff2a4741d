"""What a company's days were like: counted once a mail, read in one request, and never in the way of a mail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.clock import DAY_MS, UnixMs
from foundation.errors import Contention
from foundation.tablestore.atomic import AtomicWrite, commit
from payflow.days import BOUNDS_S, Day, waited_s, with_failed, with_sent
from payflow.ledger import keys
from payflow.ledger.days import DAYS_SHOWN, count_mail, last_days
from payflow.state import DeliveryState
from tests.fakes.payflow import NOW, Book, a_delivery, a_receipt


async def count(book: Book, state: DeliveryState, waited_ms: int = 45_000, now: UnixMs = NOW) -> None:
    """Count a mail that was just tried."""
    mail = a_delivery(state=state, sent_ms=UnixMs(now + waited_ms))
    also = await count_mail(book.lane, a_receipt(found_ms=now), mail, now)
    assert also
    write = AtomicWrite()
    also(write)
    await commit(book.company_rows, write, marker_row=write.writes[0].key)


async def test_a_day_counts_what_went_out_and_what_failed() -> None:
    """Thirty days are one request, today last; a day without mails is empty."""
    book = Book()
    await count(book, DeliveryState.SENT)
    await count(book, DeliveryState.SENT, waited_ms=4_000_000)
    await count(book, DeliveryState.REFUSED)
    await count(book, DeliveryState.HELD)
    await count(book, DeliveryState.SENT, now=UnixMs(NOW - DAY_MS * 29))
    await count(book, DeliveryState.SENT, now=UnixMs(NOW - DAY_MS * 30))
    before = book.company_rows.reads

    days = await last_days(book.lane, NOW)

    assert book.company_rows.reads - before == 1
    assert (len(days), days[-1].day, days[-2]) == (DAYS_SHOWN, "2026-01-01", Day(day="2025-12-31"))
    assert [(days[at].sent, days[at].failed) for at in (0, -1)] == [(1, 0), (2, 2)]


@pytest.mark.parametrize("state", [DeliveryState.READY, DeliveryState.SENDING, DeliveryState.UNKNOWN])
async def test_what_has_not_ended_is_not_counted(state: DeliveryState) -> None:
    """A mail that is tried again counts when it ends."""
    assert await count_mail(Book().lane, a_receipt(), a_delivery(state=state), NOW) is None


async def test_of_two_lanes_that_count_at_once_one_comes_back() -> None:
    """The row is written on the version it was read with, so no mail is lost from it."""
    book = Book()
    await count(book, DeliveryState.SENT)
    mail = a_delivery(state=DeliveryState.SENT, sent_ms=NOW)
    late = await count_mail(book.lane, a_receipt(), mail, NOW)
    assert late
    await count(book, DeliveryState.SENT)
    write = AtomicWrite()
    late(write)

    with pytest.raises(Contention):
        await commit(book.company_rows, write, marker_row=write.writes[0].key)


def test_half_of_the_mails_and_nearly_all() -> None:
    """By classes: the bound within which that share went out; what waited without end is shown as the last bound."""
    day = Day(day="2026-01-01")
    assert waited_s([day], 0.5) is None
    assert waited_s([], 0.5) is None
    for seconds in (*[10] * 18, 30.5, 10**7):
        day = with_sent(day, seconds)

    assert (waited_s([day], 0.5), waited_s([day], 0.95), waited_s([day, day], 1)) == (30, 60, BOUNDS_S[-1])
    assert replace(with_failed(day), failed=0) == day


async def test_a_row_says_what_it_said() -> None:
    """The names of the columns are promises."""
    book = Book()
    await count(book, DeliveryState.SENT)

    row = await book.company_rows.get(f"{keys.DAY}2026-01-01")

    assert row
    assert {name: row.values[name] for name in ("day", "sent", "failed", "waited")} == {
        "day": "2026-01-01",
        "sent": 1,
        "failed": 0,
        "waited": "\n".join(["0", "1", *["0"] * 13]),
    }
