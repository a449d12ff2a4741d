"""Payments that change, are undone or booked again: what becomes of their receipts and mails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from devstack.conta_azul.books import Payment
from payflow.delivery import choices
from payflow.delivery.choices import Decider as ByPerson
from payflow.looking.changed import edited
from payflow.model import BaixaId, Customer, CustomerId, InstalmentId, Person
from payflow.recipients.choice import Known
from payflow.state import After, DeliveryState, DocumentPolicy, Reason, Receipt, ReceiptState
from tests.clinic import OTHER_PDF, PDF, Clinic
from tests.fakes.mail_server import Mail
from tests.fakes.payflow import a_company, a_receipt


async def test_a_payment_undone_after_one_of_two_addresses_was_mailed_is_sent_and_undone(clinic: Clinic) -> None:
    """What went out is what the receipt is; the other address gets nothing."""
    clinic.ana.email = "ana@medica.com.br,bia@medica.com.br"
    clinic.server.faults.replies = {"rcpt:bia@medica.com.br": "451 4.7.1 greylisted"}
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 3)
    clinic.books.undo(payment)

    after = await clinic.advance(payment)

    assert (after.state, after.after, after.gone) == (ReceiptState.SENT, After.UNDONE, True)
    assert [one.state for one in await clinic.deliveries(payment)] == [DeliveryState.SENT, DeliveryState.CANCELLED]


async def test_a_payment_edited_after_one_of_two_addresses_was_mailed_is_held(clinic: Clinic) -> None:
    """A correction is a person's act."""
    clinic.ana.email = "ana@medica.com.br,bia@medica.com.br"
    clinic.server.faults.replies = {"rcpt:bia@medica.com.br": "451 4.7.1 greylisted"}
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 3)
    clinic.books.edit(payment, gross=200_00)

    after = await clinic.advance(payment)

    assert (after.state, after.reason) == (ReceiptState.HELD, Reason.PAYMENT_CHANGED)
    assert len(clinic.server.accepted) == 1


def _text(mail: Mail) -> str:
    """Return the plain text of a mail."""
    body = mail.message.get_body(("plain",))
    assert body
    return str(body.get_content())


async def _changed(clinic: Clinic, payment: Payment, gross: int) -> Receipt:
    """Edit a payment that was mailed, let the look see it, and let the office order a correction."""
    clinic.books.edit(payment, gross=gross)
    before, baixa = await clinic.lane.receipt(BaixaId(payment.id)), await clinic.api.baixa(BaixaId(payment.id))
    assert before
    assert baixa
    customer = Customer(id=before.customer, name=before.customer_name)
    flagged = await clinic.lane.save(before, edited(before, baixa, customer, clinic.now))
    assert (flagged.state, flagged.after) == (ReceiptState.SENT, After.CHANGED)
    return await choices.order_correction(clinic.lane, BaixaId(payment.id), ByPerson(name="office", now=clinic.now))


async def test_a_payment_changed_after_its_mail_is_corrected_by_a_persons_word(clinic: Clinic) -> None:
    """To the addresses of now, under a kind of its own; the mail says which receipt it replaces. Twice: another one."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    clinic.ana.email = "ana@nova.com.br,bia@medica.com.br"

    await _changed(clinic, payment, 200_00)
    waits = await clinic.advance(payment)  # Conta Azul's file is still the one that was mailed
    assert (waits.state, len(clinic.server.accepted)) == (ReceiptState.WAITING_DOCUMENT, 1)
    payment.files[0].content = OTHER_PDF
    sent = await clinic.advance(payment, 3)

    assert (sent.state, sent.after, sent.flagged_ms, sent.amount) == (ReceiptState.SENT, None, 0, 200_00)
    mails = [(one.kind, one.number, one.state) for one in await clinic.deliveries(payment)]
    assert mails == [
        ("correction-1", 1, DeliveryState.SENT),
        ("correction-1", 2, DeliveryState.SENT),
        ("receipt", 1, DeliveryState.SENT),
    ]
    first, *corrected = clinic.server.accepted
    assert [one.recipients for one in corrected] == [("ana@nova.com.br",), ("bia@medica.com.br",)]
    assert len({first.message_id, *(one.message_id for one in corrected)}) == 3
    assert corrected[0].message["Subject"].startswith("Correção do recibo de pagamento")
    text = _text(corrected[0])
    assert "corrige e substitui o recibo de R$\N{NO-BREAK SPACE}100,00" in text
    assert "R$\N{NO-BREAK SPACE}200,00" in text

    payment.files[0].content = PDF
    assert (await _changed(clinic, payment, 300_00)).correction == 2
    assert (await clinic.advance(payment, 3)).state is ReceiptState.SENT
    assert [one.kind for one in await clinic.deliveries(payment)].count("correction-2") == 2


async def test_a_correction_is_not_mailed_once_its_payment_is_gone_or_its_payer_wants_none(clinic: Clinic) -> None:
    """The receipt is what was mailed before, and the flag stays."""
    undone, unwanted = clinic.paid(), clinic.paid(OTHER_PDF)
    for payment in (undone, unwanted):
        await clinic.found(payment)
        await clinic.advance(payment, 2)
        await _changed(clinic, payment, 200_00)
    clinic.books.undo(undone)
    clinic.known = replace(clinic.known, no_mail=frozenset({CustomerId(clinic.ana.id)}))

    gone, without = await clinic.advance(undone), await clinic.advance(unwanted)

    assert (gone.state, gone.after, gone.amount) == (ReceiptState.SENT, After.UNDONE, 100_00)
    assert (without.state, without.after, without.amount) == (ReceiptState.SENT, After.CHANGED, 100_00)
    assert [bool(one.flagged_ms) for one in (gone, without)] == [True, True]
    assert len(clinic.server.accepted) == 2


async def test_a_correction_edited_while_it_is_sent_begins_anew_or_is_held(clinic: Clinic) -> None:
    """As a receipt is: nothing of it went out, or one address has it."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    payment.files[0].content = OTHER_PDF
    clinic.server.faults.replies = {"rcpt": "451 4.7.1 greylisted"}
    await _changed(clinic, payment, 200_00)
    await clinic.advance(payment, 2)
    clinic.server.faults.replies = {}
    clinic.books.edit(payment, gross=300_00)
    renewed = await clinic.advance(payment)
    assert (renewed.state, renewed.amount, renewed.was_mailed.amount) == (ReceiptState.FOUND, 300_00, 100_00)

    clinic.ana.email = "ana@medica.com.br,bia@medica.com.br"
    clinic.server.faults.replies = {"rcpt:bia@medica.com.br": "451 4.7.1 greylisted"}
    await clinic.advance(payment, 3)
    clinic.books.edit(payment, gross=400_00)
    held = await clinic.advance(payment)
    assert (held.state, held.reason) == (ReceiptState.HELD, Reason.PAYMENT_CHANGED)


