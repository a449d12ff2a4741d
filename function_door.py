"""
The front door: what a signed request passes before anything in it is read.

In this order: is its address still let in, can its body be an order, who signed it, may that shop
send another one. What is refused before a signature proved anything is charged to the address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import azure.functions as func

from distributor.errors import MalformedOrder
from distributor.webhook.signature import Verified
from distributor.wiring import container
from foundation.errors import Rejected
from function_problems import BodyTooLarge, NotJson, rate_headers

BODY_BYTES_MAX = 64 * 1024
"""An order has a few hundred bytes; a plug-in may add its own fields."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthenticatedRequest:
    """A body that a shop signed, and what the shop is told of its rate."""

    body: bytes = field(repr=False)
    by: Verified
    headers: Mapping[str, str]


async def authenticate(req: func.HttpRequest, *, body_bytes_max: int = BODY_BYTES_MAX) -> AuthenticatedRequest:
    """
    Return what a shop signed.

    Raises:
        Rejected: The body is no order's, or the signature is wrong; charged to the address.
        RateLimited: The address or the shop came too often.
        ConfigurationError: A limit or a secret is not set right.
    """
    rate_limiter = await container().rate_limiter()
    client = await rate_limiter.check(req.headers.get("X-Forwarded-For", ""))
    try:
        body = _read(req, body_bytes_max)
        intake = await container().intake()
        by = intake.authenticate(req.headers, body)
    except Rejected:
        await rate_limiter.penalize(client)
        raise
    window = await rate_limiter.consume(by.source)
    return AuthenticatedRequest(body=body, by=by, headers=rate_headers("source", window) if window else {})


def _read(req: func.HttpRequest, bytes_max: int) -> bytes:
    """Return the body as it travelled. Raises BodyTooLarge, MalformedOrder when there is none, NotJson."""
    body = req.get_body()
    if len(body) > bytes_max:
        raise BodyTooLarge(f"The body has more than {bytes_max} bytes, which no order sent here has.")
    if not body:
        # The host hands over no body that came without Content-Length: told here, before the signature
        # of what we did not get is called wrong.
        raise MalformedOrder("The request has no body: send it with Content-Length, not chunked.", code="body_empty")
    media_type = req.headers.get("Content-Type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotJson("The content type must be application/json.")
    return body
