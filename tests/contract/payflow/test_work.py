"""A receipt from found to sent: documents, mailboxes, races, and a real mail server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from email import message_from_bytes
from email.policy import default

import pytest

from devstack.conta_azul.books import Books, Parcela, Payment
from foundation.clock import UnixMs
from foundation.errors import Contention, InvariantBroken, Rejected, StoreUnavailable
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.memory import MemoryRows
from payflow.delivery import choices, decisions, rules
from payflow.delivery.case import Case
from payflow.delivery.choices import Decider as ByPerson
from payflow.delivery.choices import Resend
from payflow.delivery.office import Office
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.ports import DeliveryKey, SendLog
from payflow.delivery.sender import SenderDesk, SendingLimits
from payflow.delivery.steps import DeliverySnapshot, Prepare
from payflow.delivery.work import Work
from payflow.documents import comprovante
from payflow.documents.download import DocumentNotThere, DocumentRefused
from payflow.errors import SendLogUnavailable
from payflow.ledger.deliveries import EPOCHS, LOG_EPOCH, Epoch, LaneDeliveries
from payflow.ledger.lane import LaneLedger
from payflow.ledger.send_log import TableSendLog
from payflow.looking.changed import edited
from payflow.looking.recreated import Recreation
from payflow.mail.channel import SmtpChannel
from payflow.mail.smtp import Auth, Security, Server
from payflow.model import Attachment, BaixaId, CompanyId, Customer, CustomerId, InstalmentId, PaymentKey, Person
from payflow.recipients.choice import Known, Recipient
from payflow.state import After, Company, Delivery, DeliveryState, DocumentPolicy, Reason, Receipt, ReceiptState
from tests.fakes.conta_azul import BooksApi, Time
from tests.fakes.mail_server import PASSWORD, USER, FaultyServer, Mail, mail_server
from tests.fakes.payflow import COMPANY, Book, a_company, a_delivery, a_receipt, an_instalment
from tests.unit.payflow.test_documents import PAYMENT

PDF = comprovante.make(PAYMENT)
OTHER_PDF = comprovante.make(replace(PAYMENT, number="other"))


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultyServer]:
    """One server for the module: starting one takes a while."""
    with mail_server() as server:
        yield server


@pytest.fixture
def server(shared: FaultyServer) -> FaultyServer:
    """The server with nothing accepted and no faults."""
    shared.accepted.clear()
    shared.faults = type(shared.faults)()
    return shared


@dataclass
class Clinic:
    """A clinic's books, our ledger of it, and a real mail server."""

    server: FaultyServer
    time: Time = field(default_factory=Time)
    book: Book = field(default_factory=Book)
    sender_rows: MemoryRows = field(default_factory=MemoryRows)
    log_rows: MemoryRows = field(default_factory=MemoryRows)
    company: Company = field(default_factory=lambda: a_company(policy=DocumentPolicy.ERP))
    known: Known = field(default_factory=lambda: Known(by_customer={}, by_name={}))
    office: Office = field(default_factory=lambda: Office(sender_name="PayFlow", sender_address="r@payflow.example"))
    download_refused: Reason | None = None
    not_there: bool = False

    def __post_init__(self) -> None:
        self.books = Books(self.time, company=COMPANY, document="12345678000195", name="Clínica")
        self.api = BooksApi(self.books)
        self.ana = self.books.person("Ana", email="ana@medica.com.br")

    @property
    def now(self) -> UnixMs:
        return UnixMs(int(self.time.now_s * 1000))

    @property
    def lane(self) -> LaneLedger:
        return self.book.lane

    def work(self) -> Work:
        smtp = Server(
            host="localhost",
            port=self.server.port,
            security=Security.STARTTLS,
            auth=Auth.PASSWORD,
            user=USER,
            secret=lambda: PASSWORD,
            trust=self.server.client_context(),
            reply_s_max=2,
        )
        return Work(
            office=self.office,
            desk=SenderDesk(self.sender_rows, lambda: self.now, SendingLimits()),
            channel=lambda: SmtpChannel(smtp, self.office.sender_address),
            send_log=self.log,
            download=self._download,
            known=self._known,
            clock=lambda: self.now,
        )

    def log(self, company: CompanyId, epoch: int) -> SendLog:
        return TableSendLog(self.log_rows, lambda: self.now, company, epoch)

    async def _download(self, attachment: Attachment) -> bytes:
        if self.download_refused:
            raise DocumentRefused(self.download_refused, "refused")
        if self.not_there:
            raise DocumentNotThere
        found = self.books.file(attachment.id)
        assert found
        return found.content

    async def _known(
        self, company: Company, ledger: LaneLedger, _customer: CustomerId, _person: Person | None
    ) -> Known:
        assert (company.id, ledger.company) == (COMPANY, COMPANY)
        return self.known

    def paid(self, pdf: bytes | None = PDF, instalment: str = "") -> Payment:
        """Book a payment, with its document."""
        parcela = self.books.parcelas[instalment] if instalment else self._billed()
        payment = self.books.pay(parcela, 100_00)
        if pdf:
            self.books.attach(payment, pdf)
        return payment

    def _billed(self) -> Parcela:
        return self.books.bill(self.ana, 900_00, due=date(2026, 1, 10))

    async def found(self, payment: Payment, **changes: object) -> Receipt:
        """Store the receipt as a look does."""
        values = {
            "instalment": InstalmentId(payment.parcela),
            "customer": CustomerId(self.ana.id),
            "amount": payment.net,
            "revision": payment.revision,
            "paid_on": payment.paid_on.isoformat(),
            "found_ms": self.now,
            "due_ms": self.now,
        }
        receipt = a_receipt(payment.id, **{**values, **changes})
        await self.lane.add(None, an_instalment(payment.parcela), [receipt], [])
        return receipt

    async def advance(self, payment: Payment, times: int = 1) -> Receipt:
        """Let the receipt come *times* steps further, each as soon as it is due."""
        for _ in range(times):
            receipt = await self.lane.receipt(BaixaId(payment.id))
            assert receipt
            self.time.now_s = max(self.time.now_s, receipt.due_ms / 1000)
            await self.work().advance(receipt, self.company, self.lane, self.api)
        after = await self.lane.receipt(BaixaId(payment.id))
        assert after
        return after

    async def deliveries(self, payment: Payment) -> list[Delivery]:
        return list(await self.lane.deliveries(BaixaId(payment.id)))


