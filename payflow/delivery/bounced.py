"""News of a mail that we sent: it came back, and a person is asked; or it arrived, and nobody is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from foundation.clock import UnixMs
from foundation.tablestore.atomic import AtomicWrite
from payflow import corrections
from payflow.delivery import rules, steps
from payflow.delivery.payers import LaneRecipients
from payflow.delivery.ports import SendLog, delivery_key
from payflow.ledger.lane import LaneLedger
from payflow.mail.bounces import Bounce
from payflow.mail.codes import Phase, Verdict, is_about_the_address
from payflow.mail.smtp import SmtpOutcome
from payflow.state import Delivery, DeliveryState, Receipt, ReceiptState

_WENT_OUT: Final = frozenset({DeliveryState.SENT, DeliveryState.UNKNOWN})
_SETTLED: Final = frozenset({ReceiptState.SENT, ReceiptState.UNKNOWN, ReceiptState.REFUSED})
"""A receipt that is still being sent to another address is settled by its sender."""


async def store_bounce(ledger: LaneLedger, bounce: Bounce, now: UnixMs) -> Receipt | None:
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
    return await _stored(ledger, receipt, [back], now)


async def mail_arrived(ledger: LaneLedger, log: SendLog, mail: Delivery, now: UnixMs) -> Receipt | None:
    """
    Store that a mail arrived whose outcome was unknown; return its receipt, None where it was known.

    That is late evidence: a *send again* that nobody has claimed is taken back. The send log takes it before the row
    does: a restored ledger asks the log. Raises StoreUnavailable, SendLogUnavailable, Contention.
    """
    receipt = await ledger.receipt(mail.baixa)
    if receipt is None or mail.state is not DeliveryState.UNKNOWN:
        return None
    await log.end(delivery_key(mail), mail.owner, accepted=True)
    heard = SmtpOutcome(verdict=Verdict.ACCEPTED, phase=Phase.DOT, words="delivered, says the service")
    sent = rules.late_evidence(mail, mail.owner, heard, now)
    again = (rules.again_kind(mail.kind), mail.number)
    due = [one for one in await ledger.deliveries(mail.baixa) if (one.kind, one.number) == again]
    back = [rules.withdraw(one) for one in due if rules.withdraw(one) != one]
    return await _stored(ledger, receipt, [sent, *back], now)


async def _stored(ledger: LaneLedger, receipt: Receipt, changed: Sequence[Delivery], now: UnixMs) -> Receipt:
    """Store *changed* mails and what they make of their receipt, in one group."""
    names = {(one.kind, one.number) for one in changed}
    others = [one for one in await ledger.deliveries(receipt.baixa) if (one.kind, one.number) not in names]
    step = steps.settled([*others, *changed])
    after = replace(receipt, changed_ms=now)
    if receipt.state in _SETTLED or (receipt.state is ReceiptState.SENDING and step.state is not ReceiptState.SENDING):
        after = replace(after, state=step.state, reason=step.reason, due_ms=step.due_ms)

    def also(write: AtomicWrite) -> None:
        for delivery in changed:
            ledger.put_delivery(write, delivery)

    return await ledger.save(receipt, corrections.correction_ended(after, [*others, *changed], now), also=also)
