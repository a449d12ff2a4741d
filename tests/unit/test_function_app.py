"""What the functions are bound to, and what the front door answers."""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from azure.functions._http import BaseHeaders

import function_app
from distributor import errors
from distributor.errors import BadSignature, ConflictingOrder, MalformedOrder, UnpayableOrder
from distributor.functions import health, orders, problems
from distributor.model import OrderKey, OrderStatus
from distributor.order_query import OrderQuery
from distributor.rates import Rate, Window
from distributor.webhook.order_keeper import Accepted
from foundation.errors import ConfigurationError, Contention, Rejected, ServiceError, StoreUnavailable
from foundation.http.readiness import ReadinessReport
from foundation.version import version
from tests.factories import an_order
from tests.fakes.functions import FakeContainer, a_context, raises, returns

ROOT = Path(__file__).parents[2]
BODY = b'{"order_id":"ORD1"}'
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


# Bindings ----------------------------------------------------------------------------------------


@cache
def functions() -> list[Any]:
    """The functions as the worker finds them; the library answers only once."""
    return function_app.app.get_functions()


def bindings() -> dict[str, list[dict[str, Any]]]:
    """What the host knows about each function."""
    return {f.get_function_name(): [b.get_dict_repr() for b in f.get_bindings()] for f in functions()}


def test_the_functions_and_their_triggers_are_these() -> None:
    """Names, routes, queues and the schedule: what the host, the runbook and the shops rely on."""
    triggers = {
        name: next(b for b in bound if str(b["type"]).endswith("Trigger")) for name, bound in bindings().items()
    }
    told = {
        name: (t["type"], t.get("route") or t.get("queueName") or t.get("schedule"), str(t.get("authLevel", "")))
        for name, t in triggers.items()
    }

    assert told == {
        "receive_order": ("httpTrigger", "webhook", "ANONYMOUS"),
        "receive_woocommerce_order": ("httpTrigger", "webhook/woocommerce", "ANONYMOUS"),
        "list_orders": ("httpTrigger", "orders", "FUNCTION"),
        "own_order_status": ("httpTrigger", "shop/orders/{order_id}", "ANONYMOUS"),
        "order_status": ("httpTrigger", "orders/{order_id}", "FUNCTION"),
        "order_status_of_source": ("httpTrigger", "orders/{source}/{order_id}", "FUNCTION"),
        "healthz": ("httpTrigger", "healthz", "ANONYMOUS"),
        "metrics": ("httpTrigger", "metrics", "FUNCTION"),
        "ready": ("httpTrigger", "ready", "ANONYMOUS"),
        "console": ("httpTrigger", "console/{*page}", "ANONYMOUS"),
        "distribute": ("queueTrigger", "distributions", ""),
        "settlement": ("queueTrigger", "settlements", ""),
        "distribute_poisoned": ("queueTrigger", "distributions-poison", ""),
        "settlement_poisoned": ("queueTrigger", "settlements-poison", ""),
        "sweep": ("timerTrigger", "0 * * * * *", ""),
        "call_backs": ("timerTrigger", "20 * * * * *", ""),
        "back_up": ("timerTrigger", "40 0 * * * *", ""),
        "warmup": ("warmupTrigger", None, ""),
    }


def test_the_functions_wake_these_queues() -> None:
    """Who may put a message where."""
    outputs = {name: {b["queueName"] for b in bound if b["type"] == "queue"} for name, bound in bindings().items()}

    assert {name: queues for name, queues in outputs.items() if queues} == {
        "distribute": {"settlements"},
        "settlement": {"settlements"},
        "sweep": {"settlements", "distributions"},
    }


def test_the_host_takes_every_binding_name() -> None:
    """The host knows letters and digits there, and would not start with an underscore in one."""
    names = {b["name"] for bound in bindings().values() for b in bound}

    assert all(re.fullmatch(r"[a-zA-Z][a-zA-Z0-9]{0,127}|\$return", name) for name in names)


