"""Conta Azul's authorization server over HTTP. Nothing is sent twice here: who asks again is ``tokens``."""

from __future__ import annotations

import httpx

from payflow.connect import grants
from payflow.connect.grants import Grant
from payflow.errors import ApiUnavailable
from payflow.settings.groups import ContaAzulSettings


class AuthorizationServer:
    """The ``Authorization`` port."""

    def __init__(
        self, client: httpx.AsyncClient, token_url: str, *, client_id: str, client_secret: str, redirect_uri: str
    ) -> None:
        self._client, self._token_url, self._redirect_uri = client, token_url, redirect_uri
        self._auth = httpx.BasicAuth(client_id, client_secret)

    async def exchange(self, code: str) -> Grant:
        return await self._ask(grant_type="authorization_code", code=code, redirect_uri=self._redirect_uri)

    async def refresh(self, token: str) -> Grant:
        return await self._ask(grant_type="refresh_token", refresh_token=token)

    async def _ask(self, **form: str) -> Grant:
        try:
            response = await self._client.post(self._token_url, data=form, auth=self._auth)
        except httpx.HTTPError as error:
            raise ApiUnavailable(f"no answer from Conta Azul's sign-in ({type(error).__name__})") from None
        return grants.read_grant(response.status_code, response.content)


def server_of(http: httpx.AsyncClient, settings: ContaAzulSettings) -> AuthorizationServer:
    """Return the authorization server that *settings* name."""
    return AuthorizationServer(
        http,
        settings.token_url,
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        redirect_uri=settings.redirect_uri,
    )
