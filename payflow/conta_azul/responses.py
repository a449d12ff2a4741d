"""What a response means, by status and body. Every response the API was seen to give has its line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payflow.conta_azul import answers
from payflow.errors import (
    ApiRefused,
    ApiUnavailable,
    PlanBlocked,
    RouteUnknown,
    TooManyRequests,
    Unauthorized,
    UnreadableAnswer,
)

RETRY_AFTER_S = 10.0
"""Pause after a 429 that does not say how long; whether the real one ever says it is not known."""
RETRY_AFTER_S_MAX = 120.0
_NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 404, 429, 500


def read_response(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """
    Return the JSON of a good response; None where the thing asked for is gone.

    A 404 is *gone* only with an empty body: with a sentence it is a route that does not exist, and reading that
    as *the payment was undone* would withdraw every receipt.

    Raises:
        Unauthorized: The access token is not taken.
        PlanBlocked: END_TRIAL.
        RateLimited: Too many requests.
        RouteUnknown: There is no such route.
        ApiRefused: Any other 4xx.
        ApiUnavailable: 5xx, a redirect, or an answer that is no JSON.
    """
    if status == 200:  # noqa: PLR2004 -- OK
        return answers.exact_json(body)
    if status == _NOT_FOUND and not body.strip():
        return None
    raise _trouble(status, headers, body)


def _trouble(status: int, headers: Mapping[str, str], body: bytes) -> Exception:
    match status:
        case 401:
            return Unauthorized()
        case 403 if _is_end_trial(body):
            return PlanBlocked()
        case 404:
            return RouteUnknown()
        case 429:
            return TooManyRequests(retry_after_s(headers.get("retry-after", "")))
        case _ if 400 <= status < _SERVER_ERROR:  # noqa: PLR2004 -- the request's fault
            return ApiRefused(f"Conta Azul refuses the request with {status}.")
    return ApiUnavailable(f"Conta Azul answers with {status}.")


def retry_after_s(said: str) -> float:
    """Return how long to wait: what the header says in seconds, within limits, or a default."""
    if not (said.isascii() and said.isdecimal()):
        return RETRY_AFTER_S
    return min(max(float(said), 1.0), RETRY_AFTER_S_MAX)


def _is_end_trial(body: bytes) -> bool:
    try:
        found = answers.exact_json(body)
    except UnreadableAnswer:
        return False
    return isinstance(found, dict) and found.get("status_conta") == "END_TRIAL"
