"""Rows about keys, and the paths that the host answers by itself."""

from __future__ import annotations

import json

from tests.integration.hosted import Hosted
from tests.integration.real_host.bench import Got, ask, exchange, lines, row
from tests.integration.real_host.rows_http import head, says

KEYS = "Keys and built-in paths"
lines(
    KEYS,
    ("function level, no key", "401, empty", says("/keyed", 401)),
    ("function level, a wrong key", "401, empty", says("/keyed?code=wrong", 401)),
    ("its own key in the header", "200", says("/keyed", 200, x_functions_key="the-key")),
    ("its own key as code", "200", says("/keyed?code=the-key", 200)),
    ("its own key as CODE", "200", says("/keyed?CODE=the-key", 200)),
    ("the host's key", "200", says("/keyed", 200, x_functions_key="host-key")),
    ("the master key", "200", says("/keyed", 200, x_functions_key="master-key")),
    ("header and code differ", "the header decides", says("/keyed?code=the-key", 401, x_functions_key="wrong")),
    ("a wrong key on an anonymous route", "200", says("/healthz?code=wrong", 200)),
    ("admin level, function key", "401", says("/mastered", 401, x_functions_key="the-key")),
    ("admin level, host key", "401", says("/mastered", 401, x_functions_key="host-key")),
    ("admin level, master key", "200", says("/mastered", 200, x_functions_key="master-key")),
    ("/admin/host/ping, GET", "200 without a key", says("/admin/host/ping", 200)),
    ("/admin/host/ping, POST", "200 without a key", says("/admin/host/ping", 200, method="POST")),
    ("/admin/warmup", "200 without a key", says("/admin/warmup", 200)),
    ("/", "200 without a key", says("/", 200)),
    ("/admin/host/status, its own key", "401", says("/admin/host/status", 401, x_functions_key="the-key")),
    ("/admin/host/status, host key", "403", says("/admin/host/status", 403, x_functions_key="host-key")),
    ("/admin/host/status, master key", "200", says("/admin/host/status", 200, x_functions_key="master-key")),
)


@row(KEYS, "built-in paths without a key", "401 Bearer")
def _(host: Hosted) -> None:
    own = ["/admin/host/status", "/admin/functions", "/admin/host/keys", "/runtime/webhooks/x"]
    got = [ask(host, path) for path in own]

    assert [(each.status, each.header("www-authenticate")) for each in got] == [(401, "Bearer")] * 4


@row(KEYS, "the key the client sent", "the function sees it")
def _(host: Hosted) -> None:
    seen = ask(host, "/keyed?code=the-key", x_functions_key="master-key").json

    assert (seen["code"], seen["x-functions-key"]) == ("the-key", "master-key")


def by_hand(host: Hosted, body: bytes | None, key: str = "") -> Got:
    """Start the queue's function by hand."""
    more = [f"x-functions-key: {key}".encode()] if key else []
    more += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)] if body is not None else []
    (got,) = exchange(host, head(*more, line=b"POST /admin/functions/work HTTP/1.1") + (body or b""))
    return got


@row(KEYS, "a function started by hand", "202 with the master key, 415 without a body, 403, 401")
def _(host: Hosted) -> None:
    told = json.dumps({"input": "by hand"}).encode()
    keys = [(told, "master-key"), (None, "master-key"), (told, "host-key"), (told, "")]

    assert [by_hand(host, body, key).status for body, key in keys] == [202, 415, 403, 401]
    assert "work failed" not in host.log
