"""What an act would write, in sentences: the act itself runs, on rows that take nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from foundation.tablestore.dry import DryAudit, DryRows
from foundation.tablestore.ports import UNSTORED, DeleteRow, Row, RowWrite
from payflow.console.subjects import Subject
from payflow.delivery.manual_actions import ManualActions
from payflow.ledger.entries import Entries
from payflow.ledger.lane import LaneLedger
from payflow.mail.formats import masked_address
from payflow.office.language import N_
from payflow.payers import PayerMapping
from payflow.state import Company, Delivery, Receipt

_RECEIPT = N_("The receipt of payment {payment} becomes {state}.")
_MAIL = N_("Its mail {kind} {number} to {address} becomes {state}.")
_COMPANY = N_("The company {company} becomes {status}.")
_PAYER = N_("The customer {customer} gets no receipts by e-mail from now on.")
KINDS: Final = {"receipt": Receipt, "delivery": Delivery, "company": Company, "customer": PayerMapping}
Say = Callable[[str], str]


def dry(actions: ManualActions, subject: Subject) -> tuple[ManualActions, DryRows]:
    """Return *actions* that write nothing, and what keeps what they would write."""
    kept, lane = DryRows(subject.lane.rows), subject.lane
    dry_lane = LaneLedger(lane.company, kept, lane.codec, lane.index, Entries(DryRows(lane.entries.rows)))
    return replace(actions, lane=dry_lane, audits=(DryAudit(),)), kept


def sentences(lane: LaneLedger, kept: DryRows, say: Say) -> Iterator[str]:
    """Yield a sentence for each row that a person knows something by."""
    for write in kept.written:
        if found := _sentence(lane, write, say):
            yield found


def _sentence(lane: LaneLedger, write: RowWrite, say: Say) -> str:
    kind, _, name = write.key.partition(":")
    if isinstance(write, DeleteRow) or kind not in KINDS:
        return ""
    row = Row(key=write.key, values=write.values, version=UNSTORED)
    match lane.codec.decode(KINDS[kind], row):
        case Receipt() as receipt:
            state = f"{receipt.state} ({receipt.reason})" if receipt.reason else str(receipt.state)
            return say(_RECEIPT).format(payment=receipt.baixa, state=state)
        case Delivery() as mail:
            address = masked_address(mail.address) if mail.address else "-"
            return say(_MAIL).format(kind=mail.kind, number=mail.number, address=address, state=mail.state)
        case Company() as company:
            return say(_COMPANY).format(company=company.id, status=company.status)
        case _:
            return say(_PAYER).format(customer=name)
