"""
The functions of this app: the front door here, the work behind the queues in ``function_work``.

Only this module knows HTTP. Importing it never fails and does nothing: a function app whose module
raises has no functions at all and answers 404. What is not configured is found at first use and
answered with 503.
"""

from __future__ import annotations

import json
import logging
import re
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import azure.functions as func

from distributor import logs
from distributor.errors import (
    BadSignature,
    ConfigurationError,
    ConflictingOrder,
    MalformedOrder,
    Rejected,
    Transient,
    UnpayableOrder,
)
from distributor.intake import Accepted
from distributor.model import DEFAULT_SOURCE, OrderKey
from distributor.status import shown
from distributor.wiring import container
from function_work import DISTRIBUTIONS, STORAGE, WAKE, invocation, work

BODY_BYTES_MAX = 64 * 1024
"""An order has a few hundred bytes; a plug-in may add its own fields."""
RETRY_SOON_S = 5
RETRY_CONFIGURED_S = 60

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(work)

_log = logging.getLogger("distributor.functions")
# Source: https://www.w3.org/TR/trace-context/ (an all-zero trace id and version ff are invalid)
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class BodyTooLarge(Rejected):
    """The body is larger than an order can be."""

    code = "body_too_large"


class NotJson(Rejected):
    """Send the order as application/json."""

    code = "not_json_type"


class NoSuchOrder(Rejected):
    """There is no order of this name."""

    code = "order_not_found"


_STATUS = {
    BadSignature: HTTPStatus.UNAUTHORIZED,
    MalformedOrder: HTTPStatus.BAD_REQUEST,
    UnpayableOrder: HTTPStatus.UNPROCESSABLE_ENTITY,
    ConflictingOrder: HTTPStatus.UNPROCESSABLE_ENTITY,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotJson: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    NoSuchOrder: HTTPStatus.NOT_FOUND,
}

# Python's own phrases for these changed with 3.13. Source: https://www.rfc-editor.org/rfc/rfc9110#section-15.5
_TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}

# Orders ------------------------------------------------------------------------------------------


