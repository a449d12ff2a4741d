"""
One SMTP transaction, cut in two: everything up to the final dot, and the dot.

Between the two the caller stores its mark. Nothing is accepted without the dot, so an ``offer`` that fails may be
repeated; once the dot is written only a well-formed reply tells what happened.

A session belongs to one thread at a time.
"""

from __future__ import annotations

import base64
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from payflow.mail.codes import Phase, Verdict, classify
from payflow.mail.replies import SmtpReply
from payflow.mail.wire import ConnectionLost, Wire

STEP_S_MAX = 60.0
"""For connecting, TLS and login together; and again for MAIL, RCPT and DATA together."""
BODY_S_MAX = 120.0
REPLY_S_MAX = 100.0
"""For the reply to the dot. RFC 5321 asks for ten minutes; a lane has five for the whole step."""


_CHALLENGE = 334


class Security(StrEnum):
    """How the connection is encrypted; ``NONE`` is for tests on this machine and never logs in."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class Auth(StrEnum):
    """How the sender proves who it is."""

    PASSWORD = "password"  # noqa: S105  # a way, no password  # pragma: allowlist secret
    XOAUTH2 = "xoauth2"
    NONE = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """The mail server and the account; ``secret`` is the password, or returns a fresh access token."""

    host: str
    port: int
    security: Security
    auth: Auth
    user: str = ""
    secret: Callable[[], str] = field(default=str, repr=False)
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)
    helo: str = "payflow.invalid"
    reply_s_max: float = REPLY_S_MAX


@dataclass(frozen=True, kw_only=True, slots=True)
class SmtpOutcome:
    """How a transaction ended: the verdict, how far it had come, and the server's words or ours."""

    verdict: Verdict
    phase: Phase
    status: str = ""
    words: str = ""
    retry_s: float = 0.0
    """How long the carrier wants nothing more; 0: it does not say."""
    stops: bool = False
    """The carrier itself is in trouble: what follows would only be unknown as well."""


class _Ended(Exception):
    def __init__(self, outcome: SmtpOutcome) -> None:
        super().__init__(outcome.words)
        self.outcome = outcome


