"""
Requests nobody thought of, through the real host: each gets an answer that docs/openapi.yaml knows.

Half of them are made of the document by schemathesis, half of raw bytes on a socket. Two thousand
run with the other tests; FUZZ_REQUESTS asks for more (docs/fault-tests.md). Each is answered within the
time the service promises, and the slowest is reported: a request that takes long closes the door to others.
"""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from devstack import paths
from devstack.servers import Azurite
from foundation.http.handler import ANSWER_S_MAX
from foundation.version import version
from tests.integration.hosted import Hosted
from tests.integration.shop_front import SECRET, WALLET, a_woocommerce_order, an_order, front

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "2000"))
KEY = {"x-functions-key": "the-key"}
ANSWERED_S = ANSWER_S_MAX + 0.5
"""What the service promises of each request, storage and vault included, and the way there and back."""
HOSTS_OWN = {400, 401, 404, 413, 414, 431}
"""What the host answers by itself, before the app: no HTTP, no key, no such path, too much."""

load_all_checks()
CONFORMANCE: list[Any] = [
    CHECKS.get_one(f"{what}_conformance")
    for what in ("status_code", "content_type", "response_headers", "response_schema")
]
DOCUMENT = schemathesis.openapi.from_path(paths.ROOT / "docs/openapi.yaml")
OPERATIONS: list[Any] = [found.ok() for found in DOCUMENT.get_all_operations()]  # type: ignore[union-attr]  # test_openapi.py validates it
CODES = set(DOCUMENT.raw_schema["components"]["schemas"]["Code"]["enum"])
endless = settings(
    max_examples=REQUESTS // 2,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    derandomize="FUZZ_REQUESTS" not in os.environ,
)


