"""
PayFlow's own errors, beside those of the foundation: each branch says what the caller does next.

ServiceError
├─ Transient             not now: the lane ends, and is due again
│   ├─ ApiUnavailable    no usable answer from Conta Azul: connection, time-out, 5xx, a page instead of JSON
│   │   └─ UnreadableAnswer   an answer, but not the JSON it should be
│   ├─ SendLogUnavailable     the second record of what is sent: without it nothing is sent
│   │   └─ ServedElsewhere    another deployment mails this clinic's receipts: the company rests, alarm
│   └─ RateLimited       429 although we had slowed down; says when to come back
├─ ApiRefused            Conta Azul calls the request itself wrong: alarm, never the same again by itself
│   └─ RouteUnknown      this family of routes is not there
├─ Unauthorized          401: the access token is renewed once, then the connection is dead
└─ PlanBlocked           403 END_TRIAL: the clinic's plan has no API; asked again each hour
"""

from __future__ import annotations

from foundation.errors import ServiceError, Transient


class ApiUnavailable(Transient):
    """Conta Azul gave no usable answer."""


class UnreadableAnswer(ApiUnavailable):
    """Conta Azul answered with something that cannot be read."""


class SendLogUnavailable(Transient):
    """The send log did not take a record, or a restore has begun: nothing is sent."""


class ServedElsewhere(SendLogUnavailable):
    """The send log belongs to another ledger: two deployments never mail the receipts of one clinic."""

    def __init__(self, where: str) -> None:
        super().__init__(f"another deployment of PayFlow serves this clinic: {where or 'unknown'}")
        self.where = where


class TooManyRequests(Transient):
    """Conta Azul refused a request because there were too many."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"Conta Azul wants no request for {retry_after_s:g} s.")
        self.retry_after_s = retry_after_s


class ApiRefused(ServiceError):
    """Conta Azul calls the request wrong."""


class RouteUnknown(ApiRefused):
    """Conta Azul does not have this route."""


class Unauthorized(ServiceError):
    """Conta Azul does not take the access token."""


class PlanBlocked(ServiceError):
    """The clinic's plan at Conta Azul has no API."""
