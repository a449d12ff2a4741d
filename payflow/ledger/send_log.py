"""
The send log: insert-only rows of one company, in another storage account than the ledger.

Each record is one group with the epoch's row, on the condition of that row's version. So *begun* and the raising of
the epoch exclude each other: a restore that has raised the epoch reads every record that was, and none can follow.

*Begun* also says what the mail is about to say: amount, day, and the customer's id, never a name. A restored ledger
takes it as what was mailed; its own row is from before the mail, and the payment may have been edited in between.

The same row says which ledger mails this clinic's receipts. Of two deployments that share the second account the first
one that connects the clinic is it; the other can begin nothing, until the first has disconnected the clinic.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from foundation.clock import Clock, UnixMs, utc_day
from foundation.errors import Contention, StoreUnavailable
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.codec import Codec, Record, number, text
from foundation.tablestore.ports import UNSTORED, Row, Rows, Value, Version
from foundation.tablestore.queries import rows_under
from payflow.delivery.ports import DeliveryKey
from payflow.delivery.restore import LogWord
from payflow.errors import SendLogUnavailable, ServedElsewhere
from payflow.ledger.terms import said_column
from payflow.model import NO_TERMS, BaixaId, CompanyId, PaymentKey, PaymentTerms

TRIES_MAX: Final = 5
CLAIM_MS: Final = 600_000
"""A mail is begun within this from its claim."""
_EPOCH = "epoch"


@dataclass(frozen=True, slots=True)
class Head:
    """The epoch's row: whose log this is. Versions before wrote the number alone."""

    number: int
    ledger: str = ""
    where: str = ""
    """The redirect URI of that deployment: what its operator and the clinic know it by."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BegunTerms:
    """What a record says besides ids: the terms that its mail names. Versions before did not write them."""

    said: PaymentTerms = NO_TERMS


HEADS = Codec(
    [
        Record(Head, (number("number"), text("ledger", missing=""), text("where", missing=""))),
        Record(BegunTerms, (said_column(),)),
    ]
)
_RECORD = "record:"


@dataclass(frozen=True, slots=True)
class TableSendLog:
    """
    ``SendLog`` of one company.

    ``epoch`` is that of the table the worker works on; ``ledger`` and ``where`` say whose table that is.
    """

    rows: Rows
    clock: Clock
    company: CompanyId
    epoch: int
    ledger: str = ""
    where: str = ""

    async def begin(self, key: DeliveryKey, owner: str, said: PaymentTerms = NO_TERMS) -> None:
        await self._append(key, owner, LogWord.BEGUN, said)

    async def end(self, key: DeliveryKey, owner: str, *, accepted: bool) -> None:
        await self._append(key, owner, LogWord.ACCEPTED if accepted else LogWord.NOT_ACCEPTED)

    async def raised(self) -> int:
        """Return the log's epoch; 1 before any restore."""
        return (await self._read_head()).number

    async def claim(self) -> None:
        """Make this ledger the one that mails the clinic's receipts. Raises ServedElsewhere, SendLogUnavailable."""
        for _ in range(TRIES_MAX):
            write = AtomicWrite()
            self._put(write, self._claimed(await self._read_head()))
            if await self._done(write, _EPOCH):
                return
        raise SendLogUnavailable("the send log is written without a pause")

    async def belongs_here(self) -> None:
        """Return if this ledger mails the clinic's receipts, or nobody does. Raises ServedElsewhere."""
        self._claimed(await self._read_head())

    async def give_up(self) -> None:
        """Let another deployment mail this clinic's receipts. Raises ServedElsewhere, SendLogUnavailable."""
        for _ in range(TRIES_MAX):
            write = AtomicWrite()
            self._put(write, replace(self._claimed(await self._read_head()), ledger="", where=""))
            if await self._done(write, _EPOCH):
                return
        raise SendLogUnavailable("the send log is written without a pause")

    async def knows(self, owner: str, at: UnixMs) -> bool:
        """Say whether *owner*, who claimed its mail at that time, began. Raises StoreUnavailable."""
        days = sorted({utc_day(at), utc_day(UnixMs(at + CLAIM_MS))})
        return any([await self.rows.get(f"{_RECORD}{day}:{owner}:{LogWord.BEGUN}") for day in days])

    async def raise_epoch(self) -> int:
        """Raise the epoch and return it: a worker on an older table can begin nothing more."""
        for _ in range(TRIES_MAX):
            head = self._claimed(await self._read_head())
            write = AtomicWrite()
            self._put(write, replace(head, number=head.number + 1))
            if await self._done(write, _EPOCH):
                return head.number + 1
        raise SendLogUnavailable("the epoch is written without a pause")

    async def records(self, first_day: str) -> Mapping[DeliveryKey, Sequence[tuple[str, str]]]:
        """Return (owner, word) of each mail from *first_day* on. Raises StoreUnavailable."""
        found: dict[DeliveryKey, list[tuple[str, str]]] = {}
        async for key, row in self._since(first_day):
            found.setdefault(key, []).append((str(row.values["claimed_by"]), str(row.values["word"])))
        return found

    async def said(self, first_day: str) -> Mapping[str, PaymentTerms]:
        """Return what each mail begun from *first_day* on said, by the owner of its claim. Raises StoreUnavailable."""
        begun = [row async for _, row in self._since(first_day)]
        said = [(str(row.values["claimed_by"]), HEADS.decode(BegunTerms, row).said) for row in begun]
        return {owner: terms for owner, terms in said if terms}

    async def _since(self, first_day: str) -> AsyncIterator[tuple[DeliveryKey, Row]]:
        async for row in rows_under(self.rows, _RECORD):
            if str(row.values["day"]) >= first_day:
                payment = PaymentKey(self.company, BaixaId(str(row.values["baixa"])))
                yield DeliveryKey(payment, str(row.values["kind"]), int(row.values["number"])), row

    async def _append(self, key: DeliveryKey, owner: str, word: LogWord, said: PaymentTerms = NO_TERMS) -> None:
        day = utc_day(self.clock())
        name = f"{_RECORD}{day}:{owner}:{word}"
        values: dict[str, Value] = {
            "day": day,
            "baixa": str(key.payment.baixa),
            "kind": key.kind,
            "number": key.number,
            "claimed_by": owner,
            "word": str(word),
            **(HEADS.encode(BegunTerms(said)) if said else {}),
        }
        for _ in range(TRIES_MAX):
            head = await self._read_head()
            if word is LogWord.BEGUN:
                head = self._claimed(head)
                if head.number > self.epoch:
                    raise SendLogUnavailable("a restore has begun: this worker may begin nothing")
            write = AtomicWrite()
            self._put(write, head)
            write.insert(name, values)
            if await self._done(write, name) or await self._has_ended(name, word):
                return
        raise SendLogUnavailable("the send log is written without a pause")

    async def _has_ended(self, name: str, word: LogWord) -> bool:
        """Say whether this end is recorded already. A recorded *begun* is another's: it lets nobody go on."""
        return word is not LogWord.BEGUN and await self._read(name) is not None

    def _claimed(self, head: Head) -> Head:
        """Return *head* as this ledger's. Raises ServedElsewhere if it is another's."""
        if head.ledger and head.ledger != self.ledger:
            raise ServedElsewhere(head.where)
        return replace(head, ledger=self.ledger, where=self.where)

    def _put(self, write: AtomicWrite, head: Head) -> None:
        write.put(_EPOCH, HEADS.encode(head), head.version)

    async def _read_head(self) -> Head:
        row = await self._read(_EPOCH)
        return HEADS.decode(Head, row) if row else Head(1)

    async def _read(self, name: str) -> Row | None:
        try:
            return await self.rows.get(name)
        except StoreUnavailable as error:
            raise SendLogUnavailable("the send log does not answer") from error

    async def _done(self, write: AtomicWrite, marker_row: str) -> bool:
        try:
            await commit(self.rows, write, marker_row=marker_row)
        except Contention:
            return False
        except StoreUnavailable as error:
            raise SendLogUnavailable("the send log does not answer") from error
        return True