@pytest.fixture
def clinic(server: FaultyServer) -> Clinic:
    """A clinic with one payer."""
    return Clinic(server)


def _key(payment: Payment, kind: str = "receipt") -> DeliveryKey:
    return DeliveryKey(PaymentKey(COMPANY, BaixaId(payment.id)), kind, 1)


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
    assert log == {_key(payment): [(delivery.owner, "accepted"), (delivery.owner, "begun")]}
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


async def test_a_payment_undone_after_one_of_two_addresses_was_mailed_is_sent_and_undone(clinic: Clinic) -> None:
    """What went out is what the receipt is; the other address gets nothing."""
    clinic.ana.email = "ana@medica.com.br,bia@medica.com.br"
    clinic.server.faults.replies = {"rcpt:bia@medica.com.br": "451 4.7.1 greylisted"}
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 3)
    clinic.books.undo(payment)

    after = await clinic.advance(payment)

    assert (after.state, after.after, after.gone) == (ReceiptState.SENT, After.UNDONE, True)
    assert [one.state for one in await clinic.deliveries(payment)] == [DeliveryState.SENT, DeliveryState.CANCELLED]


async def test_a_payment_edited_after_one_of_two_addresses_was_mailed_is_held(clinic: Clinic) -> None:
    """A correction is a person's act."""
    clinic.ana.email = "ana@medica.com.br,bia@medica.com.br"
    clinic.server.faults.replies = {"rcpt:bia@medica.com.br": "451 4.7.1 greylisted"}
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 3)
    clinic.books.edit(payment, gross=200_00)

    after = await clinic.advance(payment)

    assert (after.state, after.reason) == (ReceiptState.HELD, Reason.PAYMENT_CHANGED)
    assert len(clinic.server.accepted) == 1


def _text(mail: Mail) -> str:
    """Return the plain text of a mail."""
    body = mail.message.get_body(("plain",))
    assert body
    return str(body.get_content())


