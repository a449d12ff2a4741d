"""A reply is read strictly: what is malformed is no answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payflow.mail import replies
from payflow.mail.codes import ADDRESS_CODES, Phase, Verdict, classify, is_about_the_address
from payflow.mail.replies import SmtpReply


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"250 2.0.0 queued as A1\r\n"], SmtpReply(250, "2.0.0", ("2.0.0 queued as A1",))),
        ([b"250\r\n"], SmtpReply(250, "", ("",))),
        ([b"250 OK\n"], SmtpReply(250, "", ("OK",))),
        ([b"550-5.1.1 no such\r\n", b"550 5.1.1 user\r\n"], SmtpReply(550, "5.1.1", ("5.1.1 no such", "5.1.1 user"))),
        ([b"250 5.1.1 a status of another class\r\n"], SmtpReply(250, "", ("5.1.1 a status of another class",))),
        ([b"250 \xff\x07x\r\n"], SmtpReply(250, "", ("\N{REPLACEMENT CHARACTER} x",))),
    ],
)
def test_a_well_formed_reply_is_read(lines: list[bytes], expected: SmtpReply) -> None:
    """Code, enhanced status of the same class, and the words by line, made printable."""
    assert replies.parse_reply(lines) == expected


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"250 OK"],
        [b"25x OK\r\n"],
        [b"650 OK\r\n"],
        [b"2500 OK\r\n"],
        [b"250-a\r\n", b"550 b\r\n"],
        [b"250-a\r\n"],
        [b"250 a\r\n", b"250 b\r\n"],
        [b"250 " + b"x" * replies.LINE_BYTES_MAX + b"\r\n"],
        [b"250-x\r\n"] * replies.LINES_MAX + [b"250 y\r\n"],
        [b"hello\r\n"],
    ],
)
def test_a_malformed_reply_is_no_reply(lines: list[bytes]) -> None:
    """Cut, garbage, two codes, no end, over-long."""
    assert replies.parse_reply(lines) is None


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_any_bytes_are_read_or_refused(lines: list[bytes]) -> None:
    """Reading is total."""
    found = replies.parse_reply(lines)

    assert found is None or 200 <= found.code <= 599


def test_a_reply_is_shown_with_its_code() -> None:
    """The operator sees the server's words."""
    assert str(SmtpReply(550, "5.1.1", ("5.1.1 no such user",))) == "550 5.1.1 no such user"


def test_an_address_in_a_servers_words_is_masked_where_they_are_stored_and_shown() -> None:
    """Servers repeat the recipient's, and a row says the words in clear."""
    reply = SmtpReply(550, "5.1.1", ("<ana.canaria@example.org>: unknown", "ask postmaster@example.net"))

    assert str(reply) == "550 <a***@example.org>: unknown ask p***@example.net"


@pytest.mark.parametrize(
    ("reply", "phase", "verdict"),
    [
        (None, Phase.CONNECT, Verdict.LATER),
        (None, Phase.BODY, Verdict.LATER),
        (None, Phase.DOT, Verdict.UNKNOWN),
        (SmtpReply(354), Phase.DOT, Verdict.UNKNOWN),
        (SmtpReply(250), Phase.DOT, Verdict.ACCEPTED),
        (SmtpReply(251), Phase.DOT, Verdict.ACCEPTED),
        (SmtpReply(250), Phase.DATA, Verdict.LATER),
        (SmtpReply(450, "4.2.0"), Phase.RCPT, Verdict.LATER),
        (SmtpReply(452), Phase.DOT, Verdict.LATER),
        (SmtpReply(535, "5.7.8"), Phase.LOGIN, Verdict.ACCOUNT),
        (SmtpReply(550, "5.7.30"), Phase.LOGIN, Verdict.ACCOUNT),
        (SmtpReply(550, "5.4.5"), Phase.MAIL, Verdict.SENDER),
        (SmtpReply(550, "5.1.1"), Phase.RCPT, Verdict.ADDRESS),
        (SmtpReply(550, "5.1.10"), Phase.RCPT, Verdict.ADDRESS),
        (SmtpReply(550), Phase.RCPT, Verdict.SENDER),
        (SmtpReply(552, "5.2.2"), Phase.RCPT, Verdict.SENDER),
        (SmtpReply(550, "5.1.1"), Phase.MAIL, Verdict.SENDER),
        (SmtpReply(552, "5.3.4"), Phase.DOT, Verdict.SENDER),
        (SmtpReply(554, "5.2.252"), Phase.DOT, Verdict.SENDER),
    ],
)
def test_each_refusal_is_judged_by_the_table(reply: SmtpReply | None, phase: Phase, verdict: Verdict) -> None:
    """Only six codes, and only at RCPT, say that the address is dead."""
    assert classify(reply, phase) is verdict


def test_the_address_codes_are_the_six() -> None:
    """A seventh would suppress addresses that live."""
    assert {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"} == ADDRESS_CODES
    assert not is_about_the_address("5.2.2")
    assert is_about_the_address("5.1.1")
