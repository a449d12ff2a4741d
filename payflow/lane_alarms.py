"""The alarms that a company's lane raises on its way: what a look could not read, and what has waited too long."""

from __future__ import annotations

import logging
from typing import Final

from foundation import logs
from foundation.clock import UnixMs
from payflow.delivery import counting
from payflow.ledger.lane import LaneLedger
from payflow.looking.look import LookResult
from payflow.ports import Alarms
from payflow.state import Company, Reason, Receipt, ReceiptState

ADDRESS_LATE_MS: Final = 3_600_000
DOCUMENT_LATE_MS: Final = 24 * 3_600_000

_log = logging.getLogger(__name__)


async def report_look(ledger: LaneLedger, alarms: Alarms, company: Company, result: LookResult) -> None:
    """Log what a look did, and raise an alarm for what it could not settle or read."""
    logs.info(_log, "looked", company=company.id, added=result.added, complete=result.complete)
    if result.unsettled:
        await alarms.note("look_unsettled", company.id, "")
    for instalment in sorted(result.failed | result.not_adding_up):
        row = await ledger.instalment(instalment)
        if row and row.reads >= counting.FAULTS_MAX:
            await alarms.note("instalment_unreadable", f"{company.id}:{instalment}", f"{row.reads} reads")


async def note_long_wait(alarms: Alarms, receipt: Receipt, now: UnixMs) -> None:
    """Raise an alarm for an address or a document that Conta Azul still does not have when it should."""
    waited_ms = now - receipt.found_ms
    if receipt.reason is Reason.NO_RECIPIENT and waited_ms >= ADDRESS_LATE_MS:
        await alarms.note("receipt_without_address", receipt.company, "")
    if receipt.state is ReceiptState.WAITING_DOCUMENT and waited_ms >= DOCUMENT_LATE_MS:
        await alarms.note("document_late", receipt.company, "")
