"""
Which problem a caller sees for each error. The status codes of errors are here and nowhere else.

The log gets the whole error. No answer repeats a secret, a signature or a body.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from http import HTTPStatus

from distributor.errors import (
    BadSignature,
    BodyTooLarge,
    ConflictingOrder,
    MalformedOrder,
    MalformedQuery,
    NotJson,
    RateLimited,
    ShopUnknown,
    UnpayableOrder,
)
from distributor.rates import Window
from foundation import logs
from foundation.errors import ConfigurationError, Rejected, Transient
from foundation.http.handler import WrongMethod
from foundation.http.responses import ProblemDocument

RETRY_SOON_S = 5
RETRY_CONFIGURED_S = 60

_log = logging.getLogger("distributor.functions")


class NoSuchOrder(Rejected):
    """There is no order of this name."""

    code = "order_not_found"


_STATUS = {
    BadSignature: HTTPStatus.UNAUTHORIZED,
    MalformedOrder: HTTPStatus.BAD_REQUEST,
    MalformedQuery: HTTPStatus.BAD_REQUEST,
    UnpayableOrder: HTTPStatus.UNPROCESSABLE_ENTITY,
    ConflictingOrder: HTTPStatus.UNPROCESSABLE_ENTITY,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    NotJson: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    NoSuchOrder: HTTPStatus.NOT_FOUND,
    WrongMethod: HTTPStatus.METHOD_NOT_ALLOWED,
}


def to_problem(error: Exception) -> ProblemDocument:
    """Log *error* in full and return what the caller may know of it."""
    match error:
        case Rejected():
            logs.info(_log, "request_refused", code=error.code, detail=str(error))
            status = _STATUS.get(type(error), HTTPStatus.BAD_REQUEST)
            return ProblemDocument(status, error.code, str(error), _refusal_headers(error))
        case RateLimited():
            again = {"Retry-After": str(error.window.reset_s), **rate_headers(error.policy, error.window)}
            return ProblemDocument(
                HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", f"{error} Send the same again later.", again
            )
        case ConfigurationError():
            logs.error(_log, "not_configured", detail=str(error))
            detail = "The service is not configured; /ready names what is wrong. Send the same again later."
            return ProblemDocument(
                HTTPStatus.SERVICE_UNAVAILABLE, "not_configured", detail, _retry_after(RETRY_CONFIGURED_S)
            )
        case ShopUnknown():
            logs.warning(_log, "shop_unknown", detail=str(error))
            detail = f"{error} Nothing was stored. Send the same again later."
            return ProblemDocument(
                HTTPStatus.SERVICE_UNAVAILABLE, "shop_unknown", detail, _retry_after(RETRY_CONFIGURED_S)
            )
        case Transient():
            logs.warning(_log, "ledger_unavailable", cause=type(error).__name__, detail=str(error))
            detail = "The ledger does not answer now. Send the same again: an order is paid once."
            return ProblemDocument(
                HTTPStatus.SERVICE_UNAVAILABLE, "ledger_unavailable", detail, _retry_after(RETRY_SOON_S)
            )
        case _:
            logs.error(_log, "internal_error", traceback="".join(traceback.format_exception(error)))
            return ProblemDocument(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error")


def _refusal_headers(error: Rejected) -> Mapping[str, str]:
    """Return the headers HTTP asks for: how to authenticate, which methods are allowed."""
    match error:
        case BadSignature():
            return {"WWW-Authenticate": "HMAC-SHA256"}
        case WrongMethod():
            return {"Allow": ", ".join(error.allowed)}
        case _:
            return {}


def _retry_after(seconds: int) -> Mapping[str, str]:
    return {"Retry-After": str(seconds)}


def rate_headers(policy: str, window: Window) -> Mapping[str, str]:
    """
    Return the headers that tell a client how much of its rate is left.

    Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (q: quota, w: window
    in seconds, r: remaining, t: seconds until the window ends)
    """
    return {
        "RateLimit-Policy": f'"{policy}";q={window.rate.amount};w={window.rate.period_s}',
        "RateLimit": f'"{policy}";r={max(0, window.remaining)};t={window.reset_s}',
    }
