"""
Answers: what a caller is told, and how a problem is shaped. Triggers stand in ``function_app``.

Every answer names its request. Nothing here repeats a secret, a signature or a body.
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
from distributor.model import DEFAULT_SOURCE
from distributor.status import shown
from function_work import invocation

BODY_BYTES_MAX = 64 * 1024
"""An order has a few hundred bytes; a plug-in may add its own fields."""
RETRY_SOON_S = 5
RETRY_CONFIGURED_S = 60

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


async def answered(
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


def read_body(req: func.HttpRequest) -> bytes:
    """Return the body as it travelled. Raises BodyTooLarge, MalformedOrder when there is none, NotJson."""
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


def order_answer(accepted: Accepted) -> func.HttpResponse:
    """Return 202 for a new order, 200 for one that is known, and where its status is shown."""
    order = accepted.order
    path = order.order_id if order.source == DEFAULT_SOURCE else f"{order.source}/{order.order_id}"
    response = json_answer(
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
    response = json_answer(status, {**problem, "detail": detail} if detail else problem, "application/problem+json")
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


def json_answer(
    status: HTTPStatus, document: Mapping[str, object], mimetype: str = "application/json"
) -> func.HttpResponse:
    """Return *document* as JSON that nobody may keep."""
    return func.HttpResponse(
        json.dumps(document), status_code=status, headers={"Cache-Control": "no-store"}, mimetype=mimetype
    )
