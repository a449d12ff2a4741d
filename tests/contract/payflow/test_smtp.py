"""The SMTP session against a real server with TLS, cut and refused in every phase."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from payflow.mail.codes import Phase, Verdict
from payflow.mail.smtp import Auth, Security, Server, SmtpOutcome, SmtpSession, dot_stuffed
from tests.fakes.mail_server import PASSWORD, TOKEN, USER, FaultyServer, mail_server

MESSAGE = (
    b"From: a@clinica.example\r\nTo: b@example.org\r\nSubject: recibo\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\n\r\n.dots\r\n..\r\n.\r\n\r\n--b--\r\n"
)
LATER_S = 5.0


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultyServer]:
    """One server for the module: starting one takes a while."""
    with mail_server() as server:
        yield server


@pytest.fixture
def server(shared: FaultyServer) -> FaultyServer:
    """The server with nothing accepted and no faults."""
    shared.accepted.clear()
    shared.cut.clear()
    shared.faults = type(shared.faults)()
    return shared


_OPENED: list[SmtpSession] = []


@pytest.fixture(autouse=True)
def _closes() -> Iterator[None]:
    yield
    while _OPENED:
        _OPENED.pop().close()


def _client(server: FaultyServer, **changes: object) -> SmtpSession:
    account = Server(
        host="localhost",
        port=server.port,
        security=Security.STARTTLS,
        auth=Auth.PASSWORD,
        user=USER,
        secret=lambda: PASSWORD,
        trust=server.client_context(),
        reply_s_max=2.0,
    )
    _OPENED.append(SmtpSession(replace(account, **changes)))  # type: ignore[arg-type]
    return _OPENED[-1]


def _send(session: SmtpSession, recipient: str = "b@example.org", data: bytes = MESSAGE) -> SmtpOutcome | None:
    if not session.is_open and (failed := session.open()):
        return failed
    return session.offer("a@clinica.example", recipient, data) or session.finish(time.monotonic() + LATER_S)


def _judged(outcome: SmtpOutcome | None) -> tuple[Verdict, Phase]:
    assert outcome is not None
    return outcome.verdict, outcome.phase


def test_a_message_arrives_byte_for_byte(server: FaultyServer) -> None:
    """Leading dots are doubled on the wire and single in the mailbox; the server's words are kept."""
    session = _client(server)

    outcome = _send(session)

    assert outcome == SmtpOutcome(verdict=Verdict.ACCEPTED, phase=Phase.DOT, status="2.0.0", words="250 2.0.0 queued")
    assert [mail.data for mail in server.accepted] == [MESSAGE]
    session.close()


def test_one_connection_carries_several_messages(server: FaultyServer) -> None:
    """After an acceptance the session is ready for the next."""
    session = _client(server)

    assert _judged(_send(session)) == _judged(_send(session)) == (Verdict.ACCEPTED, Phase.DOT)
    assert session.is_open
    session.close()
    assert len(server.accepted) == 2


@pytest.mark.parametrize(
    ("cut", "phase"),
    [
        ("ehlo", Phase.TLS),
        ("mail", Phase.MAIL),
        ("rcpt", Phase.RCPT),
        ("data", Phase.DATA),
    ],
)
def test_a_cut_before_the_body_is_a_later(server: FaultyServer, cut: str, phase: Phase) -> None:
    """Nothing was accepted, so it may be tried again by right."""
    server.faults.cut_at = cut

    verdict, found = _judged(_send(_client(server)))

    assert verdict is Verdict.LATER
    assert found is phase or (cut == "ehlo" and found is Phase.CONNECT)
    assert server.accepted == []


def test_a_cut_inside_the_body_is_a_later(server: FaultyServer) -> None:
    """A long body meets the closed connection while it is written."""
    server.faults.cut_at = "body"

    outcome = _send(_client(server), data=MESSAGE + b"x" * 8_000_000)

    assert _judged(outcome) == (Verdict.LATER, Phase.BODY)
    assert server.accepted == []


def test_a_cut_before_the_dot_writes_no_dot(server: FaultyServer) -> None:
    """The closed connection is noticed before the dot: nothing is sent, and it is known that nothing was."""
    server.faults.cut_at = "before_dot"
    session = _client(server)
    assert session.open() is None
    assert session.offer("a@clinica.example", "b@example.org", MESSAGE) is None
    assert server.cut.wait(5)
    time.sleep(0.1)

    assert session.finish(time.monotonic() + LATER_S) is None
    assert server.accepted == []
    assert not session.is_open


