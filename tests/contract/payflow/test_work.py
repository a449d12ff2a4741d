"""A receipt from found to sent: documents, mailboxes, races, and a real mail server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest

from foundation.clock import UnixMs
from foundation.errors import Contention, InvariantBroken, Rejected, StoreUnavailable
from foundation.tablestore.atomic import AtomicWrite, commit
from payflow.delivery import choices, decisions, rules
from payflow.delivery.case import Case
from payflow.delivery.choices import Decider as ByPerson
from payflow.delivery.choices import Resend
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.ports import DeliveryKey
from payflow.delivery.steps import DeliverySnapshot, Prepare
from payflow.errors import SendLogUnavailable
from payflow.ledger.deliveries import EPOCHS, LOG_EPOCH, Epoch, LaneDeliveries
from payflow.ledger.send_log import TableSendLog
from payflow.looking.changed import edited
from payflow.looking.recreated import Recreation
from payflow.model import BaixaId, Customer, CustomerId, PaymentKey
from payflow.recipients.choice import Known, Recipient
from payflow.state import DeliveryState, DocumentPolicy, Reason, Receipt, ReceiptState
from tests.clinic import OTHER_PDF, PDF, Clinic, key_of
from tests.fakes.payflow import COMPANY, a_delivery, a_receipt


async def test_a_payment_with_its_document_is_mailed_once(clinic: Clinic) -> None:
    """Two steps: prepared, sent. The document arrives byte for byte; the log has both records."""
    payment = clinic.paid()
    await clinic.found(payment)

    sent = await clinic.advance(payment, 2)

    assert (sent.state, sent.document_source) == (ReceiptState.SENT, "erp")
    (mail,) = clinic.server.accepted
    assert mail.recipients == ("ana@medica.com.br",)
    assert next(mail.message.iter_attachments()).get_content() == PDF
    (delivery,) = await clinic.deliveries(payment)
    assert (delivery.state, mail.message_id) == (DeliveryState.SENT, delivery.message_id)
    log = await TableSendLog(clinic.log_rows, lambda: clinic.now, COMPANY, 1).records("2000-01-01")
    assert log == {key_of(payment): [(delivery.owner, "accepted"), (delivery.owner, "begun")]}
    assert sum(clinic.api.asked.values()) == 2


async def test_a_document_that_comes_late_is_waited_for(clinic: Clinic) -> None:
    """Asked at growing intervals; the instalment's files count too."""
    payment = clinic.paid(None)
    await clinic.found(payment)

    waiting = await clinic.advance(payment, 3)
    assert (waiting.state, waiting.asks) == (ReceiptState.WAITING_DOCUMENT, 3)

    clinic.books.attach(payment, PDF, kind="RECIBO")
    assert (await clinic.advance(payment, 2)).state is ReceiptState.SENT


async def test_our_own_document_is_made_where_the_policy_says_so(clinic: Clinic) -> None:
    """No attachment is asked for."""
    clinic.company = replace(clinic.company, policy=DocumentPolicy.OWN)
    payment = clinic.paid(None)
    await clinic.found(payment)

    sent = await clinic.advance(payment, 2)

    assert (sent.state, sent.document_source) == (ReceiptState.SENT, "own")
    assert clinic.api.asked["detail"] == 0


async def test_a_customer_is_written_to_in_the_language_of_the_setting(clinic: Clinic) -> None:
    """A mail that was tried keeps its language, and so does another mail of that receipt."""
    clinic.known = replace(clinic.known, language="en")
    payment = clinic.paid()
    await clinic.found(payment)
    clinic.server.faults.replies, clinic.server.faults.times = {"rcpt": "451 4.7.1 greylisted"}, 1
    await clinic.advance(payment, 2)
    clinic.known = replace(clinic.known, language="pt")

    assert (await clinic.advance(payment)).state is ReceiptState.SENT
    await choices.resend(
        clinic.lane, BaixaId(payment.id), Resend(domain="payflow.example"), ByPerson(name="o", now=clinic.now)
    )
    assert (await clinic.advance(payment)).state is ReceiptState.SENT
    subjects = [mail.message["Subject"] for mail in clinic.server.accepted]
    assert subjects == [subjects[0]] * 2
    assert subjects[0].startswith("Payment receipt")


