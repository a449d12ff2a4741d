"""Runs the stand-in on a port of this machine, with TLS where a context is given."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from devstack.acs.server import Acs


@asynccontextmanager
async def acs(tls: ssl.SSLContext | None = None, *, port: int = 0) -> AsyncIterator[Acs]:
    """Run the stand-in on loopback until the block ends; on a free port when *port* is 0."""
    server = Acs()
    runner = web.AppRunner(server.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    server.base_url = f"{'https' if tls else 'http'}://localhost:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
