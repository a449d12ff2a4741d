"""A clinic in which everything happens to a payment and its receipt: edits, looks, lost answers, what people decide."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from email import message_from_bytes, policy
from typing import Final

from devstack.conta_azul.books import Books, Payment
from foundation.clock import UnixMs
from foundation.errors import Contention, Rejected
from foundation.tablestore.memory import MemoryRows
from payflow.delivery import choices, decisions
from payflow.delivery.choices import Decider, Resend
from payflow.delivery.office import Office
from payflow.delivery.ports import DeliveryKey, delivery_key
from payflow.delivery.restoring import Restoring
from payflow.delivery.sender import SenderDesk, SendingLimits
from payflow.delivery.work import Work
from payflow.ledger.backup import CompanyBackup, take_backup
from payflow.ledger.lane import LaneLedger
from payflow.ledger.send_log import TableSendLog
from payflow.looking import planning
from payflow.looking.look import Look
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import Attachment, BaixaId, InstalmentId
from payflow.progress import LookKind
from payflow.recipients.choice import Known
from payflow.state import After, Delivery, DeliveryState, DocumentPolicy, Receipt, ReceiptState
from tests.fakes.conta_azul import BooksApi, Time
from tests.fakes.payflow import COMPANY, Book, a_company
from tests.fakes.rows import ListAudit

ONCE: Final = "no mail goes out twice"
TRUE: Final = "a mail says what the payment is when it goes out"
CORRECTS: Final = "a correction names an amount that was mailed"
ENDS: Final = "a receipt ends, or waits for a person"
NOT_SILENT: Final = "who holds a receipt of another amount is known to a person"
BOOKS: Final = "a sent receipt is what one of its mails said"
ADDRESSES: Final = ("ana@medica.com.br", "bia@medica.com.br")
OTHER: Final = "outra@medica.com.br"
_AMOUNT: Final = re.compile(r"R\$\s([\d.]+,\d\d)")
_OPEN: Final = frozenset({ReceiptState.FOUND, ReceiptState.READY, ReceiptState.SENDING, ReceiptState.WAITING_DOCUMENT})
_WAITS: Final = frozenset({ReceiptState.HELD, ReceiptState.UNKNOWN, ReceiptState.REFUSED})
_FATES: Final = ("later", "later", "later", "lost", "arrives", "refused")


class Broken(AssertionError):
    """A rule is broken; the message begins with it."""


def hold(holds: bool, rule: str, about: object = "") -> None:
    """Raise Broken unless it *holds*."""
    if not holds:
        raise Broken(f"{rule}: {about}")


@dataclass
class MailCarrier:
    """A connection to a mail server that does what the history says; it keeps what it accepted."""

    fates: list[str]
    accepted: list[tuple[str, str, Sequence[int]]]
    """Recipient, Message-ID, the amounts in the text."""
    _now: tuple[str, bytes, str] = ("", b"", "")

    def named(self, _message_id: str) -> str:
        return ""

    async def ask(self, _operation_id: str) -> SmtpOutcome | None:
        return None

    async def offer(self, recipient: str, data: bytes) -> SmtpOutcome | None:
        fate = self.fates.pop(0) if self.fates else ""
        self._now = (recipient, data, fate)
        verdicts = {"refused": Verdict.ADDRESS, "later": Verdict.LATER}
        found = verdicts.get(fate)
        return SmtpOutcome(verdict=found, phase=Phase.RCPT, words=fate) if found else None

    async def finish(self, _not_after_s: float) -> SmtpOutcome | None:
        recipient, data, fate = self._now
        if fate != "lost":
            message = message_from_bytes(data, policy=policy.default)
            body = message.get_body(("plain",))
            said = [int(re.sub(r"\D", "", one)) for one in _AMOUNT.findall(body.get_content() if body else "")]
            self.accepted.append((recipient, str(message["Message-ID"]), said))
        verdict = Verdict.UNKNOWN if fate in {"lost", "arrives"} else Verdict.ACCEPTED
        return SmtpOutcome(verdict=verdict, phase=Phase.DOT, words=fate)

    async def close(self) -> None: ...


@dataclass
class ReceiptHistory:
    """One history: *steps* of chance from *seed*, then calm, then what must hold."""

    seed: int
    addresses: int = 1
    restores: bool = False
    """Backups are taken, and put back."""
    time: Time = field(default_factory=Time)
    book: Book = field(default_factory=Book)
    fates: list[str] = field(default_factory=list)
    accepted: list[tuple[str, str, Sequence[int]]] = field(default_factory=list)
    mailed: dict[BaixaId, list[tuple[str, int]]] = field(default_factory=dict)
    """What each payment's mails said, to whom, in their order."""
    answered: set[tuple[BaixaId, int]] = field(default_factory=set)
    """What a person said needs no mail, or had sent elsewhere."""
    corrections: int = 0
    restored: int = 0
    kept: CompanyBackup | None = None
    """The backup that is put back next."""
    arrived: set[DeliveryKey] = field(default_factory=set)
    """Mails that the payer has."""
    booked: list[BaixaId] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)  # noqa: S311 -- a history is repeated by its seed
        self.books = Books(self.time, company=COMPANY, document="12345678000195", name="Clínica")
        self.api = BooksApi(self.books)
        self.sender_rows, self.log_rows = MemoryRows(), MemoryRows()
        self.company = a_company(policy=DocumentPolicy.OWN)
        self.company = replace(self.company, baseline_ms=self.now, span_days=20_000)
        self.time.now_s += 3600
        ana = self.books.person("Ana", email=",".join(ADDRESSES[: self.addresses]))
        self.parcela = self.books.bill(ana, 900_00, due=date(2026, 1, 10))

    @property
    def now(self) -> UnixMs:
        return UnixMs(int(self.time.now_s * 1000))

    @property
    def lane(self) -> LaneLedger:
        return self.book.lane

    async def play(self, steps: int) -> None:
        """Let *steps* things happen, then let all rest, and look whether each rule holds."""
        await self.look(LookKind.BASELINE)
        self._book(100_00)
        happens = [self.look, self.advance, self.edit, self.decide, self.pass_time, self.trouble, self.undo, self.pay]
        weights = [8, 12, 5, 8, 6, 2, 0.4, 1]
        if self.restores:
            happens, weights = [*happens, self.back_up, self.restore], [*weights, 2, 1]
        for _ in range(steps):
            (what,) = self.chance.choices(happens, weights)
            await what()
        self.fates.clear()
        for turn in range(30):
            await self.look()
            await self.look(LookKind.ALL_CHANGES)
            await self.advance()
            self.time.now_s += 1800 if turn < 20 else 90_000
        for receipt in await self.receipts():
            self._judge(receipt)

    # what happens --------------------------------------------------------------------------------

    async def look(self, kind: LookKind = LookKind.CHANGES) -> None:
        self.time.now_s += 60
        cursor = planning.begin(await self.lane.read_cursor(), kind, self.now, interval_ms=300_000)
        await Look(self.lane, self.api, self.company, lambda: self.now, lambda: False).run(cursor)

    async def advance(self) -> None:
        for due in self._in_order(await self.lane.due(self.now, limit=50)):
            receipt, before = await self.lane.receipt(due.baixa), len(self.accepted)
            assert receipt
            await self._work().advance(receipt, self.company, self.lane, self.api)
            for recipient, message_id, said in self.accepted[before:]:
                await self._arrived(receipt.baixa, message_id)
                self._went_out(receipt.baixa, recipient, message_id, said)

    async def _arrived(self, baixa: BaixaId, message_id: str) -> None:
        mails = await self.lane.deliveries(baixa)
        self.arrived |= {delivery_key(one) for one in mails if one.message_id == message_id}

    async def edit(self) -> None:
        if self.parcela.payments:
            self.time.now_s += 5
            amount = self.chance.choice([100_00, 100_00, 200_00, 300_00])
            self.books.edit(self.chance.choice(self.parcela.payments), gross=amount)

    async def undo(self) -> None:
        if self.parcela.payments:
            self.time.now_s += 5
            self.books.undo(self.chance.choice(self.parcela.payments))

    async def pay(self) -> None:
        if len(self.parcela.payments) < 2:
            self.time.now_s += 5
            self._book(self.chance.choice([100_00, 200_00]))

    async def back_up(self) -> None:
        self.time.now_s += 5
        self.kept = await take_backup(self.lane.rows, ledger_id="l", company=COMPANY, now=self.now)

    async def restore(self) -> None:
        """Put the backup back; what a person said since then counts no more, and is asked about again."""
        if self.kept is None:
            return
        self.time.now_s += 5
        log = TableSendLog(self.log_rows, lambda: self.now, COMPANY, 1)
        await Restoring(ledger=self.lane, log=log, audit=ListAudit(), clock=lambda: self.now).run(self.kept)
        self.restored += 1

    def _book(self, amount: int) -> None:
        self.booked.append(BaixaId(self.books.pay(self.parcela, amount).id))

    async def pass_time(self) -> None:
        self.time.now_s += self.chance.choice([61, 400, 1000, 2000, 90_000])

    async def trouble(self) -> None:
        self.fates.append(self.chance.choice(_FATES))

    async def decide(self) -> None:
        """Let a person who knows what arrived decide about a receipt; what is refused changes nothing."""
        found = await self.receipts()
        if not found:
            return
        receipt = self.chance.choice(found)
        acts = {
            ReceiptState.HELD: [self._release, self._release, self._skip],
            ReceiptState.UNKNOWN: [self._say],
            ReceiptState.REFUSED: [self._resend_elsewhere, self._resend_elsewhere, self._skip],
            ReceiptState.SENT: [self._correct, self._correct, self._resend, self._decline, self._resend_elsewhere],
            ReceiptState.COVERED: [self._release],
            ReceiptState.SKIPPED: [self._release],
        }
        if offered := acts.get(receipt.state):
            try:
                await self.chance.choice(offered)(receipt)
            except (Rejected, Contention):  # a further mail that only the send log knows has the name already
                return

    async def _release(self, receipt: Receipt) -> None:
        await choices.release(self.lane, receipt.baixa, self._person())

    async def _skip(self, receipt: Receipt) -> None:
        await choices.skip(self.lane, receipt.baixa, self._person())
        self.answered.add((receipt.baixa, self._amount(receipt.baixa)))

    async def _decline(self, receipt: Receipt) -> None:
        await choices.decline_correction(self.lane, receipt.baixa, self._person())
        self.answered.add((receipt.baixa, self._amount(receipt.baixa)))

    async def _correct(self, receipt: Receipt) -> None:
        if receipt.flagged_ms or not self.chance.randrange(4):
            await choices.order_correction(self.lane, receipt.baixa, self._person())
            self.corrections += 1

    async def _resend(self, receipt: Receipt) -> None:
        await choices.resend(self.lane, receipt.baixa, Resend(domain="p.example"), self._person())

    async def _resend_elsewhere(self, receipt: Receipt) -> None:
        await choices.resend(self.lane, receipt.baixa, Resend(domain="p.example", address=OTHER), self._person())
        self.answered |= {(receipt.baixa, amount) for amount in (100_00, 200_00, 300_00)}

    async def _say(self, receipt: Receipt) -> None:
        for mail in await self.lane.deliveries(receipt.baixa):
            if mail.state is DeliveryState.UNKNOWN and not mail.decided_by:
                await self._said_of(mail, receipt)

    async def _said_of(self, mail: Delivery, receipt: Receipt) -> None:
        if delivery_key(mail) in self.arrived:
            await decisions.decide_arrived(self.lane, delivery_key(mail), "office", self.now)
        elif not mail.address:
            await self._skip(receipt)
        else:
            await decisions.decide_again(self.lane, delivery_key(mail), "office", self.now, domain="p.example")

    # what must hold ------------------------------------------------------------------------------

    def _went_out(self, baixa: BaixaId, recipient: str, message_id: str, said: Sequence[int]) -> None:
        amount, *replaced = said
        hold(sum(one == message_id for _, one, _ in self.accepted) == 1, ONCE, message_id)
        hold(amount == self._amount(baixa), TRUE, (amount, self._amount(baixa)))
        before = self.mailed.setdefault(baixa, [])
        hold(all(was in {one for _, one in before} for was in replaced), CORRECTS, (replaced, before))
        before.append((recipient, amount))

    def _judge(self, receipt: Receipt) -> None:
        hold(receipt.state not in _OPEN, ENDS, receipt)
        mails, amount = self.mailed.get(receipt.baixa, []), self._amount(receipt.baixa)
        if not mails or receipt.state in _WAITS:
            return
        if not amount:
            hold(receipt.after is After.UNDONE, NOT_SILENT, receipt)
            return
        last = dict(mails)
        wrong = [address for address in ADDRESSES if last.get(address, amount) != amount]
        asked = receipt.after is After.CHANGED and receipt.flagged_ms > 0
        hold(not wrong or asked or (receipt.baixa, amount) in self.answered, NOT_SILENT, (wrong, receipt))
        said = {one for _, one in mails}
        hold(receipt.state is not ReceiptState.SENT or receipt.amount in said, BOOKS, (said, receipt))

    # inside --------------------------------------------------------------------------------------

    async def receipts(self) -> Sequence[Receipt]:
        """Return every receipt of the instalment, in the order in which they were booked."""
        return self._in_order(await self.lane.siblings(InstalmentId(self.parcela.id)))

    def _in_order(self, receipts: Sequence[Receipt]) -> Sequence[Receipt]:
        """Payments have ids of chance, and a history is repeated by its seed alone."""
        return sorted(receipts, key=lambda one: self.booked.index(one.baixa))

    def _amount(self, baixa: BaixaId) -> int:
        """Return what a payment is now; 0: it is gone."""
        found: Payment | None = next((one for one in self.parcela.payments if one.id == baixa), None)
        return found.gross if found else 0

    def _person(self) -> Decider:
        return Decider(name="office", now=self.now)

    def _work(self) -> Work:
        async def download(_: Attachment) -> bytes:
            raise AssertionError("every document is our own")

        async def known(*_: object) -> Known:
            return Known(by_customer={}, by_name={})

        return Work(
            office=Office(sender_name="PayFlow", sender_address="r@payflow.example"),
            desk=SenderDesk(self.sender_rows, lambda: self.now, SendingLimits()),
            channel=lambda: MailCarrier(self.fates, self.accepted),
            send_log=lambda company, epoch: TableSendLog(self.log_rows, lambda: self.now, company, epoch),
            download=download,
            known=known,
            clock=lambda: self.now,
        )
