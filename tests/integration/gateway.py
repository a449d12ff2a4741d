"""A real HTTP server in front of a real node: it passes batches on, and misbehaves on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web

Reply = Callable[["Gateway", bytes], Awaitable[web.Response]]
Edit = Callable[[list[dict[str, Any]]], Any]
HANG_S = 30.0


class Gateway:
    """
    A node's front door.

    ``batches`` holds the methods of every request it got, ``connections`` the client ports they came from.
    """

    def __init__(self, node_url: str, session: ClientSession) -> None:
        self.url = ""
        self.reply: Reply = passed_on()
        self.batches: list[list[str]] = []
        self.connections: set[int] = set()
        self._node_url, self._session = node_url, session

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        calls = json.loads(body)
        self.batches.append([call["method"] for call in (calls if isinstance(calls, list) else [calls])])
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername")[1])
        return await self.reply(self, body)

    async def ask_node(self, body: bytes) -> list[dict[str, Any]]:
        """Return what the node behind says."""
        async with self._session.post(
            self._node_url, data=body, headers={"Content-Type": "application/json"}
        ) as response:
            answers: list[dict[str, Any]] = await response.json()
            return answers


@asynccontextmanager
async def gateway(node_url: str) -> AsyncIterator[Gateway]:
    """Serve a gateway on a free loopback port until the block ends."""
    async with ClientSession() as session:
        front = Gateway(node_url, session)
        app = web.Application()
        app.router.add_post("/{tail:.*}", front.handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield front
        finally:
            await runner.cleanup()


def passed_on(edit: Edit = lambda answers: answers) -> Reply:
    """Pass the batch on, and give back the node's answer after *edit*."""

    async def reply(front: Gateway, body: bytes) -> web.Response:
        return web.json_response(edit(await front.ask_node(body)))

    return reply


def said(status: int = 200, body: bytes = b"", content_type: str = "text/html") -> Reply:
    """Answer with something that is no node's answer."""

    async def reply(_front: Gateway, _body: bytes) -> web.Response:
        return web.Response(status=status, body=body, content_type=content_type)

    return reply


def cut_short() -> Reply:
    """Pass the batch on, the node acts, and half of its answer comes back."""

    async def reply(front: Gateway, body: bytes) -> web.Response:
        whole = json.dumps(await front.ask_node(body))
        return web.Response(text=whole[: len(whole) // 2], content_type="application/json")

    return reply


def silent() -> Reply:
    """Answer nothing for longer than anyone waits."""

    async def reply(_front: Gateway, _body: bytes) -> web.Response:
        await asyncio.sleep(HANG_S)
        return web.Response()

    return reply


def redirected() -> Reply:
    """Send the client elsewhere."""

    async def reply(_front: Gateway, _body: bytes) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/"})

    return reply


def on(number: int, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Edit:
    """Change the answer to one item of the batch, or take it out."""

    def edit(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        changed = [change(answer) if answer["id"] == number else answer for answer in answers]
        return [answer for answer in changed if answer is not None]

    return edit


def failing(code: int, message: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Turn an answer into an error."""
    return lambda answer: {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": code, "message": message}}


def saying(result: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Give an answer another result."""
    return lambda answer: {"jsonrpc": "2.0", "id": answer["id"], "result": result}


def missing(_answer: dict[str, Any]) -> None:
    """Leave an answer out."""
