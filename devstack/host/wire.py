"""
HTTP/1.1 as Kestrel, the server inside the Functions host, reads and writes it.

Its own small server, because what counts here are its limits and refusals: which bytes never become
a request, which body arrives empty or not at all, and what a reply may not hold.

Source: github.com/dotnet/aspnetcore, src/Servers/Kestrel/Core (HttpParser.cs, KestrelServerLimits.cs,
Http1MessageBody.cs, Http1OutputProducer.cs); each case was observed on host 4.1037.
"""

from __future__ import annotations

import asyncio
import re
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from devstack.host.times import Times

LINE_BYTES_MAX = 8192
HEADERS_BYTES_MAX = 32_768
HEADERS_MAX = 100
BODY_BYTES_MAX = 104_857_600
"""learn.microsoft.com/azure/azure-functions/functions-bindings-http-webhook-trigger#limits"""
_BODY_BYTES_PER_S = 240
_IDLE_S = 1.0
_READ_BYTES = 65_536
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")


class Refused(Exception):
    """These bytes are no request: the client gets a bare status, and the connection is closed."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class ClientLeft(Exception):
    """The client sent less than it had said, or too slowly: nobody hears an answer."""


class NoBody(Exception):
    """The body did not come, or is too large: the host answers 500 and does not run the function."""


@dataclass(kw_only=True, slots=True)
class Request:
    """One request: its head, and the way to its body."""

    method: str
    target: str
    version: str
    headers: Sequence[tuple[str, str]]
    wire: Wire = field(repr=False)
    read: bool = False
    """Whether its body was asked for."""
    lost: bool = False
    """Whether its body did not come whole: what follows on the connection is no request."""

    def all(self, name: str) -> list[str]:
        """Return the values of a header, its name in lower case."""
        return [value for key, value in self.headers if key == name]

    @property
    def host(self) -> str:
        return "".join(self.all("host")[:1])

    @property
    def chunked(self) -> bool:
        return any("chunked" in value.lower() for value in self.all("transfer-encoding"))

    @property
    def length(self) -> int:
        """How much follows the head, as its Content-Length says; a chunked body has none."""
        return 0 if self.chunked else int((self.all("content-length") or ["0"])[0])

    @property
    def keeps_alive(self) -> bool:
        said = ",".join(self.all("connection")).lower()
        closes = "close" in said or (self.version == "HTTP/1.0" and "keep-alive" not in said)
        return not closes and not self.lost and not self.all("x-content-length")

    async def body(self) -> bytes:
        """Return the body, empty if it is chunked. Raises NoBody, ClientLeft."""
        self.read = self.lost = True
        if self.length > BODY_BYTES_MAX:
            raise NoBody("the request's body is too large")
        if self.length and "100-continue" in ",".join(self.all("expect")).lower():
            self.wire.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await self.wire.exactly(self.length)
        self.lost = False
        return body


@dataclass(kw_only=True, slots=True)
class Reply:
    """What goes back; a body of None is an answer of the host itself."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | None = None

    def is_sendable(self) -> bool:
        """Tell whether Kestrel writes it: names are tokens, values ASCII without line ends, the length true."""
        for name, value in self.headers:
            if not _TOKEN.fullmatch(name.encode()) or not (
                value.isascii() and not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value)
            ):
                return False
            if name.lower() == "content-length" and value != str(len(self.body or b"")):
                return False
        return True