def test_a_server_that_speaks_early_gets_no_dot(server: FaultyServer) -> None:
    """A 250 that came before the dot is no answer to it."""
    server.faults.early = b"250 2.0.0 queued\r\n"
    session = _client(server)
    assert session.open() is None
    assert session.offer("a@clinica.example", "b@example.org", MESSAGE) is None
    time.sleep(0.1)

    assert session.finish(time.monotonic() + LATER_S) is None
    assert server.accepted == []


def test_too_late_writes_no_dot(server: FaultyServer) -> None:
    """A worker that was frozen between its mark and the dot keeps the dot."""
    session = _client(server)
    assert session.open() is None
    assert session.offer("a@clinica.example", "b@example.org", MESSAGE) is None

    assert session.finish(time.monotonic() - 0.001) is None
    assert server.accepted == []


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "closed the connection"),
        (b"250 OK", "closed the connection"),
        (b"hello\r\n", "no well-formed reply"),
        (b"250 " + b"x" * 5_000 + b"\r\n", "no well-formed reply"),
        (b"250-a\r\n" * 101 + b"250 b\r\n", "no well-formed reply"),
        (b"250-a\r\n550 b\r\n", "no well-formed reply"),
        (b"354 more\r\n", "354 more"),
    ],
)
def test_what_is_no_reply_after_the_dot_is_unknown(server: FaultyServer, raw: bytes, words: str) -> None:
    """The server took the message; its answer does not say so, and nobody guesses."""
    server.faults.raw_after_dot = raw

    outcome = _send(_client(server))

    assert _judged(outcome) == (Verdict.UNKNOWN, Phase.DOT)
    assert outcome
    assert words in outcome.words
    assert len(server.accepted) == 1


def test_a_cut_after_the_dot_is_unknown(server: FaultyServer) -> None:
    """Accepted, and the answer lost."""
    server.faults.cut_at = "after_dot"

    assert _judged(_send(_client(server))) == (Verdict.UNKNOWN, Phase.DOT)
    assert len(server.accepted) == 1


def test_no_answer_in_time_is_unknown(server: FaultyServer) -> None:
    """The whole wait is bounded, however slowly bytes come."""
    server.faults.silent_after_dot_s = 1.5

    assert _judged(_send(_client(server, reply_s_max=0.2))) == (Verdict.UNKNOWN, Phase.DOT)
    assert len(server.accepted) == 1


@pytest.mark.parametrize(
    ("phase", "reply", "verdict", "status"),
    [
        ("mail", "421 4.7.0 try later", Verdict.LATER, "4.7.0"),
        ("mail", "550 5.4.5 Daily user sending limit exceeded", Verdict.SENDER, "5.4.5"),
        ("rcpt", "451 4.7.1 Greylisting in action", Verdict.LATER, "4.7.1"),
        ("rcpt", "550 5.1.1 no such user", Verdict.ADDRESS, "5.1.1"),
        ("data", "554 5.7.1 not you", Verdict.SENDER, "5.7.1"),
        ("dot", "552 5.3.4 too big", Verdict.SENDER, "5.3.4"),
        ("dot", "452 4.3.1 full", Verdict.LATER, "4.3.1"),
    ],
)
def test_a_refusal_is_judged_at_its_phase(
    server: FaultyServer, phase: str, reply: str, verdict: Verdict, status: str
) -> None:
    """Nothing was taken, and the server's words are in the outcome."""
    server.faults.replies = {phase: reply}

    outcome = _send(_client(server))

    assert outcome == SmtpOutcome(verdict=verdict, phase=Phase[phase.upper()], status=status, words=reply)
    assert server.accepted == []


def test_one_refused_address_does_not_send_to_the_other(server: FaultyServer) -> None:
    """One transaction for each address: the refused one is not lost behind the accepted one."""
    server.faults.replies = {"rcpt:gone@example.org": "550 5.1.1 no such user"}
    session = _client(server)

    assert _judged(_send(session)) == (Verdict.ACCEPTED, Phase.DOT)
    assert _judged(_send(session, "gone@example.org")) == (Verdict.ADDRESS, Phase.RCPT)
    assert [mail.recipients for mail in server.accepted] == [("b@example.org",)]


