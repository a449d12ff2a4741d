"""
The columns that hold a payment's terms: sealed, what it is now and what was mailed before; and what a mail said.

What a mail said is without the payer's name. It is what a receipt's row has unsealed: an amount, a day, and an id.
"""

from __future__ import annotations

from dataclasses import astuple
from typing import Final

from foundation.tablestore.codec import Column, FieldKind
from payflow.model import Centavos, CompanyId, CustomerId, PaymentTerms
from payflow.sealing import Sealer

SAID: Final = "said"
"""The column, in the send log's *begun* and in the row of a mail."""


def terms_column(company: CompanyId, sealer: Sealer, name: str) -> Column:
    """Return the column called *name*, one value a line; empty, and in rows from before it came, there are none."""
    kind = FieldKind(
        str,
        lambda terms: sealer.seal(company, name, "\n".join(map(str, astuple(terms)))) if terms else "",
        lambda stored: _terms(sealer.open(company, name, stored)) if stored else PaymentTerms(),
    )
    return Column(name, kind, name, PaymentTerms())


def said_column() -> Column:
    """Return the column of what a mail said, one value a line; empty, and in rows from before it came, nobody knows."""
    kind = FieldKind(
        str,
        lambda terms: "\n".join(map(str, astuple(terms.without_names())[:3])) if terms else "",
        lambda stored: _terms(f"{stored}\n") if stored else PaymentTerms(),
    )
    return Column(SAID, kind, SAID, PaymentTerms())


def _terms(lines: str) -> PaymentTerms:
    amount, paid_on, customer, customer_name = lines.split("\n", 3)
    return PaymentTerms(
        amount=Centavos(int(amount)), paid_on=paid_on, customer=CustomerId(customer), customer_name=customer_name
    )
