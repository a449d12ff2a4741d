"""A bounce that names a mail of ours: the mail came back, its address may be suppressed, and a person is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from foundation.clock import UnixMs
from payflow.delivery import rules, steps
from payflow.delivery.payers import LaneRecipients
from payflow.ledger.lane import LaneLedger
from payflow.mail.bounces import Bounce
from payflow.mail.codes import is_about_the_address
from payflow.state import DeliveryState, Receipt, ReceiptState

_WENT_OUT: Final = frozenset({DeliveryState.SENT, DeliveryState.UNKNOWN})
_SETTLED: Final = frozenset({ReceiptState.SENT, ReceiptState.UNKNOWN, ReceiptState.REFUSED})
"""A receipt that is still being sent to another address is settled by its sender."""


async def take(ledger: LaneLedger, bounce: Bounce, now: UnixMs) -> Receipt | None:
    """
    Store that a mail came back; return its receipt, or None if no mail of this company went out under that id.

    The address is suppressed only for a status that says it will never work. Raises StoreUnavailable, Contention.
    """
    mail = await ledger.mail_of(bounce.message_id)
    receipt = await ledger.receipt(mail.baixa) if mail else None
    if mail is None or receipt is None or mail.state not in _WENT_OUT:
        return None
    back = rules.bounced(mail, f"bounced: {bounce.status}")
    if is_about_the_address(bounce.status):
        await LaneRecipients(ledger).suppress(mail.address_index, back.reply, now)
    others = [one for one in await ledger.deliveries(mail.baixa) if one.message_id != mail.message_id]
    step = steps.settled([*others, back])
    after = replace(receipt, changed_ms=now)
    if receipt.state in _SETTLED:
        after = replace(after, state=step.state, reason=step.reason, due_ms=step.due_ms)
    return await ledger.save(receipt, after, also=lambda write: ledger.put_delivery(write, back))
