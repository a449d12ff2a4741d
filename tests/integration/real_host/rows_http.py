"""Rows about HTTP: routing, heads, bodies, answers. Each is sent to one host that runs for all of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from tests.integration.hosted import Hosted
from tests.integration.real_host.bench import Trial, ask, exchange, first_line, lines, row

Check = Callable[[Hosted], None]
CLOSE = b"Connection: close\r\n"


def says(path: str, status: int, *, method: str = "GET", **headers: str) -> Check:
    """The status of one request, and nothing else of it if it is refused."""

    def check(host: Hosted) -> None:
        got = ask(host, path, method=method, **headers)
        assert got.status == status
        assert got.status < 400 or (got.body == b"" and got.header("allow") is None)

    return check


def value(path: str, expected: str) -> Check:
    """What the function sees as the route's value."""
    return lambda host: _equal(ask(host, path).json["params"].get("value"), expected)


def _equal(found: object, expected: object) -> None:
    assert found == expected


def raw(request: bytes, *statuses: int) -> Check:
    """The statuses that come back for these bytes until the host closes."""
    return lambda host: _equal([got.status for got in exchange(host, request)], list(statuses))


def head(*more: bytes, line: bytes = b"GET /open/7 HTTP/1.1", host: bytes = b"Host: HOST") -> bytes:
    """A request's head, closed after its answer."""
    return b"\r\n".join([line, host, *more, b"Connection: close", b"", b""])


