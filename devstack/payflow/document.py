"""A receipt as the ERP makes one: a small PDF that a person can open."""

from __future__ import annotations

from fpdf import FPDF


def receipt(title: str, centavos: int) -> bytes:
    """Return the PDF."""
    page = FPDF(format="A4")
    page.add_page()
    page.set_font("helvetica", size=18)
    page.cell(0, 12, title)
    page.ln(14)
    page.set_font("helvetica", size=12)
    page.cell(0, 8, f"R$ {centavos // 100},{centavos % 100:02d}")
    return bytes(page.output())