@app.function_name("receive_order")
@app.route("webhook", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.queue_output("distributions", DISTRIBUTIONS, STORAGE)
async def receive_order(
    req: func.HttpRequest, distributions: func.Out[str], context: func.Context
) -> func.HttpResponse:
    """Accept one signed order; its signature is its authorisation."""

    async def accept() -> func.HttpResponse:
        body = _body(req)
        intake = await container().intake()
        accepted = await intake.accept(req.headers, body)
        if accepted.wake:
            distributions.set(WAKE)
        return _accepted(accepted)

    return await _answered(req, context, accept)


@app.function_name("order_status")
@app.route("orders/{order_id}", methods=["GET"])
async def order_status(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show an order of the shop that signs with WEBHOOK_SECRET."""
    return await _shown(req, context)


@app.function_name("order_status_of_source")
@app.route("orders/{source}/{order_id}", methods=["GET"])
async def order_status_of_source(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Show an order of any shop."""
    return await _shown(req, context)


async def _shown(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    async def show() -> func.HttpResponse:
        key = OrderKey(req.route_params.get("source", DEFAULT_SOURCE), req.route_params["order_id"])
        status = await container().status()
        document = await status.of(key)
        if document is None:
            raise NoSuchOrder
        return _json(HTTPStatus.OK, document)

    return await _answered(req, context, show)


# Health ------------------------------------------------------------------------------------------


@app.function_name("healthz")
@app.route("healthz", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def healthz(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Say that the process lives; touches nothing."""

    async def live() -> func.HttpResponse:
        return _json(HTTPStatus.OK, {"status": "alive"})

    return await _answered(req, context, live)


@app.function_name("ready")
@app.route("ready", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def ready(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Say what works and what does not, by name."""

    async def check() -> func.HttpResponse:
        readiness = await container().readiness()
        report = await readiness.report()
        status = HTTPStatus.OK if report.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return _json(status, {"ready": report.ready, "checks": dict(report.checks), "settings": list(report.settings)})

    return await _answered(req, context, check)


# Answers -----------------------------------------------------------------------------------------


async def _answered(
    req: func.HttpRequest, context: func.Context, job: Callable[[], Awaitable[func.HttpResponse]]
) -> func.HttpResponse:
    """Return what *job* answers, or the problem it met; every answer names its request."""
    request_id = _request_id(req, context)
    with invocation(context, request_id):
        try:
            response = await job()
        except Exception as error:  # noqa: BLE001 -- the edge: a stranger must get an answer, and no traceback
            response = _problem(error, request_id)
    response.headers["X-Request-Id"] = request_id
    return response


def _request_id(req: func.HttpRequest, context: func.Context) -> str:
    """Return the caller's trace id, so that one word finds a request in both systems' logs; else the host's."""
    for parent in (req.headers.get("traceparent"), context.trace_context.trace_parent):
        trace = _TRACE_PARENT.fullmatch(parent or "")
        if trace:
            return trace[1]
    return uuid.uuid4().hex


def _body(req: func.HttpRequest) -> bytes:
    body = req.get_body()
    if len(body) > BODY_BYTES_MAX:
        raise BodyTooLarge(f"The body has more than {BODY_BYTES_MAX} bytes; an order has a few hundred.")
    if not body:
        # The host hands over no body that came without Content-Length: told here, before the signature
        # of what we did not get is called wrong.
        raise MalformedOrder("The request has no body: send it with Content-Length, not chunked.", code="body_empty")
    media_type = req.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotJson("The content type must be application/json.")
    return body


def _accepted(accepted: Accepted) -> func.HttpResponse:
    order = accepted.order
    path = order.order_id if order.source == DEFAULT_SOURCE else f"{order.source}/{order.order_id}"
    response = _json(
        HTTPStatus.ACCEPTED if accepted.new else HTTPStatus.OK,
        {"status": shown(order), "order_id": order.order_id, "source": order.source, "href": f"/orders/{path}"},
    )
    response.headers["Location"] = f"/orders/{path}"
    if not accepted.new:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _problem(error: Exception, request_id: str) -> func.HttpResponse:
    """
    Shape what went wrong as a problem document.

    The headers repeat the code and the request: a shop's log keeps headers and masks bodies.

    Source: https://www.rfc-editor.org/rfc/rfc9457
    """
    status, code, detail, retry_s = _told(error)
    title = _TITLES.get(status, status.phrase)
    problem = {"type": "about:blank", "title": title, "status": status, "code": code, "request_id": request_id}
    response = _json(status, {**problem, "detail": detail} if detail else problem, "application/problem+json")
    response.headers["X-Error-Code"] = code
    if retry_s:
        response.headers["Retry-After"] = str(retry_s)
    return response


def _told(error: Exception) -> tuple[HTTPStatus, str, str, int]:
    """Log *error* in full and return what a stranger may know: status, code, detail, seconds until a retry."""
    match error:
        case Rejected():
            logs.info(_log, "request_refused", code=error.code, detail=str(error))
            return _STATUS.get(type(error), HTTPStatus.BAD_REQUEST), error.code, str(error), 0
        case ConfigurationError():
            logs.error(_log, "not_configured", detail=str(error))
            detail = "The service is not configured; /ready names what is wrong. Send the same again later."
            return HTTPStatus.SERVICE_UNAVAILABLE, "not_configured", detail, RETRY_CONFIGURED_S
        case Transient():
            logs.warning(_log, "ledger_unavailable", cause=type(error).__name__, detail=str(error))
            detail = "The ledger does not answer now. Send the same again: an order is paid once."
            return HTTPStatus.SERVICE_UNAVAILABLE, "ledger_unavailable", detail, RETRY_SOON_S
        case _:
            logs.error(_log, "internal_error", traceback="".join(traceback.format_exception(error)))
            return HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "", 0


def _json(status: HTTPStatus, document: Mapping[str, object], mimetype: str = "application/json") -> func.HttpResponse:
    return func.HttpResponse(
        json.dumps(document), status_code=status, headers={"Cache-Control": "no-store"}, mimetype=mimetype
    )