async def test_a_mail_is_shown_before_it_goes_out(clinic: Clinic) -> None:
    """Nothing is stored or sent; where no mail would go out it says why."""
    payment, bare = clinic.paid(), clinic.paid(None)
    receipt = await clinic.found(payment)
    before = clinic.book.company_rows.dump()

    async def preview(of: Receipt) -> bytes:
        return await clinic.work().preview(of, clinic.company, clinic.lane, clinic.api)

    shown = message_from_bytes(await preview(receipt), policy=default)
    assert shown["To"] == "ana@medica.com.br"
    assert next(shown.iter_attachments()).get_content() == PDF
    assert (clinic.book.company_rows.dump(), clinic.server.accepted) == (before, [])

    clinic.company = replace(clinic.company, document="12345678909")
    with pytest.raises(Rejected, match="a person gets none of ours"):
        await preview(await clinic.found(bare))
    clinic.not_there = True
    with pytest.raises(Rejected, match="the document is not there"):
        await preview(receipt)
    clinic.not_there, clinic.ana.email = False, ""
    with pytest.raises(Rejected, match="no_recipient"):
        await preview(receipt)
    clinic.books.undo(payment)
    with pytest.raises(Rejected, match="is gone"):
        await preview(receipt)


@pytest.mark.parametrize("trouble", ["edited", "undone", "instalment gone"])
async def test_a_payment_that_changes_while_its_document_is_waited_for_is_read_whole(
    clinic: Clinic, trouble: str
) -> None:
    """The one request of an ask shows that something is different; what it is the payment itself says."""
    payment = clinic.paid(None)
    await clinic.found(payment)
    assert (await clinic.advance(payment, 2)).state is ReceiptState.WAITING_DOCUMENT
    if trouble == "edited":
        clinic.books.edit(payment, gross=90_00)
    else:
        clinic.books.undo(payment)
    if trouble == "instalment gone":
        clinic.api.broken.add(payment.parcela)

    after = await clinic.advance(payment)

    assert after.state is (ReceiptState.FOUND if trouble == "edited" else ReceiptState.WITHDRAWN)
    assert after.amount == (9_000 if trouble == "edited" else 10_000)


async def test_an_instalment_that_lags_behind_hides_no_document(clinic: Clinic) -> None:
    """It does not show the payment yet: the payment itself is asked, each time."""
    clinic.books.lag.detail_s = 3600
    parcela = clinic._billed()
    clinic.time.now_s += 3600
    payment = clinic.paid(None, parcela.id)
    await clinic.found(payment)
    assert (await clinic.advance(payment, 2)).state is ReceiptState.WAITING_DOCUMENT

    clinic.books.attach(payment, PDF)

    assert (await clinic.advance(payment)).state is ReceiptState.SENDING


async def test_a_document_that_comes_after_our_own_is_not_mailed(clinic: Clinic) -> None:
    """The receipt is sent: the look that sees the revision flags nothing, and nothing is due."""
    clinic.company = replace(clinic.company, policy=DocumentPolicy.ERP_THEN_OWN)
    payment = clinic.paid(None)
    await clinic.found(payment, found_ms=UnixMs(clinic.now - 2 * 3_600_000))
    assert (await clinic.advance(payment, 2)).document_source == "own"

    clinic.books.attach(payment, PDF)
    clinic.books.edit(payment)
    sent = await clinic.lane.receipt(BaixaId(payment.id))
    assert sent
    baixa = await clinic.api.baixa(BaixaId(payment.id))
    assert baixa
    after = edited(sent, baixa, Customer(id=sent.customer, name=sent.customer_name), clinic.now)

    assert (after.state, after.after, after.revision) == (ReceiptState.SENT, None, 2)
    assert await clinic.lane.due(UnixMs(10**14), limit=9) == []
    assert len(clinic.server.accepted) == 1