def test_every_handler_is_asynchronous() -> None:
    """A blocking handler would hold a thread; these share one loop."""
    handlers = [f.get_user_function() for f in functions()]

    assert [handler.__name__ for handler in handlers if not asyncio.iscoroutinefunction(handler)] == []


def test_importing_needs_no_setting_and_no_service() -> None:
    """A function app whose module raises has no functions at all."""
    clean = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    found = subprocess.run(
        [sys.executable, "-c", "import function_app; print(len(function_app.app.get_functions()))"],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert found.stdout.strip() == "18"


def test_the_hosts_settings_are_the_agreed_ones() -> None:
    """Each has its reason in docs/architecture.md."""
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))

    assert host["functionTimeout"] == "00:10:00"
    assert host["extensions"]["http"] == {"routePrefix": ""}
    assert host["extensions"]["queues"] == {
        "batchSize": 16,
        "newBatchThreshold": 8,
        "maxPollingInterval": "00:00:02",
        "visibilityTimeout": "00:00:30",
        "maxDequeueCount": 5,
        "messageEncoding": "base64",
    }
    kept = host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"]
    assert set(kept.split(";")) == {"Request", "Trace", "Exception"}


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> FakeContainer:
    """Replace the composition root."""
    fake = FakeContainer()
    for module in (orders, health):
        monkeypatch.setattr(module, "container", lambda: fake)
    return fake


def a_request(
    body: bytes = BODY, headers: Mapping[str, str] | None = None, method: str = "POST", **route: str
) -> func.HttpRequest:
    """A request as the host hands it over."""
    return func.HttpRequest(method, "https://app/webhook", headers=headers or {}, route_params=route, body=body)


def a_question(**route: str) -> func.HttpRequest:
    """A request that only asks."""
    return func.HttpRequest("GET", "https://app/orders", route_params=route, body=b"")


async def post(context: Any = None, **request: Any) -> func.HttpResponse:
    """Send an order to the webhook."""
    answer = await orders.receive_order(a_request(**request), context or a_context())
    assert isinstance(answer, func.HttpResponse)
    return answer


def document(answer: func.HttpResponse) -> Any:
    """Read the body."""
    return json.loads(answer.get_body())


# The webhook -------------------------------------------------------------------------------------


async def test_a_new_order_is_accepted_and_wakes(container: FakeContainer) -> None:
    """202, where to look, and one message."""
    container.acts["intake"] = returns(Accepted(order=an_order(), new=True, wake=True))

    answer = await post()

    assert (answer.status_code, answer.headers["Location"]) == (202, "/orders/ORD1")
    assert document(answer) == {
        "status": "received",
        "order_id": "ORD1",
        "source": "default",
        "href": "/orders/ORD1",
    }
    assert "Idempotent-Replayed" not in answer.headers
    assert container.wakes == 1


async def test_the_same_order_again_is_answered_and_not_accepted_twice(container: FakeContainer) -> None:
    """200 with the stored status, marked as a replay, and no message when it is under way."""
    order = an_order(source="shop-b", status=OrderStatus.BOUND)
    container.acts["intake"] = returns(Accepted(order=order, new=False, wake=False))

    answer = await post()

    assert (answer.status_code, answer.headers["Location"]) == (200, "/orders/shop-b/ORD1")
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert document(answer)["status"] == "submitted"
    assert container.wakes == 0


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadSignature("No."), 401, "bad_signature"),
        (MalformedOrder("No.", code="bad_amount"), 400, "bad_amount"),
        (UnpayableOrder("No.", code="too_many_decimals"), 422, "too_many_decimals"),
        (ConflictingOrder("No."), 422, "order_conflict"),
    ],
)
async def test_a_refusal_is_a_problem_document(
    container: FakeContainer, error: Rejected, status: int, code: str
) -> None:
    """RFC 9457, with the code and the request in headers too: shops' logs keep only those."""
    container.acts["intake"] = raises(error)

    answer = await post()

    request_id = answer.headers["X-Request-Id"]
    assert answer.headers.get("WWW-Authenticate") == ("HMAC-SHA256" if status == 401 else None)
    assert (answer.status_code, answer.mimetype, answer.headers["X-Error-Code"]) == (
        status,
        "application/problem+json",
        code,
    )
    assert document(answer) == {
        "type": "about:blank",
        "title": {400: "Bad Request", 401: "Unauthorized", 422: "Unprocessable Content"}[status],
        "status": status,
        "detail": "No.",
        "code": code,
        "request_id": request_id,
    }
    assert container.wakes == 0
    assert "Retry-After" not in answer.headers


