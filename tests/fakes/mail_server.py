"""
A real SMTP server (aiosmtpd) with TLS by a throw-away authority, which fails where a test asks it to.

``accepted`` is the truth that invariants compare with: what the server took, whatever it answered.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD, TOKEN = "payflow@clinica.example", "sen#ha-é", "token-of-entra"
HOST = "localhost"
LETS_GO_S = 0.2
"""The server's loop sees the closed connections before it stops; else it leaves sockets open."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A message the server took."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.data, policy=default)

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])


@dataclass(kw_only=True)
class Faults:
    """Where the server misbehaves. ``cut_*`` abort the connection; ``replies`` are sent instead of its own."""

    cut_at: str = ""
    """ehlo, mail, rcpt, data, body, before_dot, after_dot (accepted, then silence by hanging up)."""
    replies: dict[str, str] = field(default_factory=dict)
    """By phase: greeting is not among them; mail, rcpt, data, dot; or ``rcpt:address``."""
    raw_after_dot: bytes | None = None
    """Sent as it is after the message was taken."""
    takes_refused: bool = False
    """The message is taken although ``replies['dot']`` refuses it: a server that lies."""
    silent_after_dot_s: float = 0.0
    early: bytes | None = None
    """Spoken out of turn, before the dot."""
    times: int = 1_000_000
    """How often the faults strike."""

    def strike(self) -> bool:
        self.times -= 1
        return self.times >= 0


