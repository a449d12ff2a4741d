"""What the nouns promise beyond their fields."""

from __future__ import annotations

from foundation.clock import UnixMs
from payflow.model import BaixaId, Centavos, CompanyId, Composition, CustomerId, InstalmentId, PaymentKey
from payflow.state import (
    ENDED,
    HELD_REASONS,
    Company,
    CompanyStatus,
    Delivery,
    DeliveryState,
    Reason,
    Receipt,
    ReceiptState,
)

COMPANY, BAIXA = CompanyId("c1"), BaixaId("b1")


def test_a_payer_paid_gross_and_fine_and_interest_without_the_discount() -> None:
    """The bank's fee is the clinic's affair and no part of the receipt."""
    composition = Composition(
        gross=Centavos(1000_00), fine=Centavos(20_00), interest=Centavos(1_50), discount=Centavos(5), fee=Centavos(3_00)
    )

    assert composition.paid == 1021_45


def test_receipt_and_delivery_name_the_same_payment() -> None:
    """The payment's identity is company and baixa, nothing else."""
    receipt = Receipt(
        company=COMPANY,
        baixa=BAIXA,
        instalment=InstalmentId("i1"),
        customer=CustomerId("p1"),
        customer_name="Ana",
        amount=Centavos(1),
        paid_on="2026-02-10",
        revision=1,
        state=ReceiptState.FOUND,
        found_ms=UnixMs(1),
        changed_ms=UnixMs(1),
        due_ms=UnixMs(1),
    )
    delivery = Delivery(
        company=COMPANY,
        baixa=BAIXA,
        kind="receipt",
        number=1,
        address="ana@example.org",
        address_index="x",
        state=DeliveryState.READY,
        due_ms=UnixMs(1),
    )

    assert receipt.key == delivery.payment == PaymentKey(COMPANY, BAIXA)
    assert str(receipt.key) == "c1:b1"


def test_a_company_with_a_cpf_is_a_person() -> None:
    """Eleven digits are a CPF, fourteen a CNPJ."""
    person, clinic = (
        Company(id=COMPANY, status=CompanyStatus.ACTIVE, document=document, name="x")
        for document in ("12345678909", "12345678000195")
    )

    assert person.is_person
    assert not clinic.is_person


def test_each_reason_belongs_to_one_state() -> None:
    """Held, covered and skipped share one column: no word of it may mean two things."""
    covered = {Reason.SAME_DOCUMENT, Reason.RECREATED}
    skipped = {Reason.BEFORE_CONNECTION, Reason.NOT_A_PAYMENT, Reason.NO_MAIL, Reason.BY_PERSON}

    assert covered | skipped | HELD_REASONS == set(Reason)
    assert not (covered & HELD_REASONS)
    assert not (skipped & HELD_REASONS)
    assert ReceiptState.HELD not in ENDED
