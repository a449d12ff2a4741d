"""
The world around deliveries, driven one await at a time: ledger, send log, mail server, clock, and what people do.

Every call of a port stops the worker that makes it; the history decides which worker goes on next, and what its call
meets. A worker that is never woken again has crashed. ``Broken`` names the rule that a step broke.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field, replace
from types import coroutine
from typing import Any

from foundation.clock import UnixMs
from foundation.errors import Contention, Rejected, StoreUnavailable
from foundation.tablestore.ports import UNSTORED, Version
from payflow import corrections
from payflow.delivery import restore, rules
from payflow.delivery.ports import DeliveryKey, delivery_key
from payflow.delivery.sending import Sending
from payflow.errors import SendLogUnavailable
from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import SmtpOutcome
from payflow.model import (
    NO_TERMS,
    BaixaId,
    Centavos,
    CompanyId,
    CustomerId,
    InstalmentId,
    PaymentKey,
    PaymentTerms,
)
from payflow.state import Delivery, DeliveryState, Receipt, ReceiptState

COMPANY, BAIXA = CompanyId("c1"), BaixaId("b1")
KEY = DeliveryKey(PaymentKey(COMPANY, BAIXA), "receipt", 1)
FINE = {DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.REFUSED, DeliveryState.HELD, DeliveryState.CANCELLED}
ONCE = "at most one message is accepted"
NOT_AFTER = "after send again the first mail is not accepted any more"
ENDS = "every delivery ends"
BY_WORD = "a correction is mailed by a person's word alone"


class Broken(AssertionError):
    """A rule was broken."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@coroutine
def _pause(label: str) -> Generator[str, int, int]:
    """Stop here; return what the history chooses for this call."""
    return (yield label)


@dataclass
class Connection:
    """A body without its dot; the server closes it when it has been idle too long."""

    key: DeliveryKey
    until_ms: int
    open: bool = True


def a_mailed_receipt() -> Receipt:
    """Return the receipt of every history, as it is once its mail went out."""
    return Receipt(
        company=COMPANY,
        baixa=BAIXA,
        instalment=InstalmentId("p1"),
        customer=CustomerId("c1"),
        customer_name="Ana",
        amount=Centavos(100_00),
        paid_on="2026-01-01",
        revision=1,
        state=ReceiptState.SENT,
        found_ms=UnixMs(0),
        changed_ms=UnixMs(0),
        due_ms=UnixMs(0),
    )


@dataclass
class World:
    """Everything outside the workers."""

    now_ms: int = 1_000_000_000
    rows: dict[DeliveryKey, Delivery] = field(default_factory=dict)
    versions: int = 0
    late_writes: list[Sequence[Delivery]] = field(default_factory=list)
    log: list[tuple[DeliveryKey, str, str, int]] = field(default_factory=list)
    """(which, owner, word, day)"""
    log_epoch: int = 1
    table_epoch: int = 1
    """Of the table that is in use; a worker's is that of the table it works on."""
    accepted: Counter[DeliveryKey] = field(default_factory=Counter)
    again_said: bool = False
    receipt: Receipt = field(default_factory=a_mailed_receipt)
    """What the receipt is once its first mail went out."""
    ordered: int = 0
    """Corrections that a person ordered."""
    service: bool = False
    """The carrier has a name for each mail and can be asked about it, as a service has and an SMTP server has not."""
    paused: bool = False
    backup: dict[DeliveryKey, Delivery] | None = None
    backup_receipt: Receipt = field(default_factory=a_mailed_receipt)
    only: frozenset[str] = frozenset({ONCE, NOT_AFTER, ENDS, BY_WORD})

    def broken(self, rule: str) -> None:
        if rule in self.only:
            raise Broken(rule)

    def write(self, group: Sequence[Delivery], rows: dict[DeliveryKey, Delivery] | None = None) -> list[Delivery]:
        """Store a group if each version is as it was read; Contention otherwise."""
        table = self.rows if rows is None else rows
        for delivery in group:
            stored = table.get(delivery_key(delivery))
            if (stored.version if stored else UNSTORED) != delivery.version:
                raise Contention
        return [self.put(delivery, table) for delivery in group]

    def put(self, delivery: Delivery, rows: dict[DeliveryKey, Delivery] | None = None) -> Delivery:
        self.versions += 1
        stored = replace(delivery, version=Version(str(self.versions)))
        (self.rows if rows is None else rows)[delivery_key(stored)] = stored
        return stored

    def accept(self, key: DeliveryKey) -> None:
        self.accepted[key] += 1
        if self.accepted[key] > 1:
            self.broken(ONCE)
        if key == KEY and self.again_said:
            self.broken(NOT_AFTER)
        corrected = sum(count for each, count in self.accepted.items() if each.kind.startswith("correction"))
        if corrected > self.ordered:
            self.broken(BY_WORD)


