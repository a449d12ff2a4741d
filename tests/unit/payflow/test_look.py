"""A look from the first page to the cursor: cut, shifted, failing, contended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest

from devstack.conta_azul.books import Books, Parcela, Payment
from foundation.clock import UnixMs
from payflow.conta_azul.routes import Search
from payflow.errors import ApiUnavailable
from payflow.looking import look as looking
from payflow.looking import planning
from payflow.looking.look import Look, LookResult
from payflow.model import BaixaId, InstalmentId
from payflow.progress import Cursor, LookKind
from payflow.state import After, DeliveryState, Reason, ReceiptState
from tests.fakes.conta_azul import BooksApi, Time
from tests.fakes.payflow import COMPANY, Book, a_company, a_delivery

INTERVAL_MS = 300_000
DUE = date(2026, 1, 10)


@dataclass
class Clinic:
    """A clinic's books, our ledger of it, and a clock for both."""

    time: Time = field(default_factory=Time)
    book: Book = field(default_factory=Book)
    cuts_after: int = 10**9

    def __post_init__(self) -> None:
        self.books = Books(self.time, company=COMPANY, document="12345678000195", name="Clínica")
        self.api = BooksApi(self.books)
        self.company = replace(a_company(), baseline_ms=self.now, span_days=20_000)
        self.cursor = Cursor()
        self.time.now_s += 3600

    @property
    def now(self) -> UnixMs:
        return UnixMs(int(self.time.now_s * 1000))

    def paid(self, amount: int = 100_00, paid_on: date | None = None) -> Payment:
        """Book a receivable and its payment."""
        return self.books.pay(self.bill(amount), paid_on=paid_on)

    def bill(self, amount: int = 100_00) -> Parcela:
        return self.books.bill(self.books.person("Ana"), amount, due=DUE)

    async def look(self, kind: LookKind = LookKind.CHANGES) -> LookResult:
        """Do one look, a minute after what was last done."""
        self.time.now_s += 60
        self.cursor = planning.begin(await self.book.lane.read_cursor(), kind, self.now, interval_ms=INTERVAL_MS)
        left = iter(range(self.cuts_after))
        look = Look(self.book.lane, self.api, self.company, lambda: self.now, lambda: next(left, None) is None)
        self.cursor = await look.run(self.cursor)
        return look.result

    async def states(self) -> dict[str, ReceiptState]:
        """Return what became of each payment."""
        found = dict[str, ReceiptState]()
        for parcela in self.books.parcelas.values():
            found |= {one.baixa: one.state for one in await self.book.lane.siblings(InstalmentId(parcela.id))}
        return found


@pytest.fixture
async def clinic() -> Clinic:
    """A clinic with its baseline."""
    made = Clinic()
    await made.look(LookKind.BASELINE)
    return made


async def test_a_payment_is_found_once() -> None:
    """One page, one detail; the second pass and the next look read nothing."""
    clinic = Clinic()
    await clinic.look(LookKind.BASELINE)
    payment = clinic.paid()

    first, second = await clinic.look(), await clinic.look()

    assert (first.added, second.added, first.complete) == (1, 0, True)
    assert clinic.api.asked["detail"] == 1
    assert await clinic.states() == {payment.id: ReceiptState.FOUND}
    assert clinic.cursor.upper_ms == clinic.now


async def test_what_was_paid_before_gets_no_receipt() -> None:
    """The baseline is a list: no detail is read for it, also when it is run again."""
    clinic = Clinic()
    clinic.time.now_s -= 7200
    for _ in range(60):
        clinic.paid()
    clinic.bill()
    clinic.time.now_s += 7200

    await clinic.look(LookKind.BASELINE)
    await clinic.look(LookKind.BASELINE)
    await clinic.look()

    assert clinic.api.asked["detail"] == 0
    assert await clinic.states() == {}


