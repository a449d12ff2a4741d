"""The outgoing guard against a real server: what it refuses is never sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest
import trustme
from aiohttp import web

from foundation.outgoing.addresses import parse_networks
from foundation.outgoing.guard import (
    Answer,
    AnswerUnusable,
    DestinationRefused,
    DestinationUnavailable,
    Limits,
    OutgoingGuard,
    Request,
    resolve_all,
)

LIMITS = Limits(deadline_s=5, body_bytes_max=1000)
LOOPBACK = parse_networks("127.0.0.0/8")


@dataclass
class Site:
    """A server under any name, and what it was asked."""

    port: int
    tls: ssl.SSLContext
    asked: list[web.Request] = field(default_factory=list)
    answers: Callable[[web.Request], web.StreamResponse] = lambda _: web.Response(text="hello")
    resolved: list[str] = field(default_factory=list)
    addresses: Sequence[str] = ("127.0.0.1",)

    def url(self, path: str = "/", host: str = "docs.example") -> str:
        """Return an address of this site."""
        return f"https://{host}:{self.port}{path}"

    async def resolve(self, host: str, _port: int) -> Sequence[str]:
        """Answer as a name server would."""
        self.resolved.append(host)
        return self.addresses

    async def send(self, request: Request, limits: Limits = LIMITS) -> Answer:
        """Send through a guard that may ask this machine."""
        return await OutgoingGuard(inside=LOOPBACK, resolve=self.resolve, tls=self.tls).send(request, limits)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A server with a certificate for two names."""
    authority = trustme.CA()
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("docs.example", "files.example").configure_cert(server_tls)
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)

    async def serve(request: web.Request) -> web.StreamResponse:
        await request.read()
        found.asked.append(request)
        return found.answers(request)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(application)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls)
    await listening.start()
    found = Site(port=runner.addresses[0][1], tls=client_tls)
    yield found
    await runner.cleanup()


async def test_an_allowed_destination_is_asked_under_its_own_name(site: Site) -> None:
    """Name, certificate and Host header are the host's; the name server is asked once; no encoding is wanted."""
    answer = await site.send(Request(url=site.url("/a?b=c"), method="POST", body=b"x", headers={"X-Id": "1"}))

    (asked,) = site.asked
    assert (answer.status, answer.body, answer.host) == (200, b"hello", "docs.example")
    assert (asked.host, asked.path_qs, asked.method) == (f"docs.example:{site.port}", "/a?b=c", "POST")
    assert (asked.headers["X-Id"], asked.headers["Accept-Encoding"]) == ("1", "identity")
    assert site.resolved == ["docs.example"]


async def test_one_inside_address_among_many_refuses_the_host(site: Site) -> None:
    """A name server that mixes a public address with an inside one is an attack, or a mistake."""
    site.addresses = ["127.0.0.1", "10.0.0.1"]

    with pytest.raises(DestinationRefused, match=r"docs\.example has an address that is not public"):
        await site.send(Request(url=site.url()))
    assert site.asked == []


async def test_a_host_without_an_address_is_refused(site: Site) -> None:
    """Nothing can be checked."""
    site.addresses = []

    with pytest.raises(DestinationRefused):
        await site.send(Request(url=site.url()))


async def test_this_machine_is_not_asked_without_a_list(site: Site) -> None:
    """By name or by number."""
    guard = OutgoingGuard(resolve=site.resolve, tls=site.tls)

    for url in (site.url(), site.url(host="127.0.0.1"), f"https://[::1]:{site.port}/"):
        with pytest.raises(DestinationRefused):
            await guard.send(Request(url=url), LIMITS)
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://docs.example/",
        "docs.example",
        "",
        "https://",
        "https://user@docs.example/",
        "https://user:word@docs.example/",
        "https://docs.example:word/",
        "https://\u2460\u2461\u2466.0.0.1/",
        "https://docs.example\\@files.example/",
        "https://docs.example/a b",
        "https://docs%2eexample/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
    ],
)
async def test_an_address_of_another_form_is_refused(site: Site, url: str) -> None:
    """Before a name is looked up."""
    with pytest.raises(DestinationRefused):
        await site.send(Request(url=url))
    assert site.resolved == []


async def test_only_expected_hosts_are_asked(site: Site) -> None:
    """Exactly as they are written, port included."""
    hosts = {f"docs.example:{site.port}"}

    assert (await site.send(Request(url=site.url(), hosts=hosts))).status == 200
    for url in (site.url(host="files.example"), "https://docs.example/", site.url(host="docs.example.evil.example")):
        with pytest.raises(DestinationRefused, match="not a host that is asked here"):
            await site.send(Request(url=url, hosts=hosts))


