"""The ledger of a company: a receipt, its index and its entry never disagree for longer than a polling interval."""

from __future__ import annotations

from dataclasses import replace

import pytest

from foundation.clock import UnixMs
from foundation.errors import Contention, InvariantBroken
from foundation.tablestore.atomic import AtomicWrite
from payflow.connection import Token
from payflow.ledger import keys
from payflow.model import BaixaId, CompanyId, InstalmentId
from payflow.progress import Cursor
from payflow.state import HELD_REASONS, CompanyStatus, DeliveryPhase, DeliveryState, Reason, Receipt, ReceiptState
from tests.fakes.payflow import COMPANY, NOW, Book, a_company, a_delivery, a_receipt, an_instalment


@pytest.fixture
def book() -> Book:
    """An empty ledger."""
    return Book()


def indexes(book: Book) -> list[str]:
    """Return the index rows there are, without names."""
    return [key.rpartition(":")[0] for key in book.company_rows.dump() if key.startswith((keys.DUE, keys.HELD))]


async def stored(book: Book, receipt: Receipt | None = None) -> Receipt:
    """Store a new receipt and return it as it was stored."""
    await book.lane.add(None, an_instalment(), [receipt or a_receipt()], [])
    found = await book.lane.receipt(BaixaId("b1"))
    assert found
    return found


async def test_a_found_payment_is_due_and_its_lane_is_woken(book: Book) -> None:
    """Instalment, receipt, index: one group; then the entry."""
    receipt = await stored(book)

    assert receipt == a_receipt()
    assert await book.lane.instalment(InstalmentId("p1")) == an_instalment()
    assert await book.lane.due(NOW, limit=5) == [receipt]
    assert await book.lane.due(UnixMs(NOW - 1), limit=5) == []
    assert await book.lane.next_due() == NOW
    assert await book.lane.siblings(InstalmentId("p1")) == [receipt]
    entry = await book.entries.get(COMPANY)
    assert entry is not None
    assert entry.next_due_ms == NOW


async def test_a_payment_is_created_once(book: Book) -> None:
    """Two looks at once: the second is refused whole, so its other receipts are read again."""
    await stored(book)
    instalment = await book.lane.instalment(InstalmentId("p1"))
    assert instalment is not None

    with pytest.raises(Contention):
        await book.lane.add(instalment, instalment, [a_receipt(), a_receipt("b2")], [])

    assert await book.lane.receipt(BaixaId("b2")) is None


async def test_an_order_to_read_again_is_never_lost(book: Book) -> None:
    """The look writes the instalment on the version it read; a withdrawn payment has changed that."""
    await stored(book)
    read = await book.lane.instalment(InstalmentId("p1"))
    assert read is not None
    await book.lane.add(read, replace(read, worked=False), [], [])

    with pytest.raises(Contention):
        await book.lane.add(read, replace(read, worked=True), [], [])


async def test_a_look_changes_receipts_with_their_instalment(book: Book) -> None:
    """A payment that was edited: its receipt, its index and the instalment in one group."""
    receipt = await stored(book)
    instalment = await book.lane.instalment(InstalmentId("p1"))
    assert instalment is not None

    await book.lane.add(instalment, instalment, [], [(receipt, replace(receipt, revision=2, state=ReceiptState.HELD))])

    (held,) = await book.lane.held(limit=5)
    assert held.revision == 2
    assert await book.lane.due(NOW, limit=5) == []


@pytest.mark.parametrize(
    ("changes", "index"),
    [
        ({"due_ms": UnixMs(NOW + 5)}, [f"due:{NOW + 5:015d}"]),
        ({"state": ReceiptState.WAITING_DOCUMENT}, [f"due:{NOW:015d}"]),
        ({"state": ReceiptState.SENDING}, [f"due:{NOW:015d}"]),
        ({"state": ReceiptState.HELD, "reason": Reason.NO_RECIPIENT}, ["held:no_recipient"]),
        ({"state": ReceiptState.UNKNOWN}, ["held:unknown"]),
        ({"state": ReceiptState.REFUSED}, ["held:refused"]),
        ({"state": ReceiptState.SENT}, []),
        ({"state": ReceiptState.SKIPPED, "reason": Reason.NO_MAIL}, []),
    ],
)
async def test_the_index_follows_the_state(book: Book, changes: dict[str, object], index: list[str]) -> None:
    """One index row, or none once it has ended."""
    receipt = await stored(book)

    after = await book.lane.save(receipt, replace(receipt, **changes))  # type: ignore[arg-type]

    assert indexes(book) == index
    assert await book.lane.receipt(BaixaId("b1")) == after


