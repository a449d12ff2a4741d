"""
``payflow --mail acs``: the stand-in of Azure Communication Services carries the mails, into the same inbox.

The app signs in as it does in Azure: its identity's token service answers at IDENTITY_ENDPOINT.
Source: https://learn.microsoft.com/azure/app-service/overview-managed-identity (REST endpoint reference).
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.message import EmailMessage
from functools import partial

from aiohttp import web

from devstack.acs.serve import acs
from devstack.acs.server import TOKEN, Taken
from devstack.payflow import pages
from devstack.payflow.mailbox import Mailbox

LIFE_S = 3600


class _Inbox(list[Taken]):
    """What the service took, laid into the inbox as well."""

    def __init__(self, box: Mailbox) -> None:
        super().__init__()
        self._box = box

    def append(self, taken: Taken) -> None:
        super().append(taken)
        self._box.received.append(bytes(_message(taken)))


@asynccontextmanager
async def service(box: Mailbox) -> AsyncIterator[Mapping[str, str]]:
    """Run the service, with TLS of the inbox' authority, until the block ends; yield the settings that name it."""
    header = secrets.token_hex(16)
    async with acs(box.tls) as server, _identity(header) as endpoint:
        server.taken = _Inbox(box)
        yield {
            "MAIL": "acs",
            "ACS_ENDPOINT": server.base_url,
            "IDENTITY_ENDPOINT": endpoint,
            "IDENTITY_HEADER": header,
            "SSL_CERT_FILE": str(box.ca_file),
        }


@asynccontextmanager
async def _identity(header: str) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/msi/token", partial(_token, header))
    async with pages.served(app) as url:
        yield f"{url}/msi/token"


async def _token(header: str, request: web.Request) -> web.Response:
    resource = request.query.get("resource", "")
    if request.headers.get("X-IDENTITY-HEADER") != header or not resource:
        raise web.HTTPUnauthorized
    ends = str(int(time.time()) + LIFE_S)
    return web.json_response({"access_token": TOKEN, "expires_on": ends, "resource": resource, "token_type": "Bearer"})


def _message(taken: Taken) -> EmailMessage:
    mail, message = taken.mail, EmailMessage()
    message["From"], message["To"] = mail["senderAddress"], ", ".join(taken.recipients)
    message["Subject"] = mail["content"]["subject"]
    message.set_content(mail["content"].get("plainText", ""))
    if html := mail["content"].get("html"):
        message.add_alternative(html, subtype="html")
    for file in mail.get("attachments", []):
        content = base64.b64decode(file["contentInBase64"])
        message.add_attachment(content, maintype="application", subtype="pdf", filename=file["name"])
    return message
