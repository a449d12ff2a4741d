"""What the office says about a mail whose outcome is unknown; receipt and deliveries change in one group."""

from __future__ import annotations

from dataclasses import replace

from foundation.clock import UnixMs
from foundation.errors import Rejected
from foundation.tablestore.atomic import AtomicWrite
from foundation.tablestore.ports import UNSTORED
from payflow import corrections
from payflow.delivery import rules, steps
from payflow.delivery.ports import DeliveryKey, delivery_key
from payflow.ledger.lane import LaneLedger
from payflow.mail import letters
from payflow.model import BaixaId
from payflow.state import Delivery, DeliveryState, Receipt, ReceiptState


async def decide_arrived(ledger: LaneLedger, key: DeliveryKey, who: str, now: UnixMs) -> Receipt:
    """
    Record that an unknown mail arrived.

    Raises Rejected if its outcome is not unknown, Contention if the row changed since it was shown.
    """
    receipt, deliveries = await _read(ledger, key.payment.baixa)
    said = rules.arrived(_named(deliveries, key), who, now)
    return await _store(ledger, receipt, deliveries, [said], now)


async def decide_again(ledger: LaneLedger, key: DeliveryKey, who: str, now: UnixMs, *, domain: str) -> Receipt:
    """
    Mail an unknown one again, under another kind.

    Raises Rejected if that is not offered (see ``rules.may_send_again``) or if the payment is gone, Contention if the
    row changed meanwhile.
    """
    receipt, deliveries = await _read(ledger, key.payment.baixa)
    if receipt.gone:
        raise Rejected("the payment was undone: decide `arrived`, or `skip` if the mail did not arrive")
    first = _named(deliveries, key)
    if not first.address:
        raise Rejected(
            "the address of this mail is not known: decide `arrived`, or, if it did not arrive, `skip`; then `resend` "
            "mails it anew"
            if receipt.state is ReceiptState.UNKNOWN
            else "the address of this mail is not known yet: the next look finds the payment again"
        )
    decided, again = rules.send_again(first, rules.again_kind(first.kind), who, now)
    again = replace(
        again, date_ms=now, boundary=first.boundary, template=letters.template(letters.language_of(first.template))
    )
    again = replace(again, message_id=letters.message_id(again, domain))
    return await _store(ledger, receipt, deliveries, [decided, again], now)


async def _read(ledger: LaneLedger, baixa: BaixaId) -> tuple[Receipt, list[Delivery]]:
    receipt = await ledger.receipt(baixa)
    if receipt is None:
        raise Rejected("there is no such receipt")
    return receipt, list(await ledger.deliveries(baixa))


def _named(deliveries: list[Delivery], key: DeliveryKey) -> Delivery:
    found = next((delivery for delivery in deliveries if delivery_key(delivery) == key), None)
    if found is None:
        raise Rejected("there is no such mail")
    return found


async def _store(
    ledger: LaneLedger, receipt: Receipt, deliveries: list[Delivery], changed: list[Delivery], now: UnixMs
) -> Receipt:
    keys = {delivery_key(delivery) for delivery in changed}
    others = [delivery for delivery in deliveries if delivery_key(delivery) not in keys]
    step = steps.settled([*others, *changed])

    def also(write: AtomicWrite) -> None:
        for delivery in changed:
            fresh = delivery.version == UNSTORED
            (ledger.insert_mail if fresh else ledger.put_delivery)(write, delivery)

    due = any(delivery.state is DeliveryState.READY for delivery in changed)
    after = replace(
        receipt,
        state=ReceiptState.SENDING if due else step.state,
        reason=step.reason,
        due_ms=now if due else step.due_ms,
        changed_ms=now,
        decided_by=changed[0].decided_by,
    )
    return await ledger.save(receipt, corrections.correction_ended(after, [*others, *changed], now), also=also)
