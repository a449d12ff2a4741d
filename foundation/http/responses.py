"""What an HTTP caller receives: JSON that nobody may cache, problem documents that name their request, and pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import azure.functions as func

from foundation.http.html import HtmlPage

# Python's own phrases for these changed with 3.13. Source: https://www.rfc-editor.org/rfc/rfc9110#section-15.5
_TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


@dataclass(frozen=True, slots=True)
class ProblemDocument:
    """What a caller may know of an error."""

    status: HTTPStatus
    code: str
    detail: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(
    status: HTTPStatus, document: Mapping[str, object], mimetype: str = "application/json"
) -> func.HttpResponse:
    """Return *document* as JSON that nobody may cache."""
    return func.HttpResponse(
        json.dumps(document), status_code=status, headers={"Cache-Control": "no-store"}, mimetype=mimetype
    )


def problem_response(problem: ProblemDocument, request_id: str) -> func.HttpResponse:
    """
    Return a problem document. Its code is in a header as well: shops' logs keep headers and mask bodies.

    Source: https://www.rfc-editor.org/rfc/rfc9457
    """
    title = _TITLES.get(problem.status, problem.status.phrase)
    document = {"type": "about:blank", "title": title, "status": problem.status, "code": problem.code}
    detail = {"detail": problem.detail} if problem.detail else {}
    body = {**document, "request_id": request_id, **detail}
    response = json_response(problem.status, body, "application/problem+json")
    set_headers(response, {"X-Error-Code": problem.code, **problem.headers})
    return response


def html_response(page: HtmlPage) -> func.HttpResponse:
    """Return *page* as the Functions library wants it: the type and the character set by themselves."""
    headers = dict(page.headers)
    mimetype = headers.pop("Content-Type").partition(";")[0]
    response = func.HttpResponse(page.body, status_code=page.status, mimetype=mimetype, charset="utf-8")
    set_headers(response, headers)
    return response


def set_headers(response: func.HttpResponse, headers: Mapping[str, str]) -> None:
    """
    Add *headers* one by one.

    The headers of azure-functions before 1.23 have no ``update``. Such a library comes with older
    workers, and there ``update`` answered 500 to a shop whose order was stored.
    """
    for name, value in headers.items():
        response.headers[name] = value
