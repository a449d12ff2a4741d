"""Which problem a caller sees for each error. The log gets the whole error; no answer repeats a secret."""

from __future__ import annotations

import logging
from http import HTTPStatus

from foundation import logs
from foundation.errors import ConfigurationError, Rejected, Transient
from foundation.http.handler import HttpFrame, WrongMethod
from foundation.http.responses import ProblemDocument
from payflow.delivery.doors import BadBounceSignature
from payflow.delivery.event_door import UnknownFormat

RETRY_SOON_S = 5
RETRY_CONFIGURED_S = 60

_log = logging.getLogger("payflow.functions")


def to_problem(error: Exception) -> ProblemDocument:
    """Return what a caller may know of *error*."""
    match error:
        case WrongMethod():
            headers = {"Allow": ", ".join(error.allowed)}
            return ProblemDocument(HTTPStatus.METHOD_NOT_ALLOWED, error.code, str(error), headers)
        case BadBounceSignature():
            return ProblemDocument(HTTPStatus.UNAUTHORIZED, error.code, str(error))
        case Rejected():
            is_format = isinstance(error, UnknownFormat)
            status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE if is_format else HTTPStatus.NOT_FOUND
            return ProblemDocument(status, error.code, str(error))
        case ConfigurationError():
            logs.error(_log, "not_configured", detail=str(error))
            return _later("not_configured", RETRY_CONFIGURED_S)
        case Transient():
            logs.warning(_log, "unavailable", cause=type(error).__name__)
            return _later("unavailable", RETRY_SOON_S)
    _log.error("unexpected error", exc_info=error)
    return ProblemDocument(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error")


def _later(code: str, seconds: int) -> ProblemDocument:
    return ProblemDocument(HTTPStatus.SERVICE_UNAVAILABLE, code, headers={"Retry-After": str(seconds)})


answers = HttpFrame(to_problem, _log).answers
