"""
Erasure (LGPD, art. 18 VI): a person's or a company's data is emptied in its rows, and the rows stay.

A row that is gone would be created anew by the next look, and its receipt mailed a second time; an emptied one keeps
its creation failing. Which columns are emptied is the table of ``classes``. A purge may be repeated: what is empty
stays empty. It raises Contention for a row that a lane writes meanwhile, StoreUnavailable; begin it again then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

from foundation.personal_data import empty
from foundation.tablestore.atomic import AtomicWrite, commit
from foundation.tablestore.ports import Row
from foundation.tablestore.queries import rows_under
from payflow.ledger import keys
from payflow.ledger.backup import all_rows
from payflow.ledger.classes import emptied
from payflow.ledger.lane import LaneLedger
from payflow.ledger.verifying import KINDS
from payflow.model import CustomerId
from payflow.progress import Instalment
from payflow.recipients.choice import name_key
from payflow.state import Receipt

_GONE: Final = frozenset({"document", "payer", "token"})
"""Rows that are deleted: which document or address was whose, and the connection."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Purging:
    """The purge of one company's partition; without ``apply`` it only counts."""

    ledger: LaneLedger
    apply: bool

    async def person(self, customer: CustomerId) -> Counter[str]:
        """Empty what is stored of one customer; return how many rows of each kind. *No mail* stays as it is said."""
        done: Counter[str] = Counter()
        async for row in self._of(customer):
            await self._work(row, done)
        async for row in rows_under(self.ledger.rows, "receipt:"):
            await self._work(row, done, self._named_in(row, customer))
        return done

    async def company(self) -> Counter[str]:
        """Empty what is stored of a company and of all its customers."""
        done: Counter[str] = Counter()
        async for row in all_rows(self.ledger.rows):
            await self._work(row, done)
        return done

    # Inside ------------------------------------------------------------------------------------------

    async def _of(self, customer: CustomerId) -> AsyncIterator[Row]:
        """Yield a customer's rows; those found by the customer's name after those that hold it."""
        names = set[str]()
        async for row in self._with("instalment:", customer):
            names.add(self.ledger.codec.decode(Instalment, row).customer_name)
            yield row
        async for row in self._with("receipt:", customer):
            names.add(self.ledger.codec.decode(Receipt, row).customer_name)
        async for row in self._mails(customer):
            yield row
        async for row in self._with("document:", customer):
            yield row
        async for row in self._with("payer:", customer):
            yield row
        mapped = [keys.payer_name(self.ledger.index.of(f"name|{name_key(name)}")) for name in sorted(names) if name]
        for key in [*mapped, keys.customer(customer)]:
            if found := await self.ledger.rows.get(key):
                yield found

    async def _mails(self, customer: CustomerId) -> AsyncIterator[Row]:
        """Yield a customer's mails, also of a payment that is another's now; one of a version before names nobody."""
        async for row in self._with("receipt:", customer):
            async for mail in rows_under(self.ledger.rows, f"delivery:{keys.name_in(row.key)}:"):
                if not mail.values.get("customer"):
                    yield mail
        async for row in self._with("delivery:", customer):
            yield row

    async def _with(self, prefix: str, customer: CustomerId) -> AsyncIterator[Row]:
        """Yield the rows that name a customer, in a column or in their key."""
        async for row in rows_under(self.ledger.rows, prefix):
            if customer in (row.values.get("customer"), keys.name_in(row.key)):
                yield row

    def _named_in(self, row: Row, customer: CustomerId) -> frozenset[str]:
        """Return the columns of a receipt that name *customer*: a changed payment was another's, or is now."""
        receipt = self.ledger.codec.decode(Receipt, row)
        terms = {"now_is": receipt.now_is, "was_mailed": receipt.was_mailed}
        named = frozenset(name for name, each in terms.items() if each.customer == customer)
        return named | emptied("Receipt") - terms.keys() if receipt.customer == customer else named

    async def _work(self, row: Row, done: Counter[str], columns: frozenset[str] | None = None) -> None:
        """Empty a row, or some *columns* of it."""
        kind, write = row.key.partition(":")[0], AtomicWrite()
        names = emptied(KINDS[kind].__name__) if columns is None and kind in KINDS else columns
        if kind in _GONE:
            write.delete(row.key)
        elif names and (changes := empty(value := self._read(kind, row), names)):
            write.replace(row.key, {**row.values, **self.ledger.codec.encode(replace(value, **changes))}, row.version)
        else:
            return
        done[kind] += 1
        if self.apply:
            await commit(self.ledger.rows, write, marker_row=row.key)

    def _read(self, kind: str, row: Row) -> Any:
        return self.ledger.codec.decode(KINDS[kind], row)