def test_every_refusal_has_its_status() -> None:
    """A new kind of refusal must say which 4xx it is."""
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Rejected)}

    assert kinds - {Rejected} <= set(problems._STATUS)


@pytest.mark.parametrize(
    ("error", "code", "retry_s"),
    [
        (StoreUnavailable("10.0.0.1 refused"), "ledger_unavailable", "5"),
        (Contention("row"), "ledger_unavailable", "5"),
        (ConfigurationError("WEBHOOK_SECRET is missing"), "not_configured", "60"),
    ],
)
@pytest.mark.parametrize("at", ["build", "act"])
async def test_what_passes_asks_for_a_retry(
    container: FakeContainer, error: ServiceError, code: str, retry_s: str, at: str
) -> None:
    """503 with Retry-After, whether the use case cannot be built or cannot go on; the cause stays in the log."""
    container.acts["intake"] = error if at == "build" else raises(error)

    answer = await post()

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (503, code)
    assert answer.headers["Retry-After"] == retry_s
    assert str(error) not in answer.get_body().decode()


async def test_a_bug_is_an_answer_without_a_traceback(
    container: FakeContainer, caplog: pytest.LogCaptureFixture
) -> None:
    """500 and nothing more to the stranger; the whole of it, on one line, to the log."""
    container.acts["intake"] = raises(ZeroDivisionError("the secret reason"))

    with caplog.at_level(logging.ERROR):
        answer = await post()

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (500, "internal_error")
    assert set(document(answer)) == {"type", "title", "status", "code", "request_id"}
    assert "secret" not in answer.get_body().decode()
    line = json.loads(caplog.records[-1].getMessage())
    assert line["event"] == "internal_error"
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert "ZeroDivisionError: the secret reason" in line["traceback"]


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"body": b""}, 400, "body_empty"),
        ({"body": b"", "headers": {"X-WP-Signature": "0" * 64, "Transfer-Encoding": "chunked"}}, 400, "body_empty"),
        ({"body": b" " * 65_537}, 413, "body_too_large"),
        ({"body": b"x" * 1_048_576}, 413, "body_too_large"),
        ({"headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415, "not_json_type"),
        ({"headers": {"content-type": "text/plain; charset=utf-8"}}, 415, "not_json_type"),
        ({"headers": {"content-type": ""}}, 415, "not_json_type"),
    ],
)
async def test_what_cannot_be_read_is_refused_before_anything_is_taken(
    container: FakeContainer, request_: dict[str, Any], status: int, code: str
) -> None:
    """Nothing is stored, and nobody is asked who signed."""
    answer = await post(**request_)

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (status, code)
    assert not container.acts


async def test_an_empty_body_says_how_to_send_one(container: FakeContainer) -> None:  # noqa: ARG001 -- replaces the real one
    """The host drops a chunked body; the sender must not hear that its signature is wrong."""
    answer = await post(body=b"")

    assert "Content-Length" in document(answer)["detail"]


