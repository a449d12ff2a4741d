"""What is stored of one person, opened, as the person may ask for it (LGPD, art. 18 II and V)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from foundation.tablestore.queries import find, rows_under
from payflow.ledger import keys
from payflow.ledger.lane import LaneLedger
from payflow.model import CustomerId
from payflow.payers import PayerMapping
from payflow.progress import Instalment
from payflow.state import Delivery, Receipt

LEFT_OUT = frozenset({"version", "address_index", "owner", "boundary", "operation_id", "phase"})
"""What says nothing of the person."""


async def of_person(ledger: LaneLedger, customer: CustomerId) -> Mapping[str, Any]:
    """Return everything that is stored of a customer. Raises StoreUnavailable."""
    payer = await find(ledger.rows, ledger.codec, PayerMapping, keys.customer(customer))
    receipts = [ledger.codec.decode(Receipt, row) async for row in rows_under(ledger.rows, "receipt:")]
    instalments = [ledger.codec.decode(Instalment, row) async for row in rows_under(ledger.rows, "instalment:")]
    mails = [ledger.codec.decode(Delivery, row) async for row in rows_under(ledger.rows, "delivery:")]
    payers = {receipt.baixa: receipt.customer for receipt in receipts}
    others = [terms for one in receipts if one.customer != customer for terms in (one.now_is, one.was_mailed)]
    return {
        "customer": customer,
        "said": _shown([payer] if payer else []),
        "instalments": _shown([one for one in instalments if one.customer == customer]),
        "receipts": _shown([one for one in receipts if one.customer == customer]),
        "of_other_receipts": _shown([terms for terms in others if terms.customer == customer]),
        "mails": _shown([mail for mail in mails if (mail.customer or payers.get(mail.baixa)) == customer]),
    }


def _shown(values: Sequence[Any]) -> list[Mapping[str, Any]]:
    return [{name: value for name, value in asdict(each).items() if name not in LEFT_OUT} for each in values]
