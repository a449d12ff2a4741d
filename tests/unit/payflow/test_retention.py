"""What is personal of ended receipts is emptied when its time is over; nothing is mailed anew by it."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from foundation.clock import DAY_MS, UnixMs
from foundation.errors import Contention, Rejected
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.memory import MemoryRows
from payflow.delivery import choices, retention
from payflow.delivery.choices import Decider, Resend
from payflow.delivery.retention import CompanyRetention
from payflow.ledger import keys, verifying
from payflow.looking.changed import edited
from payflow.model import BaixaId, Customer, CustomerId, InstalmentId
from payflow.retentions import RUN_MS_MAX, Retentions
from payflow.state import CompanyStatus, Delivery, DeliveryState, Reason, Receipt, ReceiptState
from tests.fakes.clock import FrozenClock
from tests.fakes.payflow import COMPANY, INDEX, NOW, Book, a_company, a_delivery, a_receipt, an_instalment
from tests.unit.payflow.test_installation import OTHER, Account, installed
from tests.unit.payflow.test_purging import CANARIES, opened

DAYS = 180
OVER_MS = UnixMs(NOW + DAYS * DAY_MS + 1)
BY = Decider(name="ana", now=OVER_MS)
WISH = Resend(domain="example.org", address="other@example.org")


async def a_payment(book: Book, baixa: str = "b1", *mails: Delivery, **changes: Any) -> None:
    """Store a receipt with its instalment and mails; sent at NOW where nothing else is said."""
    changes = {"state": ReceiptState.SENT, "document_sha256": "1" * 64} | changes
    instalment = InstalmentId(f"p-{baixa}")
    receipt = a_receipt(baixa, instalment=instalment, **changes)
    await book.lane.add(None, an_instalment(instalment, customer_name=""), [receipt], [])
    for mail in mails or [sent(baixa)]:
        await book.lane.write_delivery(mail)


def sent(baixa: str = "b1", **changes: Any) -> Delivery:
    """Return a mail that the server took at NOW."""
    values = {"state": DeliveryState.SENT, "sent_ms": NOW, "tried_ms": NOW, "reply": "250 Ana Canária"} | changes
    return a_delivery(baixa, **values)


def of(book: Book, now: UnixMs = OVER_MS, *audits: MemoryRows) -> CompanyRetention:
    """Return the emptying of a ledger's rows at a time."""
    return CompanyRetention(ledger=book.lane, audits=audits, clock=lambda: now, days=DAYS)


async def the(book: Book, baixa: str = "b1") -> Receipt:
    """Return a receipt that is there."""
    found = await book.lane.receipt(BaixaId(baixa))
    assert found
    return found


async def test_a_receipt_is_emptied_when_its_time_is_over_and_its_row_stays() -> None:
    """A day before nothing happens; then name, address and the server's words go, ids, hashes and states stay."""
    book = Book()
    await a_payment(book)
    before, mail = await the(book), (await book.lane.deliveries(BaixaId("b1")))[0]
    rows = set(book.company_rows.dump())
    assert await of(book, UnixMs(OVER_MS - DAY_MS)).run() == Counter()
    assert all(canary in opened(book) for canary in CANARIES)

    assert await of(book).run() == {"receipt": 1, "delivery": 1}

    assert not [canary for canary in CANARIES if canary in opened(book)]
    assert await the(book) == replace(before, customer_name="", emptied_ms=OVER_MS)
    assert await book.lane.deliveries(BaixaId("b1")) == [replace(mail, address="", reply="")]
    assert set(book.company_rows.dump()) == rows | {keys.RETENTION}
    assert (await verifying.verify_company(book.lane)).faults == []
    assert await of(book).run() == Counter()