@pytest.mark.parametrize("content_type", [None, "application/json", "Application/JSON; charset=utf-8"])
async def test_json_is_taken_under_its_names(container: FakeContainer, content_type: str | None) -> None:
    """With or without a charset, and from a sender that names no type."""
    container.acts["intake"] = returns(Accepted(order=an_order(), new=True, wake=True))

    answer = await post(headers={"Content-Type": content_type} if content_type else {}, body=b"{" + b" " * 65_535)

    assert answer.status_code == 202


class OldHeaders(BaseHeaders):
    """The headers of an answer in azure-functions before 1.23: they know no ``update``."""

    def __init__(self, source: Any = ()) -> None:
        super().__init__(dict(source))

    def add_header(self, key: str, value: str) -> None:
        """What today's constructor of an answer calls."""
        self[key] = value

    def __setitem__(self, key: str, value: str) -> None:
        self.__http_headers__[key.lower()] = value


@pytest.mark.parametrize("accepts", [True, False])
async def test_an_older_library_in_a_worker_answers_the_same(
    container: FakeContainer, monkeypatch: pytest.MonkeyPatch, accepts: bool
) -> None:
    """A shop whose order is stored must not be answered 500."""
    monkeypatch.setattr("azure.functions._http.HttpResponseHeaders", OldHeaders)
    container.limits = (None, Rate(2, 60))
    accepted = Accepted(order=an_order(), new=True, wake=True)
    container.acts["intake"] = returns(accepted) if accepts else raises(ConflictingOrder("No."))

    answer = await post()

    assert not hasattr(answer.headers, "update")
    assert answer.status_code == (202 if accepts else 422)
    assert answer.headers.get("RateLimit") == ('"source";r=1;t=60' if accepts else None)
    assert answer.headers.get("X-Error-Code") == (None if accepts else "order_conflict")


def test_only_the_functions_know_azure_functions() -> None:
    """Everything below them can be called, tested and reused without a host."""
    imports = re.compile(r"^\s*(import|from) azure\.functions\b", re.MULTILINE)
    sources = (ROOT / "distributor").rglob("*.py")

    known = {source.parent.name for source in sources if imports.search(source.read_text("utf-8"))}
    assert known == {"functions"}


@pytest.mark.parametrize("where", ["header", "host"])
async def test_a_request_bears_its_callers_trace(container: FakeContainer, where: str) -> None:
    """One word finds the request in both systems."""
    container.acts["intake"] = raises(BadSignature())
    parent = f"00-{TRACE}-00f067aa0ba902b7-01"

    answer = await (
        post(headers={"traceparent": parent}) if where == "header" else post(context=a_context(trace_parent=parent))
    )

    assert answer.headers["X-Request-Id"] == document(answer)["request_id"] == TRACE


@pytest.mark.parametrize(
    "parent", ["", "garbage", f"ff-{TRACE}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01"]
)
async def test_a_request_without_a_trace_gets_a_name(container: FakeContainer, parent: str) -> None:
    """Every answer can be asked about, and no two share a name."""
    container.acts["intake"] = raises(BadSignature())

    first, second = [(await post(headers={"traceparent": parent})).headers["X-Request-Id"] for _ in range(2)]

    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


# Rate limits -------------------------------------------------------------------------------------

ALICE, BOB = {"X-Forwarded-For": "203.0.113.7:50301"}, {"X-Forwarded-For": "203.0.113.8:50302"}


async def test_an_address_that_guesses_is_stopped_before_any_work(container: FakeContainer) -> None:
    """Two wrong signatures are answered, the third is not looked at; a neighbour still is."""
    container.limits, container.forged = (Rate(2, 60), None), True
    container.acts["intake"] = raises(AssertionError("nothing was signed"))
    guesses = [await post(headers=ALICE) for _ in range(2)]
    container.acts["intake"] = raises(ZeroDivisionError("nobody asked"))
    container.forged = False

    stopped = await post(headers=ALICE)

    assert [guess.status_code for guess in guesses] == [401, 401]
    assert (stopped.status_code, stopped.headers["X-Error-Code"]) == (429, "rate_limited")
    assert stopped.headers["Retry-After"] == "60"
    assert stopped.headers["RateLimit-Policy"] == '"address";q=2;w=60'
    assert stopped.headers["RateLimit"] == '"address";r=0;t=60'
    assert document(stopped)["code"] == "rate_limited"
    assert (await post(headers=BOB)).headers["X-Error-Code"] == "internal_error"


