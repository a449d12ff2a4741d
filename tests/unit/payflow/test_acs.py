"""What is posted to Azure Communication Services, and what its answers mean."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payflow.delivery.sender import STOP_MS_MIN, SenderAccount, after
from payflow.mail import acs
from payflow.mail.codes import Phase, Verdict
from payflow.mail.letters import Envelope, build
from payflow.mail.smtp import SmtpOutcome
from tests.fakes.payflow import NOW
from tests.unit.payflow.test_letters import CONTENT, ENVELOPE

HASH = "0123456789abcdef0123456789abcdef01234567"
MESSAGE_ID = f"<{HASH}@payflow.example>"


def test_an_operation_is_named_by_the_message_id_for_good() -> None:
    """The same for every attempt; a report that names it leads back to the Message-ID."""
    operation = acs.operation_of(MESSAGE_ID)

    assert (UUID(operation).version, acs.operation_of(MESSAGE_ID)) == (5, operation)
    assert acs.operation_of(f"<{'f' * 40}@payflow.example>") != operation
    assert HASH.startswith(acs.message_prefix(operation.upper()))
    assert acs.message_prefix("nothing") == ""


@pytest.mark.parametrize("text", ["", "<x@y>", f"{HASH}@y", f"<{HASH.upper()}@y>"])
def test_what_is_no_message_id_of_ours_names_nothing(text: str) -> None:
    """It would be a mail without one of our ids: a bug, and nothing is sent."""
    with pytest.raises(ValueError, match="Message-ID"):
        acs.operation_of(text)


def _posted(envelope: Envelope = ENVELOPE) -> dict[str, Any]:
    data = build(envelope, CONTENT, b"%PDF-1.7 \x00\xff")
    found: dict[str, Any] = json.loads(acs.payload("r@payflow.example", "ana@x.com", data))
    return found


def test_the_mail_is_the_same_as_over_smtp() -> None:
    """Both texts, the subject, the document byte for byte; one recipient, and nobody's reading is tracked."""
    mail = _posted()

    assert mail["recipients"] == {"to": [{"address": "ana@x.com"}]}
    assert mail["senderAddress"] == "r@payflow.example"
    assert mail["content"]["plainText"].startswith("Olá")
    assert "<p>" in mail["content"]["html"]
    assert mail["content"]["subject"].startswith("Recibo de pagamento")
    (attachment,) = mail["attachments"]
    assert b64decode(attachment["contentInBase64"]) == b"%PDF-1.7 \x00\xff"
    assert (attachment["contentType"], attachment["name"][:7]) == ("application/pdf", "recibo_")
    assert mail["headers"]["X-PayFlow-Message"] == ENVELOPE.message_id
    assert mail["userEngagementTrackingDisabled"] is True


def test_answers_go_where_the_mail_says() -> None:
    """And nowhere where it says nothing."""
    assert _posted()["replyTo"] == [{"address": ENVELOPE.reply_to}]
    assert "replyTo" not in _posted(replace(ENVELOPE, reply_to=""))


def test_a_mail_to_an_office_is_text_alone() -> None:
    """No empty part is posted."""
    mail = json.loads(acs.payload("r@x.example", "a@x.com", b"Subject: x\r\nMessage-ID: <a@x>\r\n\r\nOl"))

    assert (mail["content"], mail["attachments"]) == ({"subject": "x", "plainText": "Ol"}, [])