async def test_what_is_held_is_found_by_its_reason(book: Book) -> None:
    """And comes back when a person decides."""
    receipt = await stored(book, a_receipt(state=ReceiptState.HELD, reason=Reason.NO_DOCUMENT))

    assert await book.lane.held(limit=5) == [receipt]
    await book.lane.save(receipt, replace(receipt, state=ReceiptState.READY, reason=None))

    assert await book.lane.held(limit=5) == []
    assert len(await book.lane.due(NOW, limit=5)) == 1


@pytest.mark.parametrize("reason", sorted(HELD_REASONS))
async def test_every_reason_is_one_that_a_table_keeps(book: Book, reason: Reason) -> None:
    """Two end with a question mark, which no key has; the reason is shown as it is."""
    await stored(book, a_receipt(state=ReceiptState.HELD, reason=reason))

    assert list(await book.lane.waiting()) == [reason]
    assert [one.reason for one in await book.lane.held(limit=5)] == [reason]


async def test_an_ended_receipt_can_be_opened_again(book: Book) -> None:
    """``covered`` ends without a mail, and a person may send it anyway."""
    receipt = await stored(book, a_receipt(state=ReceiptState.COVERED, reason=Reason.RECREATED))
    assert indexes(book) == []

    await book.lane.save(receipt, replace(receipt, state=ReceiptState.READY, reason=None))

    assert indexes(book) == [f"due:{NOW:015d}"]


async def test_the_etag_is_the_fence(book: Book) -> None:
    """Of two workers that read the same receipt, one writes."""
    receipt = await stored(book)
    await book.lane.save(receipt, replace(receipt, state=ReceiptState.SENDING))

    with pytest.raises(Contention):
        await book.lane.save(receipt, replace(receipt, state=ReceiptState.WITHDRAWN))


async def test_a_delivery_is_written_with_its_receipt(book: Book) -> None:
    """One group; alone it is fenced by its own version."""
    receipt, delivery, lane = await stored(book), a_delivery(), book.lane

    await lane.save(
        receipt, replace(receipt, state=ReceiptState.SENDING), also=lambda write: lane.put_delivery(write, delivery)
    )
    (read,) = await lane.deliveries(BaixaId("b1"))
    claimed = await lane.write_delivery(
        replace(read, state=DeliveryState.SENDING, owner="w1", phase=DeliveryPhase.CLAIMED)
    )

    assert read == delivery
    assert await lane.deliveries(BaixaId("b1")) == [claimed]
    with pytest.raises(Contention):
        await lane.write_delivery(replace(read, owner="w2"))


async def test_a_document_belongs_to_its_first_payment(book: Book) -> None:
    """Written in the group of its receipt, and only once."""
    receipt, lane = await stored(book), book.lane
    assert await lane.document_owner("hash") is None

    after = await lane.save(receipt, receipt, also=lambda write: lane.put_document(write, "hash", receipt))

    owner = await lane.document_owner("hash")
    assert owner is not None
    assert (owner.baixa, owner.customer) == ("b1", "c1")
    with pytest.raises(Contention):
        await lane.save(after, after, also=lambda write: lane.put_document(write, "hash", receipt))


async def test_company_and_cursor_are_read_as_written(book: Book) -> None:
    """Missing ones are None, or nowhere."""
    lane = book.lane
    assert (await lane.read_company(), await lane.read_token(), await lane.read_cursor()) == (None, None, Cursor())

    company = await lane.write_company(a_company())
    cursor = await lane.write_cursor(Cursor(upper_ms=NOW))
    token = Token(generation=1, access="a-canary", refresh="r-canary", expires_ms=NOW)
    book.company_rows.put(keys.TOKEN, lane.codec.encode(token))

    assert await lane.read_company() == company == a_company()
    assert await lane.read_cursor() == cursor
    assert await lane.read_token() == token
    with pytest.raises(Contention):
        await lane.write_company(a_company())
    assert await lane.instalment(InstalmentId("p9")) is None


