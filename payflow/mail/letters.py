"""
A receipt's mail, built so that every attempt of one revision is the same bytes.

The text names the clinic, the amount and the date, and never what was paid for: a mail passes many hands. Every
header goes through ``one_line``; the standard library refuses what would still break a line.
"""

from __future__ import annotations

import hashlib
import html
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from foundation.clock import UnixMs
from payflow.mail.formats import br_date, brl, header_safe, masked_address
from payflow.model import NO_TERMS, Centavos, PaymentTerms
from payflow.state import Delivery

TEMPLATE = "1"
"""Rises with every change of the texts below: stored with a delivery, because its bytes must not change."""


PORTUGUESE, ENGLISH = "pt", "en"
"""The languages a customer can have; Portuguese unless set."""


def template(language: str) -> str:
    """Return what is stored with a delivery of its text: version and language."""
    return TEMPLATE if language == PORTUGUESE else f"{TEMPLATE}-{language}"


def language_of(stored: str) -> str:
    """Return the language of a stored template."""
    return stored.partition("-")[2] or PORTUGUESE


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a mail says. ``language`` is ``pt`` or ``en``."""

    clinic: str
    payer: str
    amount: Centavos
    paid_on: str
    language: str = "pt"
    number: str = ""
    """A short number for the file name; no document number of a person."""
    corrects: PaymentTerms = NO_TERMS
    """What the mail said that this one replaces; nothing where it replaces none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """Who sends, and what keeps the bytes the same."""

    sender_name: str
    sender_address: str
    recipient: str
    reply_to: str
    message_id: str
    date_ms: UnixMs
    boundary: str
    instead_of: str = ""
    """The true address, when an override outside production gets the mail."""


def message_id(delivery: Delivery, domain: str) -> str:
    """Return the Message-ID: the same for every attempt, another for another address, document or kind."""
    name = "|".join(map(str, (*delivery.payment, delivery.kind, delivery.number, delivery.revision)))
    return f"<{hashlib.sha256(name.encode()).hexdigest()[:40]}@{domain}>"


def build(envelope: Envelope, content: Content, document: bytes) -> bytes:
    """Return the whole message with CRLF line ends."""
    message = EmailMessage(policy=SMTP)
    message["From"] = _address(envelope.sender_name, envelope.sender_address)
    message["To"] = _address("", envelope.recipient)
    message["Subject"] = _subject(envelope, content)
    message["Date"] = format_datetime(datetime.fromtimestamp(envelope.date_ms / 1000, UTC))
    message["Message-ID"] = envelope.message_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if envelope.reply_to:
        message["Reply-To"] = _address("", envelope.reply_to)
    text = _text(envelope, content)
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(_html(text), subtype="html", cte="quoted-printable")
    message.add_attachment(document, maintype="application", subtype="pdf", filename=file_name(content))
    _bound(message, envelope.boundary)
    return message.as_bytes()


def file_name(content: Content) -> str:
    """Return ``recibo_<number>_<date>.pdf``: only letters, digits, ``-`` and ``_``."""
    number = "".join(sign for sign in content.number if sign.isascii() and sign.isalnum())[:20]
    word = "recibo" if content.language == "pt" else "receipt"
    return "_".join(filter(None, (word, number, content.paid_on))) + ".pdf"


def _subject(envelope: Envelope, content: Content) -> str:
    test = "[TESTE] " if envelope.instead_of else ""
    words = _SUBJECTS[content.language, bool(content.corrects)]
    return header_safe(f"{test}{words} - {content.clinic}")


def _text(envelope: Envelope, content: Content) -> str:
    said = _TEXTS[content.language, bool(content.corrects)].format(
        payer=header_safe(content.payer),
        clinic=header_safe(content.clinic),
        amount=brl(content.amount),
        date=_day(content.paid_on, content.language),
        was_amount=brl(content.corrects.amount),
        was_date=_day(content.corrects.paid_on, content.language),
    )
    if envelope.instead_of:
        said = f"Mensagem de teste; o destinatário seria {masked_address(envelope.instead_of)}.\n\n{said}"
    return said


def _day(iso: str, language: str) -> str:
    return br_date(iso) if iso and language == "pt" else iso


def _html(text: str) -> str:
    paragraphs = "".join(f"<p>{html.escape(part).replace(chr(10), '<br>')}</p>" for part in text.strip().split("\n\n"))
    return f'<html><body style="font-family:sans-serif;color:#222;max-width:36em">{paragraphs}</body></html>\n'


def _address(name: str, address: str) -> Address:
    return Address(display_name=header_safe(name), addr_spec=address)


def _bound(message: EmailMessage, boundary: str) -> None:
    """Give each multipart its stored boundary; the library would draw another at each attempt."""
    parts = (part for part in message.walk() if part.get_content_maintype() == "multipart")
    for number, part in enumerate(parts):
        part.set_boundary(f"={boundary}-{number}=")


_SUBJECTS = {
    ("pt", False): "Recibo de pagamento",
    ("en", False): "Payment receipt",
    ("pt", True): "Correção do recibo de pagamento",
    ("en", True): "Corrected payment receipt",
}
_TEXTS = {
    ("pt", False): (
        "Olá, {payer},\n\n"
        "segue em anexo o recibo do pagamento de {amount}, recebido em {date} por {clinic}.\n\n"
        "Esta mensagem é automática. Em caso de dúvida, responda a este e-mail.\n"
    ),
    ("en", False): (
        "Hello {payer},\n\n"
        "please find attached the receipt for your payment of {amount}, received on {date} by {clinic}.\n\n"
        "This message was sent automatically. If you have any questions, please reply to it.\n"
    ),
    ("pt", True): (
        "Olá, {payer},\n\n"
        "segue em anexo o recibo correto do seu pagamento: {amount}, recebido em {date} por {clinic}.\n\n"
        "Ele corrige e substitui o recibo de {was_amount}, com data de {was_date}, que lhe enviamos antes. Por favor, "
        "desconsidere aquele.\n\n"
        "Esta mensagem é automática. Em caso de dúvida, responda a este e-mail.\n"
    ),
    ("en", True): (
        "Hello {payer},\n\n"
        "please find attached the correct receipt for your payment: {amount}, received on {date} by {clinic}.\n\n"
        "It corrects and replaces the receipt of {was_amount}, dated {was_date}, that we sent you before. Please "
        "disregard that one.\n\n"
        "This message was sent automatically. If you have any questions, please reply to it.\n"
    ),
}