@pytest.mark.parametrize(
    ("status", "verdict", "stops"),
    [
        (429, Verdict.ACCOUNT, False),
        (401, Verdict.ACCOUNT, False),
        (403, Verdict.ACCOUNT, False),
        (404, Verdict.ACCOUNT, False),
        (400, Verdict.SENDER, False),
        (422, Verdict.SENDER, False),
        (413, Verdict.TOO_LARGE, False),
        (408, Verdict.UNKNOWN, False),
        (409, Verdict.UNKNOWN, False),
        (500, Verdict.UNKNOWN, True),
        (503, Verdict.UNKNOWN, True),
        (200, Verdict.UNKNOWN, True),
        (302, Verdict.UNKNOWN, True),
    ],
)
def test_an_answer_to_the_post_is_judged(status: int, verdict: Verdict, stops: bool) -> None:
    """Only what certainly took nothing is a refusal."""
    found = acs.after_post(status, "7", b'{"error": {"code": "C", "message": "of ana@medica.com.br, no"}}')

    assert found
    assert (found.verdict, found.phase, found.stops) == (verdict, Phase.DOT, stops)
    assert found.words == f"{status} C: of a***@medica.com.br, no"
    assert found.retry_s == (7 if status == 429 else 0)


def test_a_taken_post_is_asked_for() -> None:
    """202 alone says that the service has the mail, not what became of it."""
    assert acs.after_post(202, "", b"") is None


@pytest.mark.parametrize(
    ("body", "verdict", "words"),
    [
        ({"status": "Succeeded"}, Verdict.ACCEPTED, "Succeeded"),
        ({"status": "Failed", "error": {"code": "EmailDropped"}}, Verdict.DROPPED, "Failed EmailDropped"),
        ({"status": "Canceled"}, Verdict.DROPPED, "Canceled"),
    ],
)
def test_an_operation_that_has_ended(body: object, verdict: Verdict, words: str) -> None:
    """Sent, or taken and given up."""
    found = acs.after_asking(200, json.dumps(body).encode())

    assert found
    assert (found.verdict, found.words) == (verdict, words)


@pytest.mark.parametrize("status", ["NotStarted", "Running", "Succeeding", None, ["Succeeded"]])
def test_an_operation_that_has_not(status: object) -> None:
    """Also one with a word that nobody knows yet."""
    assert acs.after_asking(200, json.dumps({"status": status}).encode()) is None


@given(st.integers(100, 599), st.text(), st.binary())
def test_any_answer_is_judged(status: int, retry_after: str, body: bytes) -> None:
    """Total; without a word of the service's nothing is accepted."""
    found = acs.after_post(status, retry_after, body)
    assert found is None or found.verdict is not Verdict.ACCEPTED
    assert acs.after_asking(status, body + b"\xff") is None
    assert acs.after_asking(200, b"[" * 100_000) is None


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("30", 30.0), ("0", 0.0), ("", 0.0), ("-1", 0.0), ("٣", 0.0), ("999999", 86_400.0), ("9" * 10, 0.0)],
)
def test_how_long_to_wait(said: str, seconds: float) -> None:
    """A day at most, whatever a service says."""
    assert acs.requested_wait_s(said) == seconds


def test_a_service_in_trouble_stops_the_sender_until_it_says() -> None:
    """One unknown mail is enough, the next are probes: after a minute at least, or a quarter of an hour."""

    def stopped(retry_s: float, verdict: Verdict = Verdict.ACCOUNT, *, stops: bool = False) -> int:
        outcome = SmtpOutcome(verdict=verdict, phase=Phase.DOT, words="w", retry_s=retry_s, stops=stops)
        found = after(SenderAccount(), outcome, "i", NOW)
        return found.probe_ms - NOW if found else 0

    assert stopped(3_600) == 3_600_000
    assert stopped(1) == STOP_MS_MIN
    assert stopped(0) == 15 * 60_000
    assert stopped(0, Verdict.UNKNOWN, stops=True) == 15 * 60_000
    assert stopped(0, Verdict.UNKNOWN) == 0


def test_three_mails_given_up_in_a_row_stop_the_sender() -> None:
    """One says nothing of the account."""
    dropped = SmtpOutcome(verdict=Verdict.DROPPED, phase=Phase.DOT, words="Failed")
    account = SenderAccount()
    for index in "abc":
        assert not account.stopped_ms
        account = after(account, dropped, index, NOW) or account

    assert account.stopped_ms == NOW
