"""
One company's partition: what is known of its payments, and what is next.

A receipt's row, its index row and what belongs to the same step are one group. After something due is written,
the company's entry is lowered; ``save`` and ``add`` do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite, commit, version_of
from foundation.tablestore.codec import Codec
from foundation.tablestore.ports import UNSTORED, Rows
from foundation.tablestore.queries import rows_under
from payflow.connection import Token
from payflow.ledger import keys
from payflow.ledger.entries import Entries
from payflow.model import BaixaId, CompanyId, InstalmentId, PaymentKey
from payflow.progress import Cursor, Instalment
from payflow.sealing import BlindIndex
from payflow.state import Company, Delivery, DeliveryState, DocumentOwner, Receipt, ReceiptState

WAITING_MAX: Final = 500
RECEIPTS_IN_A_GROUP: Final = 24
"""A receipt has four rows (itself, by instalment, by time, what is next), an instalment two more: a group takes 100."""
SIBLINGS_MAX: Final = 500

Also = Callable[[AtomicWrite], None]
"""Adds further rows to a group."""
_One = TypeVar("_One", Company, Token, Cursor)


@dataclass(frozen=True, slots=True)
class LaneLedger:
    """The rows of one company."""

    company: CompanyId
    rows: Rows
    codec: Codec
    index: BlindIndex
    entries: Entries

    # One row each ------------------------------------------------------------------------------------

    async def read_company(self) -> Company | None:
        return await self._one(Company, keys.COMPANY)

    async def read_token(self) -> Token | None:
        return await self._one(Token, keys.TOKEN)

    async def read_cursor(self) -> Cursor:
        """Return how far looking has come; nowhere when it never began."""
        return await self._one(Cursor, keys.CURSOR) or Cursor()

    async def write_cursor(self, cursor: Cursor) -> Cursor:
        """Store *cursor* over the one it was read as; return it as stored. Raises Contention."""
        write = AtomicWrite()
        write.put(keys.CURSOR, self.codec.encode(cursor), cursor.version)
        versions = await commit(self.rows, write, marker_row=keys.CURSOR)
        return replace(cursor, version=version_of(versions, keys.CURSOR))

    async def write_company(self, company: Company) -> Company:
        """Store *company* over the one it was read as; return it as stored. Raises Contention."""
        write = AtomicWrite()
        write.put(keys.COMPANY, self.codec.encode(company), company.version)
        versions = await commit(self.rows, write, marker_row=keys.COMPANY)
        return replace(company, version=version_of(versions, keys.COMPANY))

    # Receipts ----------------------------------------------------------------------------------------

    def name(self, baixa: BaixaId) -> str:
        """Return the name of a payment in this partition's keys."""
        return self.index.payment(PaymentKey(self.company, baixa))

    async def receipt(self, baixa: BaixaId) -> Receipt | None:
        return await self._receipt(self.name(baixa))

    async def due(self, now: UnixMs, *, limit: int) -> Sequence[Receipt]:
        """Return receipts that are due, the longest due first."""
        return await self._indexed(keys.DUE, f"{keys.DUE}{now:015d}{keys.END}", limit=limit)

    async def next_due(self) -> UnixMs | None:
        """Return when the next receipt is due; None when none waits for time."""
        found = await self.rows.scan(keys.DUE, keys.DUE + keys.END, limit=1)
        return UnixMs(int(found[0].key.split(":")[1])) if found else None

    async def held(self, *, limit: int) -> Sequence[Receipt]:
        """Return receipts that wait for a person, those of one reason together."""
        return await self._indexed(keys.HELD, keys.HELD + keys.END, limit=limit)

    async def flagged(self, *, limit: int) -> Sequence[Receipt]:
        """Return mailed receipts whose payment was changed or undone since, those that wait longest first."""
        found = await self._indexed(keys.FLAGGED, keys.FLAGGED + keys.END, limit=limit)
        return [receipt for receipt in found if receipt.flagged_ms]

    async def waiting(self) -> Mapping[str, tuple[int, UnixMs]]:
        """Return how many receipts wait for a person by reason, at most 500 in all, and since when the first does."""
        rows = await self.rows.scan(keys.HELD, keys.HELD + keys.END, limit=WAITING_MAX)
        names: dict[str, list[str]] = {}
        for row in rows:
            names.setdefault(keys.reason_in(row.key), []).append(keys.name_in(row.key))
        found = {reason: await self.rows.get(keys.receipt(ours[0])) for reason, ours in names.items()}
        since = {reason: UnixMs(int(row.values["changed_ms"]) if row else 0) for reason, row in found.items()}
        return {reason: (len(ours), since[reason]) for reason, ours in names.items()}

    async def siblings(self, instalment: InstalmentId) -> Sequence[Receipt]:
        """Return every receipt of an instalment, in any state."""
        prefix = keys.sibling(instalment, "")
        found = await self.rows.scan(prefix, prefix + keys.END, limit=SIBLINGS_MAX)
        read = [await self._receipt(keys.name_in(row.key)) for row in found]
        return [receipt for receipt in read if receipt]

    async def save(self, before: Receipt, after: Receipt, *, also: Also | None = None) -> Receipt:
        """
        Store what became of a receipt, with its index row, in one group; return it as stored.

        Args:
            before: As it was read; its version is the condition.
            after: As it is from now on.
            also: Adds rows of the same step: deliveries, the instalment to be read again.

        Raises:
            Contention: Another worker changed the receipt first; nothing of this was done.
        """
        write, name = AtomicWrite(), self.name(before.baixa)
        self._replace(write, before, after)
        if also:
            also(write)
        versions = await commit(self.rows, write, marker_row=keys.receipt(name))
        await self._lower([after])
        return replace(after, version=version_of(versions, keys.receipt(name)))

    def insert(self, write: AtomicWrite, receipt: Receipt) -> None:
        """Add a new receipt and its index rows to a group."""
        name = self.name(receipt.baixa)
        write.insert(keys.receipt(name), self.codec.encode(receipt))
        write.insert(keys.sibling(receipt.instalment, name), {})
        self.list_receipt(write, receipt)
        if key := keys.index(receipt, name):
            write.insert(key, {})

    def list_receipt(self, write: AtomicWrite, receipt: Receipt) -> None:
        """Add to a group the row by which a receipt is found by its time."""
        write.insert(keys.listed(receipt.found_ms, self.name(receipt.baixa)), {"baixa": receipt.baixa})

    # Deliveries --------------------------------------------------------------------------------------

    async def deliveries(self, baixa: BaixaId) -> Sequence[Delivery]:
        """Return the deliveries of a receipt, of every kind."""
        found = rows_under(self.rows, f"delivery:{self.name(baixa)}:")
        return [self.codec.decode(Delivery, row) async for row in found]

    async def mailed(self, baixa: BaixaId) -> ReceiptState | None:
        """Return what the mails that went out say of a payment that is undone; None when none did."""
        mails = [(one.state, bool(one.decided_by)) for one in await self.deliveries(baixa)]
        if (DeliveryState.UNKNOWN, False) in mails:
            return ReceiptState.UNKNOWN
        states = {state for state, _ in mails}
        if DeliveryState.SENT in states:
            return ReceiptState.SENT
        return ReceiptState.UNKNOWN if DeliveryState.UNKNOWN in states else None

    def put_delivery(self, write: AtomicWrite, delivery: Delivery) -> None:
        """Add a delivery to a group, on the condition of the version it was read with."""
        key = keys.delivery(self.name(delivery.baixa), delivery.kind, delivery.number)
        write.put(key, self.codec.encode(delivery), delivery.version)

    def insert_mail(self, write: AtomicWrite, delivery: Delivery) -> None:
        """Add a mail with its Message-ID to a group: a bounce that names the id finds the mail."""
        self.put_delivery(write, delivery)
        write.insert(keys.message(delivery.message_id), {"baixa": delivery.baixa})

    async def mail_of(self, message_id: str) -> Delivery | None:
        """Return the mail that was sent under *message_id*; None when none of this company's was."""
        row = await self.rows.get(keys.message(message_id))
        if row is None:
            return None
        mails = await self.deliveries(BaixaId(str(row.values["baixa"])))
        return next((mail for mail in mails if mail.message_id == message_id), None)

    async def write_delivery(self, delivery: Delivery) -> Delivery:
        """Store one delivery alone; return it as stored. Raises Contention."""
        key = keys.delivery(self.name(delivery.baixa), delivery.kind, delivery.number)
        write = AtomicWrite()
        write.put(key, self.codec.encode(delivery), delivery.version)
        versions = await commit(self.rows, write, marker_row=key)
        return replace(delivery, version=version_of(versions, key))

    async def document_owner(self, sha256: str) -> DocumentOwner | None:
        """Return which payment a document was mailed for first."""
        row = await self.rows.get(keys.document(sha256))
        return self.codec.decode(DocumentOwner, row) if row else None

    def put_document(self, write: AtomicWrite, sha256: str, receipt: Receipt) -> None:
        """Add to a group that a document, never seen before, is mailed for *receipt*."""
        owner = DocumentOwner(sha256=sha256, baixa=receipt.baixa, customer=receipt.customer)
        write.insert(keys.document(sha256), self.codec.encode(owner))

    # Instalments -------------------------------------------------------------------------------------

    async def instalment(self, instalment: InstalmentId) -> Instalment | None:
        row = await self.rows.get(keys.instalment(instalment))
        return self.codec.decode(Instalment, row) if row else None

    async def to_read_again(self, *, limit: int) -> Sequence[Instalment]:
        """Return instalments that are not worked, whether or not a list shows them."""
        found = await self.rows.scan(keys.AGAIN, keys.AGAIN + keys.END, limit=limit)
        read = [await self.instalment(InstalmentId(row.key.removeprefix(keys.AGAIN))) for row in found]
        return [instalment for instalment in read if instalment]

    def read_again(self, write: AtomicWrite, instalment: Instalment) -> None:
        """Order in a group that an instalment is read again: one of its payments was found undone (R4-3)."""
        self.put_instalment(write, instalment, replace(instalment, worked=False))

    def put_instalment(self, write: AtomicWrite, before: Instalment | None, after: Instalment) -> None:
        """Add an instalment to a group, on the condition of the version it was read with."""
        key, again = keys.instalment(after.id), f"{keys.AGAIN}{after.id}"
        write.put(key, self.codec.encode(after), before.version if before else UNSTORED)
        was_worked = before is None or before.worked
        if was_worked and not after.worked:
            write.insert(again, {})
        if after.worked and not was_worked:
            write.delete(again)

    async def add(
        self,
        before: Instalment | None,
        after: Instalment,
        found: Sequence[Receipt],
        changed: Sequence[tuple[Receipt, Receipt]],
    ) -> None:
        """
        Store an instalment as it was read, with the receipts that came of it, in one group.

        Args:
            before: The instalment as it was read; its version is the condition, so that an order to read it again
                is never lost.
            after: As it is from now on.
            found: New receipts.
            changed: Receipts as they were read, and as they are now.

        Raises:
            Contention: The instalment or a receipt was written meanwhile; it is read again.
        """
        write = AtomicWrite()
        self.put_instalment(write, before, after)
        for receipt in found:
            self.insert(write, receipt)
        for old, new in changed:
            self._replace(write, old, new)
        await commit(self.rows, write, marker_row=keys.instalment(after.id))
        await self._lower([*found, *(new for _, new in changed)])

    async def add_baseline(self, instalments: Sequence[Instalment]) -> None:
        """Store instalments that were paid before the connection, at most 50. Raises Contention."""
        write = AtomicWrite()
        for instalment in instalments:
            self.put_instalment(write, None, instalment)
        await commit(self.rows, write, marker_row=keys.instalment(instalments[0].id))

    # Inside ------------------------------------------------------------------------------------------

    async def _one(self, kind: type[_One], key: str) -> _One | None:
        row = await self.rows.get(key)
        return self.codec.decode(kind, row) if row else None

    async def _receipt(self, name: str) -> Receipt | None:
        row = await self.rows.get(keys.receipt(name))
        return self.codec.decode(Receipt, row) if row else None

    async def _indexed(self, first: str, last: str, *, limit: int) -> Sequence[Receipt]:
        found = await self.rows.scan(first, last, limit=limit)
        read = [await self._receipt(keys.name_in(row.key)) for row in found]
        return [receipt for receipt in read if receipt]

    def _replace(self, write: AtomicWrite, before: Receipt, after: Receipt) -> None:
        name = self.name(before.baixa)
        write.replace(keys.receipt(name), self.codec.encode(after), before.version)
        old, new = keys.index(before, name), keys.index(after, name)
        if old == new:
            return
        if old:
            write.delete(old)
        if new:
            write.insert(new, {})

    async def _lower(self, receipts: Sequence[Receipt]) -> None:
        due = [receipt.due_ms for receipt in receipts if (keys.index(receipt, "") or "").startswith(keys.DUE)]
        if due:
            await self.entries.lower(self.company, UnixMs(min(due)))
