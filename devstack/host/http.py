"""
The HTTP front: routes, methods, keys and bodies as the Functions host treats them.

- A known path with another method is 404, not 405 (github.com/Azure/azure-functions-host issue 10098).
- A body reaches the function only with a Content-Length above zero: a chunked body arrives empty.
- The reply goes out after the output bindings are bound; when one fails, the reply is a bare 500.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from devstack.host.queues import Run
from devstack.host.worker import Function, InvocationFailed, datum

_log = logging.getLogger("devstack.host.http")

MAX_BODY_BYTES = 104_857_600
"""The platform's limit; learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#limits."""
_DEFAULT_METHODS = ("get", "post", "head", "put", "delete", "options", "patch", "trace")


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP function: where it answers."""

    function: Function
    template: str
    pattern: re.Pattern[str]
    methods: frozenset[str]

    @property
    def rank(self) -> tuple[int, ...]:
        """Sort key: a literal segment wins over a parameter, as in ASP.NET routing."""
        return tuple(int(part.startswith("{")) for part in self.template.split("/"))

    @property
    def needs_key(self) -> bool:
        return str(self.function.trigger.get("authLevel", "function")).lower() != "anonymous"


def routes(functions: Sequence[Function], prefix: str) -> list[Route]:
    """Return the routes of the HTTP functions among *functions*, the most literal first."""
    found = [_route(function, prefix) for function in functions if function.kind == "httpTrigger"]
    return sorted(found, key=lambda route: route.rank)


def _route(function: Function, prefix: str) -> Route:
    own = function.trigger.get("route")
    template = "/".join(part for part in (prefix, function.name if own is None else own.strip("/")) if part)
    methods = function.trigger.get("methods") or _DEFAULT_METHODS
    return Route(function, template, _pattern(template), frozenset(str(method).upper() for method in methods))


def _pattern(template: str) -> re.Pattern[str]:
    """Turn ``orders/{id}``, ``{id:int}``, ``{*rest}`` into a pattern; literals ignore case, as in ASP.NET."""
    text = ""
    for part in filter(None, re.split(r"(\{[^}]+\})", template)):
        name, _, kind = part.strip("{}").partition(":")
        if not part.startswith("{"):
            text += re.escape(part)
        elif name.startswith("*"):
            text += f"(?P<{name.lstrip('*')}>.*)"
        else:
            text += f"(?P<{name}>{r'-?[0-9]+' if kind == 'int' else '[^/]+'})"
    return re.compile(f"/{text}/?", re.IGNORECASE)


class Front:
    """Answers HTTP requests with the app's functions."""

    def __init__(self, table: Sequence[Route], run: Run, trigger: Callable[[str], bool], key: str) -> None:
        self._routes = table
        self._run = run
        self._trigger = trigger
        self._key = key

    def application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_get("/admin/host/status", self._status)
        application.router.add_post("/admin/functions/{name}", self._start_by_hand)
        application.router.add_route("*", "/{path:(?s:.*)}", self._answer, expect_handler=_expect)
        return application

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response({"state": "Running"})

    async def _start_by_hand(self, request: web.Request) -> web.Response:
        """Run a timer now (learn.microsoft.com/azure/azure-functions/functions-manually-run-non-http)."""
        if not self._key_matches(request):
            return web.Response(status=401)
        return web.Response(status=202 if self._trigger(request.match_info["name"]) else 404)

    async def _answer(self, request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        for route in self._routes:
            found = route.pattern.fullmatch(path)
            if found and request.method in route.methods:
                if route.needs_key and not self._key_matches(request):
                    return web.Response(status=401)
                return await self._invoke(route, request, found.groupdict())
        return web.Response(status=404)

    def _key_matches(self, request: web.Request) -> bool:
        """Without a configured key any request passes, as under ``func start``."""
        given = request.headers.get("x-functions-key") or request.query.get("code", "")
        return not self._key or hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._key.encode())

    async def _invoke(self, route: Route, request: web.Request, params: Mapping[str, str]) -> web.Response:
        value = await _http_datum(request, params)
        try:
            returned = await self._run(route.function, value, {})
        except InvocationFailed as why:
            _log.error("%s failed: %s", route.function.name, why)
            return web.Response(status=500)
        return _response(returned)


async def _http_datum(request: web.Request, params: Mapping[str, str]) -> Any:
    body = await request.read() if request.content_length else b""
    return datum(
        {
            "method": datum(request.method, "string"),
            "url": datum(str(request.url), "string"),
            "headers": _texts(_headers(request)),
            "params": _texts({name: unquote(value) for name, value in params.items()}),
            "query": _texts({name: ",".join(request.query.getall(name)) for name in request.query}),
            "body": datum(body, "bytes"),
        },
        "http",
    )


async def _expect(request: web.Request) -> None:
    """
    Ask for the body of a client that waits to be asked, and pass over any other Expect, as Kestrel does.

    Source: github.com/dotnet/aspnetcore, Http1MessageBody (only ``100-continue`` is looked for).
    """
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _headers(request: web.Request) -> dict[str, str]:
    """Lower-case names, repeated headers joined, and the client where Azure's front end puts it."""
    headers = {name.lower(): ",".join(request.headers.getall(name)) for name in request.headers}
    host, port = (request.transport.get_extra_info("peername") or ("", 0))[:2] if request.transport else ("", 0)
    client = f"{host}:{port}"
    headers["x-forwarded-for"] = ", ".join(filter(None, (headers.get("x-forwarded-for"), client)))
    return headers


def _texts(values: Mapping[str, str]) -> dict[str, Any]:
    return {name: datum(value, "string") for name, value in values.items()}


def _response(returned: Any) -> web.Response:
    """Turn what the function returned, an HttpResponse or text, into the reply."""
    if returned.type == "string":
        return web.Response(text=returned.value)
    value = returned.value
    headers = {name: text.value for name, text in value["headers"].items()}
    return web.Response(status=int(value["status_code"].value), headers=headers, body=value["body"].value)
