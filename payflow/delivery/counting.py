"""Unexpected errors of one receipt: counted in its row, so that the others go on and a person sees the fifth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite
from payflow.delivery import rules
from payflow.ledger.lane import Also, LaneLedger
from payflow.model import BaixaId
from payflow.ports import Alarms
from payflow.state import Delivery, DeliveryState, Reason, ReceiptState

FAULTS_MAX: Final = 5
RETRY_MS: Final = 60_000
_AT_WORK: Final = frozenset(
    {ReceiptState.FOUND, ReceiptState.WAITING_DOCUMENT, ReceiptState.READY, ReceiptState.SENDING}
)


async def count_error(ledger: LaneLedger, alarms: Alarms, baixa: BaixaId, now: UnixMs) -> None:
    """
    Count an unexpected error of a receipt and let it rest, a minute longer each time; the fifth holds it.

    A mail that a worker has claimed is judged by its deadline, never before, and nothing is counted until then. A
    mail that nobody has claimed is taken back in the group that holds the receipt: a worker that claims it first wins.
    A receipt that is no longer worked on is left as it is. Raises Contention, StoreUnavailable.
    """
    found = await ledger.receipt(baixa)
    if found is None or found.state not in _AT_WORK:
        return
    mails = await ledger.deliveries(baixa)
    deadlines = [mail.attempt_deadline_ms for mail in mails if mail.state is DeliveryState.SENDING]
    if deadlines:
        judged_ms = max(min(deadlines) + rules.GRACE_MS + 1, now + RETRY_MS)
        await ledger.save(found, replace(found, due_ms=UnixMs(judged_ms)))
        return
    faults = found.faults + 1
    after = replace(found, faults=faults, due_ms=UnixMs(now + RETRY_MS * faults))
    if faults < FAULTS_MAX:
        await ledger.save(found, after)
        return
    await alarms.note("receipt_internal", f"{found.company}:{found.baixa}", "")
    held = replace(after, state=ReceiptState.HELD, reason=Reason.INTERNAL, changed_ms=now)
    await ledger.save(found, held, also=_taken_back(ledger, mails))


def _taken_back(ledger: LaneLedger, mails: Sequence[Delivery]) -> Also:
    def also(write: AtomicWrite) -> None:
        for was, now in zip(mails, rules.taken_back(mails), strict=True):
            if now != was:
                ledger.put_delivery(write, now)

    return also