@pytest.mark.parametrize(
    ("mail", "changes"),
    [
        (sent(), {"state": ReceiptState.READY}),
        (sent(), {"state": ReceiptState.UNKNOWN}),
        (sent(), {"state": ReceiptState.REFUSED}),
        (sent(), {"state": ReceiptState.HELD, "reason": Reason.NO_DOCUMENT}),
        (sent(), {"frozen": True}),
        (sent(), {"changed_ms": UnixMs(NOW + 2)}),
        (sent(frozen=True), {}),
        (sent(sent_ms=UnixMs(NOW + 2)), {}),
        (sent(tried_ms=UnixMs(NOW + 2)), {}),
        (sent(state=DeliveryState.READY), {}),
        (sent(state=DeliveryState.SENDING), {}),
        (sent(state=DeliveryState.UNKNOWN), {}),
        (sent(state=DeliveryState.HELD), {}),
    ],
)
async def test_what_is_not_over_is_left_whole(mail: Delivery, changes: dict[str, Any]) -> None:
    """Unfinished, unknown, held, frozen or not old enough: the receipt, or one mail of it."""
    book = Book()
    await a_payment(book, "b1", mail, sent(number=2), **changes)
    before = {key: row for key, row in book.company_rows.dump().items() if key != keys.RETENTION}

    assert await of(book).run() == Counter()

    assert {key: row for key, row in book.company_rows.dump().items() if key != keys.RETENTION} == before


@pytest.mark.parametrize("state", [DeliveryState.UNKNOWN, DeliveryState.HELD])
async def test_what_a_person_has_decided_is_over(state: DeliveryState) -> None:
    """Nobody waits for it any more, and nothing takes it up again."""
    book = Book()
    await a_payment(book, "b1", sent(state=state, decided_by="ana"), sent(number=2, state=DeliveryState.REFUSED))

    assert await of(book).run() == {"receipt": 1, "delivery": 2}


@pytest.mark.parametrize("state", [ReceiptState.SKIPPED, ReceiptState.COVERED, ReceiptState.SENT])
async def test_an_emptied_receipt_is_mailed_no_more(state: ReceiptState) -> None:
    """By nobody's word: its payer would be a mail without a name. Its creation fails as before."""
    book = Book()
    await a_payment(book, "b1", sent(state=DeliveryState.SENT), state=state)
    await of(book).run()
    act = (
        choices.resend(book.lane, BaixaId("b1"), WISH, BY)
        if state is ReceiptState.SENT
        else choices.release(book.lane, BaixaId("b1"), BY)
    )
    with pytest.raises(Rejected, match="is over"):
        await act
    with pytest.raises(Contention):
        await book.lane.add(None, an_instalment("p-again"), [a_receipt(instalment=InstalmentId("p-again"))], [])


async def test_a_name_that_an_edited_payment_brings_back_goes_again() -> None:
    """The look reads a skipped payment's instalment anew: a person may release it then, or the next pass empties it."""
    book = Book()
    await a_payment(book, state=ReceiptState.SKIPPED, reason=Reason.BY_PERSON)
    await of(book).run()
    emptied = await the(book)
    shown: Any = type("Baixa", (), {"composition": type("C", (), {"paid": 1}), "paid_on": "2026-01-02", "revision": 2})

    await book.lane.save(emptied, edited(emptied, shown, Customer(id=CustomerId("c1"), name="Ana"), OVER_MS))

    assert ((await the(book)).customer_name, (await the(book)).emptied_ms) == ("Ana", 0)
    assert (await of(book).run())["receipt"] == 1
    assert (await the(book)).customer_name == ""


async def test_what_has_nothing_personal_is_not_written() -> None:
    """A payment without a customer that nobody mailed: it can still be released."""
    book = Book()
    await a_payment(book, "b1", sent(address="", reply=""), customer_name="")

    assert await of(book).run() == Counter()
    assert (await the(book)).emptied_ms == 0


async def test_a_row_of_a_version_before_is_emptied_too() -> None:
    """It has no column that says when it was emptied: it never was."""
    book = Book()
    await a_payment(book)
    key = keys.receipt(book.lane.name(BaixaId("b1")))
    book.company_rows.put(key, {k: v for k, v in book.company_rows.dump()[key].items() if k != "emptied_ms"})
    assert (await the(book)).emptied_ms == 0

    assert (await of(book).run())["receipt"] == 1
    assert (await the(book)).emptied_ms == OVER_MS