@pytest.mark.parametrize(
    ("pdf", "refused", "reason"),
    [
        (b"<html>recibo.pdf</html>" * 9, None, Reason.UNREADABLE_DOCUMENT),
        (PDF, Reason.DOCUMENT_HOST, Reason.DOCUMENT_HOST),
    ],
)
async def test_a_document_that_cannot_be_mailed_is_held(
    clinic: Clinic, pdf: bytes, refused: Reason | None, reason: Reason
) -> None:
    """With its reason; nothing is sent."""
    clinic.download_refused = refused
    payment = clinic.paid(pdf)
    await clinic.found(payment)

    held = await clinic.advance(payment)

    assert (held.state, held.reason) == (ReceiptState.HELD, reason)
    assert clinic.server.accepted == []


async def test_a_document_that_is_named_and_not_served_is_asked_for_again(clinic: Clinic) -> None:
    """In vain at first, also between two attempts; after 72 hours a person looks."""
    clinic.not_there = True
    payment = clinic.paid()
    await clinic.found(payment)
    waiting = await clinic.advance(payment)
    assert (waiting.state, waiting.asks) == (ReceiptState.WAITING_DOCUMENT, 1)

    clinic.not_there = False
    await clinic.advance(payment)
    clinic.not_there = True
    assert (await clinic.advance(payment)).due_ms == clinic.now + 300_000
    clinic.not_there = False
    assert (await clinic.advance(payment)).state is ReceiptState.SENT

    never = clinic.paid(OTHER_PDF)
    await clinic.found(never)
    clinic.not_there = True
    assert (await clinic.advance(never, 13)).reason is Reason.NO_DOCUMENT


async def test_a_document_that_was_mailed_already_is_not_mailed_twice(clinic: Clinic) -> None:
    """For the same customer it is covered, for another a person looks; of a withdrawn payment it counts for nothing."""
    first, second, third = clinic.paid(), clinic.paid(), clinic.paid()
    bia = clinic.books.person("Bia", email="bia@medica.com.br")
    await clinic.found(first)
    await clinic.advance(first, 2)
    await clinic.found(second)
    await clinic.found(third, customer=CustomerId(bia.id))

    assert (await clinic.advance(second)).state is ReceiptState.COVERED
    held = await clinic.advance(third)
    assert (held.state, held.reason) == (ReceiptState.HELD, Reason.SAME_DOCUMENT)

    undone, again = clinic.paid(OTHER_PDF), clinic.paid(OTHER_PDF)
    await clinic.found(undone)
    await clinic.advance(undone)
    clinic.books.undo(undone)
    await clinic.advance(undone)
    await clinic.found(again)
    assert (await clinic.advance(again, 2)).state is ReceiptState.SENT


async def test_the_map_by_name_is_used_for_one_person_alone(clinic: Clinic) -> None:
    """A namesake in the ERP: held, never guessed."""
    clinic.ana.email = ""
    clinic.known = Known(by_customer={}, by_name={"ana": ("mapa@medica.com.br",)})
    first, second = clinic.paid(), clinic.paid(OTHER_PDF)
    await clinic.found(first)
    await clinic.found(second)
    assert (await clinic.advance(first, 2)).state is ReceiptState.SENT

    clinic.books.person("ANA")
    assert (await clinic.advance(second)).reason is Reason.NO_RECIPIENT


async def test_a_document_that_changed_between_attempts_is_held(clinic: Clinic) -> None:
    """Every attempt of one delivery is the same bytes; another document is a person's decision."""
    clinic.server.faults.replies = {"rcpt": "451 4.7.1 greylisted"}
    payment = clinic.paid()
    await clinic.found(payment)
    assert (await clinic.advance(payment, 2)).state is ReceiptState.SENDING

    payment.files[0].content = OTHER_PDF
    held = await clinic.advance(payment)

    assert (held.state, held.reason) == (ReceiptState.HELD, Reason.PAYMENT_CHANGED)
    assert clinic.server.accepted == []


async def test_greylisting_is_tried_again_with_the_same_message_id(clinic: Clinic) -> None:
    """Five minutes later; one mail arrives."""
    clinic.server.faults.replies = {"rcpt": "451 4.7.1 greylisted"}
    clinic.server.faults.times = 1
    payment = clinic.paid()
    await clinic.found(payment)
    waiting = await clinic.advance(payment, 2)
    assert (waiting.state, waiting.due_ms) == (ReceiptState.SENDING, clinic.now + 300_000)

    assert (await clinic.advance(payment)).state is ReceiptState.SENT
    (delivery,) = await clinic.deliveries(payment)
    assert [mail.message_id for mail in clinic.server.accepted] == [delivery.message_id]


