"""
A company's slice of the day: what is personal of receipts that ended long ago is emptied, and so is what people said.

The rows stay, as after a purge (see ``purging``): ids, hashes and states, so the payment is neither found nor mailed
anew. A receipt is left whole while it, or one mail of it, is not ended, waits for a person, or is frozen by a restore.

A pass goes over all receipts in the order of their keys, and by age alone. So what comes back later, by a restore or by
an edited payment, is emptied again by the next pass, and no list of what was emptied is kept. A row is written on the
version it was read with; the slice may be cut anywhere, and the next one goes over the same again.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from foundation import logs
from foundation.clock import DAY_MS, Clock, UnixMs
from foundation.errors import ConfigurationError, Contention, InvariantBroken
from foundation.personal_data import empty
from foundation.tablestore.atomic import ROWS_MAX, AtomicWrite, commit
from foundation.tablestore.codec import Codec, Record, number, text
from foundation.tablestore.ports import UNSTORED, Row, Rows, Version
from foundation.tablestore.queries import behind, past, rows_between
from payflow.delivery import auditing
from payflow.ledger import keys
from payflow.ledger.classes import outdated
from payflow.ledger.lane import LaneLedger
from payflow.state import ENDED, Delivery, DeliveryState, Receipt

PAGE: Final = 200
"""Receipts that are read at once, with their mails."""
LOOKED_MAX: Final = 10_000
"""Receipts that one slice reads."""
EMPTIED_MAX: Final = 1_000
"""Receipts after which a slice ends with its page: half a minute of writing."""
WORDS_MAX: Final = 500
"""Decisions that one slice reads of each audit."""
_RECEIPTS: Final = "receipt:"
_OVER: Final = frozenset({DeliveryState.SENT, DeliveryState.REFUSED, DeliveryState.CANCELLED})


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionMark:
    """The row: when the last slice was done, and how far it came. One that cannot be read begins anew."""

    at_ms: UnixMs = UnixMs(0)
    place: str = ""
    """The last receipt that was looked at; empty at the end of a pass."""
    decided_0: str | None = None
    decided_1: str | None = None
    """The last decision that was read in each audit."""
    version: Version = field(default=UNSTORED, compare=False, repr=False)

    @property
    def decided(self) -> Sequence[str]:
        return self.decided_0 or "", self.decided_1 or ""


MARKS: Final = Codec(
    [
        Record(
            RetentionMark,
            (number("at_ms"), text("place"), text("decided_0", missing=None), text("decided_1", missing=None)),
        )
    ]
)
_log = logging.getLogger(__name__)
_Kept = TypeVar("_Kept", Receipt, Delivery)


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanyRetention:
    """
    The emptying of one company's rows.

    Raises StoreUnavailable, Contention: the slice is done again. ``days`` is more than 0.
    """

    ledger: LaneLedger
    audits: Sequence[Rows]
    """Of one account or both: what people said of their decisions is sealed there."""
    clock: Clock
    days: int

    async def last_ms(self) -> UnixMs:
        """Return when the last slice was done; 0 where there was none, or the row does not say."""
        return (await self._mark()).at_ms

    async def run(self) -> Counter[str]:
        """Do a slice, then store how far it came; return how many rows of each kind were emptied."""
        mark, now, done = await self._mark(), self.clock(), Counter[str]()
        until_ms = UnixMs(max(0, now - self.days * DAY_MS))
        place = await self._receipts(mark.place, until_ms, done)
        audits = zip(self.audits, mark.decided, strict=False)
        read: list[str | None] = [await self._words(audit, last, until_ms, done) for audit, last in audits]
        first, second, *_ = [*read, None, None]
        after = RetentionMark(at_ms=now, place=place, decided_0=first, decided_1=second, version=mark.version)
        write = AtomicWrite()
        write.put(keys.RETENTION, MARKS.encode(after), mark.version)
        await commit(self.ledger.rows, write, marker_row=keys.RETENTION)
        return done

    async def _mark(self) -> RetentionMark:
        row = await self.ledger.rows.get(keys.RETENTION)
        if row is None:
            return RetentionMark()
        try:
            return MARKS.decode(RetentionMark, row)
        except InvariantBroken:
            return RetentionMark(version=row.version)

    # receipts and their mails ------------------------------------------------------------------------

    async def _receipts(self, place: str, until_ms: UnixMs, done: Counter[str]) -> str:
        """Go on behind *place*; return where the next slice goes on, empty at the end."""
        for _ in range(LOOKED_MAX // PAGE):
            page = await self.ledger.rows.scan(behind(place) if place else _RECEIPTS, past(_RECEIPTS), limit=PAGE)
            mails = await self._mails(page)
            for row in page:
                done.update(await self._emptied(row, mails.get(keys.name_in(row.key), ()), until_ms))
            if len(page) < PAGE:
                return ""
            place = page[-1].key
            if done["receipt"] >= EMPTIED_MAX:
                break
        return place

    async def _mails(self, page: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
        """Return the mails of a page's receipts, by the receipt's name."""
        found: dict[str, list[Row]] = {}
        if page:
            first, last = (f"delivery:{keys.name_in(row.key)}:" for row in (page[0], page[-1]))
            async for row in rows_between(self.ledger.rows, first, past(last)):
                found.setdefault(row.key.split(":")[1], []).append(row)
        return found

    async def _emptied(self, row: Row, mails: Sequence[Row], until_ms: UnixMs) -> Counter[str]:
        """Empty a receipt and its mails in one group if they are old; return how many rows of each kind."""
        receipt, read = self._read(Receipt, row), [self._read(Delivery, mail) for mail in mails]
        found = [mail for mail in read if mail]
        if receipt is None or len(found) < len(read) or not _is_over(receipt, found, until_ms):
            return Counter()
        aged = [(mail, changes) for mail in found if (changes := empty(mail, outdated("Delivery")))]
        changes = empty(receipt, outdated("Receipt"))
        if not changes and not aged:
            return Counter()
        write, part = AtomicWrite(), aged[: ROWS_MAX - 1]  # a group holds no more; the rest is the next pass's
        after = replace(receipt, emptied_ms=self.clock(), **changes)
        write.replace(row.key, self.ledger.codec.encode(after), receipt.version)
        for mail, nothing in part:
            self.ledger.put_delivery(write, replace(mail, **nothing))
        try:
            await commit(self.ledger.rows, write, marker_row=row.key)
        except Contention:
            logs.info(_log, "retention_contended", company=self.ledger.company, row=row.key)
            return Counter()
        return Counter(receipt=1, delivery=len(part))

    def _read(self, kind: type[_Kept], row: Row) -> _Kept | None:
        """Return what a row holds; None if it is torn, sealed with a key that is gone, or a newer version's."""
        try:
            return self.ledger.codec.decode(kind, row)
        except (InvariantBroken, ConfigurationError) as error:
            logs.error(_log, "row_unreadable", company=self.ledger.company, row=row.key, why=str(error))
            return None

    # what people said --------------------------------------------------------------------------------

    async def _words(self, audit: Rows, place: str, until_ms: UnixMs, done: Counter[str]) -> str:
        """Empty what was said of old decisions, in both places of both accounts; return the last that was read."""
        begin = keys.decisions(self.ledger.company)
        page = await audit.scan(behind(place) if place else begin, f"{begin}{until_ms:015d}", limit=WORDS_MAX)
        for row in page:
            if row.values.get(auditing.WHY):
                at_ms, _, subject = row.key.removeprefix(begin).partition(":")
                for rows in self.audits:
                    for key in (row.key, f"{keys.audit_prefix(self.ledger.company, subject)}{at_ms}"):
                        done["audit"] += await _without_words(rows, key)
        return page[-1].key if page else place


async def _without_words(rows: Rows, key: str) -> int:
    row, write = await rows.get(key), AtomicWrite()
    if row is None or not row.values.get(auditing.WHY):
        return 0
    write.replace(key, {**row.values, auditing.WHY: ""}, row.version)
    await commit(rows, write, marker_row=key)
    return 1


def _is_over(receipt: Receipt, mails: Sequence[Delivery], until_ms: UnixMs) -> bool:
    """Say whether a receipt and all its mails ended before then, and nobody waits for one of them."""
    if receipt.state not in ENDED or receipt.frozen or receipt.flagged_ms or receipt.changed_ms >= until_ms:
        return False
    return all(_mail_is_over(mail, until_ms) for mail in mails)


def _mail_is_over(mail: Delivery, until_ms: UnixMs) -> bool:
    """What a person has decided about is over as well: nothing takes it up again."""
    decided = mail.state in (DeliveryState.HELD, DeliveryState.UNKNOWN) and bool(mail.decided_by)
    return not mail.frozen and (mail.state in _OVER or decided) and max(mail.tried_ms, mail.sent_ms) < until_ms