async def _changed(clinic: Clinic, payment: Payment, gross: int) -> Receipt:
    """Edit a payment that was mailed, let the look see it, and let the office order a correction."""
    clinic.books.edit(payment, gross=gross)
    before, baixa = await clinic.lane.receipt(BaixaId(payment.id)), await clinic.api.baixa(BaixaId(payment.id))
    assert before
    assert baixa
    customer = Customer(id=before.customer, name=before.customer_name)
    flagged = await clinic.lane.save(before, edited(before, baixa, customer, clinic.now))
    assert (flagged.state, flagged.after) == (ReceiptState.SENT, After.CHANGED)
    return await choices.order_correction(clinic.lane, BaixaId(payment.id), ByPerson(name="office", now=clinic.now))


async def test_a_payment_changed_after_its_mail_is_corrected_by_a_persons_word(clinic: Clinic) -> None:
    """To the addresses of now, under a kind of its own; the mail says which receipt it replaces. Twice: another one."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    clinic.ana.email = "ana@nova.com.br,bia@medica.com.br"

    await _changed(clinic, payment, 200_00)
    waits = await clinic.advance(payment)  # Conta Azul's file is still the one that was mailed
    assert (waits.state, len(clinic.server.accepted)) == (ReceiptState.WAITING_DOCUMENT, 1)
    payment.files[0].content = OTHER_PDF
    sent = await clinic.advance(payment, 3)

    assert (sent.state, sent.after, sent.flagged_ms, sent.amount) == (ReceiptState.SENT, None, 0, 200_00)
    mails = [(one.kind, one.number, one.state) for one in await clinic.deliveries(payment)]
    assert mails == [
        ("correction-1", 1, DeliveryState.SENT),
        ("correction-1", 2, DeliveryState.SENT),
        ("receipt", 1, DeliveryState.SENT),
    ]
    first, *corrected = clinic.server.accepted
    assert [one.recipients for one in corrected] == [("ana@nova.com.br",), ("bia@medica.com.br",)]
    assert len({first.message_id, *(one.message_id for one in corrected)}) == 3
    assert corrected[0].message["Subject"].startswith("Correção do recibo de pagamento")
    text = _text(corrected[0])
    assert "corrige e substitui o recibo de R$\N{NO-BREAK SPACE}100,00" in text
    assert "R$\N{NO-BREAK SPACE}200,00" in text

    payment.files[0].content = PDF
    assert (await _changed(clinic, payment, 300_00)).correction == 2
    assert (await clinic.advance(payment, 3)).state is ReceiptState.SENT
    assert [one.kind for one in await clinic.deliveries(payment)].count("correction-2") == 2


async def test_a_correction_is_not_mailed_once_its_payment_is_gone_or_its_payer_wants_none(clinic: Clinic) -> None:
    """The receipt is what was mailed before, and the flag stays."""
    undone, unwanted = clinic.paid(), clinic.paid(OTHER_PDF)
    for payment in (undone, unwanted):
        await clinic.found(payment)
        await clinic.advance(payment, 2)
        await _changed(clinic, payment, 200_00)
    clinic.books.undo(undone)
    clinic.known = replace(clinic.known, no_mail=frozenset({CustomerId(clinic.ana.id)}))

    gone, without = await clinic.advance(undone), await clinic.advance(unwanted)

    assert (gone.state, gone.after, gone.amount) == (ReceiptState.SENT, After.UNDONE, 100_00)
    assert (without.state, without.after, without.amount) == (ReceiptState.SENT, After.CHANGED, 100_00)
    assert [bool(one.flagged_ms) for one in (gone, without)] == [True, True]
    assert len(clinic.server.accepted) == 2


async def test_a_correction_edited_while_it_is_sent_begins_anew_or_is_held(clinic: Clinic) -> None:
    """As a receipt is: nothing of it went out, or one address has it."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    payment.files[0].content = OTHER_PDF
    clinic.server.faults.replies = {"rcpt": "451 4.7.1 greylisted"}
    await _changed(clinic, payment, 200_00)
    await clinic.advance(payment, 2)
    clinic.server.faults.replies = {}
    clinic.books.edit(payment, gross=300_00)
    renewed = await clinic.advance(payment)
    assert (renewed.state, renewed.amount, renewed.was_mailed.amount) == (ReceiptState.FOUND, 300_00, 100_00)

    clinic.ana.email = "ana@medica.com.br,bia@medica.com.br"
    clinic.server.faults.replies = {"rcpt:bia@medica.com.br": "451 4.7.1 greylisted"}
    await clinic.advance(payment, 3)
    clinic.books.edit(payment, gross=400_00)
    held = await clinic.advance(payment)
    assert (held.state, held.reason) == (ReceiptState.HELD, Reason.PAYMENT_CHANGED)


