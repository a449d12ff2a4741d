"""What an office is mailed, and how values look on its page."""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from foundation.clock import UnixMs
from payflow.delivery.rules import IDLE_MS
from payflow.office.filters import day, when
from payflow.office.letters import Letters
from payflow.office.views import ReceiptView
from payflow.state import DeliveryState
from tests.fakes.payflow import COMPANY, NOW, a_company, a_delivery, a_receipt

LETTERS = Letters(sender="recibos@payflow.example", origin="https://payflow.example")


def read(data: bytes) -> tuple[EmailMessage, str]:
    """Return a mail and its text."""
    message = message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    return message, str(message.get_content()).replace("\r\n", "\n")


def test_a_code_is_in_the_text_alone() -> None:
    """A locked telephone shows subjects; the address of the page holds no secret."""
    message, text = read(LETTERS.code(a_company(), "01234567", NOW))

    assert (message["To"], message["From"]) == ("financeiro.canaria@example.org", "PayFlow <recibos@payflow.example>")
    assert "01234567" in text
    assert f"https://payflow.example/office/{COMPANY}\n" in text
    assert "01234567" not in str(message["Subject"])
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_digest_names_no_payer() -> None:
    """Counts by reason."""
    message, text = read(LETTERS.digest(a_company(), {"Chegou ou não?": 2, "Sem endereço de e-mail": 1}, [], NOW))

    assert message["Subject"] == "3 recibos esperam por você - Clínica Canária"
    assert "- Chegou ou não?: 2\n- Sem endereço de e-mail: 1\n" in text
    one, _ = read(LETTERS.digest(a_company(), {"Chegou ou não?": 1}, [], NOW))
    assert str(one["Subject"]).startswith("1 recibo espera por você")


def test_outside_production_the_override_gets_it() -> None:
    """Marked, the true address masked; a clinic's name breaks no header."""
    letters = Letters(sender="r@payflow.example", origin="https://x", override="teste@payflow.example")
    company = a_company(name="Clínica\r\nBcc: x@evil.example")

    message, text = read(letters.code(company, "01234567", NOW))

    assert (message["To"], message["Bcc"]) == ("teste@payflow.example", None)
    assert str(message["Subject"]).startswith("[TESTE] ")
    assert "o destinatário seria f***@example.org" in text
    assert "financeiro.canaria" not in text


def test_an_unknown_mail_may_go_again_when_no_dot_can_follow() -> None:
    """Fifteen minutes after the last deadline; one that is decided is not asked about."""
    deadline = UnixMs(NOW + 5)
    unknown = a_delivery(state=DeliveryState.UNKNOWN, attempt_deadline_ms=deadline)
    decided = a_delivery(state=DeliveryState.UNKNOWN, attempt_deadline_ms=UnixMs(NOW + 9), decided_by="office")

    item = ReceiptView(receipt=a_receipt(), mails=[unknown, decided])

    assert (item.undecided, item.again_ms) == ([unknown], deadline + IDLE_MS)


def test_moments_and_days_are_shown_as_in_brazil() -> None:
    """What there is none of is a dash."""
    assert (when(NOW), when(0)) == ("01/01/2026 06:40", "-")
    assert (day("2026-01-02"), day("")) == ("02/01/2026", "-")
