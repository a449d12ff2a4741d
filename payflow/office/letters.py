"""What an office is mailed: codes, and what waits. In Portuguese, plain text; no payer is named in a mail."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from foundation.clock import UnixMs
from payflow.mail.formats import br_date, brl, header_safe, masked_address
from payflow.model import PaymentTerms
from payflow.state import Company, Receipt

_CODE: Final = (
    "Olá,\n\n"
    "seu código para abrir a página de recibos de {clinic}:\n\n"
    "    {code}\n\n"
    "Digite-o no mesmo navegador em que você o pediu. Ele vale por 10 minutos e uma única vez.\n"
    "A página: {page}\n\n"
    "Se você não pediu um código, ignore esta mensagem. Ninguém entra sem ele: não o repasse a ninguém.\n"
)
_DIGEST: Final = (
    "Olá,\n\n"
    "há recibos de {clinic} esperando por você:\n\n"
    "{lines}\n\n"
    "Abra a página, peça um código e decida: {page}\n\n"
    "Esta mensagem é enviada no máximo uma vez por dia, e só quando algo espera.\n"
)


def changed(receipt: Receipt) -> str:
    """Return what became of a payment after its receipt was mailed; the payer is not named."""
    was = f"era {_said(receipt.terms)}"
    if receipt.gone:
        return f"{was}; foi desfeito"
    other = ", de outro cliente" if receipt.now_is.customer != receipt.customer else ""
    return f"{was}; agora é {_said(receipt.now_is)}{other}"


def _said(terms: PaymentTerms) -> str:
    return f"{brl(terms.amount)} em {br_date(terms.paid_on)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Letters:
    """How mails to offices are made: settings of the installation."""

    sender: str
    origin: str
    override: str = ""
    """Outside production every mail goes here, and nowhere else."""

    def page(self, company: Company) -> str:
        """Return the address of a company's page. Nothing in it is secret."""
        return f"{self.origin}/office/{company.id}"

    def recipient(self, company: Company) -> str:
        """Return who gets the mails of a company's office."""
        return self.override or company.contact

    def code(self, company: Company, code: str, now: UnixMs) -> bytes:
        """Return the mail with a code. The code is not in the subject: a locked telephone shows that."""
        text = _CODE.format(clinic=header_safe(company.name), code=code, page=self.page(company))
        return self._mail(company, "Seu código para a página de recibos", text, now)

    def digest(self, company: Company, waiting: Mapping[str, int], changes: Sequence[str], now: UnixMs) -> bytes:
        """Return the mail that says how many receipts wait, by the titles of their reasons, and what *changes* are."""
        lines = "\n".join(f"- {title}: {count}" for title, count in waiting.items())
        if changes:
            lines += "\n\nO que mudou depois do envio:\n\n" + "\n".join(f"- {one}" for one in changes)
        text = _DIGEST.format(clinic=header_safe(company.name), lines=lines, page=self.page(company))
        count = sum(waiting.values())
        said = "1 recibo espera" if count == 1 else f"{count} recibos esperam"
        return self._mail(company, f"{said} por você", text, now)

    def _mail(self, company: Company, subject: str, text: str, now: UnixMs) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(display_name="PayFlow", addr_spec=self.sender)
        message["To"] = Address(addr_spec=self.recipient(company))
        message["Subject"] = header_safe(f"{'[TESTE] ' if self.override else ''}{subject} - {company.name}")
        message["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
        message["Message-ID"] = f"<office-{secrets.token_hex(16)}@{self.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        instead = f"Mensagem de teste; o destinatário seria {masked_address(company.contact)}.\n\n"
        message.set_content((instead if self.override else "") + text, cte="quoted-printable")
        return message.as_bytes()