@dataclass
class Ledger:
    """``Deliveries`` in the table of its time: a write is done, refused, done without an answer, or lands later."""

    world: World
    rows: dict[DeliveryKey, Delivery]

    async def read(self, key: DeliveryKey) -> Delivery | None:
        await _pause("read")
        return self.rows.get(key)

    async def save(self, *group: Delivery) -> Sequence[Delivery]:
        fate = await _pause("save")
        if fate == 1:
            raise StoreUnavailable
        if fate == 2:
            self.world.late_writes.append(group)
            raise StoreUnavailable
        stored = self.world.write(group, self.rows)
        if fate == 3:
            raise StoreUnavailable
        return stored


@dataclass
class Log:
    """``SendLog`` of one worker, which knows the epoch of its table."""

    world: World
    epoch: int

    async def begin(self, key: DeliveryKey, owner: str, _said: PaymentTerms = NO_TERMS) -> None:
        fate = await _pause("begin")
        if fate == 1 or self.epoch < self.world.log_epoch:
            raise SendLogUnavailable
        self.world.log.append((key, owner, restore.LogWord.BEGUN, 0))
        if fate == 2:
            raise SendLogUnavailable

    async def end(self, key: DeliveryKey, owner: str, *, accepted: bool) -> None:
        fate = await _pause("end")
        if fate == 1:
            raise SendLogUnavailable
        word = restore.LogWord.ACCEPTED if accepted else restore.LogWord.NOT_ACCEPTED
        self.world.log.append((key, owner, word, 0))


class Account:
    """``Sender``: one that is never stopped."""

    async def epoch(self) -> int:
        return 1

    async def heard(self, outcome: SmtpOutcome, address_index: str) -> int:
        del outcome, address_index
        return 1


_REPLIES = (Verdict.ACCEPTED, Verdict.LATER, Verdict.SENDER, Verdict.UNKNOWN)
IDLE_MS = 10 * 60_000
"""After which this server closes a connection on which nothing is said."""


@dataclass
class Mail:
    """``Channel``: the dot may be frozen on its way, and the server may take it and say nothing."""

    world: World
    key: DeliveryKey
    connection: Connection | None = None

    def named(self, message_id: str) -> str:
        return f"operation {message_id}" if self.world.service else ""

    async def ask(self, operation_id: str) -> SmtpOutcome | None:
        """Tell what became of the mail, or, as the history will have it, nothing."""
        assert operation_id
        knows = await _pause("ask") == 0 and self.world.accepted[self.key]
        return SmtpOutcome(verdict=Verdict.ACCEPTED, phase=Phase.DOT) if knows else None

    async def offer(self, recipient: str, data: bytes) -> SmtpOutcome | None:
        del data
        fate = await _pause("offer")
        if not recipient:
            raise AssertionError("a mail without an address")
        if fate in {1, 2}:
            verdict = Verdict.LATER if fate == 1 else Verdict.ADDRESS
            return SmtpOutcome(verdict=verdict, phase=Phase.RCPT)
        self.connection = Connection(self.key, self.world.now_ms + IDLE_MS)
        return None

    async def finish(self, not_after_s: float) -> SmtpOutcome | None:
        await _pause("check")
        if self.world.now_ms / 1000 > not_after_s:
            return None
        fate = await _pause("dot")  # a freeze of any length fits in here
        connection = self.connection
        if connection is None or not connection.open or self.world.now_ms > connection.until_ms:
            return SmtpOutcome(verdict=Verdict.UNKNOWN, phase=Phase.DOT)
        connection.open = False
        if fate in {0, 4, 5}:
            self.world.accept(self.key)
        verdict = {0: Verdict.ACCEPTED, 1: Verdict.LATER, 2: Verdict.SENDER}.get(fate, Verdict.UNKNOWN)
        await _pause("reply")
        return SmtpOutcome(verdict=verdict, phase=Phase.DOT)

    async def close(self) -> None:
        if self.connection:
            self.connection.open = False


