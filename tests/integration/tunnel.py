"""
An HTTPS proxy that leads one name to a port of this machine and every other name nowhere.

A process of its own cannot be handed a transport. It can be given HTTPS_PROXY and SSL_CERT_FILE, as
behind any company's proxy, and then its real clients speak to a stand-in under the real name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def tunnel(host: str, port: int) -> AsyncIterator[str]:
    """Run the proxy until the block ends; yields its URL."""
    peers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.add(writer)
        try:
            asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[:2]
            if asked != [b"CONNECT", f"{host}:443".encode()]:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            peers.add(far_writer)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # one side went away, which ends the tunnel
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for peer in peers:
            peer.close()
        await server.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    writer.close()
