"""A bounce counts only with our Message-ID; anything else, of any shape, does not count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payflow.mail.bounces import BYTES_MAX, Bounce, parse_bounce

ID = "<" + "ab" * 20 + "@payflow.example>"
REPORT = f"""From: MAILER-DAEMON@mx.example
To: recibos@payflow.example
Message-ID: <{"cd" * 20}@mx.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Your mail could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ana@example.org
Action: failed
Status: 5.1.1

--b
Content-Type: message/rfc822

From: recibos@payflow.example
Message-ID: {ID}
Subject: Recibo

corpo
--b--
"""


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (REPORT, "5.1.1"),
        (REPORT.replace("message/rfc822", "text/rfc822-headers"), "5.1.1"),
        (REPORT.replace("Status: 5.1.1", "Status: none"), "5.0.0"),
    ],
)
def test_a_report_of_a_failure_names_the_mail(text: str, status: str) -> None:
    """With the mail it returns, or its headers alone."""
    assert parse_bounce(text.encode()) == Bounce(message_id=ID, status=status)


@pytest.mark.parametrize(
    "text",
    [
        "",
        REPORT.replace("Action: failed", "Action: delayed"),
        REPORT.replace(ID, "<of-another@example.org>"),
        f"Message-ID: {ID}\nAction: failed\nStatus: 5.1.1\n\nwritten by anyone",
        REPORT + " " * BYTES_MAX,
    ],
)
def test_what_is_no_bounce_of_ours(text: str) -> None:
    """Nothing, a delay, another's mail, a mail with our id in its own head, one that is too large."""
    assert parse_bounce(text.encode()) is None


@given(st.binary(max_size=400), st.integers(0, len(REPORT)))
def test_any_bytes_are_read_without_an_error(noise: bytes, at: int) -> None:
    """Also in the middle of a report."""
    whole = REPORT.encode()
    found = parse_bounce(whole[:at] + noise + whole[at:])
    assert found is None or found.message_id.startswith("<")
