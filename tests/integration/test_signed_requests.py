"""Every scheme over the wire: what the real host makes of headers is what the verifier gets."""

from __future__ import annotations

import base64
import hmac
import http.client
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import pytest

from devstack.servers import Azurite
from tests.integration.hosted import Hosted
from tests.integration.shop_front import SECRET, an_order, front

THEIRS = "whsec_" + base64.b64encode(bytes(range(24))).decode()
Headers = Sequence[tuple[str, str]]


@pytest.fixture(scope="module")
def host(azurite: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """One host for two shops."""
    settings = {"WEBHOOK_SECRET__SHOP_B": THEIRS}
    with front(azurite, "signedrequests", tmp_path_factory.mktemp("host"), settings) as running:
        yield running


def post(host: Hosted, body: bytes, headers: Headers) -> tuple[int, str]:
    """Send one request with exactly these headers, doubled ones as two; return the status and the body."""
    connection = http.client.HTTPConnection(urlsplit(host.url).netloc, timeout=30)
    connection.putrequest("POST", "/webhook")
    for name, value in [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers]:
        connection.putheader(name, value)
    connection.endheaders(body)
    with connection.getresponse() as reply:
        answer = (reply.status, reply.read().decode())
    connection.close()
    return answer


def digest(signed: bytes, secret: bytes = SECRET.encode()) -> bytes:
    """Sign bytes, as the first shop by default."""
    return hmac.digest(secret, signed, "sha256")


def triple(body: bytes, secret: bytes, at_s: int) -> Headers:
    """The three headers of Standard Webhooks."""
    signature = base64.b64encode(digest(f"msg_1.{at_s}.".encode() + body, secret)).decode()
    return [("webhook-id", "msg_1"), ("webhook-timestamp", str(at_s)), ("webhook-signature", f"v1,{signature}")]


def timed(body: bytes, at_s: int) -> Headers:
    """The header with a time."""
    return [("X-WP-Signature", f"t={at_s},v1={digest(f'{at_s}.'.encode() + body).hex()}")]


def plain(body: bytes) -> Headers:
    """The plain header."""
    return [("X-WP-Signature", f"sha256={digest(body).hex()}")]


def woo(body: bytes, name: str = "X-WC-Webhook-Signature") -> Headers:
    """The header of WooCommerce, or another in base64."""
    return [(name, base64.b64encode(digest(body)).decode())]


def test_every_scheme_is_accepted_and_says_whose_order_it_is(host: Hosted) -> None:
    """The second shop signs as Standard Webhooks, with a secret in base64."""
    now_s, bodies = int(time.time()), [an_order(f"S-{number}") for number in range(5)]
    sent = [
        triple(bodies[0], bytes(range(24)), now_s),
        timed(bodies[1], now_s),
        plain(bodies[2]),
        woo(bodies[3]),
        woo(bodies[4], "x-wp-webhook-signature"),
    ]

    answers = [post(host, body, headers) for body, headers in zip(bodies, sent, strict=True)]

    assert [status for status, _ in answers] == [202] * 5
    assert ['"source": "shop-b"' in text for _, text in answers] == [True, False, False, False, False]
    for scheme in ("standard-webhooks", "timed-hex", "hex", "base64"):
        assert f'"scheme": "{scheme}"' in host.log


def test_what_is_stale_doubled_or_downgraded_is_refused_with_one_text(host: Hosted) -> None:
    """Two headers of one name reach the function as one value; it is no signature either way."""
    now_s, body = int(time.time()), an_order("S-REFUSED")
    sent = [
        triple(body, bytes(range(24)), now_s - 400),
        timed(body, now_s + 400),
        [*plain(body), *plain(body)],
        [*timed(body, now_s), *timed(body, now_s)],
        [*woo(body), *woo(body)],
        [*timed(body, now_s - 400), *woo(body)],
        [("webhook-id", "msg_1"), *plain(body)],
        [],
    ]

    answers = [post(host, body, headers) for headers in sent]

    assert [status for status, _ in answers] == [401] * len(sent)
    details = {text.partition('"detail": ')[2] for _, text in answers}
    assert len(details) == 1, details