@pytest.mark.parametrize(
    "request_",
    [
        {"body": b""},
        {"body": b" " * 65_537},
        {"headers": {**ALICE, "Content-Type": "text/plain"}},
    ],
)
async def test_whatever_is_refused_before_its_signature_is_charged(
    container: FakeContainer, request_: dict[str, Any]
) -> None:
    """What proves nothing costs its address, whatever is wrong with it."""
    container.limits = (Rate(1, 60), None)
    await post(**{"headers": ALICE, **request_})

    assert (await post(headers=ALICE)).status_code == 429


@pytest.mark.parametrize("error", [None, MalformedOrder("No."), ConflictingOrder("No."), StoreUnavailable("No.")])
async def test_what_a_shop_signed_is_never_charged_to_its_address(
    container: FakeContainer, error: ServiceError | None
) -> None:
    """Ten orders, good or bad, through a limit of one guess: a shop is counted as a shop."""
    container.limits = (Rate(1, 60), None)
    accepted = Accepted(order=an_order(), new=True, wake=False)
    container.acts["intake"] = raises(error) if error else returns(accepted)

    answers = [await post(headers=ALICE) for _ in range(10)]

    assert 429 not in {answer.status_code for answer in answers}


async def test_a_shop_is_told_its_rate_and_stopped_when_it_is_spent(container: FakeContainer) -> None:
    """Each answer says what is left; the order too many is refused, and wakes nobody."""
    container.limits = (None, Rate(2, 60))
    container.acts["intake"] = returns(Accepted(order=an_order(), new=True, wake=True))
    first, second = [await post() for _ in range(2)]

    third = await post()

    assert [answer.headers["RateLimit"] for answer in (first, second)] == ['"source";r=1;t=60', '"source";r=0;t=60']
    assert first.headers["RateLimit-Policy"] == '"source";q=2;w=60'
    assert (third.status_code, third.headers["RateLimit"], third.headers["Retry-After"]) == (
        429,
        '"source";r=0;t=60',
        "60",
    )
    assert container.wakes == 2


async def test_without_limits_nothing_is_told_of_them(container: FakeContainer) -> None:
    """A header that means nothing would be believed."""
    container.acts["intake"] = returns(Accepted(order=an_order(), new=True, wake=True))

    answer = await post()

    assert "RateLimit" not in answer.headers
    assert "RateLimit-Policy" not in answer.headers


async def test_a_limit_that_is_set_wrong_is_not_configured(container: FakeContainer) -> None:
    """Neither no limit nor one that was made up."""
    container.limits = ConfigurationError("RATE_LIMIT_PER_SOURCE must be ...")

    answer = await post()

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (503, "not_configured")


# Methods -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handler", "method", "allow"),
    [
        *((orders.receive_order, method, "POST") for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")),
        *((orders.order_status, method, "GET, HEAD") for method in ("POST", "DELETE")),
        (orders.order_status_of_source, "PATCH", "GET, HEAD"),
        (health.healthz, "POST", "GET, HEAD"),
        (health.ready, "TRACE", "GET, HEAD"),
    ],
)
async def test_another_method_is_told_which_there_are(
    container: FakeContainer, handler: Any, method: str, allow: str
) -> None:
    """405 with Allow, before anything is asked of anyone."""
    answer = await handler(a_request(method=method), a_context())

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (405, "wrong_method")
    assert answer.headers["Allow"] == allow
    assert not container.acts