class Wire:
    """One connection."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, times: Times) -> None:
        self._reader, self.writer, self._times = reader, writer, times

    async def request(self) -> Request | None:
        """Return the next request; None when the client has closed. Raises Refused."""
        first = await self._line(HTTPStatus.REQUEST_URI_TOO_LONG)  # between requests a client may rest
        try:
            async with asyncio.timeout(self._times.head_s):
                while first in {b"\r\n", b"\n"}:
                    first = await self._line(HTTPStatus.REQUEST_URI_TOO_LONG)
                return await self._request(first) if first else None
        except TimeoutError as why:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT) from why

    async def _request(self, first: bytes) -> Request:
        if len(first) > LINE_BYTES_MAX:
            raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG)
        method, _, rest = first.rstrip(b"\r\n").partition(b" ")
        target, _, version = rest.rpartition(b" ")
        if not _TOKEN.fullmatch(method) or version not in {b"HTTP/1.1", b"HTTP/1.0"} or not target.isascii():
            raise Refused(HTTPStatus.BAD_REQUEST)
        headers = [*_joined(await self._headers())]
        request = Request(
            method=method.decode(), target=target.decode(), version=version.decode(), headers=headers, wire=self
        )
        _check(request)
        return request

    async def _headers(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        left = HEADERS_BYTES_MAX
        while (line := await self._line(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)) not in {b"\r\n", b"\n"}:
            if not line.endswith(b"\n"):
                raise Refused(HTTPStatus.BAD_REQUEST)
            left -= len(line)
            if left < 0 or len(found) == HEADERS_MAX:
                raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            found.append(_header(line.rstrip(b"\r\n")))
        return found

    async def _line(self, too_long: HTTPStatus) -> bytes:
        try:
            return await self._reader.readline()
        except ValueError as why:  # longer than the stream's own limit
            raise Refused(too_long) from why

    async def exactly(self, length: int) -> bytes:
        """Return *length* bytes. Raises ClientLeft if they end early, NoBody or ClientLeft if they come too slowly."""
        began, body = time.monotonic(), bytearray()
        while len(body) < length:
            try:
                async with asyncio.timeout(self._wait_s(began, len(body))):
                    more = await self._reader.read(min(_READ_BYTES, length - len(body)))
            except TimeoutError as why:
                raise NoBody("the request's body did not come in time") from why
            if not more or (self._wait_s(began, len(body)) <= 0):
                raise ClientLeft
            body += more
        return bytes(body)

    def _wait_s(self, began: float, got: int) -> float:
        """Return how long the client may still keep silent after *got* bytes."""
        due = max(self._times.body_grace_s, got / _BODY_BYTES_PER_S)
        return began + due + 0.1 - time.monotonic()

    async def send(self, request: Request | None, reply: Reply) -> bool:
        """Send *reply*; return whether another request may follow."""
        if not reply.is_sendable():
            reply = Reply(status=HTTPStatus.INTERNAL_SERVER_ERROR)
        alive = request is not None and request.keeps_alive
        with suppress(ConnectionError):  # the client has left; its function has run
            self.writer.write(_written(request, reply, alive=alive))
            await self.writer.drain()
        return alive and await self._drained(request)

    async def _drained(self, request: Request | None) -> bool:
        """Read what is left of a body that nobody asked for, for as long as the grace lasts."""
        if request is None or (request.read and not request.chunked):
            return True
        try:
            async with asyncio.timeout(self._times.body_grace_s):
                if not request.chunked:
                    await self._reader.readexactly(request.length)
                    return True
                while size := int((await self._reader.readline()).split(b";")[0] or b"0", 16):
                    await self._reader.readexactly(size + 2)
                return (await self._reader.readline()) in {b"\r\n", b"\n"}
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, ValueError):
            return False


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not _TOKEN.fullmatch(name) or b"\0" in value:
        raise Refused(HTTPStatus.BAD_REQUEST)
    try:
        return name.decode().lower(), value.strip(b" \t").decode()
    except UnicodeDecodeError as why:
        raise Refused(HTTPStatus.BAD_REQUEST) from why


def _joined(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Name the length of a chunked body as Kestrel does, which takes the chunks' word for it."""
    chunked = any(name == "transfer-encoding" and "chunked" in value.lower() for name, value in headers)
    return [("x-content-length" if chunked and name == "content-length" else name, value) for name, value in headers]


def _check(request: Request) -> None:
    """Raises Refused for a length or a host that Kestrel does not take."""
    lengths, hosts = request.all("content-length"), request.all("host")
    if len(lengths) > 1 or not all(value.isascii() and value.isdigit() for value in lengths):
        raise Refused(HTTPStatus.BAD_REQUEST)
    if len(hosts) > 1 or not all(_HOST.fullmatch(host) for host in hosts):
        raise Refused(HTTPStatus.BAD_REQUEST)
    if not hosts and request.version != "HTTP/1.0":
        raise Refused(HTTPStatus.BAD_REQUEST)


def _written(request: Request | None, reply: Reply, *, alive: bool) -> bytes:
    """Return the bytes of *reply*: a function's body in chunks, an answer of the host with a length of zero."""
    named = {name.lower() for name, _ in reply.headers}
    head = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}", *(f"{name}: {value}" for name, value in reply.headers)]
    head += [f"Date: {_date()}", "Server: Kestrel"] if "date" not in named else ["Server: Kestrel"]
    body = reply.body or b""
    bare = reply.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}
    if bare or (request is not None and request.method == "HEAD"):
        body = b""
    elif not body:
        head += [] if "content-length" in named else ["Content-Length: 0"]
    elif named.isdisjoint({"content-length", "transfer-encoding"}) and request and request.version == "HTTP/1.1":
        head.append("Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    if not alive:
        head.append("Connection: close")
    return "\r\n".join([*head, "", ""]).encode() + body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _date() -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
