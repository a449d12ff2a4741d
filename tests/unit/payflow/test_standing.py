"""What stands is told from its rows: who waits for a person, and a sender that has stopped."""

from __future__ import annotations

from foundation.alarms.model import Fact
from foundation.tablestore.memory import MemoryRows
from payflow import standing
from payflow.alarms import CATALOGUE
from payflow.delivery.sender import SenderDesk, SendingLimits
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import Outcome
from payflow.model import InstalmentId
from payflow.state import CompanyStatus, Reason, ReceiptState
from tests.fakes.payflow import COMPANY, NOW, Book, a_receipt, an_instalment


async def test_what_waits_for_a_person_and_a_stopped_sender_stand() -> None:
    """Unknown by itself, the others by reason; nothing stands where nobody is needed."""
    book, desk = Book(), SenderDesk(MemoryRows(), lambda: NOW, SendingLimits())

    async def stands() -> list[Fact]:
        return await standing.facts(book.entries, lambda _: book.lane, desk)

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
    await desk.heard(Outcome(verdict=Verdict.ACCOUNT, phase=Phase.LOGIN, words=words), "a")

    assert await stands() == [
        Fact(code="sender_stopped", subject="", detail=words, since_ms=NOW),
        Fact(code="receipt_unknown", subject=COMPANY, detail="1 unknown", since_ms=NOW),
        Fact(code="receipts_held", subject=COMPANY, detail="2 no_document, 1 refused", since_ms=NOW),
    ]
    assert [CATALOGUE.find(fact.code).blocks for fact in await stands()] == [True, False, False]
