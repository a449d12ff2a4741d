"""
The frame of an HTTP handler: every request is logged, answered and named, whatever happens inside.

Handlers name their parameters ``req`` and ``context``, as the Functions worker passes them.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec

import azure.functions as func

from foundation.errors import Rejected, Transient
from foundation.http.responses import ProblemDocument, problem_response
from foundation.invocation import invocation
from foundation.version import version

P = ParamSpec("P")

ANSWER_S_MAX = 7.5
"""A caller hears from us within eight seconds, whatever storage or a vault does: it then sends the same again."""

# Source: https://www.w3.org/TR/trace-context/ (an all-zero trace id and version ff are invalid)
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class WrongMethod(Rejected):
    """This route does not know the method of the request."""

    code = "wrong_method"

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not a method of this route: it knows {', '.join(allowed)}.")
        self.allowed = allowed


class AnswerLate(Transient):
    """The work behind this request took too long; how far it came is not known."""


@dataclass(frozen=True, slots=True)
class HttpFrame:
    """How one app answers: which problem an error becomes, and where its lines are logged."""

    to_problem: Callable[[Exception], ProblemDocument]
    log: logging.Logger

    def answers(
        self, *methods: str
    ) -> Callable[[Callable[P, Awaitable[func.HttpResponse]]], Callable[P, Awaitable[func.HttpResponse]]]:
        """Let a handler answer *methods*, and answer a problem for every error it raises."""

        def decorate(handler: Callable[P, Awaitable[func.HttpResponse]]) -> Callable[P, Awaitable[func.HttpResponse]]:
            parameters = inspect.signature(handler)

            @wraps(handler)
            async def answer(*args: P.args, **kwargs: P.kwargs) -> func.HttpResponse:
                given = parameters.bind(*args, **kwargs).arguments
                return await self._answer(given["req"], given["context"], methods, lambda: handler(*args, **kwargs))

            return answer

        return decorate

    async def _answer(
        self,
        req: func.HttpRequest,
        context: func.Context,
        methods: Sequence[str],
        job: Callable[[], Awaitable[func.HttpResponse]],
    ) -> func.HttpResponse:
        request_id = _request_id(req, context)
        with invocation(self.log, context, request_id):
            try:
                _require_method(req.method, methods)
                response = await _in_time(job)
            except Exception as error:  # noqa: BLE001 -- the edge: the caller gets an answer, and no traceback
                response = problem_response(self.to_problem(error), request_id)
        response.headers["X-Request-Id"] = request_id
        response.headers["X-Version"] = version()
        return response


async def _in_time(job: Callable[[], Awaitable[func.HttpResponse]]) -> func.HttpResponse:
    """
    Return what *job* answers. Raises AnswerLate after ``ANSWER_S_MAX``.

    A write that is cut here was done wholly or not at all, as after a crash; the repeated request finds out.
    """
    try:
        async with asyncio.timeout(ANSWER_S_MAX) as deadline:
            return await job()
    except TimeoutError:
        if not deadline.expired():
            raise
        raise AnswerLate from None


def _require_method(method: str, methods: Sequence[str]) -> None:
    """
    Refuse other methods than *methods*; HEAD is a GET whose body the host omits.

    The routes are registered for every method, because the host does not know 405 and would answer 404
    (github.com/Azure/azure-functions-host issue 10098).

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
    """
    allowed = [*methods, "HEAD"] if "GET" in methods else methods
    if method not in allowed:
        raise WrongMethod(method, allowed)


def _request_id(req: func.HttpRequest, context: func.Context) -> str:
    """Return the caller's trace id, so that both systems log the request under one id; otherwise the host's."""
    for parent in (req.headers.get("traceparent"), context.trace_context.trace_parent):
        trace = _TRACE_PARENT.fullmatch(parent or "")
        if trace:
            return trace[1]
    return uuid.uuid4().hex