async def test_an_old_payment_of_an_instalment_paid_on_is_not_mailed() -> None:
    """Its first half was before the connection, its second after it."""
    clinic = Clinic()
    clinic.time.now_s -= 7200
    parcela = clinic.bill()
    old = clinic.books.pay(parcela, 40_00)
    clinic.time.now_s += 7200
    await clinic.look(LookKind.BASELINE)
    new = clinic.books.pay(parcela)

    await clinic.look()

    assert await clinic.states() == {old.id: ReceiptState.SKIPPED, new.id: ReceiptState.FOUND}


async def test_a_payment_booked_while_the_baseline_is_listed_is_not_lost() -> None:
    """It is in the list already; its own stamp lies behind the bound (R4-6)."""
    clinic = Clinic()
    payment = clinic.paid()  # after the connection, before the listing

    await clinic.look(LookKind.BASELINE)
    await clinic.look()

    assert await clinic.states() == {payment.id: ReceiptState.FOUND}


@pytest.mark.parametrize("changed", ["", "someday"])
async def test_an_unreadable_stamp_is_read_rather_than_believed(changed: str) -> None:
    """A baseline that cannot tell reads the payments."""
    assert not looking._is_older(changed, UnixMs(10**15))


async def test_pages_that_shift_are_listed_again(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit between two pages moves one off the page that was still to come."""
    monkeypatch.setattr(looking, "PAGE_SIZE", 10)
    for _ in range(25):
        clinic.paid()
    first = min(clinic.books.parcelas.values(), key=lambda one: one.id)  # all changed at once: the id decides the page

    def edit_once(page: int) -> None:
        if page == 2 and clinic.api.asked["search"] < 4:
            clinic.time.now_s += 1
            clinic.books.note(first)

    clinic.api.before_page = edit_once
    result = await clinic.look()

    assert len(await clinic.states()) == 25
    assert not result.unsettled


async def test_a_list_that_never_rests_is_told(clinic: Clinic) -> None:
    """Three passes, each with something new."""
    clinic.api.before_page = lambda _: clinic.paid()

    result = await clinic.look(LookKind.ALL_CHANGES)

    assert result.unsettled
    assert result.complete


async def test_after_an_outage_a_listing_must_come_out_the_same_twice(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass that adds nothing is no proof while pages shift (R4-1)."""
    monkeypatch.setattr(looking, "PAGE_SIZE", 10)
    for _ in range(15):
        clinic.paid()
    await clinic.look()
    clinic.time.now_s += 6 * 3600
    clinic.api.asked.clear()

    await clinic.look(LookKind.ALL_CHANGES)

    assert clinic.api.asked["search"] == 4
    assert clinic.cursor.outage_from_ms == 0


async def test_a_disturbed_look_keeps_the_place_of_the_outage(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one looks back to it again."""
    monkeypatch.setattr(looking, "PAGE_SIZE", 10)
    payments = iter([clinic.paid() for _ in range(25)])
    await clinic.look()
    clinic.time.now_s += 6 * 3600

    def edit(_: int) -> None:
        clinic.time.now_s += 1
        clinic.books.note(clinic.books.parcelas[next(payments).parcela])

    clinic.api.before_page = edit
    await clinic.look(LookKind.ALL_CHANGES)

    assert clinic.cursor.outage_from_ms > 0


async def test_a_look_that_is_cut_goes_on_at_its_span(clinic: Clinic) -> None:
    """What was read is not read again, and the cursor does not move."""
    for _ in range(5):
        clinic.paid()
    before = clinic.cursor.upper_ms
    clinic.cuts_after = 4

    cut = await clinic.look()
    clinic.cuts_after = 10**9
    rest = await clinic.look()

    assert (cut.complete, cut.added, rest.complete, rest.added) == (False, 3, True, 2)
    assert clinic.cursor.upper_ms > before
    assert clinic.api.asked["detail"] == 5


async def test_a_cut_baseline_goes_on() -> None:
    """Its rows are there already."""
    clinic = Clinic()
    clinic.time.now_s -= 7200
    for _ in range(3):
        clinic.paid()
    clinic.time.now_s += 7200
    clinic.cuts_after = 1

    assert not (await clinic.look(LookKind.BASELINE)).complete
    clinic.cuts_after = 10**9
    assert (await clinic.look(LookKind.BASELINE)).complete


async def test_the_newest_payments_are_read_first(clinic: Clinic) -> None:
    """An import of a year must not hold up today's mail."""
    payments = []
    for _ in range(6):
        clinic.time.now_s += 1
        payments.append(clinic.paid())
    clinic.cuts_after = 3

    await clinic.look()

    assert set(await clinic.states()) == {payments[-1].id, payments[-2].id}


async def test_one_instalment_that_cannot_be_read_stops_nobody(clinic: Clinic) -> None:
    """It becomes a row that is read again, also when no list shows it any more."""
    broken, good = clinic.paid(), clinic.paid()
    clinic.api.broken.add(broken.parcela)

    result = await clinic.look()
    clinic.api.broken.clear()
    clinic.time.now_s += 86_400
    await clinic.look()

    assert result.failed == {broken.parcela}
    assert set(await clinic.states()) == {broken.id, good.id}


async def test_an_api_that_reads_nothing_ends_the_look(clinic: Clinic) -> None:
    """Three in a row are no instalment's fault, and the cursor stays."""
    for _ in range(4):
        clinic.api.broken.add(clinic.paid().parcela)
    before = clinic.cursor.upper_ms

    with pytest.raises(ApiUnavailable):
        await clinic.look()

    assert (await clinic.book.lane.read_cursor()).upper_ms == before


async def test_a_detail_behind_the_list_is_read_until_it_adds_up(clinic: Clinic) -> None:
    """The list shows a payment that the detail does not show yet (R4-4)."""
    clinic.books.lag.detail_s = 600
    payment = clinic.paid()

    first = await clinic.look()
    clinic.time.now_s += 600
    await clinic.look()

    assert first.not_adding_up == {payment.parcela}
    assert await clinic.states() == {payment.id: ReceiptState.FOUND}


async def test_what_never_adds_up_is_asked_for_each_hour(clinic: Clinic) -> None:
    """Not at each look: the requests are the clinic's."""
    clinic.books.lag.detail_s = 10**9
    clinic.paid()
    for _ in range(8):
        await clinic.look()
    asked = clinic.api.asked["detail"]

    await clinic.look()
    assert clinic.api.asked["detail"] == asked
    await clinic.look(LookKind.ALL_CHANGES)
    assert clinic.api.asked["detail"] > asked


async def test_an_undone_payment_is_asked_for_alone(clinic: Clinic) -> None:
    """Gone from the detail is not yet undone; the API's own answer is."""
    payment = clinic.paid()
    await clinic.look()
    clinic.books.undo(payment)

    await clinic.look()

    receipt = await clinic.book.lane.receipt(BaixaId(payment.id))
    assert receipt is not None
    assert (receipt.state, receipt.gone) == (ReceiptState.WITHDRAWN, True)
    assert clinic.api.asked["baixa"] == 1


async def test_undone_and_booked_again_is_found_though_the_sum_is_the_same(clinic: Clinic) -> None:
    """The sender found the first one gone and ordered the instalment to be read again (R4-3)."""
    clinic.books.silent_edits = True
    payment = clinic.paid()
    await clinic.look()
    parcela = clinic.books.parcelas[payment.parcela]
    clinic.books.undo(payment)
    again = clinic.books.pay(parcela)
    lane = clinic.book.lane
    receipt, row = await lane.receipt(BaixaId(payment.id)), await lane.instalment(InstalmentId(parcela.id))
    assert receipt is not None
    assert row is not None
    withdrawn = replace(receipt, state=ReceiptState.WITHDRAWN, gone=True)
    await lane.save(receipt, withdrawn, also=lambda write: lane.read_again(write, row))

    await clinic.look()

    assert (await clinic.states())[again.id] is ReceiptState.FOUND


async def test_the_nightly_check_finds_what_no_stamp_shows(clinic: Clinic) -> None:
    """``pago`` differs from its row although ``data_alteracao`` does not."""
    clinic.books.silent_edits = True
    parcela = clinic.bill()
    clinic.time.now_s += 86_400
    await clinic.look()
    payment = clinic.books.pay(parcela)

    await clinic.look()
    assert await clinic.states() == {}
    await clinic.look(LookKind.CHECK)

    assert await clinic.states() == {payment.id: ReceiptState.FOUND}


async def test_what_was_paid_lately_is_found_by_its_day(clinic: Clinic) -> None:
    """A second way to the same payment."""
    clinic.books.silent_edits = True
    payment = clinic.paid()
    clinic.time.now_s += 86_400
    clinic.cursor = await clinic.book.lane.write_cursor(replace(clinic.cursor, upper_ms=clinic.now))

    await clinic.look(LookKind.PAID)

    assert await clinic.states() == {payment.id: ReceiptState.FOUND}


async def test_more_payments_than_a_group_takes(clinic: Clinic) -> None:
    """Stored in parts; the instalment is worked with the last."""
    parcela = clinic.bill(70_00)
    for _ in range(70):
        clinic.books.pay(parcela, 1_00)

    await clinic.look()

    row = await clinic.book.lane.instalment(InstalmentId(parcela.id))
    assert row is not None
    assert row.worked
    assert len(await clinic.states()) == 70


async def test_many_edits_fit_as_well(clinic: Clinic) -> None:
    """Changed receipts take the room that new ones leave."""
    parcela = clinic.bill(80_00)
    payments = [clinic.books.pay(parcela, 1_00) for _ in range(40)]
    await clinic.look()
    for payment in payments:
        clinic.books.edit(payment, paid_on=date(2025, 12, 31))
    for _ in range(40):
        clinic.books.pay(parcela, 1_00)

    await clinic.look()

    receipts = await clinic.book.lane.siblings(InstalmentId(parcela.id))
    assert len(receipts) == 80
    assert sum(receipt.paid_on == "2025-12-31" for receipt in receipts) == 40


async def test_another_lane_was_first(clinic: Clinic) -> None:
    """Its group is refused; the next pass sees what the other stored."""
    clinic.paid()
    clinic.book.company_rows.echo_conflict_once()  # the cursor is written at the end: the first group is the reading

    result = await clinic.look()

    assert result.complete
    assert len(await clinic.states()) == 1


async def test_a_lost_race_is_run_again(clinic: Clinic) -> None:
    """Between our reading and our group, another worker wrote the instalment."""
    payment = clinic.paid()
    rows, lane = clinic.book.company_rows, clinic.book.lane
    key = f"instalment:{payment.parcela}"
    item = (await clinic.api.search(Search(due=(DUE, DUE)))).items[0]
    values = lane.codec.encode(looking._of_baseline(item, UnixMs(0)))

    original = clinic.api.instalment

    async def meanwhile(instalment: InstalmentId) -> object:
        if key not in rows.dump():
            rows.put(key, values)
            rows.put(f"again:{payment.parcela}", {})
        return await original(instalment)

    clinic.api.instalment = meanwhile  # type: ignore[method-assign, assignment]
    await clinic.look()

    assert len(await clinic.states()) == 1


async def test_a_list_without_end_is_left(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that never end are reported, not followed."""
    monkeypatch.setattr(looking, "PAGES_MAX", 2)
    monkeypatch.setattr(looking, "PAGE_SIZE", 10)
    for _ in range(30):
        clinic.paid()

    assert (await clinic.look()).unsettled


async def test_an_edited_old_payment_becomes_a_task() -> None:
    """It has a row as skipped, and then another revision."""
    clinic = Clinic()
    clinic.time.now_s -= 7200
    parcela = clinic.bill()
    old = clinic.books.pay(parcela, 40_00)
    clinic.time.now_s += 7200
    await clinic.look(LookKind.BASELINE)
    clinic.books.pay(parcela)
    await clinic.look()
    clinic.time.now_s += timedelta(hours=5).total_seconds()
    clinic.books.edit(old, gross=39_00)

    await clinic.look()

    receipt = await clinic.book.lane.receipt(BaixaId(old.id))
    assert receipt is not None
    assert (receipt.state, receipt.reason) == (ReceiptState.HELD, Reason.MAYBE_BEFORE_CONNECTION)


@pytest.mark.parametrize("waits", [ReceiptState.HELD, ReceiptState.REFUSED])
@pytest.mark.parametrize(
    ("mail", "first", "second"),
    [
        (DeliveryState.SENT, ReceiptState.SENT, ReceiptState.COVERED),
        (DeliveryState.UNKNOWN, ReceiptState.UNKNOWN, ReceiptState.HELD),
        (DeliveryState.CANCELLED, ReceiptState.WITHDRAWN, ReceiptState.FOUND),
    ],
)
async def test_a_payment_mailed_in_part_and_booked_again_is_not_mailed_again(
    clinic: Clinic, waits: ReceiptState, mail: DeliveryState, first: ReceiptState, second: ReceiptState
) -> None:
    """It was held, or another address refused it, after the mail to one of its addresses: that mail still counts."""
    payment = clinic.paid()
    await clinic.look()
    found = await clinic.book.lane.receipt(BaixaId(payment.id))
    assert found
    await clinic.book.lane.save(found, replace(found, state=waits, reason=Reason.PAYMENT_CHANGED))
    await clinic.book.lane.write_delivery(a_delivery(payment.id, state=mail))
    await clinic.book.lane.write_delivery(a_delivery(payment.id, number=2, state=DeliveryState.REFUSED))

    clinic.books.undo(payment)
    again = clinic.books.pay(clinic.books.parcelas[payment.parcela], 100_00)
    await clinic.look()

    assert await clinic.states() == {payment.id: first, again.id: second}


async def test_a_mail_sent_again_in_vain_says_nothing_of_the_first(clinic: Clinic) -> None:
    """Unknown, ordered again, and that one held: when the payment is undone nobody knows what arrived."""
    lane = clinic.book.lane
    for mail in (
        a_delivery("x", state=DeliveryState.UNKNOWN, decided_by="office"),
        a_delivery("x", kind="receipt-again-1", state=DeliveryState.HELD),
    ):
        await lane.write_delivery(mail)
    assert await lane.mailed(BaixaId("x")) is ReceiptState.UNKNOWN
    await lane.write_delivery(a_delivery("x", number=2, state=DeliveryState.SENT))
    assert await lane.mailed(BaixaId("x")) is ReceiptState.SENT


@pytest.mark.parametrize(
    ("mail", "amount", "after"),
    [(DeliveryState.SENT, 100_00, After.CHANGED), (DeliveryState.HELD, 120_00, None)],
)
async def test_a_held_receipt_is_what_one_of_its_addresses_was_mailed(
    clinic: Clinic, mail: DeliveryState, amount: int, after: After | None
) -> None:
    """Its payment is edited while a person is asked: what somebody was mailed stays, else it is the new amount."""
    payment = clinic.paid()
    await clinic.look()
    found = await clinic.book.lane.receipt(BaixaId(payment.id))
    assert found
    held = replace(found, state=ReceiptState.HELD, reason=Reason.UNDELIVERABLE, document_sha256="d")
    await clinic.book.lane.save(found, held)
    await clinic.book.lane.write_delivery(a_delivery(payment.id, state=mail))

    clinic.books.edit(payment, gross=120_00)
    await clinic.look()

    changed = await clinic.book.lane.receipt(BaixaId(payment.id))
    assert changed
    assert (changed.state, changed.amount, changed.after) == (ReceiptState.HELD, amount, after)
