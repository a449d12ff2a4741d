"""
PayFlow's errors: each branch says what the caller does next.

PayFlowError
├─ Transient             not now: the lane ends, and is due again
│   ├─ ApiUnavailable    no usable answer from Conta Azul: connection, time-out, 5xx, a page instead of JSON
│   │   └─ UnreadableAnswer   an answer, but not the JSON it should be
│   └─ RateLimited       429 although we had slowed down; says when to come back
├─ ApiRefused            Conta Azul calls the request itself wrong: alarm, never the same again by itself
│   └─ RouteUnknown      this family of routes is not there
├─ Unauthorized          401: the access token is renewed once, then the connection is dead
└─ PlanBlocked           403 END_TRIAL: the clinic's plan has no API; asked again each hour
"""

from __future__ import annotations


class PayFlowError(Exception):
    """Something went wrong in PayFlow."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().partition("\n")[0])


class Transient(PayFlowError):
    """The work cannot go on now and is tried again later."""


class ApiUnavailable(Transient):
    """Conta Azul gave no usable answer."""


class UnreadableAnswer(ApiUnavailable):
    """Conta Azul answered with something that cannot be read."""


class RateLimited(Transient):
    """Conta Azul refused a request because there were too many."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"Conta Azul wants no request for {retry_after_s:g} s.")
        self.retry_after_s = retry_after_s


class ApiRefused(PayFlowError):
    """Conta Azul calls the request wrong."""


class RouteUnknown(ApiRefused):
    """Conta Azul does not have this route."""


class Unauthorized(PayFlowError):
    """Conta Azul does not take the access token."""


class PlanBlocked(PayFlowError):
    """The clinic's plan at Conta Azul has no API."""
