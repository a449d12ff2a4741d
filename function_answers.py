"""
Answers: how what a caller is told is shaped. What is told of a problem stands in ``function_problems``.

Every answer names its request. Nothing here repeats a secret, a signature or a body.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus

import azure.functions as func

from distributor.model import DEFAULT_SOURCE
from distributor.status import shown
from distributor.webhook.intake import Accepted
from function_problems import WrongMethod, to_problem
from function_work import invocation

# Source: https://www.w3.org/TR/trace-context/ (an all-zero trace id and version ff are invalid)
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
# Python's own phrases for these changed with 3.13. Source: https://www.rfc-editor.org/rfc/rfc9110#section-15.5
_TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


async def answered(
    req: func.HttpRequest,
    context: func.Context,
    job: Callable[[], Awaitable[func.HttpResponse]],
    *,
    methods: Sequence[str],
) -> func.HttpResponse:
    """
    Return what *job* answers, or the problem it met; every answer names its request.

    The routes take every method and the wrong ones are refused here: the host knows no 405 and
    would say 404 (github.com/Azure/azure-functions-host issue 10098). HEAD is a GET whose body the
    host leaves out (https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2).
    """
    request_id = _request_id(req, context)
    with invocation(context, request_id):
        try:
            _refuse_other(req.method, methods)
            response = await job()
        except Exception as error:  # noqa: BLE001 -- the edge: a stranger must get an answer, and no traceback
            response = _problem_answer(error, request_id)
    response.headers["X-Request-Id"] = request_id
    return response


def _refuse_other(method: str, methods: Sequence[str]) -> None:
    allowed = [*methods, "HEAD"] if "GET" in methods else methods
    if method not in allowed:
        raise WrongMethod(method, allowed)


def _request_id(req: func.HttpRequest, context: func.Context) -> str:
    """Return the caller's trace id, so that one word finds a request in both systems' logs; else the host's."""
    for parent in (req.headers.get("traceparent"), context.trace_context.trace_parent):
        trace = _TRACE_PARENT.fullmatch(parent or "")
        if trace:
            return trace[1]
    return uuid.uuid4().hex


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


def _problem_answer(error: Exception, request_id: str) -> func.HttpResponse:
    """
    Shape what went wrong as a problem document.

    The headers repeat the code and the request: a shop's log keeps headers and masks bodies.

    Source: https://www.rfc-editor.org/rfc/rfc9457
    """
    told = to_problem(error)
    title = _TITLES.get(told.status, told.status.phrase)
    problem = {"type": "about:blank", "title": title, "status": told.status, "code": told.code}
    detail = {"detail": told.detail} if told.detail else {}
    response = json_answer(told.status, {**problem, "request_id": request_id, **detail}, "application/problem+json")
    response.headers.update({"X-Error-Code": told.code, **told.headers})
    return response


def json_answer(
    status: HTTPStatus, document: Mapping[str, object], mimetype: str = "application/json"
) -> func.HttpResponse:
    """Return *document* as JSON that nobody may keep."""
    return func.HttpResponse(
        json.dumps(document), status_code=status, headers={"Cache-Control": "no-store"}, mimetype=mimetype
    )