@dataclass
class Worker:
    """One process that has a task, or none."""

    world: World
    task: Coroutine[Any, Any, Any] | None = None
    mail: Mail | None = None
    started: bool = False
    tokens: int = 0
    name: str = ""
    at: str = ""

    def use(self) -> Sending:
        """Return the use case with this worker's ports."""
        return Sending(
            deliveries=Ledger(self.world, self.world.rows),
            log=Log(self.world, self.world.table_epoch),
            sender=Account(),
            clock=lambda: UnixMs(self.world.now_ms),
            monotonic=lambda: self.world.now_ms / 1000,
            owner=self._token,
        )

    def _token(self) -> str:
        self.tokens += 1
        return f"{self.name}{self.tokens}"

    async def _lane(self) -> None:
        """Judge what was abandoned, else try what is due. The pause is read first, and the rows a while later."""
        world = self.world
        if world.paused:
            return
        await _pause("lane")
        if KEY not in world.rows:  # the look finds the payment
            world.put(a_delivery())
        for key, delivery in sorted(world.rows.items()):
            if rules.is_abandoned(delivery, UnixMs(world.now_ms)):
                await self.use().judge(delivery, Mail(world, key))
                break
            if delivery.state is DeliveryState.READY and delivery.due_ms <= world.now_ms:
                self.mail = Mail(world, key)
                await self.use().attempt(delivery, b"mail", self.mail)
                break

    def step(self, fate: int) -> None:
        """Let the worker come to its next call, and give the call it waits in its *fate*."""
        if self.task is None:
            self.task, self.started = self._lane(), False
        try:
            self.at = self.task.send(fate if self.started else None)
            self.started = True
        except StopIteration:
            self.leave()
        except (Contention, StoreUnavailable, SendLogUnavailable):
            self.leave()

    def leave(self) -> None:
        """End the task; the kernel closes its connection."""
        if self.task is not None:
            self.task.close()
        if self.mail and self.mail.connection:
            self.mail.connection.open = False
        self.task, self.mail, self.started = None, None, False