async def test_many_receipts_take_several_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice ends with its page, is taken up where it ended, and begins anew behind the last."""
    monkeypatch.setattr(retention, "PAGE", 2)
    monkeypatch.setattr(retention, "LOOKED_MAX", 4)
    book = Book()
    for at in range(9):
        await a_payment(book, f"b{at}")

    done = [(await of(book).run())["receipt"] for _ in range(3)]

    assert done == [4, 4, 1]
    assert book.company_rows.dump()[keys.RETENTION]["place"] == ""
    await a_payment(book, "c1")
    assert sum([(await of(book).run())["receipt"] for _ in range(3)]) == 1


async def test_a_slice_ends_when_it_has_emptied_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing takes longer than reading."""
    monkeypatch.setattr(retention, "PAGE", 2)
    monkeypatch.setattr(retention, "EMPTIED_MAX", 1)
    book = Book()
    for at in range(5):
        await a_payment(book, f"b{at}")

    assert [(await of(book).run())["receipt"] for _ in range(4)] == [2, 2, 1, 0]


async def test_a_receipt_of_many_mails_is_emptied_in_several_groups() -> None:
    """A group holds a hundred rows: the rest is the next pass's."""
    book = Book()
    await a_payment(book, "b1", *[sent(kind=f"resend-{at}") for at in range(100)])

    assert await of(book).run() == {"receipt": 1, "delivery": 99}
    assert await of(book).run() == {"receipt": 1, "delivery": 1}
    assert await of(book).run() == Counter()


