"""
A node that serves ``eth_subscribe`` over a WebSocket, well or badly; a real server on this machine.

Seen with anvil 1.7.1 and written in geth's documents: the answer to ``eth_subscribe`` is an id, a hexadecimal text,
and each head comes as ``eth_subscription`` with that id. anvil answers an unknown subscription with code -32602.

Source: https://geth.ethereum.org/docs/interacting-with-geth/rpc/pubsub
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, WSMsgType, web

CHAIN_ID = 31337
SUBSCRIPTION = "0x6d6a9d1d4c4a0c1f2b7e6a5d4c3b2a19"
HEAD = json.dumps(
    {
        "jsonrpc": "2.0",
        "method": "eth_subscription",
        "params": {"subscription": SUBSCRIPTION, "result": {"number": "0x10", "hash": "0x" + "ab" * 32}},
    }
)


@dataclass
class HeadNode:
    """What was asked of the node, and how it behaves after a subscription."""

    port: int = 0
    scheme: str = "ws"
    connections: int = 0
    """Opened until now."""
    open: int = 0
    asked: list[str] = field(default_factory=list)
    after: Callable[[web.WebSocketResponse], Awaitable[None]] | None = None
    """What it does on a new connection instead of answering."""
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    _lines: list[web.WebSocketResponse] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Return an address of this node."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def announce(self, text: str = HEAD) -> None:
        """Announce a head on every line that is open."""
        for line in self._lines:
            await line.send_str(text)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Hold one line."""
        line = web.WebSocketResponse(autoping=False)
        await line.prepare(request)
        self.connections += 1
        self.open += 1
        try:
            await (self.after or self._answer)(line)
        except (ClientError, ConnectionError):
            pass  # the client cut the line while something was sent: that is what is under test
        finally:
            self.open -= 1
            if line in self._lines:
                self._lines.remove(line)
        return line

    async def _answer(self, line: web.WebSocketResponse) -> None:
        async for message in line:
            if message.type is WSMsgType.TEXT:
                await line.send_str(self._said(json.loads(message.data)))
                if self.asked[-1] == "eth_subscribe":
                    self._lines.append(line)
                    self.subscribed.set()

    def _said(self, request: dict[str, Any]) -> str:
        self.asked.append(request["method"])
        result = {"eth_chainId": hex(CHAIN_ID), "eth_subscribe": SUBSCRIPTION}[request["method"]]
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result})


@asynccontextmanager
async def head_node(tls: ssl.SSLContext | None = None) -> AsyncIterator[HeadNode]:
    """Run a node; ``/moved`` points at it, ``/busy`` answers 503, ``/page`` is a page."""
    node = HeadNode(scheme="wss" if tls else "ws")

    async def moved(_request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": node.url("/").replace("ws", "http", 1)})

    application = web.Application()
    application.router.add_get("/moved", moved)
    application.router.add_get("/busy", _busy)
    application.router.add_get("/page", _page)
    application.router.add_get("/{key:.*}", node.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    node.port = runner.addresses[0][1]
    try:
        yield node
    finally:
        await runner.cleanup()


async def _busy(_request: web.Request) -> web.Response:
    return web.Response(status=503, text="busy")


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text="<html>hello</html>")
