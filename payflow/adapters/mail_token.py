"""
Access tokens for a mail server that no longer takes passwords (XOAUTH2).

Source: https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
(client credentials: role SMTP.SendAsApp, scope ``https://outlook.office365.com/.default``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

from payflow.mail.channel import NoToken, TokenSource

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


def token_source(credential: AsyncTokenCredential, scope: str) -> TokenSource:
    """Return what gives a fresh token; the identity library keeps one until it nears its end."""

    async def token() -> str:
        try:
            return (await credential.get_token(scope)).token
        except AzureError as error:  # its words name the tenant and the identity, and no secret
            raise NoToken(f"no access token for the mail server: {type(error).__name__}") from error

    return token