async def test_another_customers_correction_names_no_receipt_of_before(clinic: Clinic) -> None:
    """They got none; under an override it is a test mail."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    payment.files[0].content = OTHER_PDF
    after = await _changed(clinic, payment, 200_00)
    bia = clinic.books.person("Bia", email="bia@medica.com.br")
    await clinic.lane.save(after, replace(after, customer=CustomerId(bia.id), customer_name="Bia"))
    clinic.office = replace(clinic.office, override="test@payflow.example")

    await clinic.advance(payment, 2)

    assert [one.kind for one in await clinic.deliveries(payment)] == ["receipt", "test-correction-1"]
    mail = clinic.server.accepted[-1]
    assert mail.recipients == ("test@payflow.example",)
    assert "corrige" not in _text(mail)


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


@pytest.mark.parametrize(
    ("known", "state", "reason"),
    [
        (Known(by_customer={}, by_name={}, customers_of=lambda _: 9), ReceiptState.HELD, Reason.SHARED_ADDRESS),
        (Known(by_customer={}, by_name={}, no_mail=frozenset({CustomerId("x")})), ReceiptState.SKIPPED, Reason.NO_MAIL),
    ],
)
async def test_who_is_not_mailed_is_named_with_the_reason(
    clinic: Clinic, known: Known, state: ReceiptState, reason: Reason
) -> None:
    """Held for a person, or ended."""
    clinic.known = replace(known, no_mail=frozenset({CustomerId(clinic.ana.id)}) if known.no_mail else frozenset())
    payment = clinic.paid()
    await clinic.found(payment)

    found = await clinic.advance(payment)

    assert (found.state, found.reason) == (state, reason)


async def test_an_undone_payment_is_withdrawn(clinic: Clinic) -> None:
    """Before it is prepared, and also while its mail waits; its instalment is read again."""
    early, late = clinic.paid(), clinic.paid()
    await clinic.found(early)
    await clinic.found(late)
    clinic.server.faults.replies = {"rcpt": "451 4.7.1 greylisted"}
    await clinic.advance(late, 2)
    for payment in (early, late):
        clinic.books.undo(payment)

    for payment in (early, late):
        assert (await clinic.advance(payment)).state is ReceiptState.WITHDRAWN

    assert [one.state for one in await clinic.deliveries(late)] == [DeliveryState.CANCELLED]
    assert len(await clinic.lane.to_read_again(limit=9)) == 2


async def test_an_edited_payment_is_decided_anew(clinic: Clinic) -> None:
    """Before anything went out: other amount, other Message-ID, one mail."""
    payment = clinic.paid()
    await clinic.found(payment)
    clinic.server.faults.replies = {"rcpt": "451 4.7.1 greylisted"}
    await clinic.advance(payment, 2)
    (before,) = await clinic.deliveries(payment)
    clinic.server.faults.replies = {}
    clinic.books.edit(payment, gross=200_00)

    sent = await clinic.advance(payment, 3)

    assert (sent.state, sent.amount) == (ReceiptState.SENT, 200_00)
    (after,) = await clinic.deliveries(payment)
    assert (after.revision, after.message_id == before.message_id) == (2, False)
    assert len(clinic.server.accepted) == 1


async def test_a_payment_booked_again_is_covered(clinic: Clinic) -> None:
    """Its mail went out before it was undone; the same amount, date and customer is the same payment."""
    first = clinic.paid()
    await clinic.found(first)
    await clinic.advance(first, 2)
    clinic.books.undo(first)
    again = clinic.paid(OTHER_PDF, first.parcela)
    again_receipt = a_receipt(
        again.id,
        instalment=InstalmentId(again.parcela),
        customer=CustomerId(clinic.ana.id),
        amount=again.net,
        revision=again.revision,
        paid_on=again.paid_on.isoformat(),
        found_ms=clinic.now,
        due_ms=clinic.now,
    )
    instalment = await clinic.lane.instalment(InstalmentId(again.parcela))
    assert instalment
    await clinic.lane.add(instalment, instalment, [again_receipt], [])

    covered = await clinic.advance(again)

    assert (covered.state, covered.reason) == (ReceiptState.COVERED, Reason.RECREATED)
    assert len(clinic.server.accepted) == 1
    gone = await clinic.lane.receipt(BaixaId(first.id))
    assert gone
    assert gone.gone


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

    said = await decisions.decide_arrived(clinic.lane, _key(payment), "office", clinic.now)
    assert (said.state, said.decided_by) == (ReceiptState.SENT, "office")


async def test_send_again_is_another_mail(clinic: Clinic) -> None:
    """Offered when no dot can follow any more; another Message-ID."""
    clinic.server.faults.cut_at = "after_dot"
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    with pytest.raises(Rejected):
        await decisions.decide_again(clinic.lane, _key(payment), "office", clinic.now, domain="d.example")
    clinic.server.faults.cut_at = ""
    clinic.time.now_s += (rules.ATTEMPT_MS + rules.IDLE_MS) / 1000 + 1

    due = await decisions.decide_again(clinic.lane, _key(payment), "office", clinic.now, domain="d.example")
    assert due.state is ReceiptState.SENDING
    assert (await clinic.advance(payment)).state is ReceiptState.SENT
    assert len({mail.message_id for mail in clinic.server.accepted}) == 2

    for key in (_key(payment, "nothing"), DeliveryKey(PaymentKey(COMPANY, BaixaId("no")), "receipt", 1)):
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


async def test_a_mailed_sibling_that_is_still_there_changes_nothing(clinic: Clinic) -> None:
    """Two halves of one instalment are two payments, and two mails."""
    first = clinic.paid()
    await clinic.found(first)
    await clinic.advance(first, 2)
    second = clinic.paid(OTHER_PDF, first.parcela)
    instalment = await clinic.lane.instalment(InstalmentId(first.parcela))
    assert instalment
    receipt = a_receipt(
        second.id,
        instalment=instalment.id,
        customer=CustomerId(clinic.ana.id),
        amount=second.net,
        paid_on=second.paid_on.isoformat(),
        found_ms=clinic.now,
        due_ms=clinic.now,
    )
    await clinic.lane.add(instalment, instalment, [receipt], [])

    assert (await clinic.advance(second, 2)).state is ReceiptState.SENT
    assert len(clinic.server.accepted) == 2


async def test_more_people_than_can_be_read_are_no_proof_of_one(clinic: Clinic) -> None:
    """Then the map by name is not used."""
    clinic.ana.email = ""
    clinic.known = Known(by_customer={}, by_name={"ana": ("mapa@medica.com.br",)})
    payment = clinic.paid()
    await clinic.found(payment)

    async def endless(page: int) -> Sequence[Person]:
        assert page
        person = await clinic.api.person(CustomerId(clinic.ana.id))
        assert person
        return [person]

    clinic.api.people = endless  # type: ignore[method-assign]
    assert (await clinic.advance(payment)).reason is Reason.NO_RECIPIENT


async def test_a_receipt_that_moved_on_meanwhile_is_left_as_it_is(clinic: Clinic) -> None:
    """Held by a person while its mail was on its way: the delivery says what happened."""
    payment = clinic.paid()
    await clinic.found(payment)
    sending = await clinic.advance(payment)
    await clinic.lane.save(sending, replace(sending, state=ReceiptState.HELD, reason=Reason.INTERNAL))

    await clinic.work().advance(sending, clinic.company, clinic.lane, clinic.api)

    held = await clinic.lane.receipt(BaixaId(payment.id))
    assert held
    assert held.state is ReceiptState.HELD
    assert [one.state for one in await clinic.deliveries(payment)] == [DeliveryState.SENT]


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

    assert [await deliveries.read(_key(payment))] == await clinic.deliveries(payment)
    assert await deliveries.read(_key(payment, "nothing")) is None


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
    """The send log of a restored table knows a mail but not its recipient; the next look finds the payment again."""
    payment = clinic.paid()
    await clinic.found(payment, state=ReceiptState.UNKNOWN)
    write = AtomicWrite()
    known = a_delivery(payment.id, state=DeliveryState.UNKNOWN, address="", attempt_deadline_ms=clinic.now)
    clinic.lane.put_delivery(write, known)
    await commit(clinic.lane.rows, write, marker_row=write.writes[0].key)

    with pytest.raises(Rejected, match="not known yet"):
        await decisions.decide_again(clinic.lane, _key(payment), "office", clinic.now, domain="d.example")
