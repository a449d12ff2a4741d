"""Runs the stand-in on a port of this machine, inside the process that wants to look into its books."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from devstack.conta_azul.books import Now
from devstack.conta_azul.server import ContaAzul
from devstack.conta_azul.sign_in import Client

CLIENT_ID, CLIENT_SECRET = "payflow-dev", "not-a-secret-of-anyone"


@asynccontextmanager
async def conta_azul(
    redirect_uris: Sequence[str] = (), *, now: Now = time.time, port: int = 0
) -> AsyncIterator[ContaAzul]:
    """Run the stand-in on loopback until the block ends; on a free port when *port* is 0."""
    server = ContaAzul(now, Client(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uris=[*redirect_uris]))
    runner = web.AppRunner(server.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
