"""The one decision, by the receipt's row and what was just read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from foundation.clock import UnixMs
from payflow.delivery import rules, steps
from payflow.delivery.steps import Become, DeliverySnapshot, Judge, Policy, Prepare, Renew, Send, Step
from payflow.looking.recreated import Recreation
from payflow.model import Attachment, Baixa, Centavos, Composition
from payflow.recipients.choice import Recipient
from payflow.state import Delivery, DeliveryState, DocumentPolicy, Reason, Receipt, ReceiptState
from tests.fakes.payflow import NOW, a_delivery, a_receipt

POLICY = Policy(documents=DocumentPolicy.ERP, may_make_own=True)
FILE = Attachment(id="f", name="r.pdf", url="https://x.example/r.pdf", kind="RECIBO", is_file=True)
RECEIPT = a_receipt()
BAIXA = Baixa(
    id=RECEIPT.baixa,
    instalment=RECEIPT.instalment,
    revision=1,
    paid_on=RECEIPT.paid_on,
    composition=Composition(gross=RECEIPT.amount),
    method="PIX",
    updated_ms=NOW,
)
SEEN = DeliverySnapshot(
    baixa=BAIXA,
    attachment=FILE,
    recreation=Recreation.NEW,
    recipient=Recipient(addresses=("a@x.com.br",)),
    deliveries=(),
)
EDITED = replace(BAIXA, composition=Composition(gross=Centavos(1)))
READY = a_delivery()
SENT = replace(READY, number=2, state=DeliveryState.SENT)
CLAIMED = rules.claim(READY, "w", NOW)
SENDING = replace(RECEIPT, state=ReceiptState.SENDING, document_source="erp")


@pytest.mark.parametrize(
    ("receipt", "seen", "step"),
    [
        (RECEIPT, SEEN, Prepare(FILE, ("a@x.com.br",))),
        (RECEIPT, replace(SEEN, baixa=None), Become(ReceiptState.WITHDRAWN, undone=True)),
        (RECEIPT, replace(SEEN, baixa=EDITED), Renew(EDITED)),
        (RECEIPT, replace(SEEN, baixa=replace(BAIXA, revision=9)), Prepare(FILE, ("a@x.com.br",))),
        (RECEIPT, replace(SEEN, recreation=Recreation.COVERED), Become(ReceiptState.COVERED, Reason.RECREATED)),
        (RECEIPT, replace(SEEN, recreation=Recreation.HELD), Become(ReceiptState.HELD, Reason.MAYBE_RECREATED)),
        (
            RECEIPT,
            replace(SEEN, recreation=Recreation.WAIT),
            Become(ReceiptState.READY, None, UnixMs(NOW + steps.SOON_MS)),
        ),
        (
            replace(RECEIPT, decided_by="office"),
            replace(SEEN, recreation=Recreation.COVERED),
            Prepare(FILE, ("a@x.com.br",)),
        ),
        (
            RECEIPT,
            replace(SEEN, recipient=Recipient(reason=Reason.NO_MAIL)),
            Become(ReceiptState.SKIPPED, Reason.NO_MAIL, unwanted=True),
        ),
        (
            RECEIPT,
            replace(SEEN, recipient=Recipient(reason=Reason.NO_RECIPIENT)),
            Become(ReceiptState.READY, Reason.NO_RECIPIENT, UnixMs(NOW + steps.ADDRESS_ASK_MS)),
        ),
        (
            RECEIPT,
            replace(SEEN, recipient=Recipient(reason=Reason.SHARED_ADDRESS)),
            Become(ReceiptState.HELD, Reason.SHARED_ADDRESS),
        ),
        (
            RECEIPT,
            replace(SEEN, attachment=None),
            Become(ReceiptState.WAITING_DOCUMENT, None, UnixMs(NOW + 15_000), asked=True),
        ),
        (
            replace(RECEIPT, found_ms=UnixMs(NOW - 72 * 3_600_000)),
            replace(SEEN, attachment=None),
            Become(ReceiptState.HELD, Reason.NO_DOCUMENT),
        ),
    ],
)
def test_before_its_mail(receipt: Receipt, seen: DeliverySnapshot, step: Step) -> None:
    """Gone, edited, booked again, without address, without document: in this order."""
    assert steps.decide(receipt, seen, POLICY, NOW) == step


@pytest.mark.parametrize(
    ("receipt", "seen", "step"),
    [
        (SENDING, replace(SEEN, deliveries=(READY,)), Send(READY, FILE)),
        (
            SENDING,
            replace(SEEN, deliveries=(READY,), attachment=None),
            Become(ReceiptState.SENDING, None, UnixMs(NOW + 300_000)),
        ),
        (replace(SENDING, document_source="own"), replace(SEEN, deliveries=(READY,)), Send(READY, None)),
        (SENDING, replace(SEEN, deliveries=(READY,), baixa=None), Become(ReceiptState.WITHDRAWN, undone=True)),
        (SENDING, replace(SEEN, deliveries=(READY, SENT), baixa=None), Become(ReceiptState.SENT, undone=True)),
        (SENDING, replace(SEEN, deliveries=(READY,), baixa=EDITED), Renew(EDITED)),
        (
            SENDING,
            replace(SEEN, deliveries=(READY, SENT), baixa=EDITED),
            Become(ReceiptState.HELD, Reason.PAYMENT_CHANGED),
        ),
        (
            SENDING,
            replace(SEEN, deliveries=(READY,), recreation=Recreation.COVERED),
            Become(ReceiptState.COVERED, Reason.RECREATED),
        ),
        (
            SENDING,
            replace(SEEN, deliveries=(READY,), recreation=Recreation.HELD),
            Become(ReceiptState.HELD, Reason.MAYBE_RECREATED),
        ),
        (SENDING, replace(SEEN, deliveries=(READY, SENT), recreation=Recreation.HELD), Send(READY, FILE)),
        (
            replace(SENDING, decided_by="office"),
            replace(SEEN, deliveries=(READY,), recreation=Recreation.COVERED),
            Send(READY, FILE),
        ),
    ],
)
def test_while_its_mail_is_due(receipt: Receipt, seen: DeliverySnapshot, step: Step) -> None:
    """Nothing out: withdrawn, covered, or anew. Something out: that is what it is."""
    assert steps.decide(receipt, seen, POLICY, NOW) == step


def test_an_abandoned_claim_is_judged_first() -> None:
    """A minute after its deadline."""
    later = UnixMs(CLAIMED.attempt_deadline_ms + rules.GRACE_MS + 1)

    assert steps.decide(SENDING, replace(SEEN, deliveries=(CLAIMED,)), POLICY, later) == Judge(CLAIMED)


@pytest.mark.parametrize(
    ("deliveries", "step"),
    [
        ([SENT], Become(ReceiptState.SENT)),
        ([SENT, replace(READY, state=DeliveryState.CANCELLED)], Become(ReceiptState.SENT)),
        ([SENT, replace(READY, state=DeliveryState.REFUSED)], Become(ReceiptState.REFUSED)),
        ([SENT, replace(READY, state=DeliveryState.UNKNOWN)], Become(ReceiptState.UNKNOWN)),
        ([SENT, replace(READY, state=DeliveryState.UNKNOWN, decided_by="o")], Become(ReceiptState.SENT)),
        (
            [SENT, replace(READY, state=DeliveryState.HELD, reason=Reason.UNDELIVERABLE)],
            Become(ReceiptState.HELD, Reason.UNDELIVERABLE),
        ),
        ([CLAIMED], Become(ReceiptState.SENDING, None, UnixMs(CLAIMED.attempt_deadline_ms + rules.GRACE_MS + 1))),
        ([replace(READY, due_ms=UnixMs(NOW + 5))], Become(ReceiptState.SENDING, None, UnixMs(NOW + 5))),
    ],
)
def test_a_receipt_is_what_its_deliveries_are(deliveries: list[Delivery], step: Become) -> None:
    """The worst of them that waits for a person; sent when all have ended well."""
    assert steps.settled(deliveries) == step
    if step.state is ReceiptState.SENDING:
        assert steps.decide(SENDING, replace(SEEN, deliveries=deliveries), POLICY, NOW) == step


def test_a_refusal_that_a_person_let_be_is_not_called_sent() -> None:
    """Nothing went out: the further mail was taken back."""
    refused = replace(READY, state=DeliveryState.REFUSED, decided_by="office")
    again = replace(READY, kind="resend-1", state=DeliveryState.CANCELLED)
    assert steps.settled([refused, again]) == Become(ReceiptState.REFUSED)
    assert steps.settled([refused, replace(again, state=DeliveryState.SENT)]) == Become(ReceiptState.SENT)


def test_no_mail_stops_what_is_still_to_be_tried() -> None:
    """Unless a person ordered this very mail afterwards; what went out stays sent."""
    seen = replace(SEEN, recipient=Recipient(reason=Reason.NO_MAIL), deliveries=[READY])
    skipped = Become(ReceiptState.SKIPPED, Reason.NO_MAIL, unwanted=True)
    assert steps.decide(SENDING, seen, POLICY, NOW) == skipped
    released = replace(SENDING, decided_by="office")  # before no mail was said: the last word counts
    assert steps.decide(released, seen, POLICY, NOW) == skipped
    ordered = replace(READY, kind="resend-1", date_ms=NOW)
    said = replace(seen, recipient=Recipient(reason=Reason.NO_MAIL, said_ms=NOW), deliveries=[ordered])
    assert steps.decide(released, said, POLICY, NOW) == Send(ordered, FILE)
    later = replace(said, recipient=Recipient(reason=Reason.NO_MAIL, said_ms=UnixMs(NOW + 1)))
    assert steps.decide(released, later, POLICY, NOW) == skipped
    both = replace(seen, deliveries=[READY, SENT])
    assert steps.decide(SENDING, both, POLICY, NOW) == Become(ReceiptState.SENT, unwanted=True)


@pytest.mark.parametrize("why", [{"baixa": None}, {"recipient": Recipient(reason=Reason.NO_MAIL, said_ms=NOW)}])
def test_a_send_again_taken_back_leaves_the_question_open(why: dict[str, Any]) -> None:
    """Nobody said that the first arrived: called sent, the payment booked again would get nothing."""
    lost = replace(READY, state=DeliveryState.UNKNOWN, decided_by="office")
    seen = replace(SEEN, deliveries=[lost, replace(READY, kind="receipt-again-1")], **why)

    step = steps.decide(SENDING, seen, POLICY, NOW)

    assert isinstance(step, Become)
    assert (step.state, step.undone, step.unwanted) == (ReceiptState.UNKNOWN, "baixa" in why, "baixa" not in why)
    taken = rules.taken_back(seen.deliveries)
    assert [(one.state, one.decided_by) for one in taken] == [
        (DeliveryState.UNKNOWN, ""),
        (DeliveryState.CANCELLED, ""),
    ]
    assert rules.taken_back([lost]) == [lost]


def test_the_number_of_a_mail_is_its_addresses() -> None:
    """A was mailed as the first: B, listed before it or alone now, is another mail and A none."""
    a = replace(READY, address_index="a", state=DeliveryState.SENT)
    b = replace(a, number=2, address_index="b", state=DeliveryState.CANCELLED)
    assert steps.numbers(["b"], [a, b]) == [2]
    assert steps.numbers(["b", "a", "c"], [a, b]) == [2, 1, 3]
    assert steps.numbers(["x", "b"], [replace(a, address="", address_index="")]) == [1, 2]


def test_an_undone_payment_that_was_mailed_in_part_stays_mailed() -> None:
    """Released after an edit: withdrawn, it would be mailed again when it is booked again."""
    seen = replace(SEEN, baixa=None, deliveries=[replace(READY, state=DeliveryState.CANCELLED), SENT])
    assert steps.decide(RECEIPT, seen, POLICY, NOW) == Become(ReceiptState.SENT, undone=True)