async def test_a_correction_whose_change_is_taken_back_is_not_mailed(clinic: Clinic) -> None:
    """The mail that went out says what the payment is; the next change is another correction."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    await _changed(clinic, payment, 200_00)
    clinic.books.edit(payment, gross=100_00)

    back = await clinic.advance(payment)

    assert (back.state, back.amount, back.after, back.flagged_ms) == (ReceiptState.SENT, 100_00, None, 0)
    assert [one.kind for one in await clinic.deliveries(payment)] == ["receipt"]
    assert (await _changed(clinic, payment, 300_00)).correction == 2


async def test_after_a_correction_was_given_up_the_receipt_can_be_sent_once_more(clinic: Clinic) -> None:
    """Its document is our own, as that of the mail before was; else nobody would know where to get it."""
    clinic.company = a_company(policy=DocumentPolicy.OWN)
    payment = clinic.paid(None)
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    office = ByPerson(name="office", now=clinic.now)
    await choices.order_correction(clinic.lane, BaixaId(payment.id), office)
    await choices.skip(clinic.lane, BaixaId(payment.id), office)

    await choices.resend(clinic.lane, BaixaId(payment.id), choices.Resend(domain="payflow.example"), office)

    assert (await clinic.advance(payment)).state is ReceiptState.SENT
    assert len(clinic.server.accepted) == 2


async def test_another_customers_correction_names_no_receipt_of_before(clinic: Clinic) -> None:
    """They got none; under an override it is a test mail."""
    payment = clinic.paid()
    await clinic.found(payment)
    await clinic.advance(payment, 2)
    payment.files[0].content = OTHER_PDF
    after = await _changed(clinic, payment, 200_00)
    bia = clinic.books.person("Bia", email="bia@medica.com.br")
    await clinic.lane.save(after, replace(after, customer=CustomerId(bia.id), customer_name="Bia"))
    clinic.office = replace(clinic.office, override="test@payflow.example")

    await clinic.advance(payment, 2)

    assert [one.kind for one in await clinic.deliveries(payment)] == ["receipt", "test-correction-1"]
    mail = clinic.server.accepted[-1]
    assert mail.recipients == ("test@payflow.example",)
    assert "corrige" not in _text(mail)


@pytest.mark.parametrize(
    ("known", "state", "reason"),
    [
        (Known(by_customer={}, by_name={}, customers_of=lambda _: 9), ReceiptState.HELD, Reason.SHARED_ADDRESS),
        (Known(by_customer={}, by_name={}, no_mail=frozenset({CustomerId("x")})), ReceiptState.SKIPPED, Reason.NO_MAIL),
    ],
)
async def test_who_is_not_mailed_is_named_with_the_reason(
    clinic: Clinic, known: Known, state: ReceiptState, reason: Reason
) -> None:
    """Held for a person, or ended."""
    clinic.known = replace(known, no_mail=frozenset({CustomerId(clinic.ana.id)}) if known.no_mail else frozenset())
    payment = clinic.paid()
    await clinic.found(payment)

    found = await clinic.advance(payment)

    assert (found.state, found.reason) == (state, reason)


async def test_an_undone_payment_is_withdrawn(clinic: Clinic) -> None:
    """Before it is prepared, and also while its mail waits; its instalment is read again."""
    early, late = clinic.paid(), clinic.paid()
    await clinic.found(early)
    await clinic.found(late)
    clinic.server.faults.replies = {"rcpt": "451 4.7.1 greylisted"}
    await clinic.advance(late, 2)
    for payment in (early, late):
        clinic.books.undo(payment)

    for payment in (early, late):
        assert (await clinic.advance(payment)).state is ReceiptState.WITHDRAWN

    assert [one.state for one in await clinic.deliveries(late)] == [DeliveryState.CANCELLED]
    assert len(await clinic.lane.to_read_again(limit=9)) == 2


async def test_an_edited_payment_is_decided_anew(clinic: Clinic) -> None:
    """Before anything went out: other amount, other Message-ID, one mail."""
    payment = clinic.paid()
    await clinic.found(payment)
    clinic.server.faults.replies = {"rcpt": "451 4.7.1 greylisted"}
    await clinic.advance(payment, 2)
    (before,) = await clinic.deliveries(payment)
    clinic.server.faults.replies = {}
    clinic.books.edit(payment, gross=200_00)

    sent = await clinic.advance(payment, 3)

    assert (sent.state, sent.amount) == (ReceiptState.SENT, 200_00)
    (after,) = await clinic.deliveries(payment)
    assert (after.revision, after.message_id == before.message_id) == (2, False)
    assert len(clinic.server.accepted) == 1


async def test_a_payment_booked_again_is_covered(clinic: Clinic) -> None:
    """Its mail went out before it was undone; the same amount, date and customer is the same payment."""
    first = clinic.paid()
    await clinic.found(first)
    await clinic.advance(first, 2)
    clinic.books.undo(first)
    again = clinic.paid(OTHER_PDF, first.parcela)
    again_receipt = a_receipt(
        again.id,
        instalment=InstalmentId(again.parcela),
        customer=CustomerId(clinic.ana.id),
        amount=again.net,
        revision=again.revision,
        paid_on=again.paid_on.isoformat(),
        found_ms=clinic.now,
        due_ms=clinic.now,
    )
    instalment = await clinic.lane.instalment(InstalmentId(again.parcela))
    assert instalment
    await clinic.lane.add(instalment, instalment, [again_receipt], [])

    covered = await clinic.advance(again)

    assert (covered.state, covered.reason) == (ReceiptState.COVERED, Reason.RECREATED)
    assert len(clinic.server.accepted) == 1
    gone = await clinic.lane.receipt(BaixaId(first.id))
    assert gone
    assert gone.gone


async def test_a_mailed_sibling_that_is_still_there_changes_nothing(clinic: Clinic) -> None:
    """Two halves of one instalment are two payments, and two mails."""
    first = clinic.paid()
    await clinic.found(first)
    await clinic.advance(first, 2)
    second = clinic.paid(OTHER_PDF, first.parcela)
    instalment = await clinic.lane.instalment(InstalmentId(first.parcela))
    assert instalment
    receipt = a_receipt(
        second.id,
        instalment=instalment.id,
        customer=CustomerId(clinic.ana.id),
        amount=second.net,
        paid_on=second.paid_on.isoformat(),
        found_ms=clinic.now,
        due_ms=clinic.now,
    )
    await clinic.lane.add(instalment, instalment, [receipt], [])

    assert (await clinic.advance(second, 2)).state is ReceiptState.SENT
    assert len(clinic.server.accepted) == 2


async def test_more_people_than_can_be_read_are_no_proof_of_one(clinic: Clinic) -> None:
    """Then the map by name is not used."""
    clinic.ana.email = ""
    clinic.known = Known(by_customer={}, by_name={"ana": ("mapa@medica.com.br",)})
    payment = clinic.paid()
    await clinic.found(payment)

    async def endless(page: int) -> Sequence[Person]:
        assert page
        person = await clinic.api.person(CustomerId(clinic.ana.id))
        assert person
        return [person]

    clinic.api.people = endless  # type: ignore[method-assign]
    assert (await clinic.advance(payment)).reason is Reason.NO_RECIPIENT


async def test_a_receipt_that_moved_on_meanwhile_is_left_as_it_is(clinic: Clinic) -> None:
    """Held by a person while its mail was on its way: the delivery says what happened."""
    payment = clinic.paid()
    await clinic.found(payment)
    sending = await clinic.advance(payment)
    await clinic.lane.save(sending, replace(sending, state=ReceiptState.HELD, reason=Reason.INTERNAL))

    await clinic.work().advance(sending, clinic.company, clinic.lane, clinic.api)

    held = await clinic.lane.receipt(BaixaId(payment.id))
    assert held
    assert held.state is ReceiptState.HELD
    assert [one.state for one in await clinic.deliveries(payment)] == [DeliveryState.SENT]
