"""Which carrier the settings name, and how a channel to it is made for each mail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from payflow.adapters import acs
from payflow.adapters.mail_token import token_source
from payflow.delivery.ports import Channel
from payflow.mail.channel import SmtpChannel
from payflow.mail.smtp import Auth
from payflow.settings.mail import MailSettings, Transport

if TYPE_CHECKING:
    import httpx
    from azure.core.credentials_async import AsyncTokenCredential


async def channels(
    mail: MailSettings,
    identity: Callable[[], Awaitable[AsyncTokenCredential]],
    http: Callable[[], Awaitable[httpx.AsyncClient]],
) -> Callable[[], Channel]:
    """Return what makes a channel; *identity* and *http* are asked for only where the carrier needs them."""
    if mail.transport is Transport.ACS:
        client, token = await http(), token_source(await identity(), acs.SCOPE)
        return lambda: acs.AcsChannel(client, mail.acs_endpoint, mail.sender, token)
    server = mail.server()
    signed = token_source(await identity(), mail.token_scope) if server.auth is Auth.XOAUTH2 else None
    return lambda: SmtpChannel(server, mail.sender, signed)