class FaultyServer:
    """A server on this machine; start it with :func:`mail_server`."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.accepted: list[Mail] = []
        self.faults = Faults()
        self.cut = threading.Event()
        """Set once the server has cut a connection."""
        self.commands: list[str] = []
        self.body_came = threading.Event()
        self.may_answer = threading.Event()
        """Cleared by a test that wants the reply to the dot to come late."""
        self.may_answer.set()
        self.port = 0

    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    def server_context(self, name: str = HOST, authority: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (authority or self.authority).issue_cert(name).configure_cert(context)
        return context

    # hooks of aiosmtpd ---------------------------------------------------------------------------

    async def handle_MAIL(  # noqa: N802 -- aiosmtpd finds the hook by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del session
        if (reply := self._reply("mail", server)) is None:
            envelope.mail_from, envelope.mail_options = address, options
        return reply or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del session, options
        reply = self._reply("rcpt", server) or self.faults.replies.get(f"rcpt:{address}")
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del session
        reply = self._reply("dot", None)
        if reply is None or not reply.startswith(("4", "5")) or self.faults.takes_refused:
            self._take(envelope)
        await asyncio.to_thread(self.may_answer.wait, 30)
        if self.faults.cut_at == "after_dot" and self.faults.strike():
            self.abort(server)
        if self.faults.raw_after_dot is not None:
            await self._say(server, self.faults.raw_after_dot)
        await asyncio.sleep(self.faults.silent_after_dot_s)
        return reply or "250 2.0.0 queued"

    def _take(self, envelope: Envelope) -> None:
        data = envelope.content
        assert isinstance(data, bytes)
        self.accepted.append(Mail(sender=envelope.mail_from or "", recipients=tuple(envelope.rcpt_tos), data=data))

    def _reply(self, phase: str, server: SMTP | None) -> str | None:
        if server is not None and self.faults.cut_at == phase and self.faults.strike():
            self.abort(server)
        if phase in self.faults.replies and self.faults.strike():
            return self.faults.replies[phase]
        return None

    @staticmethod
    async def _say(server: SMTP, raw: bytes) -> None:
        writer = server._writer
        assert writer is not None
        writer.write(raw)
        await writer.drain()
        writer.close()

    def abort(self, server: SMTP) -> None:
        """Cut the connection as a dying machine does."""
        transport = server.transport
        assert transport is not None
        transport.abort()
        self.cut.set()

    def authenticate(self, mechanism: str, login: object) -> AuthResult:
        if mechanism == "XOAUTH2":
            return AuthResult(success=login == TOKEN)
        assert isinstance(login, LoginPassword)
        return AuthResult(success=(login.login, login.password) == (USER.encode(), PASSWORD.encode()), handled=False)


class _Protocol(SMTP):  # type: ignore[misc]  # taken as Any
    """aiosmtpd's protocol, cut inside DATA where a test asks for it; with XOAUTH2."""

    def __init__(self, owner: FaultyServer, **options: object) -> None:
        self._owner = owner
        super().__init__(owner, **options)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        if self._owner.faults.cut_at == "ehlo" and self._owner.faults.strike():
            self._owner.abort(self)
        await super().smtp_EHLO(hostname)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        faults, owner = self._owner.faults, self._owner
        if faults.cut_at == "data" and faults.strike():
            owner.abort(self)
        if (reply := owner._reply("data", None)) is not None:
            await self.push(reply)
            return
        if faults.cut_at in {"body", "before_dot"} and faults.strike():
            await self._cut_inside(whole=faults.cut_at == "before_dot")
            return
        if faults.early is not None:
            await self._speak_early(faults.early)
        await super().smtp_DATA(arg)

    async def _speak_early(self, raw: bytes) -> None:
        writer = self._writer
        assert writer is not None
        await self.push("354 go on")
        writer.write(raw)
        await writer.drain()

    async def _cut_inside(self, *, whole: bool) -> None:
        await self.push("354 go on")
        reader = self._reader
        assert reader is not None
        line, ends = await reader.readline(), 0
        while whole and ends < 1:
            line = await reader.readline()
            ends += line.startswith(b"--") and line.rstrip().endswith(b"--")
        self._owner.abort(self)

    async def auth_XOAUTH2(self, _server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        fields = base64.b64decode(args[1]).decode().split("\x01")
        if fields[1] == f"auth=Bearer {TOKEN}":
            return AuthResult(success=True, auth_data=LoginPassword(USER.encode(), b""))
        await self.push("334 " + base64.b64encode(b'{"status":"400"}').decode())
        assert self._reader is not None
        assert await self._reader.readline() == b"\r\n"
        return AuthResult(success=False, handled=False)


class _Controller(Controller):  # type: ignore[misc]  # taken as Any
    def __init__(self, owner: FaultyServer, *, implicit: ssl.SSLContext | None, options: dict[str, object]) -> None:
        self._owner, self._options = owner, options
        super().__init__(owner, hostname="127.0.0.1", port=0, ssl_context=implicit)

    def factory(self) -> SMTP:
        with warnings.catch_warnings():  # it does not see that the whole connection is TLS
            warnings.filterwarnings("ignore", message="Requiring AUTH while not requiring TLS")
            return _Protocol(self._owner, **self._options)

    def _trigger_server(self) -> None:
        """Learn the port; a first connection shows the controller that the server runs."""
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        self._owner.port = self.port
        socket.create_connection(("127.0.0.1", self.port), 5).close()


@contextmanager
def mail_server(
    *, tls: str = "starttls", name: str = HOST, foreign: bool = False, login: bool = True, size: int = 14_000_000
) -> Iterator[FaultyServer]:
    """Run a server; *tls* is starttls, tls, or none. *foreign*: its certificate is by an unknown authority."""
    owner = FaultyServer()
    context = owner.server_context(name, trustme.CA() if foreign else None)
    options: dict[str, object] = {
        "data_size_limit": size,
        "auth_required": login,
        "auth_require_tls": tls == "starttls",
    }
    if tls == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if login:
        options["authenticator"] = lambda _s, _session, _envelope, how, data: owner.authenticate(how, data)
    controller = _Controller(owner, implicit=context if tls == "tls" else None, options=options)
    controller.start()
    try:
        yield owner
    finally:
        owner.may_answer.set()
        time.sleep(LETS_GO_S)
        controller.stop(no_assert=True)
        _forget_refused_handshakes()


def _forget_refused_handshakes() -> None:
    """Let aiosmtpd's own transports go: it leaves one open for each handshake that a client refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