class History:
    """Two workers, a person, an operator who restores, and the moves between them."""

    def __init__(self, only: frozenset[str] | None = None, *, service: bool = False) -> None:
        self.world = World(service=service)
        if only:
            self.world.only = only
        self.workers = [Worker(self.world, name=name) for name in "ab"]
        self.restoring: list[Callable[[], None]] = []

    def move(self, actor: int, choice: int) -> None:
        """Do one move; a move that is not possible now does nothing."""
        moves = (
            lambda: self.workers[0].step(choice),
            lambda: self.workers[1].step(choice),
            self.workers[choice % 2].leave,
            lambda: self.wait(choice),
            self._land,
            lambda: self._person(choice),
            lambda: self._operator(choice),
            lambda: self._correct(choice),
        )
        moves[actor % len(moves)]()

    def wait(self, choice: int) -> None:
        self.world.now_ms += (1_000, 6_000, 7 * 60_000, 31 * 60_000, 25 * 3_600_000, 60_000)[choice % 6]

    def _land(self) -> None:
        if self.world.late_writes:
            group = self.world.late_writes.pop(0)
            try:
                self.world.write(group)
            except Contention:
                return

    def _person(self, choice: int) -> None:
        stored = self.world.rows.get(KEY)
        if stored is None or self.world.paused or not stored.address:
            return
        now = UnixMs(self.world.now_ms)
        try:
            if choice == 0:
                self.world.write([rules.arrived(stored, "office", now)])
            else:
                self.world.write(rules.send_again(stored, rules.again_kind(stored.kind), "office", now))
                self.world.again_said = True
        except (Rejected, Contention):
            return

    def _correct(self, choice: int) -> None:
        """Edit the payment after its mail, or let a person order a correction; the lane then makes its mail."""
        world, mails = self.world, [*self.world.rows.values()]
        first = world.rows.get(KEY)
        if world.paused or self.restoring or first is None or first.state is not DeliveryState.SENT:
            return
        now = UnixMs(world.now_ms)
        if all(one.state in FINE for one in corrections.mails_of_now(world.receipt, mails)):
            world.receipt = corrections.correction_ended(replace(world.receipt, state=ReceiptState.SENT), mails, now)
        if world.receipt.state is not ReceiptState.SENT:
            return
        if choice % 2:
            world.receipt = corrections.ordered(world.receipt, mails, "office", now)
            world.ordered += 1
        else:
            edited = replace(world.receipt.terms, amount=Centavos(world.receipt.amount + 1))
            world.receipt = corrections.flagged(world.receipt, edited, now)
        if world.receipt.state is ReceiptState.FOUND:
            world.put(replace(a_delivery(), kind=corrections.kind_of_now(world.receipt), due_ms=now))

    def _operator(self, choice: int) -> None:
        if self.restoring:
            self.restoring.pop(0)()
        elif choice == 0:
            self.world.backup, self.world.backup_receipt = dict(self.world.rows), self.world.receipt
        elif choice in {1, 2} and self.world.backup is not None:
            self.restoring = [self._fence, self._other_table if choice == 2 else self._same_table, self._apply]

    def _fence(self) -> None:
        self.world.paused = True
        self.world.log_epoch += 1

    def _same_table(self) -> None:
        self.world.rows.clear()
        self._put_back()

    def _other_table(self) -> None:
        self.world.rows = {}
        self._put_back()

    def _put_back(self) -> None:
        # The restore gives the table its epoch last. Here it comes first, so that freezing has to hold alone.
        self.world.table_epoch, self.world.receipt = self.world.log_epoch, self.world.backup_receipt
        for delivery in (self.world.backup or {}).values():
            self.world.put(restore.frozen(delivery))

    def _apply(self) -> None:
        records: dict[DeliveryKey, list[tuple[str, str]]] = {}
        for key, owner, word, _ in self.world.log:
            records.setdefault(key, []).append((owner, word))
        applied = restore.apply(self.world.rows, records, UnixMs(self.world.now_ms))
        for delivery in applied:
            self.world.put(delivery)
        self.world.paused = False

    def end(self) -> None:
        """Let the faults stop and time pass: everything must come to its end."""
        while self.restoring:
            self.restoring.pop(0)()
        for step in range(1_000):
            if self.world.rows and all(delivery.state in FINE for delivery in self.world.rows.values()):
                break
            if step % 30 == 29:  # both have had time for a whole attempt
                self.world.now_ms += 25 * 3_600_000
            for worker in self.workers:
                worker.step(0)
        else:
            self.world.broken(ENDS)
        for worker in self.workers:
            worker.leave()
        if any(found.state is DeliveryState.HELD and found.reason is None for found in self.world.rows.values()):
            self.world.broken(ENDS)


def a_delivery() -> Delivery:
    """Return the delivery of every history, due and never tried."""
    return Delivery(
        company=COMPANY,
        baixa=BAIXA,
        kind="receipt",
        number=1,
        address="a@example.org",
        address_index="i",
        state=DeliveryState.READY,
        due_ms=UnixMs(0),
    )
