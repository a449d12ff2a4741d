"""
The HTTP front: routes, keys and bodies as the Functions host treats them.

- A known path with another method is 404, not 405 (github.com/Azure/azure-functions-host issue 10098).
- A body reaches the function only with a Content-Length above zero: a chunked body arrives empty.
- The reply goes out after the output bindings are bound; when one fails, the reply is a bare 500.
- A key is looked up in blob storage: while that is away, the answer is 500.
"""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from azure.core.exceptions import AzureError

from devstack.host import paths
from devstack.host.keys import Keys, given_key
from devstack.host.routes import Route
from devstack.host.times import Times
from devstack.host.values import Datum, Function, InvocationFailed
from devstack.host.wire import ClientLeft, NoBody, Refused, Reply, Request, Wire

_log = logging.getLogger("devstack.host.http")

_STREAM_BYTES = 40_000
_OPEN_PATHS = {"/", "/admin/host/ping", "/admin/warmup"}
_BEARER = (("WWW-Authenticate", "Bearer"),)


class Run(Protocol):
    """Runs a function on its trigger's value, and binds its outputs; raises InvocationFailed."""

    def __call__(self, function: Function, value: Datum, metadata: Mapping[str, Datum]) -> Awaitable[Datum]: ...


@dataclass(kw_only=True, slots=True)
class Front:
    """Answers HTTP requests with the app's functions."""

    routes: Sequence[Route]
    run: Run
    by_hand: Callable[[str, str], bool]
    """Starts a function that has no route, on a text; False if there is no such function."""
    keys: Keys
    storage: Callable[[], Awaitable[None]]
    """Returns once blob storage has answered; raises AzureError."""
    times: Times
    broken: bool = False
    """Whether the host could not start: it answers 503 to everything but a ping."""
    busy: set[asyncio.Task[Any]] = field(default_factory=set)
    """The connections on which a request is being answered."""

    async def listen(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_STREAM_BYTES)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await self._converse(Wire(reader, writer, self.times))
        except ConnectionError as why:
            _log.debug("a client has left: %s", why)
        finally:
            writer.close()

    async def _converse(self, wire: Wire) -> None:
        """Answer one request after the other, until one ends the connection."""
        alive, task = True, asyncio.current_task()
        assert task  # noqa: S101 -- called by a task of the server
        while alive:
            try:
                request = await wire.request()
                if request is None:
                    return
                self.busy.add(task)
                alive = await wire.send(request, await self._answer(request))
            except Refused as why:
                alive = await wire.send(None, Reply(status=why.status))
            except ClientLeft:
                _log.error("a request's body ended before its Content-Length: its invocation failed")
                return
            finally:
                self.busy.discard(task)

    async def _answer(self, request: Request) -> Reply:
        raw, query = paths.split(request.target, request.host)
        path, values = paths.normalised(raw), paths.query_values(query)
        if path in _OPEN_PATHS:
            return Reply(status=HTTPStatus.OK)
        if self.broken:
            return Reply(status=HTTPStatus.SERVICE_UNAVAILABLE)
        key = given_key(",".join(request.all("x-functions-key")), values)
        if path.lower().startswith(("/admin/", "/runtime/")):
            return await self._own(request, path, key)
        return await self._routed(request, path, query, key)

    async def _own(self, request: Request, path: str, key: str) -> Reply:
        """Answer a path of the host's own: its status, and a function started by hand."""
        status = self.keys.admin(key)
        if status != HTTPStatus.OK:
            return Reply(status=status, headers=_BEARER if status == HTTPStatus.UNAUTHORIZED else ())
        if path == "/admin/host/status":
            return Reply(status=status, headers=(("Content-Type", "application/json"),), body=b'{"state":"Running"}')
        if request.method == "POST" and path.startswith("/admin/functions/"):
            return await self._start(request, path.removeprefix("/admin/functions/"))
        return Reply(status=HTTPStatus.NOT_FOUND)

    async def _start(self, request: Request, name: str) -> Reply:
        """Start a function now (learn.microsoft.com/azure/azure-functions/functions-manually-run-non-http)."""
        if "json" not in ",".join(request.all("content-type")):
            return Reply(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        with suppress(ValueError):
            told = json.loads(await request.body() or b"{}")
            given = str(told.get("input", "")) if isinstance(told, dict) else ""
            return Reply(status=HTTPStatus.ACCEPTED if self.by_hand(name, given) else HTTPStatus.NOT_FOUND)
        return Reply(status=HTTPStatus.BAD_REQUEST)

    async def _routed(self, request: Request, path: str, query: str, key: str) -> Reply:
        for route in self.routes:
            found = route.pattern.fullmatch(path)
            if found and route.answers(request.method):
                if refusal := await self._refusal(route, request, key):
                    return Reply(status=refusal)
                return await self._invoke(route, request, _value(request, path, query, found.groupdict()))
        return Reply(status=HTTPStatus.NOT_FOUND)

    async def _refusal(self, route: Route, request: Request, key: str) -> HTTPStatus | None:
        if not request.host:
            _log.error("the hostname of an HTTP/1.0 request could not be parsed")
            return HTTPStatus.INTERNAL_SERVER_ERROR
        if route.level == "anonymous" or not self.keys.asked_for:
            return None
        try:
            await self.storage()
        except AzureError as why:
            _log.error("the keys cannot be read: %s", why)
            return HTTPStatus.INTERNAL_SERVER_ERROR
        return None if self.keys.open(route.level, key) else HTTPStatus.UNAUTHORIZED

    async def _invoke(self, route: Route, request: Request, value: dict[str, Any]) -> Reply:
        try:
            value["body"] = Datum(await request.body(), "bytes")
            return _reply(await self.run(route.function, Datum(value, "http"), {}))
        except (InvocationFailed, NoBody) as why:
            _log.error("%s failed: %s", route.function.name, why)
            return Reply(status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _value(request: Request, path: str, query: str, params: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the request as a function gets it, but for the body."""
    merged: dict[str, list[str]] = {}
    for name, text in request.headers:
        merged.setdefault(name, []).append(text)
    shown = f"http://{request.host}{paths.display(path)}"
    return {
        "method": Datum(request.method, "string"),
        "url": Datum(f"{shown}?{query}" if query else shown, "string"),
        "headers": _texts({name: ",".join(texts) for name, texts in merged.items()}),
        "params": _texts({name: text for name, text in params.items() if text}),
        "query": _texts(paths.query_values(query)),
    }


def _texts(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: Datum(value, "string") for name, value in values.items()}


def _reply(returned: Datum) -> Reply:
    """Turn what the function returned into the reply. Raises InvocationFailed for what is no answer."""
    if returned.type == "string":
        content_type = ("Content-Type", "text/plain; charset=utf-8")
        return Reply(status=HTTPStatus.OK, headers=(content_type,), body=returned.value.encode())
    if returned.type != "http":
        raise InvocationFailed("it returned no HTTP response")
    parts = returned.value
    headers = [*parts["headers"].items(), *(("Set-Cookie", cookie) for cookie in parts["cookies"])]
    return Reply(status=int(parts["status"]), headers=headers, body=parts["body"])