@pytest.fixture(scope="module")
def host(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """The app without limits on how often it may be asked."""
    with front(azurite, "tfuzz", tmp_path_factory.mktemp("fuzz"), {}) as running:
        yield running


class Answers(Counter[str]):
    """What was answered how often, and which request took the longest."""

    slowest: tuple[float, str] = (0.0, "")

    @contextmanager
    def timed(self, what: Callable[[], str]) -> Iterator[None]:
        """Take the time of one request, which *what* describes; it must be answered in time."""
        begun = time.perf_counter()
        yield
        took_s = time.perf_counter() - begun
        if took_s > self.slowest[0]:
            self.slowest = (took_s, what())
        assert took_s <= ANSWERED_S, f"answered after {took_s:.1f} s: {what()}"


@pytest.fixture
def seen(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Iterator[Answers]:
    """What was answered how often; shown with `-s`, kept in the report."""
    counted = Answers()
    yield counted
    took_s, what = counted.slowest
    record_property("answers", json.dumps(counted))
    record_property("slowest", f"{took_s * 1_000:.0f} ms: {what}")
    print(  # noqa: T201 -- the figures are the point of a long run
        f"\n{request.node.name}: {counted.total()} answers: {dict(counted.most_common())}; "
        f"the slowest took {took_s * 1_000:.0f} ms: {what}"
    )


# Signatures --------------------------------------------------------------------------------------


def standard(body: bytes) -> Mapping[str, str]:
    """Sign as Standard Webhooks do."""
    sent = str(int(time.time()))
    digest = hmac.digest(SECRET.encode(), f"msg_1.{sent}.".encode() + body, "sha256")
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": sent,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def timed(body: bytes) -> Mapping[str, str]:
    """Sign with the time."""
    sent = int(time.time())
    return {
        "X-WP-Signature": f"t={sent},v1={hmac.new(SECRET.encode(), f'{sent}.'.encode() + body, 'sha256').hexdigest()}"
    }


def plain(body: bytes) -> Mapping[str, str]:
    """Sign in hex."""
    return {"X-WP-Signature": hmac.new(SECRET.encode(), body, "sha256").hexdigest()}


def woocommerce(body: bytes) -> Mapping[str, str]:
    """Sign in base64."""
    return {"X-WC-Webhook-Signature": base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()}


def unsigned(_body: bytes) -> Mapping[str, str]:
    """Sign nothing."""
    return {}


def asking(_body: bytes) -> Mapping[str, str]:
    """Sign the question for an order."""
    return timed(b"GET /shop/orders/1001")


signers = st.sampled_from([asking, standard, timed, plain, woocommerce, plain, unsigned])


# Requests made of the document -------------------------------------------------------------------


PAYABLE = {
    "/webhook": [{"wallet": WALLET, "wallet_address": WALLET}],
    "/webhook/woocommerce": [a_woocommerce_order(number) for number in (1, 2)],
}
"""What chance never finds: a checksum that is right, a status that is paid."""


@st.composite
def documented(draw: st.DrawFn) -> tuple[Case[Any], Callable[[bytes], Mapping[str, str]], bool]:
    """Draw a request as the document describes it or against it, who signs it, and whether a key goes with it."""
    operation = draw(st.sampled_from([*OPERATIONS[:2] * 3, *OPERATIONS]))
    case = draw(operation.as_strategy(generation_mode=draw(st.sampled_from(list(GenerationMode)))))
    if isinstance(case.body, dict) and draw(st.booleans()):
        case.body.update(draw(st.sampled_from(PAYABLE.get(operation.path, [{}]))))
    return case, draw(signers), draw(st.sampled_from([True, True, True, False]))


def test_requests_made_of_the_document_are_answered_as_it_says(host: Hosted, seen: Answers) -> None:
    """Status, type, headers and body of each answer are the documented ones; and every depth was reached."""
    session = requests.Session()

    @endless
    @given(documented())
    def ask(drawn: tuple[Case[Any], Callable[[bytes], Mapping[str, str]], bool]) -> None:
        case, sign, keyed = drawn
        asked = case.as_transport_kwargs(base_url=host.url, headers=KEY if keyed else {})
        prepared = session.prepare_request(
            requests.Request(
                **{
                    name: asked[name]
                    for name in ("method", "url", "headers", "params", "cookies", "data", "json")
                    if name in asked
                }
            )
        )
        prepared.headers.update(sign(_bytes(prepared.body)))
        with seen.timed(lambda: f"{prepared.method} {case.operation.path}, {len(_bytes(prepared.body))} bytes"):
            response = session.send(prepared, timeout=30, allow_redirects=False)
        code = response.headers.get("X-Error-Code", "")
        seen[f"{response.status_code} {code}".strip()] += 1
        if "X-Request-Id" in response.headers:
            case.validate_response(response, checks=CONFORMANCE)
        else:
            assert response.status_code in HOSTS_OWN
        assert response.status_code < 500 or case.operation.path == "/ready"

    ask()

    assert {"202", "401 bad_signature", "404 order_not_found"} <= seen.keys()  # so it was not all refused at the door
    _unharmed(host)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")


# Requests made of bytes --------------------------------------------------------------------------

METHODS = st.sampled_from([b"POST"] * 24 + [b"GET", b"GET", b"PUT", b"HEAD", b"OPTIONS", b"TRACE", b"post", b"BREW"])
KNOWN = st.sampled_from([b"/webhook", b"/webhook", b"/webhook/woocommerce"])
PATHS = st.one_of(
    *[KNOWN] * 5,
    st.sampled_from(
        [b"/orders", b"/orders/1001", b"/orders/default/1001", b"/shop/orders/1001", b"/ready", b"/healthz", b"/", b"*"]
    ),
    st.sampled_from([b"/webhook/", b"/WebHook?code=1", b"/webhook#x", b"/webhook/woocommerce/1"]),
    st.builds(
        lambda name, text: b"/orders?%s=%s" % (name, text),
        st.sampled_from(
            [b"status", b"shop", b"wallet", b"day", b"month", b"zone", b"id", b"hash", b"limit", b"cursor", b"x"]
        ),
        st.sampled_from([b"", b"paid", b"held", b"2026-11-29", b"2026-11", b"0xabcd", b"loja", b"dGltZTo", b"200"])
        | st.binary(max_size=40).map(lambda raw: b"".join(b"%%%02X" % byte for byte in raw)),
    ),
    st.binary(max_size=60).map(lambda raw: b"/orders/" + b"".join(b"%%%02X" % byte for byte in raw)),
    st.text("ab./%?#;=&'\"<>{}|^`~1", max_size=60).map(lambda text: b"/" + text.encode()),
)
NAMES = st.one_of(
    st.sampled_from(
        b"Content-Type X-Forwarded-For traceparent X-WP-Signature x-wp-signature X-WC-Webhook-Signature webhook-id "
        b"X-WP-Webhook-Signature webhook-timestamp webhook-signature x-functions-key Content-Encoding Accept Origin "
        b"Cookie Range If-Match Upgrade X-Original-URL Expect".split()
    ),
    st.text("abcXYZ-_019", min_size=1, max_size=30).map(str.encode),
)
CONTROL = bytes({*range(0x20), 0x7F})
VALUES = st.one_of(
    st.binary(max_size=80).map(lambda raw: raw.translate(None, CONTROL)),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "ignore").translate(None, CONTROL)),
    st.binary(max_size=8).map(lambda raw: raw.translate(None, b"\r\n")),
    st.sampled_from(b"application/json|application/json||t=1,v1=|v1,|[::1]:1, 1.2.3.4:5|00-0-1-1".split(b"|")),
    st.just(b"a" * 7_000),
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["order_id", "wallet", "amount", "tipo", "reason"]), inner, max_size=5)
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda name, value: json.dumps({**json.loads(an_order("1001")), name: value}).encode(),
        st.sampled_from(["order_id", "wallet", "wallet_address", "amount", "tipo", "reason", "note"]),
        st.none()
        | st.integers()
        | st.floats()
        | st.text(max_size=80)
        | st.decimals().map(str)
        | st.lists(st.integers(), max_size=2),
    ),
    *[st.integers(1, 99_999).map(lambda number: an_order(str(number)))] * 2,
    *[st.integers(1, 9).map(lambda number: json.dumps(a_woocommerce_order(number)).encode())] * 2,
    st.sampled_from([b"webhook_id=7", b"webhook_id=", b"webhook_id=7&x=1"]),
    st.sampled_from(
        [
            b"",
            b"[" * 60_000,
            an_order("1", note="x" * 65_536),
            b'{"amount":1,"amount":2}',
            b"9" * 60_000,
            b"\xef\xbb\xbf{}",
        ]
    ),
)