def test_a_message_larger_than_the_server_takes_is_not_begun() -> None:
    """EHLO says the size; MAIL is never said."""
    with mail_server(size=100) as small:
        assert _judged(_send(_client(small))) == (Verdict.TOO_LARGE, Phase.MAIL)


def test_a_wrong_password_is_the_accounts_fault(server: FaultyServer) -> None:
    """535 stops the sender and burns no attempt of a message."""
    outcome = _send(_client(server, secret=lambda: "wrong"))

    assert _judged(outcome) == (Verdict.ACCOUNT, Phase.LOGIN)
    assert outcome
    assert outcome.words.startswith("535")


@pytest.mark.parametrize("token", [TOKEN, "expired"])
def test_an_access_token_logs_in(server: FaultyServer, token: str) -> None:
    """XOAUTH2; a refusal comes as a challenge, which is answered with an empty line."""
    outcome = _send(_client(server, auth=Auth.XOAUTH2, secret=lambda: token))

    assert _judged(outcome) == ((Verdict.ACCEPTED, Phase.DOT) if token == TOKEN else (Verdict.ACCOUNT, Phase.LOGIN))


def test_implicit_tls_sends_too() -> None:
    """Port 465: TLS from the first byte."""
    with mail_server(tls="tls") as server:
        assert _judged(_send(_client(server, security=Security.TLS))) == (Verdict.ACCEPTED, Phase.DOT)


@pytest.mark.parametrize("tls", [Security.STARTTLS, Security.TLS])
def test_a_certificate_of_an_unknown_authority_is_refused(tls: Security) -> None:
    """No login, no message."""
    with mail_server(tls=tls, foreign=True) as server:
        outcome = _send(_client(server, security=tls))

    assert _judged(outcome) == (Verdict.ACCOUNT, Phase.TLS)
    assert outcome
    assert "certificate" in outcome.words


def test_a_certificate_for_another_name_is_refused() -> None:
    """The name is checked, not only the chain."""
    with mail_server(name="mail.other.example") as server:
        assert _judged(_send(_client(server))) == (Verdict.ACCOUNT, Phase.TLS)


def test_a_server_without_starttls_gets_nothing() -> None:
    """Not offered, or stripped on the way: no password and no message in the clear."""
    with mail_server(tls="none", login=False) as server:
        outcome = _send(_client(server))

    assert _judged(outcome) == (Verdict.ACCOUNT, Phase.TLS)
    assert server.accepted == []


def test_without_encryption_nobody_logs_in() -> None:
    """``none`` is for tests on this machine: it sends, but never shows a password."""
    with mail_server(tls="none", login=False) as server:
        assert _judged(_send(_client(server, security=Security.NONE))) == (Verdict.ACCOUNT, Phase.LOGIN)
        assert _judged(_send(_client(server, security=Security.NONE, auth=Auth.NONE))) == (Verdict.ACCEPTED, Phase.DOT)


def test_a_server_that_is_not_there_is_a_later() -> None:
    """Refused connections walk the ladder."""
    with mail_server() as server:
        session = _client(server)

    assert _judged(session.open()) == (Verdict.LATER, Phase.CONNECT)


def test_a_tls_handshake_with_a_server_that_speaks_plainly_is_a_later() -> None:
    """The message names the wrong port."""
    with mail_server(tls="none", login=False) as server:
        outcome = _send(_client(server, security=Security.TLS))

    assert _judged(outcome) == (Verdict.LATER, Phase.TLS)


def test_a_line_break_never_reaches_a_command(server: FaultyServer) -> None:
    """Addresses are judged long before; here a break is a bug, and raises."""
    session = _client(server)
    assert session.open() is None

    with pytest.raises(ValueError, match="line break"):
        session.offer("a@clinica.example", "b@example.org>\r\nRCPT TO:<c@example.org", MESSAGE)
    session.close()


def test_a_closed_session_offers_nothing(server: FaultyServer) -> None:
    """What was closed is a cut."""
    session = _client(server)

    assert _judged(session.offer("a@clinica.example", "b@example.org", MESSAGE)) == (Verdict.LATER, Phase.MAIL)


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"", b"\r\n"),
        (b"a", b"a\r\n"),
        (b".\r\n", b"..\r\n"),
        (b"a\n.b\rc", b"a\r\n..b\r\nc\r\n"),
    ],
)
def test_no_body_ends_itself(data: bytes, wire: bytes) -> None:
    """No line of a message is the final dot, whatever its line ends."""
    assert dot_stuffed(data) == wire
