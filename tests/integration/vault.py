"""
A stand-in of Key Vault and of the managed identity endpoint, for the real Azure clients.

No emulator of either exists. The vault speaks TLS under its real host name with a certificate of
an authority made for the test; a resolver leads that name to this machine, so the client checks
certificate, host name and challenge as it does against Azure.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from azure.core.pipeline.transport import AioHttpTransport
from azure.keyvault.keys._shared import http_challenge_cache as keys_challenges
from azure.keyvault.secrets._shared import http_challenge_cache as secrets_challenges

from tests.integration.vault_keys import Keys, signature_document

HOST = "ballx.vault.azure.net"
URL = f"https://{HOST}"
_CHALLENGE = 'Bearer authorization="https://login.microsoftonline.com/a-tenant", resource="https://vault.azure.net"'
_SILENT_S = 1.5
_IDENTITY_HEADER = "header-of-this-instance"
_TOKEN = "token-of-the-managed-identity"


@dataclass
class Vault:
    """What the vault holds, what it refuses, and what it was asked."""

    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    """Versions of each secret, the newest last."""
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Status and error code for a secret's name."""
    asked: list[str] = field(default_factory=list)
    """Paths asked for with a token."""
    challenged: int = 0
    tokens: list[Mapping[str, str]] = field(default_factory=list)
    """Queries of the identity endpoint."""
    busy_for_s: int = 0
    """When set, every request with a token is answered with 429 and this as ``Retry-After``."""
    silent_key: str = ""
    """The name of a key about which the vault says nothing for longer than anybody waits in a test."""
    hangs_on: str = ""
    """What is never answered: the operation `sign` or `get`."""
    no_identity: bool = False
    keys: Keys = field(default_factory=Keys)

    async def serve_secret(self, request: web.Request) -> web.Response:
        """Answer as the vault does: first a challenge, then the secret or an error document."""
        name, version = request.match_info["name"], request.match_info.get("version", "")
        if challenge := self._challenge(request):
            return challenge
        self.asked.append(f"{name}/{version}")
        if name in self.refusals:
            status, code = self.refusals[name]
            return web.json_response(_error("Forbidden", code), status=status)
        versions = self.secrets.get(name, {})
        found = version or next(reversed(versions), "")
        if found not in versions:
            return web.json_response(_error("SecretNotFound"), status=404)
        return web.json_response({"value": versions[found], "id": f"{URL}/secrets/{name}/{found}", "attributes": {}})

    async def serve_key(self, request: web.Request) -> web.Response:
        """Answer with the public half of a key, or with its signature of a digest."""
        if challenge := self._challenge(request):
            return challenge
        name, signs = request.match_info["name"], request.method == "POST"
        operation = "sign" if signs else "get"
        self.keys.asked.append(operation)
        if self.silent_key in (name, "*"):
            await asyncio.sleep(_SILENT_S)
        if operation == self.hangs_on:
            await asyncio.Event().wait()
        if operation in self.keys.refusals:
            status, code = self.keys.refusals[operation]
            return web.json_response(_error("Forbidden", code), status=status)
        key = self.keys.find(request)
        if key is None:
            return web.json_response(_error("KeyNotFound"), status=404)
        if not signs:
            return web.json_response(self.keys.show(URL, name, key))
        return web.json_response(signature_document(URL, name, key, self.keys.sign(key, await request.json())))

    def _challenge(self, request: web.Request) -> web.Response | None:
        """Ask for a token, where there is none."""
        if request.headers.get("Authorization") == f"Bearer {_TOKEN}":
            busy = {"Retry-After": str(self.busy_for_s)}
            return web.json_response(_error("Throttled"), status=429, headers=busy) if self.busy_for_s else None
        self.challenged += 1
        return web.json_response(_error("Unauthorized"), status=401, headers={"WWW-Authenticate": _CHALLENGE})

    async def serve_token(self, request: web.Request) -> web.Response:
        """Answer as the identity endpoint of App Service does."""
        self.tokens.append(dict(request.query))
        if self.no_identity or request.headers.get("X-IDENTITY-HEADER") != _IDENTITY_HEADER:
            return web.json_response({"statusCode": 400, "message": "No managed identity found"}, status=400)
        answer = {
            "access_token": _TOKEN,
            "expires_on": str(int(time.time()) + 3600),
            "resource": "r",
            "token_type": "b",
        }
        return web.json_response(answer)


@dataclass(frozen=True)
class Peers:
    """The running stand-in: what to set, and the way to the vault."""

    vault: Vault
    environ: Mapping[str, str]
    """What App Service sets for an app with a managed identity."""
    transport: AioHttpTransport
    port: int
    """Where the vault listens, and what vouches for it: for processes that get no transport from us."""
    authority: trustme.CA


@asynccontextmanager
async def signed_in(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peers]:
    """Run vault and identity endpoint, and let this process be a service with that managed identity."""
    async with peers() as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        yield running


@asynccontextmanager
async def peers() -> AsyncIterator[Peers]:
    """Run vault and identity endpoint on free ports; no client remembers an earlier vault's challenge."""
    for cache in (keys_challenges, secrets_challenges):
        cache.clear()
    vault, authority = Vault(), trustme.CA()
    app = web.Application()
    app.router.add_get("/secrets/{name}/", vault.serve_secret)
    app.router.add_get("/secrets/{name}/{version}", vault.serve_secret)
    app.router.add_get("/keys/{name}/", vault.serve_key)
    app.router.add_get("/keys/{name}/{version}", vault.serve_key)
    app.router.add_post("/keys/{name}/{version}/sign", vault.serve_key)
    app.router.add_get("/msi/token", vault.serve_token)
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    runner = web.AppRunner(app)
    await runner.setup()
    for tls in (server_tls, None):
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    vault_port, identity_port = (address[1] for address in runner.addresses)
    connector = aiohttp.TCPConnector(resolver=_ToThisMachine(vault_port), ssl=client_tls)
    async with aiohttp.ClientSession(connector=connector) as session:
        environ = {
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{identity_port}/msi/token",
            "IDENTITY_HEADER": _IDENTITY_HEADER,
        }
        try:
            yield Peers(vault, environ, AioHttpTransport(session=session, session_owner=False), vault_port, authority)
        finally:
            await runner.cleanup()


class _ToThisMachine(AbstractResolver):
    """Leads the vault's name to a port here, and knows no other name."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != HOST:
            raise OSError(f"{host}:{port} is no host of this test")
        return [ResolveResult(hostname=host, host="127.0.0.1", port=self._port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


def _error(code: str, inner: str = "") -> dict[str, object]:
    return {"error": {"code": code, "message": code, **({"innererror": {"code": inner}} if inner else {})}}