async def test_only_the_header_of_an_answer_may_be_asked_for(container: FakeContainer) -> None:  # noqa: ARG001 -- replaces the real one
    """HEAD is a GET; the host leaves out the body."""
    answer = await health.healthz(a_request(method="HEAD"), a_context())

    assert answer.status_code == 200


# Status and health -------------------------------------------------------------------------------


async def test_an_order_is_shown(container: FakeContainer) -> None:
    """By its id alone, or by its shop and id."""
    asked: list[OrderKey] = []

    async def of(key: OrderKey) -> dict[str, str]:
        asked.append(key)
        return {"status": "paid"}

    container.acts["status"] = of

    plain = await orders.order_status(a_question(order_id="ORD1"), a_context())
    sourced = await orders.order_status_of_source(a_question(source="shop-b", order_id="ORD1"), a_context())

    assert asked == [OrderKey("default", "ORD1"), OrderKey("shop-b", "ORD1")]
    assert [(a.status_code, document(a)) for a in (plain, sourced)] == [(200, {"status": "paid"})] * 2
    assert plain.headers["Cache-Control"] == "no-store"


async def test_the_list_is_asked_without_the_function_key(container: FakeContainer) -> None:
    """The key is in the address as ``code``, which is no filter."""
    asked: list[OrderQuery] = []

    async def page(query: OrderQuery) -> dict[str, list[str]]:
        asked.append(query)
        return {"orders": []}

    container.acts["order_list"] = page
    request = func.HttpRequest("GET", "https://app/orders", params={"status": "paid", "code": "key"}, body=b"")

    answer = await orders.list_orders(request, a_context())

    assert (answer.status_code, document(answer)) == (200, {"orders": []})
    assert [query.asked for query in asked] == [{"status": "paid"}]


async def test_a_shop_is_shown_its_own_order_or_none(container: FakeContainer) -> None:
    """One that is not there, or is another shop's, is answered alike."""
    sender = SimpleNamespace(window=Window(Rate(5, 60), 4, 60))
    container.acts["shop_reading"] = returns((sender, {"status": "paid"}))
    shown = await orders.own_order_status(a_question(order_id="ORD1"), a_context())
    container.acts["shop_reading"] = returns((sender, None))
    hidden = await orders.own_order_status(a_question(order_id="ORD1"), a_context())

    assert (shown.status_code, document(shown)) == (200, {"status": "paid"})
    assert shown.headers["RateLimit"] == '"source";r=4;t=60'
    assert (hidden.status_code, hidden.headers["X-Error-Code"]) == (404, "order_not_found")


async def test_an_order_that_is_not_there_is_a_problem(container: FakeContainer) -> None:
    """404 with its code."""
    container.acts["status"] = returns(None)

    answer = await orders.order_status(a_question(order_id="ORD1"), a_context())

    assert (answer.status_code, answer.headers["X-Error-Code"]) == (404, "order_not_found")
    assert answer.headers["X-Version"] == version()


async def test_alive_asks_nothing_of_anyone(container: FakeContainer) -> None:
    """It answers when all else is broken."""
    answer = await health.healthz(a_question(), a_context())

    assert (answer.status_code, document(answer)) == (200, {"status": "alive", "version": version()})
    assert answer.headers["X-Version"] == version()
    assert not container.acts


@pytest.mark.parametrize(("ok", "status"), [(True, 200), (False, 503)])
async def test_ready_shows_what_was_found(container: FakeContainer, ok: bool, status: int) -> None:
    """200 when all works, else 503, with the same document."""
    settings = [] if ok else ["RPC_URL"]
    container.acts["readiness"] = returns(ReadinessReport(checks={"settings": ok, "ledger": True}, settings=settings))

    answer = await health.ready(a_question(), a_context())

    assert answer.status_code == status
    assert document(answer) == {
        "ready": ok,
        "checks": {"settings": ok, "ledger": True},
        "settings": settings,
        "alarms": [],
    }