class SmtpSession:
    """A connection to the server, for one message after another."""

    def __init__(self, server: Server, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._server, self._clock = server, clock
        self._wire: Wire | None = None
        self._phase = Phase.CONNECT
        self._features: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        return self._wire is not None

    def open(self) -> SmtpOutcome | None:
        """Connect, encrypt, log in. None: ready; otherwise why not, and the connection is closed."""
        return self._until_ended(self._connect)

    def offer(self, sender: str, recipient: str, data: bytes) -> SmtpOutcome | None:
        """
        Hand over everything but the final dot, to one recipient. None: the dot may follow.

        A refused transaction ends the connection: the next message gets a clean one.
        """
        return self._until_ended(lambda: self._transact(sender, recipient, data))

    def finish(self, not_after_s: float) -> SmtpOutcome | None:
        """
        Write the final dot and return how the transaction ended.

        None: nothing was written, because it is later than *not_after_s* by the session's clock, or because the
        server has closed the connection or spoken out of turn. The connection is closed then.
        """
        if self._is_out_of_step() or self._clock() > not_after_s:
            self.close()
            return None
        self._phase = Phase.DOT
        return self._until_ended(self._dot)

    def close(self) -> None:
        """Close the connection at once; a server drops a body without its dot."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    # the phases ----------------------------------------------------------------------------------

    def _connect(self) -> None:
        server, self._phase = self._server, Phase.CONNECT
        try:
            sock = socket.create_connection((server.host, server.port), STEP_S_MAX)
        except OSError as error:
            raise ConnectionLost(f"cannot connect: {error}") from error
        self._wire = Wire(sock, clock=self._clock)
        self._wire.allow(STEP_S_MAX)
        if server.security is Security.TLS:
            self._encrypt()
        self._expect(self._wire.reply())
        self._greet()
        if server.security is Security.STARTTLS:
            self._start_tls()
        self._phase = Phase.LOGIN
        self._log_in()

    def _start_tls(self) -> None:
        self._phase = Phase.TLS
        if "STARTTLS" not in self._features:
            raise self._ended(Verdict.ACCOUNT, "the server does not offer STARTTLS; nothing is sent in the clear")
        self._command("STARTTLS")
        self._encrypt()
        self._greet()

    def _encrypt(self) -> None:
        self._phase = Phase.TLS
        try:
            self._require().secure(self._server.trust, self._server.host)
        except ssl.SSLCertVerificationError as error:
            words = f"the server's certificate is refused: {error.verify_message}"
            raise self._ended(Verdict.ACCOUNT, words) from error

    def _greet(self) -> None:
        reply = self._command(f"EHLO {self._server.helo}")
        self._features = dict(_feature(line) for line in reply.lines[1:])

    def _log_in(self) -> None:
        server = self._server
        if server.auth is Auth.NONE:
            return
        if server.security is Security.NONE:
            raise self._ended(Verdict.ACCOUNT, "no login without encryption")
        if server.auth is Auth.XOAUTH2:
            self._log_in_with_token()
        else:
            self._log_in_with_password()

    def _log_in_with_password(self) -> None:
        user, secret = self._server.user, self._server.secret()
        if "PLAIN" in self._features.get("AUTH", "").split():
            self._command("AUTH PLAIN " + _base64(f"\0{user}\0{secret}"))
        else:
            self._command("AUTH LOGIN", wants=3)
            self._command(_base64(user), wants=3)
            self._command(_base64(secret))

    def _log_in_with_token(self) -> None:
        """Show the access token. A refusal comes as a challenge; an empty line asks for the refusal's code."""
        proof = f"user={self._server.user}\x01auth=Bearer {self._server.secret()}\x01\x01"
        wire = self._require()
        wire.write(f"AUTH XOAUTH2 {_base64(proof)}\r\n".encode())
        reply = wire.reply()
        self._expect(reply) if reply.code != _CHALLENGE else self._command("")

    def _transact(self, sender: str, recipient: str, data: bytes) -> None:
        self._phase = Phase.MAIL
        wire = self._require()
        wire.require_silence()
        wire.allow(STEP_S_MAX)
        self._require_room(len(data))
        self._command(f"MAIL FROM:<{sender}>")
        self._phase = Phase.RCPT
        self._command(f"RCPT TO:<{recipient}>")
        self._phase = Phase.DATA
        self._command("DATA", wants=3)
        self._phase = Phase.BODY
        wire.allow(BODY_S_MAX)
        wire.write(dot_stuffed(data))

    def _dot(self) -> None:
        wire = self._require()
        wire.allow(self._server.reply_s_max)
        wire.write(b".\r\n")
        reply = wire.reply()
        raise _Ended(_outcome(classify(reply, Phase.DOT), Phase.DOT, reply))

    # inside --------------------------------------------------------------------------------------

    def _command(self, line: str, *, wants: int = 2) -> SmtpReply:
        """Send a command and return its reply, of the class *wants*."""
        if "\r" in line or "\n" in line:
            raise ValueError("a line break inside an SMTP command")
        wire = self._require()
        wire.write(f"{line}\r\n".encode())
        return self._expect(wire.reply(), wants=wants)

    def _expect(self, reply: SmtpReply, *, wants: int = 2) -> SmtpReply:
        if reply.code // 100 != wants:
            raise _Ended(_outcome(classify(reply, self._phase), self._phase, reply))
        return reply

    def _require_room(self, size: int) -> None:
        limit = self._features.get("SIZE", "")
        if limit.isascii() and limit.isdecimal() and 0 < int(limit) < size:
            raise self._ended(Verdict.TOO_LARGE, f"the message has {size} bytes, the server takes {limit}")

    def _is_out_of_step(self) -> bool:
        try:
            self._require().require_silence()
        except ConnectionLost:
            return True
        return False

    def _until_ended(self, act: Callable[[], None]) -> SmtpOutcome | None:
        try:
            act()
        except _Ended as ended:
            outcome = ended.outcome
        except ConnectionLost as lost:
            outcome = SmtpOutcome(verdict=classify(None, self._phase), phase=self._phase, words=str(lost))
        else:
            return None
        if outcome.verdict is not Verdict.ACCEPTED:
            self.close()
        return outcome

    def _ended(self, verdict: Verdict, words: str) -> _Ended:
        return _Ended(SmtpOutcome(verdict=verdict, phase=self._phase, words=words))

    def _require(self) -> Wire:
        if self._wire is None:
            raise ConnectionLost("the connection is closed")
        return self._wire


def dot_stuffed(data: bytes) -> bytes:
    """Return *data* with CRLF line ends, each leading dot doubled (RFC 5321 4.5.2), and a line end at the end."""
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    body = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _outcome(verdict: Verdict, phase: Phase, reply: SmtpReply) -> SmtpOutcome:
    return SmtpOutcome(verdict=verdict, phase=phase, status=reply.status, words=str(reply))


def _feature(line: str) -> tuple[str, str]:
    name, _, value = line.partition(" ")
    return name.upper(), value.strip().upper()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
