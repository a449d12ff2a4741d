"""Money, dates, documents and addresses as people in Brazil read them; and as logs may show them."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from num2words import num2words

from payflow.model import Centavos

_ADDRESS: Final = re.compile(r"[^\s<>()\"']+@[^\s<>()\"',;]+")

_MILLION: Final = 1_000_000
NBSP = "\N{NO-BREAK SPACE}"


def brl(amount: Centavos) -> str:
    """Return *amount* as ``R$ 1.234,56``, with a space that does not break."""
    reais, centavos = divmod(abs(amount), 100)
    sign = "-" if amount < 0 else ""
    return f"{sign}R${NBSP}{reais:,}".replace(",", ".") + f",{centavos:02d}"


def brl_in_words(amount: Centavos) -> str:
    """Return *amount* in words: *mil reais e um centavo*, *um milhão de reais*."""
    reais, centavos = divmod(amount, 100)
    parts = [_counted(reais, "real", "reais")] if reais or not centavos else []
    if centavos:
        parts.append(_counted(centavos, "centavo", "centavos"))
    return " e ".join(parts)


def br_date(iso: str) -> str:
    """Return an ISO date as ``dd/mm/aaaa``."""
    return date.fromisoformat(iso).strftime("%d/%m/%Y")


def masked_document(digits: str) -> str:
    """Return a CPF as ``***.456.789-**``; a CNPJ, which is public, in full."""
    if len(digits) == 11:  # noqa: PLR2004 -- a CPF
        return f"***.{digits[3:6]}.{digits[6:9]}-**"
    if len(digits) == 14:  # noqa: PLR2004 -- a CNPJ
        return f"{digits[:2]}.{digits[2:5]}.{digits[5:8]}/{digits[8:12]}-{digits[12:]}"
    return ""


def masked_address(address: str) -> str:
    """Return an address as ``a***@dominio``."""
    name, _, domain = address.partition("@")
    return f"{name[:1]}***@{domain}"


def without_addresses(text: str) -> str:
    """Return *text* with each mail address in it masked."""
    return _ADDRESS.sub(lambda found: masked_address(found[0]), text)


def header_safe(text: str, longest: int = 150) -> str:
    """Return *text* without line breaks, control and invisible signs: safe in a header or a file name."""
    visible = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(visible.split())[:longest].strip()


def _counted(number: int, one: str, many: str) -> str:
    words = num2words(number, lang="pt_BR").replace(",", "")
    of = " de" if number and number % _MILLION == 0 else ""
    return f"{words}{of} {one if number == 1 else many}"
