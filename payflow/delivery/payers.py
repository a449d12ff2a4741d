"""The rows of payers and mailboxes in a company's partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.queries import find
from payflow.ledger import keys
from payflow.ledger.lane import LaneLedger
from payflow.model import CustomerId, Person
from payflow.payers import Mailbox, PayerMapping
from payflow.recipients.addresses import mailable
from payflow.recipients.choice import SHARED_BY, Known, name_key
from payflow.recipients.mapping import Mapped
from payflow.state import Company


@dataclass(frozen=True, slots=True)
class LaneRecipients:
    """What is known of one company's payers. Every method raises StoreUnavailable; each write Contention."""

    ledger: LaneLedger

    async def known(self, company: Company, customer: CustomerId, person: Person | None) -> Known:
        """Return what is known for the choice of one payer's addresses: the rows that it needs, and no others."""
        payer = await self.payer(customer) if customer else PayerMapping()
        key = name_key(person.name) if person else ""
        named = await self._payer(self._name(key)) if key else PayerMapping()
        texts = [*payer.addresses, *named.addresses]
        texts += [*person.billing_emails, *person.emails] if person else []
        boxes = {address: await self.mailbox(address) for address in mailable(texts)}
        shared = {address: await self._customers_of(address, customer) for address in boxes}
        return Known(
            by_customer={customer: payer.addresses} if payer.addresses else {},
            by_name={key: named.addresses} if named.addresses else {},
            no_mail=frozenset({customer}) if payer.no_mail else frozenset(),
            no_mail_ms=payer.no_mail_ms,
            language=payer.language or "pt",
            suppressed=lambda address: bool(_of(boxes, address).suppressed),
            confirmed=lambda address: _of(boxes, address).confirmed,
            customers_of=lambda address: shared.get(address, 1),
            company_address=company.contact,
        )

    async def not_noted(self, customer: CustomerId, addresses: Iterable[str]) -> Sequence[str]:
        """Return the keys of *addresses* for which no mail to *customer* was made before; to be inserted with it."""
        made = [keys.payer_of(self.ledger.index.address(address), customer) for address in addresses]
        return [key for key in dict.fromkeys(made) if await self.ledger.rows.get(key) is None]

    async def payer(self, customer: CustomerId) -> PayerMapping:
        return await self._payer(keys.customer(customer))

    async def mailbox(self, address: str) -> Mailbox:
        return await self._mailbox(self.ledger.index.address(address))

    async def store_map(self, mapped: Mapped, who: str) -> int:
        """Store what a file maps, each payer as the file has it; return how many."""
        rows = {keys.customer(customer): addresses for customer, addresses in mapped.by_customer.items()}
        rows |= {self._name(name): addresses for name, addresses in mapped.by_name.items()}
        for key, addresses in rows.items():
            await self._put_payer(key, replace(await self._payer(key), addresses=addresses, decided_by=who))
        return len(rows)

    async def set_no_mail(self, customer: CustomerId, who: str, now: UnixMs, *, no_mail: bool) -> None:
        """Store whether a customer gets receipts at all, and since when: a mail ordered before that is taken back."""
        payer = replace(await self.payer(customer), no_mail=no_mail, no_mail_ms=now, decided_by=who)
        await self._put_payer(keys.customer(customer), payer)

    async def set_language(self, customer: CustomerId, who: str, language: str) -> None:
        """Store the language of a customer's mails; one that is on its way keeps its own."""
        stored = "" if language == "pt" else language
        payer = replace(await self.payer(customer), language=stored, decided_by=who)
        await self._put_payer(keys.customer(customer), payer)

    async def suppress(self, address_index: str, why: str, now: UnixMs) -> None:
        """Store that nothing is sent to an address any more, because of *why*."""
        box = replace(await self._mailbox(address_index), suppressed=why or "refused", changed_ms=now)
        await self._put(keys.address(address_index), self.ledger.codec.encode(box), box)

    async def confirm(self, address: str, who: str, now: UnixMs) -> None:
        """Store that an address is right and works: it is neither held as a shared one nor suppressed."""
        box = replace(await self.mailbox(address), suppressed="", confirmed=True, changed_ms=now, decided_by=who)
        await self._put(keys.address(self.ledger.index.address(address)), self.ledger.codec.encode(box), box)

    # Inside ------------------------------------------------------------------------------------------

    async def _customers_of(self, address: str, customer: CustomerId) -> int:
        """Return of how many customers an address is, *customer* among them; more than are doubtful are not counted."""
        prefix = keys.payer_of(self.ledger.index.address(address), "")
        rows = await self.ledger.rows.scan(prefix, prefix + keys.END, limit=SHARED_BY)
        return len({row.key for row in rows} | {f"{prefix}{customer}"})

    def _name(self, name: str) -> str:
        return keys.payer_name(self.ledger.index.of(f"name|{name}"))

    async def _payer(self, key: str) -> PayerMapping:
        return await find(self.ledger.rows, self.ledger.codec, PayerMapping, key) or PayerMapping()

    async def _mailbox(self, index: str) -> Mailbox:
        return await find(self.ledger.rows, self.ledger.codec, Mailbox, keys.address(index)) or Mailbox()

    async def _put_payer(self, key: str, payer: PayerMapping) -> None:
        await self._put(key, self.ledger.codec.encode(payer), payer)

    async def _put(
        self, key: str, values: Mapping[str, str | int | bool | bytes], read: PayerMapping | Mailbox
    ) -> None:
        write = AtomicWrite()
        write.put(key, values, read.version)
        await commit(self.ledger.rows, write, marker_row=key)


def _of(boxes: Mapping[str, Mailbox], address: str) -> Mailbox:
    return boxes.get(address, Mailbox())