async def test_a_missing_address_is_asked_for_each_hour(clinic: Clinic) -> None:
    """Typed into Conta Azul, it releases the receipt by itself."""
    clinic.ana.email = ""
    payment = clinic.paid()
    await clinic.found(payment)
    waiting = await clinic.advance(payment)
    assert (waiting.reason, waiting.due_ms) == (Reason.NO_RECIPIENT, clinic.now + 3_600_000)

    clinic.ana.email = "ana@medica.com.br"
    assert (await clinic.advance(payment, 2)).state is ReceiptState.SENT


async def test_an_override_gets_every_mail_and_nobody_else_does(clinic: Clinic) -> None:
    """Another kind of delivery; the true address is masked."""
    clinic.office = replace(clinic.office, override="dev@payflow.example")
    payment = clinic.paid()
    await clinic.found(payment)

    assert (await clinic.advance(payment, 2)).state is ReceiptState.SENT

    (mail,) = clinic.server.accepted
    assert mail.recipients == ("dev@payflow.example",)
    assert str(mail.message["Subject"]).startswith("[TESTE]")
    assert b"ana@medica" not in mail.data
    assert [one.kind for one in await clinic.deliveries(payment)] == ["test"]


async def test_a_lost_answer_after_the_dot_waits_for_a_person(clinic: Clinic) -> None:
    """Accepted by the server, and nobody saw the answer: unknown, until somebody says that it arrived."""
    clinic.server.faults.cut_at = "after_dot"
    payment = clinic.paid()
    await clinic.found(payment)

    assert (await clinic.advance(payment, 2)).state is ReceiptState.UNKNOWN
    assert len(clinic.server.accepted) == 1

    said = await decisions.decide_arrived(clinic.lane, key_of(payment), "office", clinic.now)
    assert (said.state, said.decided_by) == (ReceiptState.SENT, "office")


async def test_send_again_is_another_mail(clinic: Clinic) -> None:
    """Offered when no dot can follow any more; another Message-ID."""
    clinic.server.faults.cut_at = "after_dot"
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    with pytest.raises(Rejected):
        await decisions.decide_again(clinic.lane, key_of(payment), "office", clinic.now, domain="d.example")
    clinic.server.faults.cut_at = ""
    clinic.time.now_s += (rules.ATTEMPT_MS + rules.IDLE_MS) / 1000 + 1

    due = await decisions.decide_again(clinic.lane, key_of(payment), "office", clinic.now, domain="d.example")
    assert due.state is ReceiptState.SENDING
    assert (await clinic.advance(payment)).state is ReceiptState.SENT
    assert len({mail.message_id for mail in clinic.server.accepted}) == 2

    for key in (key_of(payment, "nothing"), DeliveryKey(PaymentKey(COMPANY, BaixaId("no")), "receipt", 1)):
        with pytest.raises(Rejected):
            await decisions.decide_arrived(clinic.lane, key, "office", clinic.now)


async def test_a_worker_that_died_is_judged(clinic: Clinic) -> None:
    """Before its mark: tried again."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment)
    (delivery,) = await clinic.deliveries(payment)
    await LaneDeliveries(clinic.lane).save(rules.claim(delivery, "dead", clinic.now))

    waiting = await clinic.advance(payment)
    assert waiting.state is ReceiptState.SENDING
    assert (await clinic.advance(payment, 2)).state is ReceiptState.SENT


async def test_a_stopped_sender_sends_nothing_until_its_probe(clinic: Clinic) -> None:
    """The daily limit: the server's words are kept, the receipt comes back when the probe may be made."""
    clinic.server.faults.replies = {"mail": "550 5.4.5 Daily user sending limit exceeded"}
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)

    stopped = await clinic.advance(payment)
    account = await clinic.work().desk.account()
    assert (stopped.state, stopped.due_ms) == (ReceiptState.SENDING, account.probe_ms)
    assert account.why.startswith("550 5.4.5")

    clinic.server.faults.replies = {}
    assert (await clinic.advance(payment)).state is ReceiptState.SENT
    assert (await clinic.work().desk.account()).stopped_ms == 0