async def test_plain_http_is_for_this_machine_alone(site: Site) -> None:
    """And only where the operator lists it."""
    site.addresses = ["8.8.8.8"]

    with pytest.raises(DestinationRefused, match="without https"):
        await site.send(Request(url=f"http://docs.example:{site.port}/"))


async def test_a_redirect_is_an_answer_unless_it_may_be_followed(site: Site) -> None:
    """Nobody is sent on without having been asked."""
    site.answers = lambda _: web.Response(status=302, headers={"Location": "https://files.example/"})

    assert (await site.send(Request(url=site.url()))).status == 302


async def test_each_redirect_is_checked_and_loses_the_credentials_at_another_host(site: Site) -> None:
    """The token is for the first host alone."""
    site.answers = lambda request: (
        web.Response(text="file")
        if request.path == "/file"
        else web.Response(status=302, headers={"Location": site.url("/file", "files.example")})
    )
    request = Request(
        url=site.url("/start"), method="POST", body=b"x", headers={"Authorization": "Bearer t", "X-A": "1"}
    )

    answer = await site.send(request, Limits(deadline_s=5, redirects_max=1))

    first, second = site.asked
    assert (answer.body, answer.host) == (b"file", "files.example")
    assert (first.headers["Authorization"], "Authorization" in second.headers) == ("Bearer t", False)
    assert (second.headers["X-A"], second.method) == ("1", "GET")


async def test_a_redirect_within_the_host_keeps_the_credentials(site: Site) -> None:
    """It is the same server."""
    site.answers = lambda request: (
        web.Response(text="file") if request.path == "/b" else web.Response(status=307, headers={"Location": "/b"})
    )

    await site.send(Request(url=site.url("/a"), headers={"Authorization": "t"}), Limits(deadline_s=5, redirects_max=1))

    assert [asked.headers["Authorization"] for asked in site.asked] == ["t", "t"]


async def test_a_redirect_to_an_inside_address_is_refused(site: Site) -> None:
    """As if it had been named at first."""
    site.answers = lambda _: web.Response(status=302, headers={"Location": "http://169.254.169.254/metadata"})

    with pytest.raises(DestinationRefused, match=r"169\.254\.169\.254"):
        await site.send(Request(url=site.url()), Limits(deadline_s=5, redirects_max=3))


async def test_redirects_end(site: Site) -> None:
    """A loop is no answer."""
    site.answers = lambda _: web.Response(status=302, headers={"Location": "/again"})

    with pytest.raises(DestinationRefused, match="more than 3 redirects"):
        await site.send(Request(url=site.url()), Limits(deadline_s=5, redirects_max=3))
    assert len(site.asked) == 4


async def test_an_answer_larger_than_allowed_is_not_read_to_its_end(site: Site) -> None:
    """Nor is one in another encoding: a small bomb may unfold to a large one."""
    site.answers = lambda _: web.Response(body=b"x" * 1001)
    with pytest.raises(AnswerUnusable, match="larger than 1000 bytes"):
        await site.send(Request(url=site.url()))

    site.answers = lambda _: web.Response(body=b"x", headers={"Content-Encoding": "gzip"})
    with pytest.raises(AnswerUnusable, match="encoded"):
        await site.send(Request(url=site.url()))


async def test_the_whole_request_has_one_deadline(site: Site) -> None:
    """A name server that hangs counts as well."""

    async def hang(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        raise AssertionError

    guard = OutgoingGuard(resolve=hang, tls=site.tls)

    with pytest.raises(DestinationUnavailable, match=r"no answer within 0\.05 s"):
        await guard.send(Request(url=site.url()), Limits(deadline_s=0.05))


async def test_a_destination_that_cannot_be_reached_is_unavailable(site: Site) -> None:
    """Its certificate is for other names, or nobody listens; the address is not repeated."""
    for url in (site.url(host="other.example"), "https://docs.example:9/?key=secret"):
        with pytest.raises(DestinationUnavailable) as refused:
            await site.send(Request(url=url))
        assert "secret" not in str(refused.value)


async def test_the_name_server_of_this_machine_is_asked_for_every_address() -> None:
    """Each once."""
    found = await resolve_all("localhost", 443)

    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(set(found)) == len(found) > 0
