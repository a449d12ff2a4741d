"""What each row of a backup is put back as: what has not ended is frozen until the send log has decided it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from foundation.tablestore.ports import UNSTORED, Row, Value
from payflow.delivery import restore
from payflow.ledger import keys
from payflow.ledger.backup import LEFT_OUT, CompanyBackup
from payflow.ledger.lane import LaneLedger
from payflow.progress import Instalment
from payflow.state import ENDED, Company, CompanyStatus, Delivery, Receipt


def restored_rows(ledger: LaneLedger, backup: CompanyBackup) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Yield every row that a backup puts back, by its key; what has not ended is frozen."""
    for key, values in backup.rows.items():
        if key.startswith(LEFT_OUT):
            continue
        row = Row(key=key, values=values, version=UNSTORED)
        yield from _frozen(ledger, row)


def _frozen(ledger: LaneLedger, row: Row) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Yield a backup's row as it is put back, and its index rows."""
    codec, kind = ledger.codec, row.key.partition(":")[0]
    match kind:
        case "receipt":
            receipt = codec.decode(Receipt, row)
            receipt = receipt if receipt.state in ENDED else replace(receipt, frozen=True)
            yield row.key, {**row.values, **codec.encode(receipt)}
            yield from _indexes(ledger, receipt)
        case "delivery":
            mail = codec.decode(Delivery, row)
            yield row.key, {**row.values, **codec.encode(restore.frozen(mail))}
            if mail.message_id:
                yield keys.message(mail.message_id), {"baixa": mail.baixa}
        case "instalment":
            yield row.key, row.values
            if not codec.decode(Instalment, row).worked:
                yield f"{keys.AGAIN}{row.key.partition(':')[2]}", {}
        case keys.COMPANY:
            company = codec.decode(Company, row)
            if company.status is not CompanyStatus.CONFIRM:  # nobody has confirmed it: it stays at rest as it is
                company = replace(company, status=CompanyStatus.PAUSED)
            yield row.key, {**row.values, **codec.encode(company)}
        case _:
            yield row.key, row.values


def _indexes(ledger: LaneLedger, receipt: Receipt) -> Iterator[tuple[str, Mapping[str, Value]]]:
    name = ledger.name(receipt.baixa)
    yield keys.sibling(receipt.instalment, name), {}
    yield keys.listed(receipt.found_ms, name), {"baixa": receipt.baixa}
    if key := keys.index(receipt, name):
        yield key, {}