async def test_a_restored_table_may_begin_nothing_with_an_old_epoch(clinic: Clinic) -> None:
    """The log is fenced; the table that was given the new epoch sends."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment)
    epoch = await TableSendLog(clinic.log_rows, lambda: clinic.now, COMPANY, 1).raise_epoch()

    with pytest.raises(SendLogUnavailable):
        await clinic.advance(payment)
    assert clinic.server.accepted == []
    clinic.time.now_s += 60

    clinic.book.company_rows.put(LOG_EPOCH, EPOCHS.encode(Epoch(epoch)))
    assert (await clinic.advance(payment)).state is ReceiptState.SENT


async def test_without_the_log_nothing_is_sent(clinic: Clinic) -> None:
    """The other account is away: the row goes back, and is due again when a minute has passed."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment)
    clinic.log_rows.go_down()

    with pytest.raises(SendLogUnavailable):
        await clinic.advance(payment)
    assert clinic.server.accepted == []
    clinic.time.now_s += 60

    clinic.log_rows.come_back()
    assert (await clinic.advance(payment)).state is ReceiptState.SENT


async def test_two_lanes_send_one_mail(clinic: Clinic) -> None:
    """The same receipt at the same time: one claims, the other meets another version."""
    payment = clinic.paid()
    await clinic.found(payment)
    receipt = await clinic.advance(payment)
    works = [clinic.work().advance(receipt, clinic.company, clinic.lane, clinic.api) for _ in range(3)]

    ended = await asyncio.gather(*works, return_exceptions=True)

    assert all(isinstance(one, Contention | StoreUnavailable | None) for one in ended)
    assert len(clinic.server.accepted) == 1


async def test_nothing_is_made_for_a_payment_that_is_gone(clinic: Clinic) -> None:
    """The decision prepares nothing then; if it did, it would be a bug."""
    seen = DeliverySnapshot(
        baixa=None, attachment=None, recreation=Recreation.NEW, recipient=Recipient(), deliveries=()
    )
    case = Case(tools=clinic.work(), receipt=a_receipt(), company=clinic.company, ledger=clinic.lane, seen=seen)

    with pytest.raises(InvariantBroken):
        await case.carry_out(Prepare(None, ("a@x.com.br",)))


async def test_a_delivery_is_read_by_its_key(clinic: Clinic) -> None:
    """None when there is none."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment)
    deliveries = LaneDeliveries(clinic.lane)

    assert [await deliveries.read(key_of(payment))] == await clinic.deliveries(payment)
    assert await deliveries.read(key_of(payment, "nothing")) is None


async def test_a_recipient_that_the_server_refuses_gets_no_other_mail(clinic: Clinic) -> None:
    """550 for the mailbox: the address is suppressed for the clinic's other payments too."""
    clinic.server.faults.replies = {"rcpt": "550 5.1.1 no such user"}
    payment = clinic.paid()
    await clinic.found(payment)

    assert (await clinic.advance(payment, 2)).state is ReceiptState.REFUSED
    (delivery,) = await clinic.deliveries(payment)
    assert delivery.state is DeliveryState.REFUSED
    assert "no such user" in (await LaneRecipients(clinic.lane).mailbox(delivery.address)).suppressed


async def test_send_again_waits_for_an_address(clinic: Clinic) -> None:
    """The send log of a restored table knows a mail but not its recipient; the next step finds the address again."""
    payment = clinic.paid()
    await clinic.found(payment)
    write = AtomicWrite()
    known = a_delivery(payment.id, state=DeliveryState.UNKNOWN, address="", attempt_deadline_ms=clinic.now)
    clinic.lane.put_delivery(write, known)
    await commit(clinic.lane.rows, write, marker_row=write.writes[0].key)

    with pytest.raises(Rejected, match="not known yet"):
        await decisions.decide_again(clinic.lane, key_of(payment), "office", clinic.now, domain="d.example")
