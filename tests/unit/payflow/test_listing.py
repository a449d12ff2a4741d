"""A company's receipts by their days: a page costs the same however many there ever were."""

from __future__ import annotations

import pytest

from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite, commit
from payflow.ledger import keys, listing
from payflow.ledger.listing import OPENED_MAX, SCANNED_MAX, SHOWN_MAX, Wish, complete, is_whole, receipt_page
from payflow.ledger.verifying import verify_company
from payflow.model import BaixaId
from payflow.state import Reason, ReceiptState
from tests.fakes.payflow import NOW, Book, a_receipt

DAY_MS = 86_400_000
SENT = ReceiptState.SENT


async def add(book: Book, *baixas: str, found_ms: int = NOW, state: ReceiptState = SENT, **more: object) -> None:
    """Store receipts, found one millisecond after the other."""
    write = AtomicWrite()
    for at, baixa in enumerate(baixas):
        found = UnixMs(found_ms + at)
        book.lane.insert(write, a_receipt(baixa, found_ms=found, state=state, **more))
        if len(write.writes) > 90:
            await commit(book.company_rows, write, marker_row=write.writes[0].key)
            write = AtomicWrite()
    if write.writes:
        await commit(book.company_rows, write, marker_row=write.writes[0].key)


async def names(book: Book, wish: Wish) -> list[str]:
    """Return every receipt that fits, page by page."""
    found: list[str] = []
    while True:
        page = await receipt_page(book.lane, wish)
        found += [one.baixa for one in page.receipts]
        if not page.after:
            return found
        wish = Wish(
            since_ms=wish.since_ms, until_ms=wish.until_ms, state=wish.state, prefix=wish.prefix, after=page.after
        )


async def test_the_newest_first_by_day_state_and_prefix() -> None:
    """Each alone, and together."""
    book = Book()
    await add(book, "a1", "a2", found_ms=NOW - DAY_MS)
    await add(book, "b1", "b2")
    await add(book, "a3", state=ReceiptState.WITHDRAWN, found_ms=NOW + 10)

    assert await names(book, Wish()) == ["a3", "b2", "b1", "a2", "a1"]
    assert await names(book, Wish(prefix="a")) == ["a3", "a2", "a1"]
    assert await names(book, Wish(state=SENT, prefix="a")) == ["a2", "a1"]
    assert await names(book, Wish(since_ms=NOW)) == ["a3", "b2", "b1"]
    assert await names(book, Wish(until_ms=NOW)) == ["a2", "a1"]
    assert await names(book, Wish(since_ms=UnixMs(NOW - DAY_MS), until_ms=UnixMs(NOW - DAY_MS + 1))) == ["a1"]


async def test_pages_follow_each_other() -> None:
    """None twice, none left out, whether a page is full or has looked at as much as it may."""
    book = Book()
    every = [f"p{number:04d}" for number in range(SHOWN_MAX * 2 + OPENED_MAX)]
    await add(book, *every)
    await add(book, "last", state=ReceiptState.WITHDRAWN, found_ms=NOW - 1)

    assert sorted(await names(book, Wish())) == ["last", *every]
    assert await names(book, Wish(state=ReceiptState.WITHDRAWN)) == ["last"]


async def test_a_page_reads_no_more_than_its_share() -> None:
    """One scan, and at most so many receipts, with a thousand behind them."""
    book = Book()
    await add(book, *[f"p{number:04d}" for number in range(SCANNED_MAX + 200)])
    for wish in (Wish(), Wish(state=ReceiptState.WITHDRAWN), Wish(prefix="nothing")):
        before = book.company_rows.reads

        page = await receipt_page(book.lane, wish)

        assert book.company_rows.reads - before <= 1 + OPENED_MAX
        assert page.after


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ReceiptState.HELD, Reason.NO_DOCUMENT),
        (ReceiptState.UNKNOWN, None),
        (ReceiptState.WAITING_DOCUMENT, None),
        (ReceiptState.SENDING, None),
    ],
)
async def test_what_waits_is_found_by_its_own_index(state: ReceiptState, reason: Reason | None) -> None:
    """So that the oldest of them is on the first page, also one of a version before."""
    book = Book()
    await add(book, *[f"p{number:04d}" for number in range(300)])
    await add(book, "old1", "old2", state=state, reason=reason, found_ms=NOW - 9 * DAY_MS)
    await add(book, "new", state=state, reason=reason)

    assert await names(book, Wish(state=state)) == ["new", "old2", "old1"]
    assert await names(book, Wish(state=state, prefix="old", since_ms=UnixMs(NOW - 9 * DAY_MS + 1))) == ["old2"]
    assert await names(book, Wish(state=state, until_ms=UnixMs(NOW))) == ["old2", "old1"]


async def test_receipts_of_a_version_before_are_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut in the middle, the next night goes on; done once, it costs one read."""
    monkeypatch.setattr(listing, "ROWS_MAX", 3)
    book = Book()
    await add(book, "a", "b", "c", "d", "e")
    write = AtomicWrite()
    for at, baixa in enumerate("abcd"):
        write.delete(keys.listed(UnixMs(NOW + at), book.lane.name(BaixaId(baixa))))
    await commit(book.company_rows, write, marker_row=write.writes[0].key)
    assert (await names(book, Wish()), await is_whole(book.lane)) == (["e"], False)

    assert await complete(book.lane, NOW) == 4

    assert await names(book, Wish()) == ["e", "d", "c", "b", "a"]
    before = book.company_rows.reads
    assert (await complete(book.lane, NOW), book.company_rows.reads - before) == (0, 1)


async def test_a_receipt_that_is_not_there_is_not_shown() -> None:
    """An index row alone is reported by `verify`, and no page fails for it."""
    book = Book()
    write = AtomicWrite()
    book.lane.list_receipt(write, a_receipt("gone"))
    await commit(book.company_rows, write, marker_row=write.writes[0].key)

    assert await names(book, Wish()) == []


async def test_verify_tells_an_index_row_whose_receipt_is_gone() -> None:
    """The other way round nothing is said: a receipt of a version before has none until the nightly check."""
    book = Book()
    await add(book, "there")
    write = AtomicWrite()
    book.lane.list_receipt(write, a_receipt("gone"))
    await commit(book.company_rows, write, marker_row=write.writes[0].key)

    faults = (await verify_company(book.lane)).faults

    assert faults == [f"row {keys.listed(NOW, book.lane.name(BaixaId('gone')))}: the receipt is not there"]
