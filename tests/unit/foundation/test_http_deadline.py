"""Every request is answered in time, and an error of the work itself stays what it is."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

import azure.functions as func
import pytest

from foundation.http import handler
from foundation.http.handler import AnswerLate, HttpFrame
from foundation.http.responses import ProblemDocument, json_response
from tests.fakes.functions import a_context

REQUEST = func.HttpRequest("GET", "/x", body=b"")
FOUND: list[Exception] = []


def to_problem(error: Exception) -> ProblemDocument:
    """Keep the error and answer with it."""
    FOUND.append(error)
    return ProblemDocument(HTTPStatus.SERVICE_UNAVAILABLE, "late")


FRAME = HttpFrame(to_problem, logging.getLogger("test"))


@FRAME.answers("GET")
async def hang(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:  # noqa: ARG001 -- as the worker calls
    """Answer after a minute."""
    await asyncio.sleep(60)
    return json_response(HTTPStatus.OK, {})


@FRAME.answers("GET")
async def fail(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:  # noqa: ARG001 -- as the worker calls
    """Fail with a time-out that is not ours."""
    raise TimeoutError("a socket")


async def test_work_that_hangs_is_answered_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """As trouble that passes: the caller sends the same again."""
    monkeypatch.setattr(handler, "ANSWER_S_MAX", 0.05)

    response = await hang(REQUEST, a_context())

    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert isinstance(FOUND[-1], AnswerLate)


async def test_a_time_out_of_the_work_is_its_own_error() -> None:
    """Not ours, and not called late."""
    await fail(REQUEST, a_context())

    assert str(FOUND[-1]) == "a socket"
