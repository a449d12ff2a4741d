"""Active alarms are read from their rows: what waits for a person, and a sender that has stopped."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from foundation.alarms.model import Fact
from foundation.clock import AHEAD_MS_MAX, UnixMs
from foundation.tablestore.memory import MemoryRows
from payflow import standing
from payflow.alarms import CATALOGUE
from payflow.connect.tokens import RENEW_MS
from payflow.connection import Token
from payflow.delivery.sender import SenderDesk, SendingLimits
from payflow.ledger import backup, keys
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import CompanyId, InstalmentId
from payflow.state import CompanyStatus, Reason, ReceiptState
from tests.fakes.payflow import COMPANY, NOW, Book, a_company, a_receipt, an_instalment

AT = standing.Now(ms=NOW, interval_ms=300_000)


async def test_what_waits_for_a_person_and_a_stopped_sender_stand() -> None:
    """Unknown by itself, the others by reason; no alarm is active where nobody is needed."""
    book, desk = Book(), SenderDesk(MemoryRows(), lambda: NOW, SendingLimits())

    async def stands() -> list[Fact]:
        return await standing.facts(book.entries, lambda _: book.lane, desk, AT)

    await book.entries.lower(COMPANY, NOW, CompanyStatus.ACTIVE)
    await book.lane.add(None, an_instalment(), [a_receipt()], [])
    assert await stands() == []

    states = [
        (ReceiptState.UNKNOWN, None),
        (ReceiptState.HELD, Reason.NO_DOCUMENT),
        (ReceiptState.HELD, Reason.NO_DOCUMENT),
        (ReceiptState.REFUSED, None),
    ]
    for at, (state, reason) in enumerate(states):
        waits = a_receipt(f"w{at}", instalment=InstalmentId(f"i{at}"), state=state, reason=reason)
        await book.lane.add(None, an_instalment(f"i{at}"), [waits], [])
    words = "535 5.7.8 not you"
    await desk.heard(SmtpOutcome(verdict=Verdict.ACCOUNT, phase=Phase.LOGIN, words=words), "a")

    assert await stands() == [
        Fact(code="sender_stopped", subject="", detail=words, since_ms=NOW),
        Fact(code="receipt_unknown", subject=COMPANY, detail="1 unknown", since_ms=NOW),
        Fact(code="receipts_held", subject=COMPANY, detail="2 no_document, 1 refused", since_ms=NOW),
    ]
    assert [CATALOGUE.find(fact.code).blocks for fact in await stands()] == [True, False, False]


async def test_a_clinic_of_another_deployment_stands() -> None:
    """Until one of the two is disconnected."""
    book, desk = Book(), SenderDesk(MemoryRows(), lambda: NOW, SendingLimits())
    await book.entries.lower(COMPANY, NOW, CompanyStatus.ELSEWHERE)
    await book.lane.write_company(a_company(status=CompanyStatus.ELSEWHERE, status_ms=NOW))

    (fact,) = await standing.facts(book.entries, lambda _: book.lane, desk, AT)

    assert (fact.code, fact.subject, fact.since_ms) == ("served_elsewhere", COMPANY, NOW)


@pytest.mark.parametrize(
    ("code", "late_ms"),
    [
        ("company_not_looked_at", 3_600_000),
        ("receipts_overdue", 3_600_000),
        ("token_not_renewed", 20 * 60_000),
        ("backup_old", 26 * 3_600_000),
    ],
)
async def test_what_has_not_happened_for_too_long_stands(code: str, late_ms: int) -> None:
    """Not a moment before; of a company at rest nothing is expected, and of a paused one only its backup."""
    book, desk = Book(), SenderDesk(MemoryRows(), lambda: NOW, SendingLimits())
    at = UnixMs(NOW - late_ms)
    fresh = dict.fromkeys(("company_not_looked_at", "receipts_overdue", "token_not_renewed", "backup_old"), NOW)
    times = {**fresh, code: at}
    await book.entries.lower(COMPANY, NOW, CompanyStatus.ACTIVE)
    company = await book.lane.write_company(a_company(connected_ms=times["company_not_looked_at"]))
    token = Token(generation=1, access="a", refresh="r", expires_ms=UnixMs(times["token_not_renewed"] + RENEW_MS))
    book.company_rows.put(keys.TOKEN, book.lane.codec.encode(token))
    await backup.note(book.company_rows, UnixMs(times["backup_old"]))
    receipt = a_receipt(due_ms=UnixMs(times["receipts_overdue"]))
    await book.lane.add(None, an_instalment(), [receipt], [])

    async def codes(now: int) -> list[str]:
        now_ = standing.Now(ms=UnixMs(now), interval_ms=300_000)
        return [fact.code for fact in await standing.facts(book.entries, lambda _: book.lane, desk, now_)]

    assert await codes(NOW) == []
    assert await codes(NOW + 1) == [code]
    for status in (CompanyStatus.PAUSED, CompanyStatus.CONFIRM, CompanyStatus.DISCONNECTED):
        company = await book.lane.write_company(replace(company, status=status))
        await book.entries.lower(COMPANY, NOW, status)
        expected = ["backup_old"] if code == "backup_old" and status is CompanyStatus.PAUSED else []
        assert await codes(NOW + 1) == expected


async def test_a_company_that_was_never_backed_up_has_a_day() -> None:
    """From its connection on; one whose row is not there yet has no age at all."""
    book, desk = Book(), SenderDesk(MemoryRows(), lambda: NOW, SendingLimits())
    await book.entries.lower(COMPANY, NOW, CompanyStatus.PAUSED)
    assert await standing.facts(book.entries, lambda _: book.lane, desk, AT) == []
    await book.lane.write_company(a_company(status=CompanyStatus.PAUSED, connected_ms=UnixMs(NOW - 27 * 3_600_000)))

    (fact,) = await standing.facts(book.entries, lambda _: book.lane, desk, AT)

    assert (fact.code, fact.since_ms) == ("backup_old", NOW - 27 * 3_600_000)


@pytest.mark.parametrize("ahead_ms", [AHEAD_MS_MAX, AHEAD_MS_MAX + 1])
async def test_what_a_wrong_clock_stored_silences_no_alarm(ahead_ms: int) -> None:
    """A backup and a look of next year are none; those of a clock a little ahead are of now."""
    book, desk = Book(), SenderDesk(MemoryRows(), lambda: NOW, SendingLimits())
    await book.entries.lower(COMPANY, NOW, CompanyStatus.ACTIVE)
    entry = await book.entries.get(COMPANY)
    assert entry
    assert await book.entries.raise_(entry, NOW, looked_ms=UnixMs(NOW + ahead_ms), status=CompanyStatus.ACTIVE)
    await book.lane.write_company(a_company(connected_ms=UnixMs(NOW - 27 * 3_600_000)))
    await backup.note(book.company_rows, UnixMs(NOW + ahead_ms))

    found = await standing.facts(book.entries, lambda _: book.lane, desk, AT)

    silent = ahead_ms <= AHEAD_MS_MAX
    assert [fact.code for fact in found] == ([] if silent else ["company_not_looked_at", "backup_old"])


@pytest.mark.parametrize("key", [keys.COMPANY, keys.TOKEN])
async def test_a_row_that_cannot_be_read_hides_no_other_companys_alarm(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Nor is any other lane left asleep: the timer that tells the alarms is the one that wakes.

    1. A row of one company is torn, and the sweep raises.
    2. The host drops what a function that raised wanted to send: no lane is woken, of whichever company.
    """
    torn, whole, desk = Book(), Book(), SenderDesk(MemoryRows(), lambda: NOW, SendingLimits())
    other = CompanyId("other")
    for company, book in ((COMPANY, torn), (other, whole)):
        await torn.entries.lower(company, NOW, CompanyStatus.PAUSED)
        old = UnixMs(NOW - 27 * 3_600_000)
        await book.lane.write_company(a_company(status=CompanyStatus.PAUSED, connected_ms=old))
    torn.company_rows.put(key, {"status": 7})
    lanes = {COMPANY: torn.lane, other: whole.lane}

    found = await standing.facts(torn.entries, lanes.__getitem__, desk, AT)

    assert [(fact.code, fact.subject) for fact in found] == [("backup_old", other)]
    (line,) = map(json.loads, caplog.messages)
    assert (line["event"], line["company"]) == ("row_unreadable", COMPANY)


async def test_the_send_log_is_asked_for_although_nothing_is_to_be_sent() -> None:
    """By the timer, each minute; the lane that cannot send tells it too."""
    book, told = Book(), list[str]()

    class Alarms:
        async def note(self, code: str, subject: str, detail: str) -> None:
            assert (subject, bool(detail)) == ("", True)
            told.append(code)

    await standing.note_send_log(book.company_rows, Alarms())
    assert told == []
    book.company_rows.go_down()
    await standing.note_send_log(book.company_rows, Alarms())

    assert told == ["send_log_unreachable"]
    assert CATALOGUE.find("send_log_unreachable").blocks
