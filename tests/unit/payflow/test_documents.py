"""Which document a receipt gets; our own; and whether a file is a PDF."""

from __future__ import annotations

import asyncio
import io
import sys
import time
import zlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter

from foundation.clock import UnixMs
from foundation.errors import InvariantBroken
from payflow.documents import comprovante, pdf, pdf_child, waiting
from payflow.documents.comprovante import Payment
from payflow.documents.pdf import Checked
from payflow.documents.waiting import Choice, Want
from payflow.mail.formats import NBSP
from payflow.model import Attachment, Baixa, BaixaId, Centavos, Composition, InstalmentId
from payflow.state import DocumentPolicy, Reason

FOUND = UnixMs(1_770_717_600_000)
HOUR = 3_600_000
PAYMENT = Payment(
    company="Clínica São Lucas Ltda",
    company_document="12345678000195",
    payer="Dra. Ana Conceição",
    payer_document="12345678901",
    paid_on="2026-02-10",
    composition=Composition(
        gross=Centavos(150_000), fine=Centavos(3_000), interest=Centavos(150), discount=Centavos(1_000)
    ),
    number="7f3a-22",
)


def _file(kind: str, *, is_file: bool = True) -> Attachment:
    return Attachment(id=kind, name="r.pdf", url="https://files.example/r.pdf", kind=kind, is_file=is_file)


def _baixa(*files: Attachment) -> Baixa:
    return Baixa(
        id=BaixaId("b1"),
        instalment=InstalmentId("i1"),
        revision=1,
        paid_on="2026-02-10",
        composition=Composition(gross=Centavos(100)),
        method="PIX",
        updated_ms=FOUND,
        attachments=files,
    )


DIGITAL, RECEIPT, OTHER = _file("RECIBO_DIGITAL"), _file("RECIBO"), _file("BOLETO_BANCARIO")


@pytest.mark.parametrize(
    ("of_baixa", "of_instalment", "expected"),
    [
        ([RECEIPT, DIGITAL], [DIGITAL], DIGITAL),
        ([OTHER, RECEIPT], [DIGITAL], RECEIPT),
        ([OTHER], [RECEIPT], RECEIPT),
        ([_file("RECIBO_DIGITAL", is_file=False)], [], None),
        ([], [OTHER], None),
    ],
)
def test_the_payments_own_receipt_comes_first(
    of_baixa: list[Attachment], of_instalment: list[Attachment], expected: Attachment | None
) -> None:
    """Digital before other, files only, the instalment's last."""
    assert waiting.receipt_document(_baixa(*of_baixa), of_instalment) == expected


@pytest.mark.parametrize(
    ("policy", "attachment", "hours", "may_own", "expected"),
    [
        (DocumentPolicy.OWN, DIGITAL, 0, True, Choice(want=Want.OWN)),
        (DocumentPolicy.OWN, DIGITAL, 0, False, Choice(want=Want.DOWNLOAD, attachment=DIGITAL)),
        (DocumentPolicy.ERP, DIGITAL, 80, True, Choice(want=Want.DOWNLOAD, attachment=DIGITAL)),
        (DocumentPolicy.ERP_THEN_OWN, None, 2, True, Choice(want=Want.OWN)),
        (DocumentPolicy.ERP_THEN_OWN, None, 72, False, Choice(want=Want.HOLD, reason=Reason.NO_DOCUMENT)),
        (DocumentPolicy.ERP, None, 72, True, Choice(want=Want.HOLD, reason=Reason.NO_DOCUMENT)),
        (DocumentPolicy.ERP, None, 1, True, Choice(want=Want.WAIT, next_ms=UnixMs(FOUND + HOUR + 15_000))),
        (DocumentPolicy.ERP_THEN_OWN, None, 1.999, True, Choice(want=Want.WAIT, next_ms=UnixMs(FOUND + 2 * HOUR))),
    ],
)
def test_the_policy_decides(
    policy: DocumentPolicy, attachment: Attachment | None, hours: float, may_own: bool, expected: Choice
) -> None:
    """A company that is a person never makes its own; a wait never goes past its end."""
    now = UnixMs(FOUND + int(hours * HOUR))

    assert waiting.next_document(policy, attachment, found_ms=FOUND, asks=0, may_make_own=may_own, now=now) == expected


def test_a_document_that_never_comes_is_asked_for_twelve_times_more() -> None:
    """At once, and up to 72 hours later; never is the pause longer than what the alarm of a late document bridges."""
    moments = waiting.asked_at(FOUND)

    assert len(moments) == 1 + 12
    assert moments[-1] == FOUND + 72 * HOUR
    assert max(later - at for at, later in pairwise(moments)) <= 18 * HOUR


def test_after_the_last_short_wait_it_is_asked_for_twice_a_day() -> None:
    """Twelve hours between."""
    choice = waiting.next_document(
        DocumentPolicy.ERP, None, found_ms=FOUND, asks=9, may_make_own=True, now=UnixMs(FOUND + 9)
    )

    assert choice.next_ms == FOUND + 9 + 12 * HOUR


