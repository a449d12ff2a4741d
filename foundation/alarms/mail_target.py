"""Alarms by e-mail: one plain message for each look, over TLS, to addresses that the outgoing guard allows."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from aiosmtplib import SMTP, SMTPException

from foundation.alarms.catalogue import Language
from foundation.alarms.model import Message
from foundation.alarms.targets import NotDelivered
from foundation.alarms.wording import message_text, summary_of
from foundation.outgoing.guard import OutgoingGuard

DEADLINE_S: Final = 10
_TEXT_CHARS_MAX: Final = 100_000
_SUBJECT_CHARS_MAX: Final = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class MailServer:
    """Where mail is handed in. TLS from the first byte, or by STARTTLS; never in the clear."""

    host: str
    port: int
    starttls: bool
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class MailTarget:
    """Messages as one e-mail to several people."""

    guard: OutgoingGuard
    server: MailServer
    sender: str
    recipients: Sequence[str]
    title: str
    language: Language = "en"
    tls: ssl.SSLContext | None = None
    """Trust; the system's authorities when None."""

    async def deliver(self, messages: Sequence[Message]) -> None:
        """
        Mail *messages* together.

        Raises:
            DestinationRefused: The guard does not allow the server's address.
            NotDelivered: The server did not take it for each recipient, in time.
        """
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._send(self._letter(messages))
        except (SMTPException, OSError) as error:  # a TimeoutError among them
            raise NotDelivered(f"the mail server did not take it ({type(error).__name__})") from None

    async def _send(self, letter: EmailMessage) -> None:
        client = await self._connected()
        try:
            if self.server.starttls:
                await client.starttls(server_hostname=self.server.host)
            if self.server.user:
                await client.login(self.server.user, self.server.password)
            refused, _ = await client.send_message(letter, sender=self.sender, recipients=list(self.recipients))
            if refused:
                raise NotDelivered(f"the mail server refused {len(refused)} of the recipients")
        finally:
            client.close()

    async def _connected(self) -> SMTP:
        """Return a connection to an address that was checked, TLS already on where it is not by STARTTLS."""
        host, port = self.server.host, self.server.port
        addresses = await self.guard.addresses(host, port)
        family = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (addresses[0], port))
            client = SMTP(
                hostname=host,
                sock=sock,
                timeout=DEADLINE_S,
                use_tls=not self.server.starttls,
                start_tls=False,
                tls_context=self.tls or ssl.create_default_context(),
            )
            await client.connect()
        except BaseException:
            sock.close()
            raise
        return client

    def _letter(self, messages: Sequence[Message]) -> EmailMessage:
        letter = EmailMessage()
        subject = f"{self.title}: {summary_of(messages[0], self.language)}"
        letter["Subject"] = " ".join(subject.split())[:_SUBJECT_CHARS_MAX]
        letter["From"], letter["To"] = self.sender, ", ".join(self.recipients)
        letter["Date"], letter["Message-ID"] = formatdate(), make_msgid(domain=self.sender.rpartition("@")[2])
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message_text(messages, self.title, self.language, chars_max=_TEXT_CHARS_MAX))
        return letter
