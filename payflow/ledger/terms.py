"""The sealed columns of a receipt that hold a payment's terms: what it is now, and what was mailed of it before."""

from __future__ import annotations

from dataclasses import astuple

from foundation.tablestore.codec import Column, FieldKind
from payflow.model import Centavos, CompanyId, CustomerId, PaymentTerms
from payflow.sealing import Sealer


def terms_column(company: CompanyId, sealer: Sealer, name: str) -> Column:
    """Return the column called *name*, one value a line; empty, and in rows from before it came, there are none."""
    kind = FieldKind(
        str,
        lambda terms: sealer.seal(company, name, "\n".join(map(str, astuple(terms)))) if terms else "",
        lambda stored: _terms(sealer.open(company, name, stored)) if stored else PaymentTerms(),
    )
    return Column(name, kind, name, PaymentTerms())


def _terms(lines: str) -> PaymentTerms:
    amount, paid_on, customer, customer_name = lines.split("\n", 3)
    return PaymentTerms(
        amount=Centavos(int(amount)), paid_on=paid_on, customer=CustomerId(customer), customer_name=customer_name
    )
