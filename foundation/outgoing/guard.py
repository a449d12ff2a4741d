"""
Ask an address that somebody else named, and nothing inside our network by accident.

A URL is checked before anything is sent (https, an expected host, no user), its host is resolved once,
every address must be allowed, and the connection goes to exactly those addresses: a second answer of
the name server (DNS rebinding) is never asked for. A redirect is an answer; it is followed only as far
as the caller allows, each step checked anew. The whole request has one deadline.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from foundation.errors import Rejected, Transient
from foundation.outgoing.addresses import Network, is_loopback, may_be_asked

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

_REDIRECTS: Final = {301, 302, 303, 307, 308}
_HTTPS_PORT: Final = 443
_URL: Final = re.compile(r"https?://[^\s/?#@\\]+([/?#][\x21-\x5b\x5d-\x7e]*)?")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9.])?")
_PRIVATE_HEADERS: Final = {"authorization", "cookie"}


class DestinationRefused(Rejected):
    """This address is never asked; the request would be refused each time."""

    code = "destination_refused"


class AnswerUnusable(Rejected):
    """The answer is too large, or encoded in a way that was not asked for."""

    code = "answer_unusable"


class DestinationUnavailable(Transient):
    """The destination did not answer in time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a destination answered; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    host: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked. The address may hold a secret; it is never repeated in an error."""

    url: str = field(repr=False)
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent as they are; after a redirect to another host without the credentials among them."""
    body: bytes | None = field(default=None, repr=False)
    hosts: Collection[str] | None = None
    """The only hosts that may be asked, ``name`` or ``name:port``; any public one when None."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long one request may take in all, how much it may bring, how many redirects it may follow."""

    deadline_s: float
    body_bytes_max: int = 64 * 1024
    redirects_max: int = 0


async def resolve_all(host: str, port: int) -> Sequence[str]:
    """Return every address of *host*, A and AAAA."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({str(address[0]) for *_, address in found})


class OutgoingGuard:
    """
    Sends requests to checked addresses only.

    Args:
        inside: Networks of the operator's own that may be asked besides public addresses.
        resolve: The name server.
        tls: Trust for https; the system's authorities when None.
    """

    def __init__(
        self,
        *,
        inside: Sequence[Network] = (),
        resolve: Resolve = resolve_all,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._inside, self._resolve = tuple(inside), resolve
        self._tls = tls or ssl.create_default_context()

    async def send(self, request: Request, limits: Limits) -> Answer:
        """
        Return the answer, whatever its status.

        Raises:
            DestinationRefused: The URL, its host, an address of it or a redirect is not allowed.
            AnswerUnusable: The answer is larger than the limit, or encoded.
            DestinationUnavailable: No answer within the deadline, or none at all.
        """
        try:
            async with asyncio.timeout(limits.deadline_s):
                return await self._follow(request, limits)
        except TimeoutError:
            raise DestinationUnavailable(f"no answer within {limits.deadline_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise DestinationUnavailable(f"no answer ({type(error).__name__})") from None

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """
        Return every address of *host*, each allowed; for protocols other than HTTP, which connect by themselves.

        Raises DestinationRefused if one of them is not allowed, OSError if the name server does not answer.
        """
        try:
            addresses = [host] if _is_literal(host) else await self._resolve(host, port)
        except UnicodeError:  # an empty label, or one of more than 63 letters: no name server is asked
            raise DestinationRefused(f"{host} is no name that can be looked up") from None
        if not addresses or not all(may_be_asked(address, self._inside) for address in addresses):
            raise DestinationRefused(f"{host} has an address that is not public, and not on the list of inside ones")
        return addresses

    async def _follow(self, request: Request, limits: Limits) -> Answer:
        for _ in range(limits.redirects_max + 1):
            parts = _checked(request)
            answer = await self._ask(request, parts, limits)
            if answer.status not in _REDIRECTS or limits.redirects_max == 0:
                return answer
            request = _redirected(request, answer.headers.get("location", ""))
        raise DestinationRefused(f"more than {limits.redirects_max} redirects")

    async def _ask(self, request: Request, parts: SplitResult, limits: Limits) -> Answer:
        addresses = await self._addresses_of(parts)
        connector = aiohttp.TCPConnector(
            resolver=_Pinned(addresses), ssl=self._tls, force_close=True, use_dns_cache=False
        )
        async with (
            aiohttp.ClientSession(
                connector=connector, trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session,
            session.request(
                request.method,
                request.url,
                headers={**request.headers, "Accept-Encoding": "identity"},
                data=request.body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=limits.deadline_s),
            ) as answer,
        ):
            return Answer(
                status=answer.status,
                headers={name.lower(): value for name, value in answer.headers.items()},
                body=await _read(answer, limits.body_bytes_max),
                host=parts.hostname or "",
            )

    async def _addresses_of(self, parts: SplitResult) -> Sequence[str]:
        """Return the addresses of the URL's host; without https only this machine's own."""
        host = parts.hostname or ""
        addresses = await self.addresses(host, parts.port or _HTTPS_PORT)
        if parts.scheme != "https" and not all(map(is_loopback, addresses)):
            raise DestinationRefused(f"{host} is not asked without https")
        return addresses


class _Pinned(AbstractResolver):
    """Answers with the addresses that were checked, whatever the name server says by now."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 -- both kinds were checked
    ) -> list[ResolveResult]:
        """Return the checked addresses."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _checked(request: Request) -> SplitResult:
    """
    Return the parts of the URL. Raises DestinationRefused if its form or its host is not allowed.

    Only plain ASCII host names pass: a client library reads ``①②⑦.0.0.1`` as 127.0.0.1, and would then
    ask no resolver.
    """
    try:
        parts = urlsplit(request.url)
        port = parts.port
    except ValueError:
        raise DestinationRefused("the address is not a URL") from None
    host = parts.hostname or ""
    if not _URL.fullmatch(request.url) or not (_HOST.fullmatch(host) or _is_literal(host)):
        raise DestinationRefused("the address must be https://HOST/… without a user")
    named = host if port in (None, _HTTPS_PORT) else f"{host}:{port}"
    if request.hosts is not None and named not in request.hosts:
        raise DestinationRefused(f"{named} is not a host that is asked here")
    return parts


def _redirected(request: Request, location: str) -> Request:
    """Return the request that a redirect asks for: a GET, without credentials where the host is another one."""
    url = urljoin(request.url, location)
    headers = dict(request.headers)
    if _origin(url) != _origin(request.url):
        headers = {name: value for name, value in headers.items() if name.lower() not in _PRIVATE_HEADERS}
    return replace(request, url=url, method="GET", headers=headers, body=None)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _read(answer: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    """Return the body. Raises AnswerUnusable if it is encoded or larger than allowed; no more than that is read."""
    if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("identity", ""):
        raise AnswerUnusable("the answer is encoded, which was not asked for")
    body = b""
    async for chunk in answer.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > bytes_max:
            raise AnswerUnusable(f"the answer is larger than {bytes_max} bytes")
    return body