@pytest.mark.parametrize("torn", ["receipt", "delivery"])
async def test_a_torn_row_is_named_and_stops_nothing_beside_it(torn: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its receipt is left whole; the others are emptied."""
    book = Book()
    for at in range(3):
        await a_payment(book, f"b{at}")
    name = book.lane.name(BaixaId("b1"))
    key = next(key for key in book.company_rows.dump() if key.startswith(f"{torn}:{name}"))
    column = "customer_name" if torn == "receipt" else "address"
    book.company_rows.put(key, {**book.company_rows.dump()[key], column: "00000000:gAAAAx"})

    assert (await of(book).run())["receipt"] == 2

    assert "row_unreadable" in caplog.text
    assert key in caplog.text
    book.company_rows.put(key, {"state": "?"})
    assert await of(book).run() == Counter()


async def test_a_receipt_that_is_written_meanwhile_is_left_to_the_next_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody decided about it between our read and our write: their word counts."""
    book = Book()
    await a_payment(book)
    await a_payment(book, "b2")
    scan = book.company_rows.scan

    async def overtaken(first: str, last: str, *, limit: int) -> Any:
        page = await scan(first, last, limit=limit)
        if first.startswith("delivery:"):
            await book.lane.save(await the(book), replace(await the(book), decided_by="ana"))
        return page

    monkeypatch.setattr(book.company_rows, "scan", overtaken)
    assert (await of(book).run())["receipt"] == 1
    monkeypatch.undo()
    assert (await the(book)).customer_name
    assert (await of(book).run())["receipt"] == 1


async def test_a_mark_that_cannot_be_read_begins_anew() -> None:
    """The pass goes over all rows again."""
    book = Book()
    await a_payment(book)
    book.company_rows.put(keys.RETENTION, {"at_ms": "yesterday", "place": 7})

    assert await of(book).last_ms() == 0
    assert (await of(book).run())["receipt"] == 1
    assert await of(book).last_ms() == OVER_MS


async def said(rows: MemoryRows, key: str, why: str = "sealed") -> None:
    """Store a decision with what a person said of it."""
    write = AtomicWrite()
    write.insert(key, {"at_ms": 1, "by": "ana", "what": "skip", "subject": "b1", "why": why})
    await commit(rows, write, marker_row=key)


async def test_what_people_said_is_emptied_in_both_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision, who and when stay, since a restore reads them; another company's and what is young stay whole."""
    monkeypatch.setattr(retention, "WORDS_MAX", 2)
    book, ours, second = Book(), MemoryRows(), MemoryRows()
    young = keys.decision(COMPANY, OVER_MS, "b1")
    for at in range(3):
        for rows in (ours, second):
            await said(rows, keys.decision(COMPANY, UnixMs(NOW - at), "b1"), why="" if at == 2 else "sealed")
        await said(ours, f"{keys.audit_prefix(COMPANY, 'b1')}{NOW - at:015d}", why="" if at == 2 else "sealed")
    await said(second, keys.decision(COMPANY, UnixMs(5), "only-here:1"))
    await said(ours, young)
    await said(ours, keys.decision(OTHER, NOW, "b1"))

    done = [(await of(book, OVER_MS, ours, second).run())["audit"] for _ in range(3)]

    assert done == [4, 3, 0]
    left = {key for rows in (ours, second) for key, values in rows.dump().items() if values["why"]}
    assert left == {young, keys.decision(OTHER, NOW, "b1")}
    assert all(values["what"] == "skip" for values in second.dump().values())


# of all companies ---------------------------------------------------------------------------------------


async def two_companies() -> tuple[Retentions, Account, FrozenClock]:
    """Return the work of each day on two companies with a payment each that ended at NOW, one of them at rest."""
    base, ledger, _ = await installed()
    clock = FrozenClock(NOW)
    for company, status in ((COMPANY, CompanyStatus.ACTIVE), (OTHER, CompanyStatus.DISCONNECTED)):
        lane = base.lane(company)
        await lane.write_company(a_company(id=company))
        await lane.entries.lower(company, UnixMs(0), status)
        await lane.add(None, an_instalment(), [a_receipt(company=company, state=ReceiptState.SENT)], [])
        await lane.write_delivery(sent(company=company))
    return Retentions(base=base, clock=clock, days=DAYS), ledger, clock


async def test_each_company_is_emptied_once_its_days_are_over() -> None:
    """By a clock that goes on hour by hour for seven months; also one that is at rest."""
    daily, ledger, clock = await two_companies()
    on = list[int]()
    for _ in range(210 * 24):
        if emptied := await daily.run_due():
            assert emptied == 4
            on.append((clock() - NOW) // DAY_MS)
        clock.advance(3_600_000)

    assert on == [DAYS]
    at_ms = ledger.rows_of(OTHER).dump()[keys.RETENTION]["at_ms"]
    assert isinstance(at_ms, int)
    assert clock() - at_ms <= DAY_MS


async def test_zero_days_empty_nothing() -> None:
    """It is switched off: no mark is written either."""
    daily, ledger, clock = await two_companies()
    clock.advance(4_000 * DAY_MS)

    assert await replace(daily, days=0).run_due() == 0
    assert keys.RETENTION not in ledger.rows_of(COMPANY).dump()


async def test_a_company_that_is_restored_waits_and_one_in_trouble_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A restore replaces every row: nothing is written beside it. The mark of the other one cannot be stored."""
    daily, ledger, clock = await two_companies()
    clock.advance(200 * DAY_MS)
    first, second = (entry.company for entry in await daily.base.entries.all())
    ledger.rows_of(first).put(keys.RESTORING, {})
    assert await daily.run_due() == 2
    assert keys.RETENTION not in ledger.rows_of(first).dump()

    write = AtomicWrite()
    write.delete(keys.RESTORING)
    await commit(ledger.rows_of(first), write, marker_row=keys.COMPANY)
    clock.advance(DAY_MS)
    await daily.base.lane(second).add(None, an_instalment("p2"), [], [])

    async def away(key: str) -> None:
        raise Contention(key)

    ledger.rows_of(first).get = away  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        assert await daily.run_due() == 0
    assert "not_emptied" in caplog.text
    assert ledger.rows_of(second).dump()[keys.RETENTION]["at_ms"] == clock()


async def test_what_a_run_has_no_time_for_the_next_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backups were before it in the same function, and the host ends a function that takes too long."""
    daily, _, clock = await two_companies()
    clock.advance(200 * DAY_MS)
    run = CompanyRetention.run

    async def slow(self: CompanyRetention) -> Counter[str]:
        clock.advance(RUN_MS_MAX)
        return await run(self)

    monkeypatch.setattr(CompanyRetention, "run", slow)

    assert [await daily.run_due() for _ in range(3)] == [2, 2, 0]


async def test_a_backup_from_before_is_emptied_again_by_age() -> None:
    """A restore brings the row back as it was, and the mark of then: the next slice finds it old."""
    daily, ledger, clock = await two_companies()
    rows = ledger.rows_of(COMPANY)
    clock.advance(181 * DAY_MS)
    copy = rows.dump()
    assert await daily.run_due() == 4
    for key, values in copy.items():
        rows.put(key, values)
    clock.advance(DAY_MS)

    assert await daily.run_due() == 2
    receipt = await daily.base.lane(COMPANY).receipt(BaixaId("b1"))
    assert receipt
    assert (receipt.customer_name, receipt.state) == ("", ReceiptState.SENT)
    assert INDEX.address("ana.canaria@example.org") in str(rows.dump())