def test_our_own_document_says_what_was_paid() -> None:
    """Parts, sum in figures and words, masked CPF, and what it does not replace."""
    reader = PdfReader(io.BytesIO(comprovante.make(PAYMENT)))
    text = " ".join(reader.pages[0].extract_text().replace(NBSP, " ").split())

    assert "Comprovante de pagamento" in text
    assert "Valor bruto R$ 1.500,00 Multa R$ 30,00 Juros R$ 1,50 Desconto - R$ 10,00" in text
    assert "R$ 1.521,50 (mil quinhentos e vinte e um reais e cinquenta centavos)" in text
    assert "Dra. Ana Conceição - CPF ***.456.789-**" in text
    assert "CNPJ 12.345.678/0001-95" in text
    assert "Não substitui a nota fiscal nem o recibo eletrônico Receita Saúde" in text
    assert len(reader.pages) == 1


def test_our_own_document_is_the_same_bytes_each_time() -> None:
    """Its hash tells whether it was mailed already."""
    assert comprovante.make(PAYMENT) == comprovante.make(PAYMENT)
    assert comprovante.make(PAYMENT) != comprovante.make(replace(PAYMENT, number="other"))


def test_a_simple_payment_shows_no_parts() -> None:
    """The amount alone; signs the font lacks do no harm."""
    simple = replace(PAYMENT, payer="Ana 🩺\r\nx", payer_document="", composition=Composition(gross=Centavos(100)))

    assert [name for name, _ in comprovante.document_lines(simple)][3] == "Valor pago"
    assert comprovante.make(simple).startswith(b"%PDF-")


@pytest.mark.parametrize(
    "payment",
    [replace(PAYMENT, company_document="12345678901"), replace(PAYMENT, composition=Composition(gross=Centavos(0)))],
)
def test_no_document_where_none_may_be(payment: Payment) -> None:
    """A doctor who is a person owes Receita Saúde; nothing paid is nothing to confirm."""
    with pytest.raises(InvariantBroken):
        comprovante.make(payment)


def _encrypted() -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(comprovante.make(PAYMENT)))
    writer.encrypt("secret", algorithm="RC4-128")
    return _written(writer)


def _written(writer: PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def _looping() -> bytes:
    """Pages whose tree leads back to itself."""
    good = comprovante.make(PAYMENT)
    return good.replace(b"/Kids [3 0 R]", b"/Kids [1 0 R]")


def _bomb() -> bytes:
    """A page whose content is 300 MB of zeros once it is unpacked."""
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
    head = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    page = b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>endobj\n"
    stream = b"4 0 obj<</Filter/FlateDecode/Length %d>>stream\n%s\nendstream endobj\n" % (len(packed), packed)
    return head + page + stream + b"trailer<</Root 1 0 R/Size 5>>\nstartxref\n0\n%%EOF\n"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (comprovante.make(PAYMENT), Checked.FINE),
        (b"", Checked.NOT_A_PDF),
        (b"<html><title>recibo.pdf</title></html>" * 9, Checked.NOT_A_PDF),
        (b"%PDF-1.7\n" + b"x" * 500, Checked.UNREADABLE),
        (b"%PDF-1.7\n" + bytes(pdf.BYTES_MAX), Checked.TOO_LARGE),
        (_encrypted(), Checked.ENCRYPTED),
        (_written(PdfWriter()), Checked.EMPTY),
    ],
)
async def test_only_a_pdf_that_opens_is_mailed(document: bytes, expected: Checked) -> None:
    """Asked in a child process."""
    assert await pdf.check_document(document) is expected


@pytest.mark.parametrize("document", [_looping(), _bomb()], ids=["looping", "bomb"])
async def test_a_hostile_file_costs_a_child_and_nothing_else(document: bytes) -> None:
    """Bounded in time and memory, and never fine."""
    started = time.monotonic()

    assert await pdf.check_document(document) is not Checked.FINE
    assert time.monotonic() - started < pdf.WALL_S_MAX + 5


async def test_a_child_that_gets_no_turn_says_nothing_of_the_document(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The parent's clock is the last limit; a machine that is too busy is not a broken file."""
    sleeper = tmp_path / "sleeps"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(sleeper))
    monkeypatch.setattr(pdf, "WALL_S_MAX", 0.2)

    with pytest.raises(pdf.NotChecked, match="too busy"):
        await asyncio.wait_for(pdf.check_document(comprovante.make(PAYMENT)), 10)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (comprovante.make(PAYMENT), Checked.FINE),
        (b"%PDF-1.7 nothing", Checked.UNREADABLE),
        (_encrypted(), Checked.ENCRYPTED),
    ],
)
def test_the_child_says_one_word(document: bytes, expected: Checked) -> None:
    """What it runs, in this process."""
    assert pdf_child.look(document) is expected