@st.composite
def raw(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """Draw the method, the path and the bytes of a request whose length is right, so that an answer is owed."""
    method, path, body = draw(METHODS), draw(PATHS), draw(BODIES)
    headers = draw(st.lists(st.tuples(NAMES, VALUES), max_size=6))
    signature = [(name.encode(), value.encode()) for name, value in draw(signers)(body).items()]
    fixed = [(b"Host", b"127.0.0.1"), (b"Connection", b"close"), (b"Content-Length", str(len(body)).encode())]
    return method, path, written(method, path, [*fixed, *draw(st.permutations([*signature, *headers]))], body)


def written(method: bytes, path: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    """Write a request down as it travels."""
    lines = [b"%s: %s" % header for header in headers]
    return b"\r\n".join([b"%s %s HTTP/1.1" % (method, path), *lines, b"", body])


def good(path: bytes, body: bytes) -> tuple[bytes, bytes, bytes]:
    """Write down a request that is taken: chance may not find one, and no other test has used its id."""
    signature = plain(body)["X-WP-Signature"].encode()
    length = str(len(body)).encode()
    headers = [(b"Host", b"x"), (b"Connection", b"close"), (b"Content-Length", length), (b"X-WP-Signature", signature)]
    return b"POST", path, written(b"POST", path, headers, body)


def test_requests_made_of_bytes_are_answered_by_a_rule(host: Hosted, seen: Answers) -> None:
    """A documented problem, an answer, or the host's own refusal: never a 5xx, never silence."""

    @endless
    @given(raw())
    @example(good(b"/webhook", an_order("taken-at-once")))
    @example(good(b"/webhook/woocommerce", json.dumps(a_woocommerce_order(987_654_321)).encode()))
    def ask(drawn: tuple[bytes, bytes, bytes]) -> None:
        method, path, request = drawn
        with seen.timed(lambda: f"{path!r}, {len(request)} bytes"):
            status, headers, body = _sent(host, method, request)
        seen[f"{status} {headers.get('x-error-code', '')}".strip()] += 1
        assert status < 500 or path == b"/ready"
        if "x-request-id" not in headers:
            assert status in HOSTS_OWN or (status, body) == (200, "")  # the host's own page at "/"
        elif status >= 400 and (status, path) != (503, b"/ready"):
            assert headers["x-error-code"] in CODES
            assert headers["content-type"] == "application/problem+json"
            assert not body or json.loads(body)["code"] == headers["x-error-code"]
        assert SECRET not in body

    ask()

    assert seen["202"] >= 2  # so it was not all refused at the door
    _unharmed(host)


def _sent(host: Hosted, method: bytes, request: bytes) -> tuple[int, Mapping[str, str], str]:
    """Send bytes, and return status, headers and body of the answer."""
    url = urlsplit(host.url)
    with socket.create_connection((str(url.hostname), int(url.port or 80)), timeout=30) as wire:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may answer and close before it read all
            wire.sendall(request)
        reply = http.client.HTTPResponse(wire, method=method.decode())
        reply.begin()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read().decode()


def _unharmed(host: Hosted) -> None:
    """Assert that the app still answers, and that nothing in it broke unseen; the server's own 400 is not of it."""
    assert host.ask("/healthz").json == {"status": "alive", "version": version()}
    assert [line for line in host.log.splitlines() if "internal_error" in line or " failed: " in line] == []
