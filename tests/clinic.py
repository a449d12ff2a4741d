"""A clinic whose payments are read, made into receipts and mailed, over the real use cases and a mail server."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date

from devstack.conta_azul.books import Books, Parcela, Payment
from foundation.clock import UnixMs
from foundation.tablestore.memory import MemoryRows
from payflow.delivery.office import Office
from payflow.delivery.ports import DeliveryKey, SendLog
from payflow.delivery.sender import SenderDesk, SendingLimits
from payflow.delivery.work import Work
from payflow.documents import comprovante
from payflow.documents.download import DocumentNotThere, DocumentRefused
from payflow.ledger.lane import LaneLedger
from payflow.ledger.send_log import TableSendLog
from payflow.mail.channel import SmtpChannel
from payflow.mail.smtp import Auth, Security, Server
from payflow.model import Attachment, BaixaId, CompanyId, CustomerId, InstalmentId, PaymentKey, Person
from payflow.recipients.choice import Known
from payflow.state import Company, Delivery, DocumentPolicy, Reason, Receipt
from tests.fakes.conta_azul import BooksApi, Time
from tests.fakes.mail_server import PASSWORD, USER, FaultyServer
from tests.fakes.payflow import COMPANY, Book, a_company, a_receipt, an_instalment
from tests.unit.payflow.test_documents import PAYMENT

PDF = comprovante.make(PAYMENT)


OTHER_PDF = comprovante.make(replace(PAYMENT, number="other"))


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

    def smtp(self, reply_s_max: int = 2) -> Server:
        """Return how the mail server is reached."""
        return Server(
            host="localhost",
            port=self.server.port,
            security=Security.STARTTLS,
            auth=Auth.PASSWORD,
            user=USER,
            secret=lambda: PASSWORD,
            trust=self.server.client_context(),
            reply_s_max=reply_s_max,
        )

    def work(self) -> Work:
        return Work(
            office=self.office,
            desk=SenderDesk(self.sender_rows, lambda: self.now, SendingLimits()),
            channel=lambda: SmtpChannel(self.smtp(), self.office.sender_address),
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


def key_of(payment: Payment, kind: str = "receipt") -> DeliveryKey:
    """Return the key of the first version of what is mailed about *payment*."""
    return DeliveryKey(PaymentKey(COMPANY, BaixaId(payment.id)), kind, 1)