SOON = {"DEVSTACK_TIME_SCALE": "0.1"}
"""The grace of a body is half a second, that of a head three."""
ROUTING = "Routing"
lines(
    ROUTING,
    ("an unknown path", "404, empty, no Allow", says("/nothing", 404)),
    ("a wrong method on a known path", "404, empty, no Allow", says("/healthz", 404, method="POST")),
    ("HEAD on a GET-only route", "404", says("/healthz", 404, method="HEAD")),
    ("OPTIONS on a GET-only route", "404", says("/healthz", 404, method="OPTIONS")),
    (
        "a literal beside a parameter",
        "the literal",
        lambda host: _equal(ask(host, "/open/literal").body, b"literal GET"),
    ),
    ("a trailing slash", "200", says("/healthz/", 200)),
    ("other case", "200", says("/HEALTHZ", 200)),
    ("a double slash", "404", says("//healthz", 404)),
    ("an empty segment", "404", says("/open//7", 404)),
    ("a dot for a value", "404", says("/open/.", 404)),
    ("/x/../healthz", "200", says("/x/../healthz", 200)),
    ("/x/%2e%2e/healthz", "200", says("/x/%2e%2e/healthz", 200)),
    ("/../healthz", "200", says("/../healthz", 200)),
    ("a slash that is encoded", "the value stays encoded", value("/open/a%2Fb", "a%2Fb")),
    ("dots behind encoded slashes", "no segments", value("/open/..%2F..%2Fhealthz", "..%2F..%2Fhealthz")),
    ("a byte that is no UTF-8", "the value stays encoded", value("/open/%FF", "%FF")),
    ("blank, accent and percent", "decoded", value("/open/a%20b%C3%A9%25", "a bé%")),
    ("a plus", "kept", value("/open/a+b", "a+b")),
    ("a lone percent", "kept", value("/open/a%zz", "a%zz")),
    ("a fragment sent raw", "part of the value", value("/open/7#frag", "7#frag")),
    ("a zero byte, encoded", "400, closed", raw(b"GET /open/%00 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400)),
    ("raw non-ASCII bytes in the path", "400, closed", raw(b"GET /open/\xc3\xa9 HTTP/1.1\r\nHost: HOST\r\n\r\n", 400)),
    ("two pipelined requests", "both answered", raw(b"GET /healthz HTTP/1.1\r\nHost: HOST\r\n\r\n" + head(), 200, 201)),
    ("an absolute target of this host", "200", raw(head(line=b"GET http://HOST/open/7 HTTP/1.1"), 201)),
    ("an absolute target of another host", "400", raw(head(line=b"GET http://other/open/7 HTTP/1.1"), 400)),
)


@row(ROUTING, "a lone percent", "the URL shows %25zz")
def _(host: Hosted) -> None:
    assert ask(host, "/open/a%zz").json["url"] == f"{host.url}/open/a%25zz"


@row(ROUTING, "HEAD on a route without methods", "200, no Content-Length")
def _(host: Hosted) -> None:
    got = ask(host, "/open/7", method="HEAD")

    assert (got.status, got.header("content-length")) == (201, None)


@row(ROUTING, "OPTIONS, TRACE, PROPFIND, CONNECT, FOO on a route without methods", "the function runs with that method")
def _(host: Hosted) -> None:
    methods = ["OPTIONS", "TRACE", "PROPFIND", "CONNECT", "FOO"]

    assert [ask(host, "/open/7", method=method).json["method"] for method in methods] == methods


@row(ROUTING, "a query with repeated, empty and nameless values", "merged whatever the case, empty ones dropped")
def _(host: Hosted) -> None:
    asked = ask(host, "/open/7?a=1&a=2&b=&c&=x&d=%20+%C3%A9&A=3").json

    assert asked["query"] == {"a": "1,2,3", "d": "  é", "": "x"}


@row(ROUTING, "a catch-all asked with nothing", "the function runs without a value")
def _(host: Hosted) -> None:
    assert [ask(host, path).json["params"] for path in ("/any", "/any/")] == [{}, {}]


HEADS = "Request headers and limits"
SMUGGLED = head(b"Transfer-Encoding: chunked", b"Content-Length: 3", line=b"POST /open/7 HTTP/1.1")
lines(
    HEADS,
    ("a lone Latin-1 byte", "400", raw(head(b"X-A: \xe9"), 400)),
    ("a folded header", "400, closed", raw(head(b"X-A: a", b" b"), 400)),
    ("a space before the colon", "400, closed", raw(head(b"X-A : a"), 400)),
    ("NUL in a value", "400, closed", raw(head(b"X-A: a\0"), 400)),
    ("two Hosts", "400, closed", raw(head(b"Host: other"), 400)),
    ("a bad Host", "400, closed", raw(head(host=b"Host: a b"), 400)),
    ("no Host in HTTP/1.1", "400, closed", raw(b"GET /open/7 HTTP/1.1\r\n\r\n", 400)),
    ("bare line feeds", "200", raw(b"GET /healthz HTTP/1.1\nHost: HOST\nConnection: close\n\n", 200)),
    ("HTTP/1.0 with Host", "200, closed", raw(b"GET /healthz HTTP/1.0\r\nHost: HOST\r\n\r\n", 200)),
    ("HTTP/1.0 without Host", "500 where there is a route", raw(b"GET /healthz HTTP/1.0\r\n\r\n", 500)),
    ("HTTP/1.0 without Host, unknown path", "404", raw(b"GET /nothing HTTP/1.0\r\n\r\n", 404)),
    ("a path value of 8,150 characters", "200", says("/open/" + "a" * 8150, 201)),
    ("a path value of 8,190 characters", "414", raw(b"GET /open/" + b"a" * 8190 + b" HTTP/1.1\r\n\r\n", 414)),
    ("a header of 32,600 bytes", "200", says("/open/7", 201, X_Long="a" * 32_600)),
    ("a header of 33,000 bytes", "431", says("/open/7", 431, X_Long="a" * 33_000)),
    ("100 headers", "200", raw(head(*(b"X-%d: a" % number for number in range(98))), 201)),
    ("102 headers", "431", raw(head(*(b"X-%d: a" % number for number in range(100))), 431)),
    ("two equal Content-Lengths", "400", raw(head(b"Content-Length: 0", b"Content-Length: 0"), 400)),
    ("a Content-Length that is no number", "400", raw(head(b"Content-Length: x"), 400)),
    ("a negative Content-Length", "400", raw(head(b"Content-Length: -1"), 400)),
)


@row(HEADS, "repeated headers, empty and padded values", "joined, names lower-case; empty; trimmed")
def _(host: Hosted) -> None:
    (got,) = exchange(
        host, head(b"X-A: 1", b"x-a: 2", b"Cookie: a", b"Cookie: b", b"X-E:", b"X-P:  p  ", b"X-U: \xc3\xa9")
    )
    seen = got.json["headers"]

    assert [seen[name] for name in ("x-a", "cookie", "x-e", "x-p", "x-u")] == ["1,2", "a,b", "", "p", "é"]


@row(HEADS, "X-Forwarded-For and its like", "as sent; the function sees no peer address")
def _(host: Hosted) -> None:
    sent = {"X_Forwarded_For": "1.2.3.4", "X_Forwarded_Proto": "https", "X_Real_IP": "5.6.7.8"}

    seen = ask(host, "/open/7", **sent).json["headers"]
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"], seen["x-real-ip"]) == ("1.2.3.4", "https", "5.6.7.8")
    assert "x-forwarded-for" not in ask(host, "/open/7").json["headers"]


@row(HEADS, "headers that never end", "408 after 30 s", "trial")
def _(trial: Trial) -> None:
    with trial.host(**SOON) as host:
        assert [got.status for got in exchange(host, b"GET /open/7 HTTP/1.1\r\nHost: HOST\r\nX-A: a\r\n")] == [408]


BODIES = "Request body"
POST = b"POST /open/7 HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n"


def _left_early(host: Hosted) -> None:
    before, where = host.log.count("its invocation failed"), urlsplit(host.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as wire:
        wire.sendall(POST.replace(b"HOST", b"x") + b"Content-Length: 9\r\n\r\nabc")
        wire.shutdown(socket.SHUT_WR)
        assert wire.recv(100) == b""
    assert host.log.count("its invocation failed") == before + 1


def _both_lengths(host: Hosted) -> None:
    (got,) = exchange(host, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

    assert (got.json["body_hex"], got.json["headers"]["x-content-length"]) == ("", "3")
    assert "content-length" not in got.json["headers"]


lines(
    BODIES,
    ("101 MB declared", "500 at once", raw(POST + b"Content-Length: 105906176\r\n\r\n", 500)),
    ("a Content-Length larger than sent", "no reply", _left_early),
    ("chunked and Content-Length", "empty, x-content-length", _both_lengths),
)


@row(BODIES, "chunked without Content-Length", "the function runs with an empty body")
def _(host: Hosted) -> None:
    (got,) = exchange(host, POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")

    assert (got.status, got.json["body_hex"]) == (201, "")


@row(BODIES, "a Content-Length smaller than sent", "cut to it")
def _(host: Hosted) -> None:
    (got,) = exchange(host, POST + b"Content-Length: 3\r\n\r\nabcdef")

    assert got.json["body_hex"] == b"abc".hex()


@row(BODIES, "no UTF-8, a BOM, gzip as encoding", "the bytes as they are")
def _(host: Hosted) -> None:
    body = b"\xef\xbb\xbf\xff\x1f\x8b"
    (got,) = exchange(host, POST + b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\n" + body)

    assert got.json["body_hex"] == body.hex()


@row(BODIES, "Expect: 100-continue", "100, then the answer; another expectation is passed over")
def _(host: Hosted) -> None:
    rest = b"Content-Length: 3\r\n\r\nabc"
    asked, other = (exchange(host, POST + b"Expect: " + what + b"\r\n" + rest) for what in (b"100-continue", b"foo"))

    assert [each[-1].json["body_hex"] for each in (asked, other)] == [b"abc".hex()] * 2


@row(BODIES, "5 of 100 bytes, then silence", "500 after 5.5 s, the function does not run")
def _(host: Hosted) -> None:
    began = time.monotonic()
    (got,) = exchange(host, POST + b"Content-Length: 100\r\n\r\nabcde")

    assert got.status == 500
    assert 4.5 < time.monotonic() - began < 9


@row(BODIES, "1 MB", "answered")
def _(host: Hosted) -> None:
    (got,) = exchange(host, POST + b"Content-Length: 1000000\r\n\r\n" + b"a" * 1_000_000)

    assert (got.status, len(got.json["body_hex"])) == (201, 2_000_000)


@row(BODIES, "some bytes a second", "cut; the function does not run", "trial")
def _(trial: Trial) -> None:
    with trial.host(**SOON) as host:
        where = urlsplit(host.url)
        with socket.create_connection((where.hostname, where.port), timeout=30) as wire:
            wire.sendall(POST.replace(b"HOST", b"x") + b"Content-Length: 100\r\n\r\n")
            sent = 0
            with suppress(ConnectionError):
                while sent < 99:
                    wire.sendall(b"a")
                    sent += 1
                    time.sleep(0.05)
            assert sent < 99
        assert host.ask("/healthz").status == 200
    assert trial.seen("http") == []


@row(BODIES, "chunked, never ending", "answered at once, then closed", "trial")
def _(trial: Trial) -> None:
    with trial.host(**SOON) as host:
        (got,) = exchange(
            host, POST.replace(b"Connection: close\r\n", b"") + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
        )

    assert (got.status, got.json["body_hex"]) == (201, "")


ANSWERS = "Answers"


def answer(name: str, status: int, body: bytes = b"", **headers: str | None) -> Check:
    """What the client gets for one of the app's answers; a header of None is not there."""

    def check(host: Hosted) -> None:
        got = ask(host, f"/answer/{name}")
        assert (got.status, got.body) == (status, body)
        for header, expected in headers.items():
            assert got.header(header.replace("_", "-")) == expected

    return check


lines(
    ANSWERS,
    ("a function raises", "500, empty", says("/fail", 500)),
    ("returns None", "500, empty", answer("none", 500)),
    ("returns an int", "500, empty", answer("int", 500)),
    ("returns a dict", "500, empty", answer("dict", 500)),
    ("a header value with CR LF", "500, empty", answer("crlf", 500)),
    ("returns str", "200 text/plain", answer("str", 200, "text é".encode(), content_type="text/plain; charset=utf-8")),
    ("204 with a body", "dropped, its type kept", answer("204-body", 204, content_type="text/plain; charset=utf-8")),
    ("304 with a body", "dropped, its type kept", answer("304-body", 304, content_type="text/plain; charset=utf-8")),
    ("text/csv", "with charset", answer("csv", 200, b"a,b", content_type="text/csv; charset=utf-8")),
    ("no body", "Content-Length: 0", answer("no-body", 202, content_length="0")),
    ("status 599", "as it is", answer("599", 599, b"odd")),
    ("status 999", "as it is", answer("999", 999, b"odd")),
    ("status 99", "as it is", lambda host: _equal(first_line(host, "/answer/99"), "HTTP/1.1 99 ")),
    ("status 1000", "as it is", lambda host: _equal(first_line(host, "/answer/1000"), "HTTP/1.1 1000 ")),
    ("the same header twice", "the last", answer("twice", 200, b"x", x_twice="last")),
    ("503 with Retry-After", "as it is", answer("busy", 503, b"later", retry_after="7")),
    ("its own gzip", "as it is", answer("gzip", 200, b"\x1f\x8b\x08", content_encoding="gzip")),
    (
        "Set-Cookie",
        "written anew",
        answer("cookie", 200, b"x", set_cookie="a=b; domain=; path=/; samesite=lax; httponly"),
    ),
    ("every answer", "Date and Server: Kestrel", answer("csv", 200, b"a,b", server="Kestrel")),
    ("a function's body", "chunked", answer("csv", 200, b"a,b", transfer_encoding="chunked", content_length=None)),
    ("a refusal", "Content-Length: 0", lambda host: _equal(ask(host, "/nothing").header("content-length"), "0")),
)


@row(ANSWERS, "two cookies", "two headers")
def _(host: Hosted) -> None:
    cookies = [value for name, value in ask(host, "/answer/cookies").headers if name.lower() == "set-cookie"]

    assert [each.partition(";")[0] for each in cookies] == ["a=b", "c=d"]


@row(ANSWERS, "its own Transfer-Encoding: chunked", "broken framing: no client can read the body")
def _(host: Hosted) -> None:
    assert first_line(host, "/answer/own-chunks") == "HTTP/1.1 200 OK"
    assert exchange(host, head(line=b"GET /answer/own-chunks HTTP/1.1")) == []


@row(ANSWERS, "a value that is not ASCII, a bad name, a wrong length", "500, while the log says Succeeded")
def _(host: Hosted) -> None:
    before = host.log.count("Executed 'answering' (Succeeded")
    got = [ask(host, f"/answer/{name}") for name in ("not-ascii", "bad-name", "wrong-length")]

    assert [(each.status, each.body) for each in got] == [(500, b"")] * 3
    assert host.log.count("Executed 'answering' (Succeeded") == before + 3
