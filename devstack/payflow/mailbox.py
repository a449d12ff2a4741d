"""
A mail server on this machine: STARTTLS with a throw-away authority, a login, and an inbox that a browser opens.

Mails are kept in memory. The page shows a mail as its HTML part says it, in a frame without scripts.
"""

from __future__ import annotations

import logging
import ssl
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from html import escape
from pathlib import Path

import trustme
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from devstack.payflow import pages
from devstack.stack import free_port

HOST, USER, PASSWORD = "localhost", "payflow", "local-only"  # pragma: allowlist secret
_STYLE = (
    "<style>body{font:1rem/1.5 system-ui;max-width:50rem;margin:3rem auto;padding:0 1rem}"
    "iframe{box-sizing:border-box;width:100%;height:24rem}</style>"
)


@dataclass
class Mailbox:
    """Every mail that was accepted."""

    smtp_port: int
    ca_file: Path
    tls: ssl.SSLContext
    """Of a server on this machine, by the authority in *ca_file*."""
    web_url: str = ""
    received: list[bytes] = field(default_factory=list)
    down: bool = False
    """It takes no mail for now."""

    def messages(self) -> Sequence[EmailMessage]:
        """Return the mails, the oldest first."""
        return [message_from_bytes(data, policy=default) for data in self.received]

    async def handle_MAIL(  # noqa: N802 -- aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Begin a mail, unless the server is down."""
        if self.down:
            return "451 4.3.2 The mail server is down"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's
        """Accept a mail."""
        self.received.append(bytes(envelope.content or b""))
        return "250 OK"


@asynccontextmanager
async def mailbox() -> AsyncIterator[Mailbox]:
    """Run the server and its page until the block ends."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    with tempfile.TemporaryDirectory(prefix="mailbox-") as folder:
        ca_file = Path(folder) / "authority.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        box = Mailbox(free_port(), ca_file, context)
        controller = Controller(
            box,
            hostname="127.0.0.1",
            port=box.smtp_port,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=_authenticate,
        )
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own old names at each sign-in
        controller.start()
        try:
            async with _page(box):
                yield box
        finally:
            controller.stop()


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object) -> AuthResult:
    login, password = getattr(data, "login", b""), getattr(data, "password", b"")
    return AuthResult(success=(login, password) == (USER.encode(), PASSWORD.encode()))


@asynccontextmanager
async def _page(box: Mailbox) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_get("/", partial(_list, box))
    app.router.add_get("/{at:[0-9]+}", partial(_mail, box))
    app.router.add_get("/{at:[0-9]+}/body", partial(_body, box))
    app.router.add_get("/{at:[0-9]+}/file", partial(_file, box))
    async with pages.served(app) as box.web_url:
        yield


async def _list(box: Mailbox, _: web.Request) -> web.Response:
    lines = [
        f'<li><a href="/{at}">{escape(str(mail["Subject"]))}</a> {escape(str(mail["To"]))}</li>'
        for at, mail in enumerate(box.messages())
    ]
    return _html(f"<h1>Inbox</h1><ul>{''.join(lines) or '<li>No mail yet.</li>'}</ul>")


async def _mail(box: Mailbox, request: web.Request) -> web.Response:
    at, mail = _chosen(box, request)
    head = "".join(f"<p><b>{name}</b> {escape(str(mail[name]))}</p>" for name in ("From", "To", "Subject", "Date"))
    files = "".join(f'<p><a href="/{at}/file">{escape(str(part.get_filename()))}</a></p>' for part in _files(mail))
    return _html(f'{head}{files}<iframe sandbox src="/{at}/body"></iframe>')


async def _body(box: Mailbox, request: web.Request) -> web.Response:
    _, mail = _chosen(box, request)
    part = mail.get_body(("html", "plain"))
    return web.Response(text=str(part.get_content()) if part else "", content_type="text/html")


async def _file(box: Mailbox, request: web.Request) -> web.Response:
    _, mail = _chosen(box, request)
    return web.Response(body=bytes(_files(mail)[0].get_content()), content_type="application/pdf")


def _chosen(box: Mailbox, request: web.Request) -> tuple[int, EmailMessage]:
    at, mails = int(request.match_info["at"]), box.messages()
    if at >= len(mails):
        raise web.HTTPNotFound
    return at, mails[at]


def _files(mail: EmailMessage) -> list[EmailMessage]:
    return list(mail.iter_attachments())


def _html(body: str) -> web.Response:
    return web.Response(text=f"<!doctype html><title>Inbox</title>{_STYLE}{body}", content_type="text/html")
