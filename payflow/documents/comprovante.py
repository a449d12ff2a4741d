"""
Our own document: a *comprovante de pagamento* in Portuguese, the same bytes for the same payment.

It is for companies only. A doctor who works as a person must issue the tax authority's own receipt (Receita Saúde),
and nothing here may look like one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fpdf import FPDF

from foundation.errors import require
from payflow.mail.formats import br_date, brl, brl_in_words, header_safe, masked_document
from payflow.model import Composition

DISCLAIMER: Final = (
    "Este comprovante atesta o registro do pagamento no sistema financeiro do emitente. "
    "Não substitui a nota fiscal nem o recibo eletrônico Receita Saúde."
)
_WIDTH_MM: Final = 170


@dataclass(frozen=True, kw_only=True, slots=True)
class Payment:
    """What the document says."""

    company: str
    company_document: str
    """CNPJ, digits only."""
    payer: str
    payer_document: str
    paid_on: str
    composition: Composition
    number: str


def make(payment: Payment) -> bytes:
    """Return the PDF. Raises InvariantBroken for a company that is a person, or an amount that is not positive."""
    require(len(payment.company_document) == 14, "a comprovante is made for companies only")  # noqa: PLR2004 -- CNPJ
    require(payment.composition.paid > 0, "a comprovante is made for an amount that was paid")
    page = FPDF(format="A4")
    page.set_margins(20, 20)
    page.set_creation_date(datetime.fromisoformat(payment.paid_on).replace(tzinfo=UTC))
    page.set_title("Comprovante de pagamento")
    page.set_lang("pt-BR")
    page.add_page()
    _head(page, payment)
    for name, value in document_lines(payment):
        _line(page, name, value)
    _foot(page)
    return bytes(page.output())


def document_lines(payment: Payment) -> list[tuple[str, str]]:
    """Return the document's lines; a part of the amount that is zero has none."""
    parts = payment.composition
    composed = [("Valor bruto", parts.gross), ("Multa", parts.fine), ("Juros", parts.interest)]
    amounts = [(name, brl(amount)) for name, amount in composed if amount]
    if parts.discount:
        amounts.append(("Desconto", f"- {brl(parts.discount)}"))
    return [
        ("Recebido de", _named(payment.payer, payment.payer_document)),
        ("Recebido por", _named(payment.company, payment.company_document)),
        ("Data do pagamento", br_date(payment.paid_on)),
        *(amounts if len(amounts) > 1 else []),
        ("Valor pago", f"{brl(parts.paid)} ({brl_in_words(parts.paid)})"),
        ("Identificação", payment.number),
    ]


def _named(name: str, document: str) -> str:
    shown = masked_document(document)
    kind = "CNPJ" if len(document) == 14 else "CPF"  # noqa: PLR2004 -- digits of a CNPJ
    return f"{header_safe(name)} - {kind} {shown}" if shown else header_safe(name)


def _head(page: FPDF, payment: Payment) -> None:
    page.set_font("Helvetica", "B", 16)
    page.multi_cell(_WIDTH_MM, 9, _latin(header_safe(payment.company)), new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", "", 14)
    page.cell(_WIDTH_MM, 12, "Comprovante de pagamento", new_x="LMARGIN", new_y="NEXT")
    page.ln(4)


def _line(page: FPDF, name: str, value: str) -> None:
    page.set_font("Helvetica", "B", 10)
    page.cell(_WIDTH_MM, 6, _latin(name), new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", "", 12)
    page.multi_cell(_WIDTH_MM, 7, _latin(value), new_x="LMARGIN", new_y="NEXT")
    page.ln(2)


def _foot(page: FPDF) -> None:
    page.ln(6)
    page.set_font("Helvetica", "I", 9)
    page.multi_cell(_WIDTH_MM, 5, _latin(DISCLAIMER), new_x="LMARGIN", new_y="NEXT")


def _latin(text: str) -> str:
    """Return *text* in the signs that the document's built-in font has; another sign is a question mark."""
    return text.encode("latin-1", errors="replace").decode("latin-1")