async def test_no_personal_text_is_in_a_row(book: Book) -> None:
    """Names, addresses, documents, tokens: sealed."""
    lane, receipt = book.lane, await stored(book)
    await lane.write_company(a_company())
    await lane.save(receipt, receipt, also=lambda write: lane.put_delivery(write, a_delivery()))
    book.company_rows.put(
        "token", lane.codec.encode(Token(generation=1, access="canary-1", refresh="canary-2", expires_ms=NOW))
    )

    raw = str(book.company_rows.dump()).casefold()

    for canary in ("canária", "canaria", "canary", "12345678000195"):
        assert canary not in raw


async def test_a_baseline_is_written_in_groups(book: Book) -> None:
    """No receipts, no index: nothing is owed for it."""
    await book.lane.add_baseline([an_instalment(f"p{at}", in_baseline=True) for at in range(50)])

    assert book.company_rows.commits == 1
    assert indexes(book) == []


def test_no_company_takes_a_partition_of_ours() -> None:
    """Its id comes from outside."""
    assert keys.partition(CompanyId("5f0a")) == "5f0a"
    with pytest.raises(InvariantBroken):
        keys.partition(CompanyId("oauth"))


# When a lane must run --------------------------------------------------------------------------------


async def test_an_entry_is_lowered_and_never_raised_by_a_writer(book: Book) -> None:
    """What is due sooner counts."""
    await book.entries.lower(COMPANY, UnixMs(50), CompanyStatus.ACTIVE)
    await book.entries.lower(COMPANY, UnixMs(70))

    (entry,) = await book.entries.all()

    assert (entry.next_due_ms, entry.status) == (50, CompanyStatus.ACTIVE)


async def test_a_lane_rests_only_if_nothing_was_written_since(book: Book) -> None:
    """It read the entry, looked, found nothing; meanwhile a receipt became due, as low as the entry already was."""
    await book.entries.lower(COMPANY, UnixMs(50), CompanyStatus.ACTIVE)
    read = await book.entries.get(COMPANY)
    assert read is not None
    await book.entries.lower(COMPANY, UnixMs(60))

    assert not await book.entries.raise_(read, UnixMs(900), looked_ms=NOW, status=CompanyStatus.ACTIVE)

    again = await book.entries.get(COMPANY)
    assert again is not None
    assert again.next_due_ms == 50
    assert await book.entries.raise_(again, UnixMs(900), looked_ms=NOW, status=CompanyStatus.PAUSED)
    assert await book.entries.get(COMPANY) == replace(
        again, next_due_ms=UnixMs(900), looked_ms=NOW, status=CompanyStatus.PAUSED
    )


async def test_lowering_wins_against_a_raise(book: Book) -> None:
    """Somebody writes between its read and its write: it goes again."""
    await book.entries.lower(COMPANY, UnixMs(900), CompanyStatus.ACTIVE)
    values = book.entry_rows.dump()[COMPANY]
    book.entry_rows.after_next_read(lambda: book.entry_rows.put(COMPANY, values))

    await book.entries.lower(COMPANY, UnixMs(50))

    (entry,) = await book.entries.all()
    assert entry.next_due_ms == 50


async def test_an_entry_that_never_rests_is_given_up(book: Book) -> None:
    """Twenty times: the receipt itself is stored, and its lane runs within a polling interval anyway."""
    await book.entries.lower(COMPANY, UnixMs(900), CompanyStatus.ACTIVE)
    values = book.entry_rows.dump()[COMPANY]
    for _ in range(100):
        book.entry_rows.after_next_read(lambda: book.entry_rows.put(COMPANY, values))

    with pytest.raises(Contention, match="without a pause"):
        await book.entries.lower(COMPANY, NOW)


async def test_a_group_can_be_extended(book: Book) -> None:
    """``also`` adds rows; a withdrawn payment orders its instalment to be read again in the same group."""
    receipt, lane = await stored(book), book.lane
    instalment = await lane.instalment(InstalmentId("p1"))
    assert instalment is not None

    def read_again(write: AtomicWrite) -> None:
        lane.read_again(write, instalment)

    await lane.save(receipt, replace(receipt, state=ReceiptState.WITHDRAWN), also=read_again)
    assert await lane.to_read_again(limit=5) == [replace(instalment, worked=False)]

    again = await lane.instalment(InstalmentId("p1"))
    assert again is not None
    assert not again.worked
    await lane.add(again, replace(again, worked=True), [], [])
    assert await lane.to_read_again(limit=5) == []
