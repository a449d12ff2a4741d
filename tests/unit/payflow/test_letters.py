"""A receipt's mail: safe headers, the same bytes at each attempt, and texts as people in Brazil read them."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.clock import UnixMs
from payflow.mail import formats
from payflow.mail.letters import TEMPLATE, Content, Envelope, build, file_name, language_of, message_id, template
from payflow.model import Centavos
from tests.unit.payflow.test_delivery_rules import READY

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4
CONTENT = Content(
    clinic="Clínica São Lucas", payer="Dra. Ana", amount=Centavos(123456), paid_on="2026-02-10", number="A7"
)
ENVELOPE = Envelope(
    sender_name="Clínica São Lucas",
    sender_address="recibos@clinica.example",
    recipient="ana@medica.example",
    reply_to="financeiro@clinica.example",
    message_id=message_id(READY, "clinica.example"),
    date_ms=UnixMs(1_770_717_600_000),
    boundary="b0",
)


def _parsed(envelope: Envelope, content: Content):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- EmailMessage is generic in newer Pythons
    return message_from_bytes(build(envelope, content, PDF), policy=default)


def test_a_mail_has_everything_a_mailbox_wants() -> None:
    """Date, Message-ID, automatic, both texts, and the document byte for byte."""
    mail = _parsed(ENVELOPE, CONTENT)

    assert mail["From"] == "Clínica São Lucas <recibos@clinica.example>"
    assert mail["To"] == "ana@medica.example"
    assert mail["Subject"] == "Recibo de pagamento - Clínica São Lucas"
    assert mail["Date"] == "Tue, 10 Feb 2026 10:00:00 +0000"
    assert mail["Message-ID"] == ENVELOPE.message_id
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Reply-To"] == "financeiro@clinica.example"
    text = mail.get_body(("plain",)).get_content()
    assert "R$\N{NO-BREAK SPACE}1.234,56, recebido em 10/02/2026 por Clínica São Lucas" in text
    assert "<p>Olá, Dra. Ana,</p>" in mail.get_body(("html",)).get_content()
    (document,) = mail.iter_attachments()
    assert (document.get_filename(), document.get_content_type()) == ("recibo_A7_2026-02-10.pdf", "application/pdf")
    assert document.get_content() == PDF


def test_every_attempt_is_the_same_bytes() -> None:
    """Also the boundaries, which the library would draw anew."""
    assert build(ENVELOPE, CONTENT, PDF) == build(ENVELOPE, CONTENT, PDF)
    assert b"boundary" in build(ENVELOPE, CONTENT, PDF)


def test_the_message_id_is_that_of_the_revision() -> None:
    """Another address, kind, or document is another mail."""
    ids = {
        message_id(delivery, "d.example")
        for delivery in (READY, replace(READY, number=2), replace(READY, kind="x"), replace(READY, revision=2))
    }

    assert len(ids) == 4
    assert message_id(READY, "d.example") == message_id(replace(READY, attempt=3, owner="w"), "d.example")


def test_an_english_customer_gets_the_english_twin() -> None:
    """By the customer's setting; amounts stay in reais."""
    mail = _parsed(replace(ENVELOPE, reply_to=""), replace(CONTENT, language="en"))

    assert mail["Subject"].startswith("Payment receipt - ")
    assert mail["Reply-To"] is None
    assert next(mail.iter_attachments()).get_filename() == "receipt_A7_2026-02-10.pdf"
    assert "received on 2026-02-10" in mail.get_body(("plain",)).get_content()


def test_the_language_is_stored_with_the_text() -> None:
    """A mail on its way keeps its bytes, whatever the customer's setting says later."""
    assert [language_of(one) for one in ("", "1", template("pt"), template("en"))] == ["pt", "pt", "pt", "en"]
    assert template("pt") == TEMPLATE  # as versions before wrote it


def test_a_mail_of_an_override_says_so() -> None:
    """The subject is marked, the true address is masked."""
    mail = _parsed(replace(ENVELOPE, instead_of="ana@medica.example"), CONTENT)

    assert mail["Subject"].startswith("[TESTE] ")
    text = mail.get_body(("plain",)).get_content()
    assert "a***@medica.example" in text
    assert "ana@" not in text


@pytest.mark.parametrize(
    "name",
    [
        "Ana\r\nBcc: x@evil.example",
        'Ana "Doc" <x@evil.example>',
        "Ana 🩺 Ünï",
        "Ana\u2028\u2029\x00\x0b\x85Bcc: x",
        "a" * 9_000,
    ],
)
def test_no_name_adds_a_header(name: str) -> None:
    """Line breaks of every kind, quotes, emoji, length."""
    mail = _parsed(replace(ENVELOPE, sender_name=name), replace(CONTENT, clinic=name, payer=name, number=name))

    assert mail["Bcc"] is None
    assert mail["From"].addresses[0].addr_spec == "recibos@clinica.example"
    assert len(mail["From"].addresses) == 1
    assert len(mail["Subject"]) <= 150


@given(st.text(max_size=60))
def test_any_clinic_name_makes_one_mail(name: str) -> None:
    """Building is total, and the headers stay those we wrote."""
    mail = _parsed(replace(ENVELOPE, sender_name=name), replace(CONTENT, clinic=name, payer=name, number=name))

    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "Reply-To",
        "MIME-Version",
        "Content-Type",
    }


def test_a_file_name_has_only_plain_signs() -> None:
    """No path, no quote, no document number."""
    assert file_name(replace(CONTENT, number="../../é\"'\r\n9")) == "recibo_9_2026-02-10.pdf"
    assert file_name(replace(CONTENT, number="")) == "recibo_2026-02-10.pdf"


@pytest.mark.parametrize(
    ("amount", "figures", "words"),
    [
        (0, "0,00", "zero reais"),
        (1, "0,01", "um centavo"),
        (100, "1,00", "um real"),
        (123456, "1.234,56", "mil duzentos e trinta e quatro reais e cinquenta e seis centavos"),
        (200_000_000, "2.000.000,00", "dois milhões de reais"),
        (100_000_001, "1.000.000,01", "um milhão de reais e um centavo"),
        (100_000_100, "1.000.001,00", "um milhão e um reais"),
    ],
)
def test_amounts_in_figures_and_words(amount: int, figures: str, words: str) -> None:
    """Whole centavos, never a float."""
    assert formats.brl(Centavos(amount)) == f"R${formats.NBSP}{figures}"
    assert formats.brl_in_words(Centavos(amount)) == words


def test_a_negative_amount_shows_its_sign() -> None:
    """A discount can be more than the rest."""
    assert formats.brl(Centavos(-150)) == f"-R${formats.NBSP}1,50"


@pytest.mark.parametrize(
    ("digits", "shown"),
    [("12345678901", "***.456.789-**"), ("12345678000195", "12.345.678/0001-95"), ("", "")],
)
def test_a_persons_document_is_masked(digits: str, shown: str) -> None:
    """A company's is public."""
    assert formats.masked_document(digits) == shown
